// Arrays line by line along an axis, and sums of exp(x) of a line.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>

#include "autograd/kernels/contiguous_sum.hpp"
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

/// What log(sum(exp(x))) of a line is made of: its largest real part, and the sum of exp(x - largest). They stay apart:
/// log(sum) + largest has as few digits as the largest x, too few to be subtracted from another x.
template <class V>
struct ExpSum {
  decltype(std::real(V())) largest{};
  V sum{};  ///< at least 1, and 1 where the largest is infinite
};

/// keep(k, exp(x[k] - largest)) is called for each k, in order of the sum.
template <class V, class Keep>
ExpSum<V> exp_sum(const Line<const V>& x, Keep keep) {
  using std::exp, std::real;
  if (x.size == 0) return {};
  auto largest = real(x[0]);
  for (std::size_t k = 1; k < x.size; ++k) largest = std::max(largest, real(x[k]));
  const V sum = contiguous_sum<V>(x.size, [&](std::size_t k) {
    const V term = exp(x[k] - largest);
    keep(k, term);
    return term;
  });
  return {largest, std::isinf(largest) ? V(1) : sum};
}
template <class V>
ExpSum<V> exp_sum(const Line<const V>& x) {
  return exp_sum(x, [](std::size_t, const V&) {});
}

}  // namespace autograd::kernels
