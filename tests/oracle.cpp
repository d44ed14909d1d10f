// Reads the reference vectors with nlohmann/json; the tests that use them need not include it.
#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <utility>

#include "autograd/error.hpp"

namespace oracle {

using autograd::FormatError;
using autograd::Shape;
using nlohmann::json;

namespace {

struct Family {
  json file;
  std::vector<Case> cases;
};

/// Where the `flat`-th element of a row-major array is, along every axis.
Shape position(std::size_t flat, const Shape& shape) {
  Shape result = shape;
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    result[axis] = flat % shape[axis];
    flat /= shape[axis];
  }
  return result;
}

}  // namespace

Case::Case(std::string family, const nlohmann::json& json)
    : family_(std::move(family)), name_(json.at("name").get<std::string>()), json_(&json) {}

template <class Read>
auto Case::read(const std::string& pointer, Read read) const {
  try {
    return read(json_->at(nlohmann::json::json_pointer(pointer)));
  } catch (const nlohmann::json::exception& error) {
    throw FormatError("oracle " + family_ + "/" + name_ + ", " + pointer + ": " + error.what());
  }
}

bool Case::has(const std::string& pointer) const {
  const nlohmann::json::json_pointer path(pointer);
  return json_->contains(path) && !json_->at(path).is_null();
}

Array<double> Case::tensor(const std::string& pointer) const {
  return read(pointer, [&](const nlohmann::json& value) {
    const auto data = value.at("data").get<std::vector<double>>();
    const auto refuse = [&](const std::string& what) {
      throw FormatError("oracle " + family_ + "/" + name_ + ", " + pointer + ": " + what);
    };
    Shape shape;
    bool empty = false;
    for (const nlohmann::json& extent : value.at("shape")) {
      if (!extent.is_number_unsigned() || shape.rank() == Shape::max_rank) refuse("no shape: " + value["shape"].dump());
      shape.push_back(extent.get<std::size_t>());
      empty |= shape.back() == 0;
    }
    // Divided, because the product of what a file claims could overflow.
    std::size_t left = data.size();
    bool fits = !empty || left == 0;
    for (const std::size_t extent : shape) {
      if (empty || !fits) break;
      fits = left % extent == 0;
      left /= extent;
    }
    if (!fits || (!empty && left != 1)) refuse(std::to_string(data.size()) + " data for shape " + to_string(shape));
    Array<double> result = autograd::make_array<double>(shape);
    std::copy(data.begin(), data.end(), result.data());
    return result;
  });
}

std::vector<std::size_t> Case::indices(const std::string& pointer) const {
  std::vector<std::size_t> result;
  for (const double value : tensor(pointer)) {
    if (value < 0 || value != std::floor(value))
      throw FormatError("oracle " + family_ + "/" + name_ + ", " + pointer + ": " + std::to_string(value) +
                        " is no index");
    result.push_back(static_cast<std::size_t>(value));
  }
  return result;
}

template <class Value>
Value Case::get(const std::string& pointer) const {
  return read(pointer, [](const nlohmann::json& value) { return value.get<Value>(); });
}

template bool Case::get(const std::string&) const;
template std::ptrdiff_t Case::get(const std::string&) const;
template std::size_t Case::get(const std::string&) const;
template double Case::get(const std::string&) const;
template std::string Case::get(const std::string&) const;
template std::vector<std::ptrdiff_t> Case::get(const std::string&) const;
template std::vector<std::size_t> Case::get(const std::string&) const;
template std::vector<double> Case::get(const std::string&) const;

std::vector<std::string> Case::keys(const std::string& pointer) const {
  std::vector<std::string> result;
  for (const auto& [key, value] : json(pointer).items()) result.push_back(key);
  return result;
}

std::size_t Case::count(const std::string& pointer) const { return json(pointer).size(); }

const nlohmann::json& Case::json(const std::string& pointer) const {
  return *read(pointer, [](const nlohmann::json& value) { return &value; });
}

const std::vector<Case>& cases(const std::string& family) {
  static std::map<std::string, Family> families;
  if (const auto known = families.find(family); known != families.end()) return known->second.cases;

  const std::string path = std::string(WENGERT_ORACLE_DIR) + "/" + family + ".json";
  std::ifstream file(path);
  if (!file) throw FormatError("oracle: can not open " + path);
  Family& result = families[family];
  try {
    result.file = json::parse(file);
    for (const json& entry : result.file.at("cases")) result.cases.emplace_back(family, entry);
  } catch (const json::exception& error) {
    families.erase(family);
    throw FormatError("oracle: " + path + ": " + error.what());
  }
  return result.cases;
}

const Case& find(const std::string& family, const std::string& name) {
  for (const Case& entry : cases(family))
    if (entry.name() == name) return entry;
  throw FormatError("oracle: " + family + " has no case " + name);
}

std::ostream& operator<<(std::ostream& out, const Agreement& agreement) { return out << agreement.text; }

Agreement agree(const Array<double>& got, const Array<double>& expected, double atol, double rtol) {
  const Shape shape = autograd::shape_of(got);
  if (!(shape == autograd::shape_of(expected)))
    return {false, "shape " + to_string(shape) + ", expected " + to_string(autograd::shape_of(expected))};

  double worst = -1;
  std::size_t where = 0;
  for (std::size_t k = 0; k < got.size(); ++k) {
    const double a = got.data()[k], b = expected.data()[k];
    double off = a == b ? 0 : std::abs(a - b) / (atol + rtol * std::abs(b));  // in units of what is allowed
    if (std::isnan(off)) off = std::numeric_limits<double>::infinity();
    if (off > worst) {
      worst = off;
      where = k;
    }
  }
  if (worst < 0) return {true, "empty"};

  const double a = got.data()[where], b = expected.data()[where];
  std::ostringstream text;
  text.precision(17);
  text << "worst at " << to_string(position(where, shape)) << ": " << a << ", expected " << b;
  text.precision(3);
  text << ", off by " << std::abs(a - b) << ", allowed " << atol + rtol * std::abs(b);
  return {worst <= 1, text.str()};
}

}  // namespace oracle
