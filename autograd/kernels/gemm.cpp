#include "autograd/kernels/gemm.hpp"

#include <cblas.h>

#include <algorithm>
#include <complex>
#include <memory>

#include "autograd/kernels/blas_threads.hpp"
#include "autograd/kernels/tile.hpp"
#include "autograd/kernels/vector_product.hpp"

namespace autograd::kernels {

namespace {

// Measured where L1 has 48 KB and L2 2 MB, in float with AVX-512. Depths of 256 and 384 are equally fast, 128 is a
// tenth slower, as sums in C are added to twice as often. The packed blocks take 512 and 240 KB; twice as many rows or
// columns change nothing.
constexpr std::size_t depth_block = 256;
template <class T>
constexpr std::size_t row_block = 240 * sizeof(float) / sizeof(T);
template <class T>
constexpr std::size_t column_block = 512 * sizeof(float) / sizeof(T);
// Rows of x that are packed side by side, in whole registers. For no more rows than these packing does not pay: a B of
// 1024 columns is read where it is at 100 GFLOP/s by 6 to 24 rows, and packed at 45 to 90.
constexpr std::size_t group = 8 * tile_rows;
// Packed so many lines at a time, x is read in the order in which it lies in memory.
constexpr std::size_t few_lines = 8;
// From so many multiplications on, two threads of BLAS with kernels for SkylakeX are faster: 200 cubed is a draw.
constexpr std::size_t many_multiplications = 1 << 23;

/// What blocks are packed into.
template <class T>
struct Scratch {
  alignas(64) T panels[depth_block * column_block<T>];
  alignas(64) T rows[depth_block * row_block<T>];
  alignas(64) T transposed[group * widest_panel<T>];

  static Scratch& of_this_thread() {
    static thread_local const std::unique_ptr<Scratch> scratch(new Scratch);
    return *scratch;
  }
};

/// C = x B, or C += with `accumulate`, for x (m, k) and B (k, n); with `transposed`, C is the transpose (n, m).
template <class T>
struct BlockedProduct {
  std::size_t m, n, k;
  Strided<T> x, b;
  T* c;
  bool transposed, accumulate;

  // Packed, both stay in the caches whatever the strides of the matrices: those of powers of two share a few lines.
  bool pack_x() const { return x.step == 1 && m > group && n > widest_panel<T>; }
  bool pack_b() const { return b.step != 1 || n % detail::lane_width<T> != 0 || (m > group && n > widest_panel<T>); }

  void run() const {
    const std::size_t parts = (k + depth_block - 1) / depth_block, depth_step = (k + parts - 1) / parts;
    for (std::size_t column = 0; column < n; column += column_block<T>)
      for (std::size_t p = 0; p < k; p += depth_step)
        add_block(column, std::min(column_block<T>, n - column), p, std::min(depth_step, k - p));
  }

  void add_block(std::size_t column, std::size_t columns, std::size_t p, std::size_t depth) const {
    Strided<T> panels = b.at(column, p);
    if (pack_b()) {
      T* const packed = Scratch<T>::of_this_thread().panels;
      for_each_panel<T>(columns, [&](std::size_t at, std::size_t width) {
        pack_panel(depth, width, panels.at(at, 0), packed + at * depth);
      });
      panels = {packed, depth, 0};
    }
    for (std::size_t row = 0; row < m; row += row_block<T>) {
      const std::size_t end = std::min(m, row + row_block<T>);
      Strided<T> groups = x.at(row, p);
      if (pack_x()) {
        T* const packed = Scratch<T>::of_this_thread().rows;
        for (std::size_t q = 0; q < depth; q += few_lines)
          for (std::size_t at = row; at < end; at += group) {
            const std::size_t rows = std::min(group, end - at);
            pack_panel(std::min(few_lines, depth - q), rows, x.at(at, p + q),
                       packed + (at - row) * depth + q * packed_step<T>(rows));
          }
        groups = {packed, depth, 0};
      }
      for_each_panel<T>(columns, [&](std::size_t at, std::size_t width) {
        Strided<T> panel = panels.at(at, 0);
        if (pack_b()) panel = {panel.data, 1, packed_step<T>(width)};
        for (std::size_t first = row; first < end; first += group) {
          const std::size_t rows = std::min(group, end - first);
          Strided<T> side_by_side = groups.at(first - row, 0);
          if (pack_x()) side_by_side = {side_by_side.data, 1, packed_step<T>(rows)};
          add(rows, width, depth, side_by_side, panel, first, column + at, accumulate || p > 0);
        }
      });
    }
  }

