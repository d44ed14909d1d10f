#include "autograd/shape.hpp"

#include "autograd/error.hpp"

namespace autograd {

void Shape::throw_rank() {
  throw ShapeError("shape: more than " + std::to_string(max_rank) + " axes; merge some with reshape()");
}

void Shape::throw_elements(const char* op) const {
  throw ShapeError(std::string(op) + ": " + to_string(*this) +
                   " has more elements than can be addressed; was a size negative?");
}

void Shape::require_elements(const char* op) const {
  std::size_t product = 1;
  for (const std::size_t extent : *this)
    if (extent > 0 && (!multiply(product, extent) || product > max_elements)) throw_elements(op);
}

namespace {

[[noreturn]] void throw_extent(const char* op, std::size_t a, const char* sign, std::size_t b) {
  throw ShapeError(std::string(op) + ": an extent of " + std::to_string(a) + sign + std::to_string(b) +
                   " is more than can be addressed; was a size negative?");
}

}  // namespace

std::size_t extent_sum(const char* op, std::size_t a, std::size_t b) {
  if (a > Shape::max_elements || b > Shape::max_elements - a) throw_extent(op, a, " + ", b);
  return a + b;
}

std::size_t extent_product(const char* op, std::size_t a, std::size_t b) {
  if (a > 0 && b > Shape::max_elements / a) throw_extent(op, a, " * ", b);
  return a * b;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return text + ")";
}

Shape broadcast(const char* op, const Shape& left, const Shape& right) {
  Shape result = left.rank() >= right.rank() ? left : right;
  const std::size_t rank = result.rank();
  for (std::size_t back = 1; back <= std::min(left.rank(), right.rank()); ++back) {
    const std::size_t a = left[left.rank() - back];
    const std::size_t b = right[right.rank() - back];
    if (a != b && a != 1 && b != 1)
      throw ShapeError(std::string(op) + ": shapes " + to_string(left) + " and " + to_string(right) +
                       " do not broadcast: axis " + std::to_string(rank - back) + " has extents " + std::to_string(a) +
                       " and " + std::to_string(b) + "; make them equal, or one of them 1");
    result[rank - back] = a == 1 ? b : a;
  }
  return result;
}

std::size_t normalize_axis(const char* op, Index axis, std::size_t rank) {
  const Index signed_rank = static_cast<Index>(rank);
  if (axis < -signed_rank || axis >= signed_rank)
    throw ShapeError(std::string(op) + ": axis " + std::to_string(axis) + " is out of range for an array of rank " +
                     std::to_string(rank) + "; valid axes are " + std::to_string(-signed_rank) + " to " +
                     std::to_string(signed_rank - 1));
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

}  // namespace autograd
