#include "autograd/kernels/row_products.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "autograd/values/lane.hpp"

namespace autograd::kernels {

namespace {

template <class T>
using Batch = xsimd::batch<T>;
template <class T>
constexpr std::size_t width = detail::lane_width<T>;

/// Registers of sums in one panel. With so few, weights that do not fit a first-level cache are several panels, of
/// which the last ones are there when the next step begins with them.
constexpr std::size_t widest = 8;

/// So many independent sums hide the latency of the additions.
constexpr std::size_t chains_for(std::size_t registers) {
  return registers >= 8 ? 1 : registers >= 4 ? 2 : registers >= 2 ? 4 : 8;
}

template <class T>
T total(const Batch<T>& x) {
#ifdef __AVX512F__
  if constexpr (std::is_same_v<Batch<T>, xsimd::batch<float>>) return _mm512_reduce_add_ps(x);
  if constexpr (std::is_same_v<Batch<T>, xsimd::batch<double>>) return _mm512_reduce_add_pd(x);
#endif
  alignas(Batch<T>) T parts[width<T>];
  x.store_aligned(parts);
  for (std::size_t half = width<T> / 2; half > 0; half /= 2)
    for (std::size_t k = 0; k < half; ++k) parts[k] += parts[k + half];
  return parts[0];
}

std::size_t round_up(std::size_t size, std::size_t to) { return (size + to - 1) / to * to; }

}  // namespace

template <class T>
RowProducts<T>::RowProducts(std::size_t n, std::span<const RowFactor<T>> factors) : n_(n), k_(0) {
  for (const RowFactor<T>& factor : factors) {
    ks_.push_back(factor.k);
    k_ += factor.k;
  }
  narrow_ = n <= std::max<std::size_t>(1, width<T> / 4);
  if (narrow_) {
    // A row of each factor for each column, each filled up with zeros to whole registers.
    wide_ = last_ = 0;
    for (std::size_t column = 0; column < n; ++column)
      for (const RowFactor<T>& factor : factors) {
        packed_.insert(packed_.end(), factor.weight + column * factor.k, factor.weight + (column + 1) * factor.k);
        packed_.resize(packed_.size() + round_up(factor.k, width<T>) - factor.k);
      }
    return;
  }
  const std::size_t registers = round_up(n, width<T>) / width<T>;
  wide_ = registers / widest;
  last_ = registers % widest;
  packed_.resize(registers * width<T> * k_);
  T* to = packed_.data();
  for (std::size_t first = 0; first < n; first += widest * width<T>) {
    const std::size_t columns = std::min(widest, registers - first / width<T>) * width<T>;
    for (const RowFactor<T>& factor : factors)
      for (std::size_t row = 0; row < factor.k; ++row)
        for (std::size_t column = 0; column < columns; ++column)
          *to++ = first + column < n ? factor.weight[(first + column) * factor.k + row] : T(0);
  }
}

// The sums are written out by the compiler, each a variable of its own: those of an array that loops walk through are
// kept in memory by GCC 12.

template <class T>
template <std::size_t registers, std::size_t chains>
void RowProducts<T>::panel(const T* const* x, const T* weight, const T* start, T* y) const noexcept {
  using B = Batch<T>;
  constexpr std::size_t step = registers * width<T>;
  [&]<std::size_t... V, std::size_t... C>(std::index_sequence<V...>, std::index_sequence<C...>)
      __attribute__((always_inline)) {
    std::array<B, registers * chains> sum{(V < registers ? B::load_unaligned(start + V * width<T>) : B(T(0)))...};
    const std::size_t* k = ks_.data();
    for (const std::size_t* const end = k + ks_.size(); k != end; ++k, ++x) {
      const T* row = *x;
      std::size_t left = *k;
      for (; left >= chains; left -= chains, row += chains, weight += chains * step) {
        const std::array<B, chains> factor{B(row[C])...};
        ((sum[V] = xsimd::fma(factor[V / registers], B::load_aligned(weight + V * width<T>), sum[V])), ...);
      }
      for (; left > 0; --left, ++row, weight += step) {
        const B factor(*row);
        ((V < registers ? void(sum[V] = xsimd::fma(factor, B::load_aligned(weight + V * width<T>), sum[V])) : void()),
         ...);
      }
    }
    const auto total = [&](std::size_t v) __attribute__((always_inline)) {
      B result = sum[v];
      ((C > 0 ? void(result += sum[C * registers + v]) : void()), ...);
      return result;
    };
    ((V < registers ? total(V).store_aligned(y + V * width<T>) : void()), ...);
  }
  (std::make_index_sequence<registers * chains>{}, std::make_index_sequence<chains>{});
}

template <class T>
void RowProducts<T>::panels(std::size_t index, const T* const* x, const T* start, T* y) const noexcept {
  const std::size_t at = index * widest * width<T>;
  const T* const weight = packed_.data() + at * k_;
  start += at;
  y += at;
  if (index < wide_) return panel<widest, 1>(x, weight, start, y);
  switch (last_) {
#define LAST(n) \
  case n:       \
    return panel<n, chains_for(n)>(x, weight, start, y);
    LAST(1)
    LAST(2)
    LAST(3)
    LAST(4)
    LAST(5)
    LAST(6)
    LAST(7)
#undef LAST
    default:
      return;
  }
}

template <class T>
void RowProducts<T>::dots(const T* const* x, const T* start, T* y) const noexcept {
  const T* weight = packed_.data();
  for (std::size_t column = 0; column < n_; ++column) {
    std::array<Batch<T>, 4> sum;
    sum.fill(Batch<T>(T(0)));
    for (std::size_t part = 0; part < ks_.size(); ++part) {
      const std::size_t k = ks_[part];
      for (std::size_t p = 0; p < k; p += width<T>, weight += width<T>) {
        Batch<T>& to = sum[p / width<T> % sum.size()];
        // Past the end there is something, and it may be no number.
        const Batch<T> row =
            p + width<T> <= k ? Batch<T>::load_unaligned(x[part] + p) : detail::load_some(x[part] + p, k - p).value;
        to = xsimd::fma(row, Batch<T>::load_aligned(weight), to);
      }
    }
    y[column] = start[column] + total<T>((sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

template <class T>
void RowProducts<T>::run(const T* const* x, const T* start, T* y) noexcept {
  if (narrow_) return dots(x, start, y);
  const std::size_t count = wide_ + (last_ > 0);
  if (backwards_)
    for (std::size_t index = count; index-- > 0;) panels(index, x, start, y);
  else
    for (std::size_t index = 0; index < count; ++index) panels(index, x, start, y);
  backwards_ = !backwards_;
}

template class RowProducts<float>;
template class RowProducts<double>;

}  // namespace autograd::kernels
