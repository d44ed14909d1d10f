// The reference vectors of tests/oracle/, and the comparison of a computed array with one of them.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "autograd/array.hpp"

namespace oracle {

using autograd::Array;

/// One case of a family. A value is found by its JSON pointer: "/config/T", "/grads/params/weight_ih_l0".
/// Whatever is missing or of another type is a FormatError that names the case and the pointer.
class Case {
 public:
  Case(std::string family, const nlohmann::json& json);

  const std::string& name() const { return name_; }

  /// Whether there is a value, other than null.
  bool has(const std::string& pointer) const;

  /// A tensor of any type, as double.
  Array<double> tensor(const std::string& pointer) const;

  /// The elements of an integer tensor, none of them negative.
  std::vector<std::size_t> indices(const std::string& pointer) const;

  /// A plain value: bool, std::ptrdiff_t, std::size_t, double, std::string, or a std::vector of one of the numbers.
  template <class Value>
  Value get(const std::string& pointer) const;

  /// The keys of an object, sorted; the number of entries of an array.
  std::vector<std::string> keys(const std::string& pointer) const;
  std::size_t count(const std::string& pointer) const;

  /// What is at `pointer`, for the few tests that walk the JSON (and include <nlohmann/json.hpp> for it).
  const nlohmann::json& json(const std::string& pointer = "") const;

 private:
  template <class Read>
  auto read(const std::string& pointer, Read read) const;

  std::string family_, name_;
  const nlohmann::json* json_;
};

/// All cases of tests/oracle/<family>.json, in the order of the file, which is parsed once and kept.
/// Throws FormatError if the file can not be read.
const std::vector<Case>& cases(const std::string& family);

/// The case called `name`. Throws FormatError if there is none.
const Case& find(const std::string& family, const std::string& name);

/// What `agree` found: true or false, and as text the element that is furthest off.
struct Agreement {
  bool agrees;
  std::string text;

  explicit operator bool() const { return agrees; }
};

std::ostream& operator<<(std::ostream& out, const Agreement& agreement);

/// Whether the shapes are equal and |got - expected| <= atol + rtol * |expected| for every element. A NaN never agrees.
Agreement agree(const Array<double>& got, const Array<double>& expected, double atol = 1e-12, double rtol = 1e-11);

}  // namespace oracle
