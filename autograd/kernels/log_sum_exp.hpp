// Arrays line by line along an axis, and log(sum(exp(x))) of a line.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>

#include "autograd/shape.hpp"

namespace autograd::kernels {

/// One line of an array along an axis: `size` elements, `stride` apart.
template <class V>
struct Line {
  V* data;
  std::size_t size;
  std::size_t stride;
  V& operator[](std::size_t k) const { return data[k * stride]; }
};

/// f(k) with k-th line's offset, for all lines along an axis.
template <class F>
void for_each_line(const Shape& shape, std::size_t axis, F f) {
  const std::size_t outer = shape.elements(0, axis), inner = shape.elements(axis + 1, shape.rank());
  for (std::size_t row = 0; row < outer; ++row)
    for (std::size_t column = 0; column < inner; ++column) f(row * shape[axis] * inner + column);
}

template <class V>
Line<V> line(V* data, std::size_t offset, const Shape& shape, std::size_t axis) {
  return {data + offset, shape[axis], shape.elements(axis + 1, shape.rank())};
}

/// log(sum(exp(x))) of one line, shifted by its largest real part.
template <class V>
V log_sum_exp(const Line<const V>& x) {
  using std::exp, std::log, std::real;
  if (x.size == 0) return V(0);
  auto largest = real(x[0]);
  for (std::size_t k = 1; k < x.size; ++k) largest = std::max(largest, real(x[k]));
  if (std::isinf(largest)) return V(largest);
  V total = V(0);
  for (std::size_t k = 0; k < x.size; ++k) total += exp(x[k] - largest);
  return log(total) + largest;
}

}  // namespace autograd::kernels
