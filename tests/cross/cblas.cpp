// Products of matrices by their definition, row-major: c = alpha op(a) op(b) + beta c.
#include "cblas.h"

#include <complex>
#include <cstdlib>

namespace {

template <class T>
void product(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, int rows, int columns,
             int inner, T alpha, const T* a, int a_step, const T* b, int b_step, T beta, T* c, int c_step) {
  if (order != CblasRowMajor || transpose_a == CblasConjTrans || transpose_b == CblasConjTrans) std::abort();
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < columns; ++v) {
      T sum(0);
      for (int k = 0; k < inner; ++k)
        sum += (transpose_a == CblasTrans ? a[k * a_step + r] : a[r * a_step + k]) *
               (transpose_b == CblasTrans ? b[v * b_step + k] : b[k * b_step + v]);
      T& to = c[r * c_step + v];
      to = alpha * sum + (beta == T(0) ? T(0) : beta * to);
    }
}

}  // namespace

void cblas_sgemm(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, int rows, int columns,
                 int inner, float alpha, const float* a, int a_step, const float* b, int b_step, float beta, float* c,
                 int c_step) {
  product(order, transpose_a, transpose_b, rows, columns, inner, alpha, a, a_step, b, b_step, beta, c, c_step);
}

void cblas_dgemm(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, int rows, int columns,
                 int inner, double alpha, const double* a, int a_step, const double* b, int b_step, double beta,
                 double* c, int c_step) {
  product(order, transpose_a, transpose_b, rows, columns, inner, alpha, a, a_step, b, b_step, beta, c, c_step);
}

void cblas_zgemm(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, int rows, int columns,
                 int inner, const void* alpha, const void* a, int a_step, const void* b, int b_step, const void* beta,
                 void* c, int c_step) {
  using Complex = std::complex<double>;
  product(order, transpose_a, transpose_b, rows, columns, inner, *static_cast<const Complex*>(alpha),
          static_cast<const Complex*>(a), a_step, static_cast<const Complex*>(b), b_step,
          *static_cast<const Complex*>(beta), static_cast<Complex*>(c), c_step);
}
