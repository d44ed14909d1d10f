#include "autograd/kernels/tile.hpp"

#include <bit>
#include <type_traits>
#include <utility>

#include "autograd/kernels/compiler.hpp"

namespace autograd::kernels {

namespace {

template <class T>
using Batch = xsimd::batch<T>;
template <class T>
constexpr std::size_t width = detail::lane_width<T>;

/// Calls f with 0, 1, ... as constants. Compilers keep an array in registers only where its subscripts are constants
/// from the beginning; a loop that is unrolled later leaves it in memory before and after.
template <std::size_t count, class F>
[[gnu::always_inline]] inline void unroll(const F& f) {
  [&]<std::size_t... each>(std::index_sequence<each...>) { (f(std::integral_constant<std::size_t, each>{}), ...); }
  (std::make_index_sequence<count>{});
}

/// One tile. Few sums at a time wait for each other's additions, so these are split over `chains`, by rows of B.
template <std::size_t rows, std::size_t columns, class T>
void tile(const PanelProduct<T>& product, std::size_t at) {
  constexpr std::size_t chains = (rows * columns + 7) / (rows * columns);
  const std::size_t last = product.columns - (columns - 1) * width<T>;
  const auto count = [last](std::size_t v) { return v + 1 < columns ? width<T> : last; };
  Batch<T> sum[chains][rows][columns];
  const auto each_sum = [](const auto& f) { unroll<rows>([&](auto r) { unroll<columns>([&](auto v) { f(r, v); }); }); };
  unroll<chains>([&](auto chain) { each_sum([&](auto r, auto v) { sum[chain][r][v] = Batch<T>(T(0)); }); });

  // `start` is added at the end, when it has come: waiting for it here cost up to a twentieth of large products.
  const T* const start = product.start ? product.start + at * product.start_step : nullptr;
  const std::size_t start_step = product.start_step;
  if (start) each_sum([&](auto r, auto v) { prefetch(start + r * start_step + v * width<T>); });

  const T* x = product.x.data + at * product.x.step;
  const T* b = product.panel.data;
  const std::size_t x_step = product.x.step, x_depth = product.x.depth_step, b_depth = product.panel.depth_step;
  const auto add = [&](auto chain) {
    Batch<T> line[columns];
    unroll<columns>([&](auto v) { line[v] = Batch<T>::load_unaligned(b + v * width<T>); });
    unroll<rows>([&](auto r) {
      const Batch<T> factor(x[r * x_step]);
      unroll<columns>([&](auto v) { sum[chain][r][v] = xsimd::fma(factor, line[v], sum[chain][r][v]); });
    });
    x += x_depth;
    b += b_depth;
  };
  std::size_t left = product.depth;
  for (; left >= chains; left -= chains) unroll<chains>(add);
  if constexpr (chains > 1)
    for (; left > 0; --left) add(std::integral_constant<std::size_t, 0>{});

  unroll<chains - 1>([&](auto chain) { each_sum([&](auto r, auto v) { sum[0][r][v] += sum[chain + 1][r][v]; }); });
  if (start)
    each_sum([&](auto r, auto v) {
      sum[0][r][v] += detail::load_some(start + r * start_step + v * width<T>, count(v)).value;
    });
  T* const y = product.y + at * product.y_step;
  const std::size_t y_step = product.y_step;
  each_sum([&](auto r, auto v) { detail::store_some(Simd<T>{sum[0][r][v]}, y + r * y_step + v * width<T>, count(v)); });
}

/// Calls f with a constant of the value of n, which is at most `limit`.
template <std::size_t limit, class F>
void with_constant(std::size_t n, F f) {
  if constexpr (limit > 1)
    if (n < limit) return with_constant<limit - 1>(n, f);
  f(std::integral_constant<std::size_t, limit>{});
}

/// One square of a transposition: the lower half of its rows is merged with the upper one, until all have changed
/// places.
template <class T>
void transpose_square(std::size_t rows, std::size_t columns, const T* from, std::size_t from_step, T* to,
                      std::size_t to_step, bool accumulate) {
  constexpr std::size_t w = width<T>;
  Batch<T> lines[w];
  unroll<w>(
      [&](auto r) { lines[r] = r < rows ? detail::load_some(from + r * from_step, columns).value : Batch<T>(T(0)); });
  unroll<std::countr_zero(w)>([&](auto) {
    Batch<T> merged[w];
    unroll<w / 2>([&](auto r) {
      merged[2 * r] = interleave<Half::lower>(lines[r], lines[r + w / 2]);
      merged[2 * r + 1] = interleave<Half::upper>(lines[r], lines[r + w / 2]);
    });
    unroll<w>([&](auto r) { lines[r] = merged[r]; });
  });
  unroll<w>([&](auto c) {
    if (c < columns) {
      T* const line = to + c * to_step;
      if (accumulate) lines[c] += detail::load_some(line, rows).value;
      detail::store_some(Simd<T>{lines[c]}, line, rows);
    }
  });
}

/// Copies one line, and fetches a later one: they are too far apart for the processor to foresee it.
template <class T>
[[gnu::always_inline]] inline void copy_line(std::size_t count, const T* from, std::size_t step, T* to) {
  constexpr std::size_t ahead = 8;
  std::size_t at = 0;
  for (; at + width<T> <= count; at += width<T>) {
    prefetch(from + ahead * step + at);
    Batch<T>::load_unaligned(from + at).store_unaligned(to + at);
  }
  std::copy_n(from + at, count - at, to + at);
}

}  // namespace

template <class T>
void multiply(const PanelProduct<T>& product) {
  const std::size_t registers = (product.columns + width<T> - 1) / width<T>;
  with_constant<tile_columns<T>>(registers, [&](auto columns) {
    // Tiles of nearly equal height.
    std::size_t left = (product.rows + tile_rows - 1) / tile_rows;
    for (std::size_t at = 0; left > 0; --left) {
      const std::size_t rows = (product.rows - at + left - 1) / left;
      with_constant<tile_rows>(rows, [&](auto height) { tile<height, columns>(product, at); });
      at += rows;
    }
  });
}

template <class T>
void transpose(std::size_t rows, std::size_t columns, const T* from, std::size_t from_step, T* to, std::size_t to_step,
               bool accumulate) {
  for (std::size_t r = 0; r < rows; r += width<T>)
    for (std::size_t c = 0; c < columns; c += width<T>)
      transpose_square(std::min(width<T>, rows - r), std::min(width<T>, columns - c), from + r * from_step + c,
                       from_step, to + c * to_step + r, to_step, accumulate);
}

template <class T>
void pack_panel(std::size_t depth, std::size_t columns, const Strided<T>& from, T* packed) {
  const std::size_t step = packed_step<T>(columns);
  if (from.step == 1)
    for (std::size_t p = 0; p < depth; ++p)
      copy_line(columns, from.data + p * from.depth_step, from.depth_step, packed + p * step);
  else
    transpose(columns, depth, from.data, from.step, packed, step, false);
  for (std::size_t p = 0; columns < step && p < depth; ++p)
    std::fill(packed + p * step + columns, packed + (p + 1) * step, T(0));
}

#define INSTANTIATE(T)                                                                             \
  template void multiply(const PanelProduct<T>&);                                                  \
  template void transpose(std::size_t, std::size_t, const T*, std::size_t, T*, std::size_t, bool); \
  template void pack_panel(std::size_t, std::size_t, const Strided<T>&, T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd::kernels
