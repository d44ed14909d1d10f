// Means of lines, and lines less their means. A first sum gives the mean but for its rounding, and the mean of what is
// left over corrects it: so numbers that lie close together far from 0 keep their digits, and equal ones are exact.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>

#include "autograd/kernels/contiguous_sum.hpp"

namespace autograd::kernels {

/// An array as (outer, extent, inner); lines run along the middle.
struct Lines {
  std::size_t outer, extent, inner;
};

/// So many lines that lie side by side are summed together.
inline constexpr std::size_t most_columns = 32;

inline bool is_finite(double x) { return std::isfinite(x); }
inline bool is_finite(const std::complex<double>& x) { return std::isfinite(x.real()); }

/// total[c] = element(0, c) + ... + element(rows - 1, c), block by block, so that rounding stays small.
template <class V, class F>
void column_sums(std::size_t rows, std::size_t columns, F element, V* total) {
  constexpr std::size_t block = 64;
  std::fill_n(total, columns, V(0));
  for (std::size_t begin = 0; begin < rows; begin += block) {
    V partial[most_columns] = {};
    for (std::size_t k = begin; k < std::min(rows, begin + block); ++k)
      for (std::size_t c = 0; c < columns; ++c) partial[c] += element(k, c);
    for (std::size_t c = 0; c < columns; ++c) total[c] += partial[c];
  }
}

/// sums(element, total) leaves in total[c] the sums of element(k, c) over `extent` k: the means of x(k, c), for c below
/// `columns`. Where a sum overflows, the halves of quotients are added up.
template <class V, class X, class Sums>
void line_means(std::size_t extent, std::size_t columns, X x, Sums sums, V* mean) {
  using Real = decltype(std::real(V()));
  const Real count = static_cast<Real>(extent);
  V rest[most_columns], half[most_columns];
  sums(x, mean);
  bool overflow = false;
  for (std::size_t c = 0; c < columns; ++c) {
    mean[c] /= count;
    overflow = overflow || !is_finite(mean[c]);
  }
  sums([=](std::size_t k, std::size_t c) { return x(k, c) - mean[c]; }, rest);
  for (std::size_t c = 0; c < columns; ++c)
    if (is_finite(rest[c])) mean[c] += rest[c] / count;
  if (!overflow) return;
  const V* const halves = half;
  sums([=](std::size_t k, std::size_t c) { return x(k, c) / Real(2) / count; }, half);
  sums([=](std::size_t k, std::size_t c) { return (x(k, c) / Real(2) - halves[c]) / count; }, rest);
  for (std::size_t c = 0; c < columns; ++c)
    if (!is_finite(mean[c])) mean[c] = Real(2) * (is_finite(rest[c]) ? half[c] + rest[c] : half[c]);
}

/// f(first, columns, stride, sums) for every group of lines: `first` is the offset of the first one's first element,
/// and sums() is what line_means() wants.
template <class V, class F>
void for_each_group(const Lines& lines, F f) {
  for (std::size_t block = 0; block < lines.outer; ++block) {
    const std::size_t first = block * lines.extent * lines.inner;
    if (lines.inner == 1) {
      f(block, first, std::size_t(1), [&](auto element, V* total) {
        *total = contiguous_sum<V>(lines.extent, [&](std::size_t k) { return element(k, 0); });
      });
      continue;
    }
    for (std::size_t column = 0; column < lines.inner; column += most_columns) {
      const std::size_t columns = std::min(most_columns, lines.inner - column);
      f(block * lines.inner + column, first + column, columns,
        [&](auto element, V* total) { column_sums(lines.extent, columns, element, total); });
    }
  }
}

/// The means of x, (outer, inner).
template <class V>
void means(const V* x, const Lines& lines, V* mean) {
  for_each_group<V>(lines, [&](std::size_t to, std::size_t first, std::size_t columns, auto sums) {
    const V* const from = x + first;
    const std::size_t stride = lines.inner;
    line_means(
        lines.extent, columns, [=](std::size_t k, std::size_t c) { return from[k * stride + c]; }, sums, mean + to);
  });
}

/// y = or += x less its means. What is left of the mean after rounding it to V is taken off, too.
template <class V>
void centered(const V* x, const Lines& lines, V* y, bool accumulate) {
  for_each_group<V>(lines, [&](std::size_t, std::size_t first, std::size_t columns, auto sums) {
    const V* const from = x + first;
    const std::size_t stride = lines.inner;
    const auto count = static_cast<decltype(std::real(V()))>(lines.extent);
    V mean[most_columns], rest[most_columns];
    line_means(
        lines.extent, columns, [=](std::size_t k, std::size_t c) { return from[k * stride + c]; }, sums, mean);
    const V* const m = mean;
    sums([=](std::size_t k, std::size_t c) { return from[k * stride + c] - m[c]; }, rest);
    for (std::size_t c = 0; c < columns; ++c) rest[c] = is_finite(rest[c]) ? rest[c] / count : V(0);
    for (std::size_t k = 0; k < lines.extent; ++k)
      for (std::size_t c = 0; c < columns; ++c) {
        const V part = (from[k * stride + c] - mean[c]) - rest[c];
        V& to = y[first + k * stride + c];
        to = accumulate ? to + part : part;
      }
  });
}

}  // namespace autograd::kernels
