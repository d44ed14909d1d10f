// Matrix products by three loops: in the place of gemm.cpp where a library is to be small and has no BLAS. A stream has
// its products by RowProducts; what is left for these are products of two values that both change.
#include "autograd/kernels/gemm.hpp"

namespace autograd::kernels {

template <class V>
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k, const V* a, const V* b, V* c,
          bool accumulate) {
  for (std::size_t row = 0; row < m; ++row)
    for (std::size_t column = 0; column < n; ++column) {
      V sum = accumulate ? c[row * n + column] : V(0);
      for (std::size_t p = 0; p < k; ++p)
        sum += (transpose_a ? a[p * m + row] : a[row * k + p]) * (transpose_b ? b[column * k + p] : b[p * n + column]);
      c[row * n + column] = sum;
    }
}

template void gemm(bool, bool, std::size_t, std::size_t, std::size_t, const float*, const float*, float*, bool);
template void gemm(bool, bool, std::size_t, std::size_t, std::size_t, const double*, const double*, double*, bool);

}  // namespace autograd::kernels
