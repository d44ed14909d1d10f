#include "autograd/kernels/vector_product.hpp"

#include <algorithm>

#include "autograd/values/lane.hpp"

namespace autograd::kernels {

namespace {

template <class T>
using Batch = xsimd::batch<T>;
template <class T>
constexpr std::size_t width = detail::lane_width<T>;

/// `columns` registers of y over `chains` independent sums, which hide the latency of the additions. With `partial`
/// there is one register, of `rest` elements.
template <std::size_t columns, std::size_t chains, bool partial, class T>
void column_block(std::size_t n, std::size_t k, const T* x, const T* b, const T* start, T* y, std::size_t rest = 0) {
  static_assert(!partial || columns == 1);
  const auto load = [&](const T* from, std::size_t v) {
    if constexpr (partial)
      return detail::load(from, rest).value;
    else
      return Batch<T>::load_unaligned(from + v * width<T>);
  };
  Batch<T> sum[chains][columns];
  for (std::size_t v = 0; v < columns; ++v) {
    sum[0][v] = start ? load(start, v) : Batch<T>(T(0));
    for (std::size_t chain = 1; chain < chains; ++chain) sum[chain][v] = Batch<T>(T(0));
  }
  std::size_t p = 0;
  for (; p + chains <= k; p += chains)
    for (std::size_t chain = 0; chain < chains; ++chain)
      for (std::size_t v = 0; v < columns; ++v)
        sum[chain][v] = xsimd::fma(Batch<T>(x[p + chain]), load(b + (p + chain) * n, v), sum[chain][v]);
  for (; p < k; ++p)
    for (std::size_t v = 0; v < columns; ++v) sum[0][v] = xsimd::fma(Batch<T>(x[p]), load(b + p * n, v), sum[0][v]);
  for (std::size_t v = 0; v < columns; ++v) {
    for (std::size_t chain = 1; chain < chains; ++chain) sum[0][v] += sum[chain][v];
    if constexpr (partial)
      detail::store(Simd<T>{sum[0][v]}, y, rest);
    else
      sum[0][v].store_unaligned(y + v * width<T>);
  }
}

/// The sum of all elements, for which releases of xsimd have different names.
template <class T>
T total(const Batch<T>& x) {
  alignas(Batch<T>) T parts[width<T>];
  x.store_aligned(parts);
  for (std::size_t half = width<T> / 2; half > 0; half /= 2)
    for (std::size_t k = 0; k < half; ++k) parts[k] += parts[k + half];
  return parts[0];
}

/// `columns` elements of y, each over `chains` independent sums.
template <std::size_t columns, std::size_t chains, class T>
void dot_block(std::size_t k, const T* b, const T* x, const T* start, T* y) {
  Batch<T> sum[chains][columns];
  for (auto& chain : sum) std::fill(chain, chain + columns, Batch<T>(T(0)));
  std::size_t p = 0;
  for (; p + chains * width<T> <= k; p += chains * width<T>)
    for (std::size_t chain = 0; chain < chains; ++chain) {
      const Batch<T> factor = Batch<T>::load_unaligned(x + p + chain * width<T>);
      for (std::size_t v = 0; v < columns; ++v)
        sum[chain][v] = xsimd::fma(factor, Batch<T>::load_unaligned(b + v * k + p + chain * width<T>), sum[chain][v]);
    }
  for (; p < k; p += width<T>) {
    const std::size_t count = std::min(width<T>, k - p);
    alignas(Batch<T>) T padded[width<T>] = {};
    std::copy_n(x + p, count, padded);
    for (std::size_t v = 0; v < columns; ++v)
      sum[0][v] = xsimd::fma(Batch<T>::load_aligned(padded), detail::load_some(b + v * k + p, count).value, sum[0][v]);
  }
  for (std::size_t v = 0; v < columns; ++v) {
    for (std::size_t chain = 1; chain < chains; ++chain) sum[0][v] += sum[chain][v];
    y[v] = (start ? start[v] : T(0)) + total(sum[0][v]);
  }
}

}  // namespace

template <class T>
void matrix_vector(std::size_t n, std::size_t k, const T* b, const T* x, const T* start, T* y) {
  std::size_t at = 0;
  const auto from = [&] { return start ? start + at : nullptr; };
  for (; at + 4 <= n; at += 4) dot_block<4, 2>(k, b + at * k, x, from(), y + at);
  for (; at < n; ++at) dot_block<1, 8>(k, b + at * k, x, from(), y + at);
}

template <class T>
void vector_matrix(std::size_t n, std::size_t k, const T* x, const T* b, const T* start, T* y) {
  std::size_t at = 0;
  const auto from = [&] { return start ? start + at : nullptr; };
  for (; at + 4 * width<T> <= n; at += 4 * width<T>) column_block<4, 2, false>(n, k, x, b + at, from(), y + at);
  for (; at + width<T> <= n; at += width<T>) column_block<1, 8, false>(n, k, x, b + at, from(), y + at);
  if (at < n) column_block<1, 8, true>(n, k, x, b + at, from(), y + at, n - at);
}

template <class T>
void outer_product(std::size_t m, std::size_t n, const T* x, const T* y, T* c, bool accumulate) {
  for (std::size_t i = 0; i < m; ++i, c += n) {
    const Simd<T> factor{Batch<T>(x[i])};
    std::size_t at = 0;
    const auto block = [&](auto... rest) {
      const Simd<T> product = factor * detail::load(y + at, rest...);
      detail::store(accumulate ? detail::load<T>(c + at, rest...) + product : product, c + at, rest...);
    };
    for (; at + width<T> <= n; at += width<T>) block();
    if (at < n) block(n - at);
  }
}

template void vector_matrix(std::size_t, std::size_t, const float*, const float*, const float*, float*);
template void vector_matrix(std::size_t, std::size_t, const double*, const double*, const double*, double*);
template void matrix_vector(std::size_t, std::size_t, const float*, const float*, const float*, float*);
template void matrix_vector(std::size_t, std::size_t, const double*, const double*, const double*, double*);
template void outer_product(std::size_t, std::size_t, const float*, const float*, float*, bool);
template void outer_product(std::size_t, std::size_t, const double*, const double*, double*, bool);

}  // namespace autograd::kernels
