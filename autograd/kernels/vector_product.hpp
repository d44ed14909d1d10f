// Products with one row, or of one row: batches of one.
#pragma once

#include <cstddef>

namespace autograd::kernels {

/// y = start + x B for x (k), B (k, n) row-major and y (n). `start` may be y itself, or null for zeros.
template <class T>
void vector_matrix(std::size_t n, std::size_t k, const T* x, const T* b, const T* start, T* y);

/// y = start + B x for B (n, k) row-major, x (k) and y (n), with `start` as above.
template <class T>
void matrix_vector(std::size_t n, std::size_t k, const T* b, const T* x, const T* start, T* y);

/// C = xᵀ y, or C += with `accumulate`, for x (m), y (n) and C (m, n) row-major.
template <class T>
void outer_product(std::size_t m, std::size_t n, const T* x, const T* y, T* c, bool accumulate);

}  // namespace autograd::kernels
