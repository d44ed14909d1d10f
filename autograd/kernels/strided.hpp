// One strided walk for every op that moves or sums elements: slices, transposes, broadcasts, concatenations, sums.
#pragma once

#include <array>

#include "autograd/shape.hpp"

namespace autograd::kernels {

/// Distances between neighbours along each axis, in elements; 0 repeats a source or sums into a destination.
using Strides = std::array<Index, Shape::max_rank>;

/// Those of a contiguous row-major array.
Strides contiguous_strides(const Shape& shape);

/// Strides under which an array of shape `from` appears as `to` by NumPy's broadcasting: 0 along what repeats.
Strides broadcast_strides(const Shape& from, const Shape& to);

/// to[i] = from[i], or to[i] += from[i] with `accumulate`, for every index i of `shape`.
/// V is float, double or std::complex<double>.
template <class V>
void strided_copy(const Shape& shape, const V* from, const Strides& from_strides, V* to, const Strides& to_strides,
                  bool accumulate);

}  // namespace autograd::kernels