  void add(std::size_t rows, std::size_t columns, std::size_t depth, const Strided<T>& from, const Strided<T>& panel,
           std::size_t row, std::size_t column, bool to_c) const {
    if (transposed) {
      T* const product = Scratch<T>::of_this_thread().transposed;
      multiply<T>({rows, columns, depth, from, panel, nullptr, 0, product, widest_panel<T>});
      transpose(rows, columns, product, widest_panel<T>, c + column * m + row, m, to_c);
    } else {
      T* const y = c + row * n + column;
      multiply<T>({rows, columns, depth, from, panel, to_c ? y : nullptr, n, y, n});
    }
  }
};

template <class T>
void own_gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b,
              T* c, bool accumulate) {
  const T* const start = accumulate ? c : nullptr;
  if (n == 1 && m > 1) return own_gemm(!transpose_b, !transpose_a, 1, m, k, b, a, c, accumulate);
  if (m == 1) return transpose_b ? matrix_vector(n, k, b, a, start, c) : vector_matrix(n, k, a, b, start, c);
  if (k == 1) return outer_product(m, n, a, b, c, accumulate);
  const Strided<T> rows{a, transpose_a ? 1 : k, transpose_a ? m : 1};
  const Strided<T> columns{b, transpose_b ? k : 1, transpose_b ? 1 : n};
  // A transposed A can be read in registers, and B element by element. That fills the registers where rows of B do not,
  // and spares transposing both.
  const bool swap = transpose_a && (transpose_b || (n < group && n % detail::lane_width<T> != 0));
  if (swap)
    BlockedProduct<T>{n, m, k, columns, rows, c, true, accumulate}.run();
  else
    BlockedProduct<T>{m, n, k, rows, columns, c, false, accumulate}.run();
}

}  // namespace

template <class V>
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k, const V* a, const V* b, V* c,
          bool accumulate) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (!accumulate) std::fill(c, c + m * n, V(0));
    return;
  }
  if constexpr (!std::is_same_v<V, std::complex<double>>)
    if (m * n * k < many_multiplications || blas_speed() <= 1)
      return own_gemm(transpose_a, transpose_b, m, n, k, a, b, c, accumulate);
  const auto op_a = transpose_a ? CblasTrans : CblasNoTrans;
  const auto op_b = transpose_b ? CblasTrans : CblasNoTrans;
  const int rows = static_cast<int>(m), columns = static_cast<int>(n), inner = static_cast<int>(k);
  const int lda = transpose_a ? rows : inner, ldb = transpose_b ? inner : columns;
  if constexpr (std::is_same_v<V, float>) {
    cblas_sgemm(CblasRowMajor, op_a, op_b, rows, columns, inner, 1, a, lda, b, ldb, accumulate ? 1 : 0, c, columns);
  } else if constexpr (std::is_same_v<V, double>) {
    cblas_dgemm(CblasRowMajor, op_a, op_b, rows, columns, inner, 1, a, lda, b, ldb, accumulate ? 1 : 0, c, columns);
  } else {
    const V one = 1, beta = accumulate ? 1 : 0;
    cblas_zgemm(CblasRowMajor, op_a, op_b, rows, columns, inner, &one, a, lda, b, ldb, &beta, c, columns);
  }
}

template void gemm(bool, bool, std::size_t, std::size_t, std::size_t, const float*, const float*, float*, bool);
template void gemm(bool, bool, std::size_t, std::size_t, std::size_t, const double*, const double*, double*, bool);
template void gemm(bool, bool, std::size_t, std::size_t, std::size_t, const std::complex<double>*,
                   const std::complex<double>*, std::complex<double>*, bool);

}  // namespace autograd::kernels
