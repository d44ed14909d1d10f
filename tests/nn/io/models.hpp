// Modules to save and load, and how to look at them and at the files.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "nn/description.hpp"
#include "nn/module.hpp"

namespace saved {

using autograd::Array;
using nn::Parameter;

template <class T>
Parameter<T> numbered(const autograd::Shape& shape) {
  Array<T> values = autograd::zeros<T>(shape);
  for (std::size_t k = 0; k < values.size(); ++k) values.data()[k] = static_cast<T>(k + 1) / 8;
  return Parameter<T>(std::move(values));
}

/// A parameter with axes, and one without.
template <class T>
struct Small {
  Parameter<T> w = numbered<T>({2, 3});
  Parameter<T> s = numbered<T>({});

  static void visit(auto& self, auto&& visitor) {
    visitor("w", self.w);
    visitor("s", self.s);
  }
};

/// Any parameters, by name.
template <class T>
struct Free {
  std::vector<std::pair<std::string, Parameter<T>>> parameters;

  static void visit(auto& self, auto&& visitor) {
    for (auto& [name, parameter] : self.parameters) visitor(name, parameter);
  }
};

/// A file for Small<float>, in the compact form that other programs write.
inline const std::string good =
    R"({"format":"wengert/1","dtype":"float32","modules":[{"name":"","type":"Small"}],)"
    R"("parameters":{"w":{"shape":[2,3],"data":[1,2.5,-3,4e2,5,6]},"s":{"shape":[],"data":[7]}},"metadata":{"a":"b"}})";

/// Shapes, bits and versions of every parameter: equal only if nobody has written.
template <class M>
std::string state(const M& module) {
  std::string result;
  nn::for_each_parameter(module, [&](const std::string& name, const auto& p) {
    result += name + to_string(p.shape()) + std::to_string(p.version());
    result.append(reinterpret_cast<const char*>(p.value().data()), p.size() * sizeof(*p.value().data()));
  });
  return result;
}

/// As state(), of numbers alone.
template <class M>
std::string bits(const M& module) {
  std::string result;
  nn::for_each_parameter(module, [&](const std::string&, const auto& p) {
    result.append(reinterpret_cast<const char*>(p.value().data()), p.size() * sizeof(*p.value().data()));
  });
  return result;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// A folder of its own for each test, gone afterwards.
struct Folder {
  std::filesystem::path path;

  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "wengert-json-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path); }

  std::vector<std::string> files() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      result.push_back(entry.path().filename().string());
    std::sort(result.begin(), result.end());
    return result;
  }
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace saved
