#include "autograd/kernels/gemm.hpp"

#include <cblas.h>

#include <algorithm>
#include <complex>

#include "autograd/kernels/vector_product.hpp"

namespace autograd::kernels {

template <class V>
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k, const V* a, const V* b, V* c,
          bool accumulate) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (!accumulate) std::fill(c, c + m * n, V(0));
    return;
  }
  if constexpr (!std::is_same_v<V, std::complex<double>>) {
    if (m == 1 && !transpose_b && n * k <= vector_product_limit)
      return vector_matrix(n, k, a, b, accumulate ? c : nullptr, c);
    if (k == 1 && m * n <= vector_product_limit) return outer_product(m, n, a, b, c, accumulate);
  }
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
