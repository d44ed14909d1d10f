#include "nn/io/formats/onnx/constant.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats::onnx {

namespace {

/// Far from where whole numbers overflow, and farther from any size that there is.
void require_small(double number) {
  if (std::abs(number) > 0x1p62) throw Refusal("a size that is too large");
}

}  // namespace

Extent operator*(Extent left, Extent right) {
  if (left.factor == 0 || right.factor == 0) return {0};
  constexpr std::uint64_t high = 0x8080808080808080;
  if ((left.powers | right.powers) & high) throw Refusal("a size that is too large");
  require_small(static_cast<double>(left.factor) * static_cast<double>(right.factor));
  return {left.factor * right.factor, left.powers + right.powers};
}

Extent operator+(Extent left, Extent right) {
  if (left.is(0)) return right;
  if (right.is(0)) return left;
  if (left.powers != right.powers) throw Refusal("a sum of different lengths of the graph's input");
  require_small(static_cast<double>(left.factor) + static_cast<double>(right.factor));
  const std::int64_t sum = left.factor + right.factor;
  return {sum, sum == 0 ? 0 : left.powers};
}

Extent operator/(Extent left, Extent right) {
  bool divides = right.factor > 0 && left.factor % right.factor == 0;
  for (int shift = 0; shift < 64; shift += 8)
    divides &= (left.powers >> shift & 0xFF) >= (right.powers >> shift & 0xFF);
  if (!divides) throw Refusal(to_string(Extents{left}) + " is no multiple of " + to_string(Extents{right}));
  return {left.factor / right.factor, left.powers - right.powers};
}

std::string to_string(const Extents& extents) {
  std::string text;
  for (const Extent& extent : extents) {
    text += text.empty() ? "" : ", ";
    std::string lengths;
    for (std::size_t axis = 0; axis < 8; ++axis)
      lengths.append(extent.powers >> 8 * axis & 0xFF, static_cast<char>('a' + axis));
    text += lengths.empty() || extent.factor != 1 ? std::to_string(extent.factor) + lengths : lengths;
  }
  return '(' + text + ')';
}

std::string type_name(std::int64_t type) {
  constexpr std::array names{"",        "float", "uint8",  "int8",   "uint16", "int16",   "int32",   "int64",   "text",
                             "boolean", "half",  "double", "uint32", "uint64", "complex", "complex", "bfloat16"};
  if (type > 0 && type < static_cast<std::int64_t>(names.size())) return names[static_cast<std::size_t>(type)];
  return "type " + std::to_string(type);
}

std::size_t type_width(std::int64_t type) {
  switch (static_cast<Type>(type)) {
    case Type::boolean:
      return 1;
    case Type::float32:
    case Type::int32:
      return 4;
    case Type::float64:
    case Type::int64:
      return 8;
  }
  return 0;
}

std::size_t axis_of(std::int64_t axis, std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count)
    throw Refusal("axis " + std::to_string(axis) + " of an array of " + std::to_string(rank) + " axes");
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

std::vector<std::int64_t> known_numbers(const Constant& list, const char* what) {
  if (is_real(list.type) || list.rank() > 1) throw Refusal(std::string(what) + " are no list of whole numbers");
  std::vector<std::int64_t> result;
  if (!list.shape.empty() && list.shape[0].is(0)) return result;
  for (const Extent& number : list.wholes()) {
    if (!number.known()) throw Refusal(std::string(what) + " depend on the lengths of the graph's input");
    result.push_back(number.factor);
  }
  if (list.rank() == 1 && !list.shape[0].is(static_cast<std::int64_t>(result.size()))) {
    if (!list.shape[0].known() || list.shape[0].factor > 8) throw Refusal(std::string(what) + " are too many");
    result.resize(static_cast<std::size_t>(list.shape[0].factor), result[0]);  // one number everywhere
  }
  return result;
}

std::size_t size_of(const Shape& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    if (extent > 1 && size > std::numeric_limits<std::size_t>::max() / 64 / extent)
      throw Refusal("the shape " + to_string(shape) + " has more elements than can be counted");
    size *= std::max<std::size_t>(extent, 1);
  }
  return shape.elements() == 0 ? 0 : size;
}

Extents extents_of(const Shape& shape) {
  Extents result;
  for (const std::size_t extent : shape) result.push_back({static_cast<std::int64_t>(extent)});
  return result;
}

/// The shape, all of which must be known.
Shape known_shape(const Extents& extents) {
  Shape shape;
  for (const Extent& extent : extents) {
    if (!extent.known())
      throw Refusal("the shape " + to_string(extents) + " depends on the lengths of the graph's input");
    if (extent.factor < 0) throw Refusal("the shape " + to_string(extents) + " has a negative extent");
    shape.push_back(static_cast<std::size_t>(extent.factor));
  }
  return shape;
}

void require_rank(std::size_t rank) {
  if (rank > Shape::max_rank) throw Refusal("an array of more than 8 axes");
}

}  // namespace nn::io::formats::onnx
