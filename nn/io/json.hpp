// Trained weights as JSON: what save_json writes, load_json reads bit for bit.
//
//   {
//     "format": "wengert/1",
//     "dtype": "float32",
//     "modules": [
//       {"name": "lstm", "type": "LSTM", "input_size": 10, "hidden_size": 20, "gate_order": "ifgo"}
//     ],
//     "parameters": {
//       "lstm.weight_ih_l0": {"shape": [80, 10], "data": [0.1,-0.25]}
//     },
//     "metadata": {"seed": "7"}
//   }
//
// Data is flat and row-major; every number is the shortest text that reads back as the same bits.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "nn/description.hpp"
#include "nn/module.hpp"

namespace nn::io {

/// Notes that travel with the weights: at most 1000 of them, in UTF-8.
using Metadata = std::map<std::string, std::string>;

struct SaveOptions {
  Metadata metadata = {};
};

struct LoadOptions {
  bool allow_narrowing = false;  ///< round the numbers of a float64 file into a float model, instead of refusing it
};

namespace detail {

/// What the compiled library sees of a module.
template <class Float, class Double>
struct Contents {
  struct Entry {
    std::string name;
    std::variant<Float*, Double*> parameter;
  };
  std::vector<Entry> parameters = {};
  std::vector<std::pair<std::string, Description>> modules = {};
};
using ConstContents = Contents<const Parameter<float>, const Parameter<double>>;
using MutableContents = Contents<Parameter<float>, Parameter<double>>;

template <class C, Module M>
C contents(M& module) {
  C result;
  for_each_parameter(module, [&](const std::string& path, auto& parameter) {
    result.parameters.push_back({path, &parameter});
  });
  for_each_module(module, [&]<class U>(const std::string& path, const U& child) {
    if constexpr (Described<U>) result.modules.emplace_back(path, child.describe());
  });
  return result;
}

std::string write(const ConstContents& model, const SaveOptions& options);
void save(const ConstContents& model, const std::filesystem::path& path, const SaveOptions& options);
void save(const ConstContents& model, std::ostream& stream, const SaveOptions& options);

Metadata read(const MutableContents& model, std::string_view text, const LoadOptions& options);
Metadata load(const MutableContents& model, const std::filesystem::path& path, const LoadOptions& options);
Metadata load(const MutableContents& model, std::istream& stream, const LoadOptions& options);

}  // namespace detail

/// Writes the parameters of a module, its descriptions, and metadata; a file is replaced only once the new one is
/// complete. Throws ValueError for a NaN or an infinity, naming parameter and index, for parameters of both float and
/// double, for a name that occurs twice, and for text that is not UTF-8; Error if the file can not be written.
template <Module M>
void save_json(const M& module, const std::filesystem::path& path, const SaveOptions& options = {}) {
  detail::save(detail::contents<detail::ConstContents>(module), path, options);
}
template <Module M>
void save_json(const M& module, std::ostream& stream, const SaveOptions& options = {}) {
  detail::save(detail::contents<detail::ConstContents>(module), stream, options);
}

/// The text that save_json writes.
template <Module M>
std::string to_json_text(const M& module, const SaveOptions& options = {}) {
  return detail::write(detail::contents<detail::ConstContents>(module), options);
}

/// Sets every parameter of a module from a file, and returns the file's metadata. A float32 file fits a double model.
/// Throws FormatError, and then the module is what it was: for anything but a complete wengert/1 file, with the byte
/// (how many were read) and the JSON pointer; for names or shapes that differ, with all of them in one text; for a
/// module whose description differs.
template <Module M>
Metadata load_json(M& module, const std::filesystem::path& path, const LoadOptions& options = {}) {
  return detail::load(detail::contents<detail::MutableContents>(module), path, options);
}
template <Module M>
Metadata load_json(M& module, std::istream& stream, const LoadOptions& options = {}) {
  return detail::load(detail::contents<detail::MutableContents>(module), stream, options);
}

/// load_json from a text.
template <Module M>
Metadata from_json_text(M& module, std::string_view text, const LoadOptions& options = {}) {
  return detail::read(detail::contents<detail::MutableContents>(module), text, options);
}

/// The metadata of a file, whatever the model. Throws FormatError for anything but a complete wengert/1 file.
Metadata read_metadata(const std::filesystem::path& path);

}  // namespace nn::io
