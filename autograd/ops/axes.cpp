#include "autograd/ops/axes.hpp"

#include "autograd/error.hpp"

namespace autograd {

Axes::Axes(std::span<const Index> axes) {
  if (axes.size() > Shape::max_rank)
    throw ShapeError("axes: " + std::to_string(axes.size()) + " axes named, an array has at most " +
                     std::to_string(Shape::max_rank));
  for (const Index axis : axes) axes_[count_++] = axis;
}

unsigned Axes::mask(const char* op, std::size_t rank) const {
  unsigned mask = 0;
  for (std::size_t k = 0; k < count_; ++k) {
    const unsigned bit = 1u << normalize_axis(op, axes_[k], rank);
    if (mask & bit)
      throw ShapeError(std::string(op) + ": axis " + std::to_string(axes_[k]) + " is named twice; name each axis once");
    mask |= bit;
  }
  return mask;
}

Shape detail::reduced(const Shape& shape, unsigned mask, bool keepdims) {
  Shape result;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    const bool gone = mask >> axis & 1u;
    if (!gone || keepdims) result.push_back(gone ? 1 : shape[axis]);
  }
  return result;
}

void detail::check_not_empty(const char* op, const Shape& shape, unsigned mask) {
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if ((mask >> axis & 1u) && shape[axis] == 0)
      throw ShapeError(std::string(op) + ": axis " + std::to_string(axis) + " of shape " + to_string(shape) +
                       " is empty; there is no element to reduce");
}

}  // namespace autograd
