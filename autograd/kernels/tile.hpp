// The register tile of matrix products, and the panels it reads: shared by packed_product and gemm.
#pragma once

#include <algorithm>
#include <cstddef>

#include "autograd/values/lane.hpp"

namespace autograd::kernels {

/// A tile is so many rows of y by so many registers. All of it stays in registers: 32 with AVX-512, else 16.
inline constexpr std::size_t tile_rows = 6;
template <class T>
inline constexpr std::size_t tile_columns = sizeof(xsimd::batch<T>) == 64 ? 4 : 2;

/// Columns of the widest panel.
template <class T>
inline constexpr std::size_t widest_panel = tile_columns<T>* detail::lane_width<T>;

/// A matrix of any layout: `step` elements from one row or column to the next, `depth_step` along the sums.
template <class T>
struct Strided {
  const T* data;
  std::size_t step, depth_step;

  Strided at(std::size_t index, std::size_t depth) const {
    return {data + index * step + depth * depth_step, step, depth_step};
  }
};

/// y = start + x B for x (rows, depth), a panel B (depth, columns) no wider than a tile, and y (rows, columns). The
/// columns of B are side by side and filled up to whole registers. `start` is as in packed_product.hpp.
template <class T>
struct PanelProduct {
  std::size_t rows, columns, depth;
  Strided<T> x, panel;
  const T* start;
  std::size_t start_step;
  T* y;
  std::size_t y_step;
};
template <class T>
void multiply(const PanelProduct<T>& product);

/// Calls f(first, columns) for panels of nearly equal width.
template <class T, class F>
void for_each_panel(std::size_t n, F f) {
  constexpr std::size_t width = detail::lane_width<T>;
  const std::size_t registers = (n + width - 1) / width;
  std::size_t left = (registers + tile_columns<T> - 1) / tile_columns<T>;
  for (std::size_t at = 0; left > 0; --left) {
    const std::size_t columns = std::min((registers - at / width + left - 1) / left * width, n - at);
    f(at, columns);
    at += columns;
  }
}

/// Elements from one row of a packed panel to the next.
template <class T>
constexpr std::size_t packed_step(std::size_t columns) {
  constexpr std::size_t width = detail::lane_width<T>;
  return (columns + width - 1) / width * width;
}

/// Copies one panel, filling up the last register with zeros. One of the two steps of `from` is 1.
template <class T>
void pack_panel(std::size_t depth, std::size_t columns, const Strided<T>& from, T* packed);

/// to (columns, rows) = the transpose of from (rows, columns), or += with `accumulate`.
template <class T>
void transpose(std::size_t rows, std::size_t columns, const T* from, std::size_t from_step, T* to, std::size_t to_step,
               bool accumulate);

}  // namespace autograd::kernels
