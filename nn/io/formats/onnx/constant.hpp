// What a graph computes without its input: weights, and the sizes and states that exporters derive from them and from
// the shape of the input. Constants are folded as they are met.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/io/weights.hpp"

namespace nn::io::formats::onnx {

/// A whole number that may depend on the lengths of the axes of the graph's input, which are positive and not known:
/// `factor` times a power of each length.
struct Extent {
  std::int64_t factor = 1;
  std::uint64_t powers = 0;  ///< a byte for each axis of the input

  static Extent length(std::size_t axis) { return {1, std::uint64_t{1} << 8 * axis}; }
  bool known() const { return powers == 0; }
  bool is(std::int64_t value) const { return known() && factor == value; }
  friend bool operator==(const Extent&, const Extent&) = default;
};

// All throw Refusal for a result that is no Extent.
Extent operator+(Extent left, Extent right);
Extent operator*(Extent left, Extent right);
Extent operator/(Extent left, Extent right);

using Extents = std::vector<Extent>;

/// "(2, a, 8)", where a is the length of the first axis of the input.
std::string to_string(const Extents& extents);

/// The types of ONNX that are read, by their numbers there.
enum class Type { float32 = 1, int32 = 6, int64 = 7, boolean = 9, float64 = 11 };

inline bool is_real(Type type) { return type == Type::float32 || type == Type::float64; }

/// "float", "int64"; "type 10" for one that is not read.
std::string type_name(std::int64_t type);
/// The bytes of a number; 0 for a type that is not read.
std::size_t type_width(std::int64_t type);

struct Constant {
  using Elements = std::variant<std::vector<double>, Extents>;  ///< of real numbers, and of all others

  Type type = Type::float32;
  Extents shape = {};
  Shape stored = {};  ///< of the elements: 1 along an axis over which they do not change, otherwise as `shape`
  std::shared_ptr<const Elements> elements = {};

  std::size_t rank() const { return shape.size(); }
  bool uniform() const { return stored.elements() == 1; }
  const std::vector<double>& reals() const { return std::get<std::vector<double>>(*elements); }
  const Extents& wholes() const { return std::get<Extents>(*elements); }
};

/// The axis, counted from the end where negative. Throws Refusal if there is none.
std::size_t axis_of(std::int64_t axis, std::size_t rank);

/// The numbers of a list, which must all be known.
std::vector<std::int64_t> known_numbers(const Constant& list, const char* what);

/// The elements of a shape. Throws Refusal where they can not be counted.
std::size_t size_of(const Shape& shape);
Extents extents_of(const Shape& shape);
/// The shape, all of which must be known.
Shape known_shape(const Extents& extents);
/// Throws Refusal for more axes than a Shape has.
void require_rank(std::size_t rank);

}  // namespace nn::io::formats::onnx
