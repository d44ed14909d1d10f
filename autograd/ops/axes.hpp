// Axes: which axes of an array an op works on.
#pragma once

#include <initializer_list>
#include <span>

#include "autograd/shape.hpp"

namespace autograd {

/// One axis or several; negative ones count from the end.
class Axes {
 public:
  Axes(Index axis) : Axes({axis}) {}  // NOLINT: `sum(x, -1)` reads as meant
  Axes(int axis) : Axes({axis}) {}    // NOLINT
  Axes(std::initializer_list<Index> axes) : Axes(std::span<const Index>(axes.begin(), axes.size())) {}
  /// Throws ShapeError for more than Shape::max_rank axes.
  explicit Axes(std::span<const Index> axes);

  std::size_t size() const { return count_; }
  Index operator[](std::size_t k) const { return axes_[k]; }

  /// Bit k is set for axis k. Throws ShapeError naming `op` for an axis out of range or named twice.
  unsigned mask(const char* op, std::size_t rank) const;

 private:
  std::array<Index, Shape::max_rank> axes_{};
  std::size_t count_ = 0;
};

namespace detail {

/// `shape` with extent 1 along the axes of the mask, or without them.
Shape reduced(const Shape& shape, unsigned mask, bool keepdims);

/// Throws ShapeError naming `op` if an axis of the mask has no elements.
void check_not_empty(const char* op, const Shape& shape, unsigned mask);

inline unsigned all_axes(const Shape& shape) { return (1u << shape.rank()) - 1; }

}  // namespace detail

}  // namespace autograd
