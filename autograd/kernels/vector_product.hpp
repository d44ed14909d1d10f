// Products with one row, where a call to BLAS costs more than the arithmetic: batches of one.
#pragma once

#include <cstddef>

namespace autograd::kernels {

/// y = start + x B for x (k), B (k, n) row-major and y (n). `start` may be y itself, or null for zeros.
template <class T>
void vector_matrix(std::size_t n, std::size_t k, const T* x, const T* b, const T* start, T* y);

/// C = xᵀ y, or C += with `accumulate`, for x (m), y (n) and C (m, n) row-major.
template <class T>
void outer_product(std::size_t m, std::size_t n, const T* x, const T* y, T* c, bool accumulate);

/// Up to how many elements of the matrix these beat BLAS.
inline constexpr std::size_t vector_product_limit = 16384;

}  // namespace autograd::kernels
