#include "autograd/kernels/packed_product.hpp"

#include <algorithm>
#include <cstdint>

#include "autograd/kernels/lane.hpp"

namespace autograd::kernels {

namespace {

template <class T>
using Batch = xsimd::batch<T>;
template <class T>
constexpr std::size_t width = detail::lane_width<T>;

// A tile is so many rows of y by so many registers. All of it stays in registers: 32 with AVX-512, else 16.
constexpr bool many_registers = sizeof(Batch<float>) == 64;
constexpr std::size_t tile_rows = 6;
constexpr std::size_t tile_columns = many_registers ? 4 : 2;

/// One tile. Few sums at a time wait for each other's additions, so these are split over `chains`, by rows of B.
template <std::size_t rows, std::size_t columns, std::size_t chains, class T>
void tile(std::size_t n, std::size_t k, const T* x, const T* panel, const T* start, std::size_t start_step, T* y,
          std::size_t last) {
  const auto count = [last](std::size_t v) { return v + 1 < columns ? width<T> : last; };
  Batch<T> sum[chains][rows][columns];
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t v = 0; v < columns; ++v) {
      sum[0][r][v] = start ? detail::load_some(start + r * start_step + v * width<T>, count(v)).value : Batch<T>(T(0));
      for (std::size_t chain = 1; chain < chains; ++chain) sum[chain][r][v] = Batch<T>(T(0));
    }
  std::size_t p = 0;
  for (; p + chains <= k; p += chains)
    for (std::size_t chain = 0; chain < chains; ++chain) {
      Batch<T> b[columns];
      for (std::size_t v = 0; v < columns; ++v)
        b[v] = Batch<T>::load_aligned(panel + ((p + chain) * columns + v) * width<T>);
      for (std::size_t r = 0; r < rows; ++r) {
        const Batch<T> factor(x[r * k + p + chain]);
        for (std::size_t v = 0; v < columns; ++v) sum[chain][r][v] = xsimd::fma(factor, b[v], sum[chain][r][v]);
      }
    }
  for (; p < k; ++p)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t v = 0; v < columns; ++v)
        sum[0][r][v] = xsimd::fma(Batch<T>(x[r * k + p]), Batch<T>::load_aligned(panel + (p * columns + v) * width<T>),
                                  sum[0][r][v]);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t v = 0; v < columns; ++v) {
      for (std::size_t chain = 1; chain < chains; ++chain) sum[0][r][v] += sum[chain][r][v];
      detail::store_some(Simd<T>{sum[0][r][v]}, y + r * n + v * width<T>, count(v));
    }
}

/// All rows by one panel, in tiles of nearly equal height.
template <std::size_t columns, class T>
void panel_product(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* panel, const T* start,
                   std::size_t start_step, T* y, std::size_t last) {
  constexpr std::size_t chains = std::max<std::size_t>(1, 8 / columns);
  const std::size_t tiles = (m + tile_rows - 1) / tile_rows;
  for (std::size_t at = 0, left = tiles; left > 0; --left) {
    const std::size_t rows = (m - at + left - 1) / left;
    const T* const x_at = x + at * k;
    const T* const start_at = start ? start + at * start_step : nullptr;
    T* const y_at = y + at * n;
    switch (rows) {
      case 1:
        tile<1, columns, chains>(n, k, x_at, panel, start_at, start_step, y_at, last);
        break;
      case 2:
        tile<2, columns, std::max<std::size_t>(1, chains / 2)>(n, k, x_at, panel, start_at, start_step, y_at, last);
        break;
      case 3:
        tile<3, columns, std::max<std::size_t>(1, chains / 4)>(n, k, x_at, panel, start_at, start_step, y_at, last);
        break;
      case 4:
        tile<4, columns, std::max<std::size_t>(1, chains / 4)>(n, k, x_at, panel, start_at, start_step, y_at, last);
        break;
      case 5:
        tile<5, columns, 1>(n, k, x_at, panel, start_at, start_step, y_at, last);
        break;
      default:
        tile<6, columns, 1>(n, k, x_at, panel, start_at, start_step, y_at, last);
        break;
    }
    at += rows;
  }
}

}  // namespace

template <class T>
std::size_t packed_size(std::size_t k, std::size_t n) {
  return k * ((n + width<T> - 1) / width<T>)*width<T>;
}

template <class T>
bool is_packed(std::size_t n, const T* matrix) {
  return n <= tile_columns * width<T> && n % width<T> == 0 &&
         reinterpret_cast<std::uintptr_t>(matrix) % sizeof(Batch<T>) == 0;
}

template <class T>
void pack(bool transpose, std::size_t k, std::size_t n, const T* matrix, T* packed) {
  constexpr std::size_t widest = tile_columns * width<T>;
  for (std::size_t column = 0; column < n; column += widest) {
    const std::size_t used = std::min(widest, n - column);
    const std::size_t panel = (used + width<T> - 1) / width<T> * width<T>;
    if (transpose) {
      // A row of the given matrix at a time is a column here: read in order, written with steps that stay in a panel.
      for (std::size_t v = 0; v < used; ++v)
        for (std::size_t p = 0; p < k; ++p) packed[p * panel + v] = matrix[(column + v) * k + p];
    } else {
      for (std::size_t p = 0; p < k; ++p) std::copy_n(matrix + p * n + column, used, packed + p * panel);
    }
    for (std::size_t p = 0; used < panel && p < k; ++p)
      std::fill(packed + p * panel + used, packed + (p + 1) * panel, T(0));
    packed += k * panel;
  }
}

template <class T>
void packed_product(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* packed, const T* start,
                    std::size_t start_step, T* y) {
  constexpr std::size_t widest = tile_columns * width<T>;
  for (std::size_t column = 0; column < n; column += widest) {
    const std::size_t used = std::min(widest, n - column);
    const std::size_t registers = (used + width<T> - 1) / width<T>, last = used - (registers - 1) * width<T>;
    const T* const start_at = start ? start + column : nullptr;
    const auto run = [&](auto columns) {
      panel_product<columns>(m, n, k, x, packed, start_at, start_step, y + column, last);
    };
    switch (registers) {
      case 1:
        run(std::integral_constant<std::size_t, 1>{});
        break;
      case 2:
        run(std::integral_constant<std::size_t, 2>{});
        break;
      case 3:
        run(std::integral_constant<std::size_t, std::min<std::size_t>(3, tile_columns)>{});
        break;
      default:
        run(std::integral_constant<std::size_t, tile_columns>{});
        break;
    }
    packed += k * registers * width<T>;
  }
}

#define INSTANTIATE(T)                                              \
  template std::size_t packed_size<T>(std::size_t, std::size_t);    \
  template bool is_packed(std::size_t, const T*);                   \
  template void pack(bool, std::size_t, std::size_t, const T*, T*); \
  template void packed_product(std::size_t, std::size_t, std::size_t, const T*, const T*, const T*, std::size_t, T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd::kernels
