// Matrix products of contiguous row-major matrices.
#pragma once

#include <cstddef>

namespace autograd::kernels {

/// C = op(A) op(B), or C += with `accumulate`; op(A) is (m, k) and op(B) is (k, n), where op transposes on request.
/// V is float, double or std::complex<double>. Complex products go to BLAS, and large real ones where it has been given
/// several threads that are faster than this one; all others are computed here, on the calling thread.
template <class V>
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k, const V* a, const V* b, V* c,
          bool accumulate);

}  // namespace autograd::kernels
