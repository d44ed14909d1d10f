// Products with a matrix that is packed once and read many times: the recurrent weights of a sequence.
#pragma once

#include <cstddef>

namespace autograd::kernels {

/// Elements that packing a (k, n) matrix takes.
template <class T>
std::size_t packed_size(std::size_t k, std::size_t n);

/// Packs a row-major (k, n) matrix, or with `transpose` the transpose of a row-major (n, k) one: the columns in panels
/// as wide as the registers of one tile, each row after row, the last one filled up with zeros. `packed` is aligned to
/// 64 bytes.
template <class T>
void pack(bool transpose, std::size_t k, std::size_t n, const T* matrix, T* packed);

/// Whether a row-major matrix of n columns is its own packed form: one panel without a gap.
template <class T>
bool is_packed(std::size_t n, const T* matrix);

/// y = start + x B for contiguous x (m, k), packed B (k, n) and y (m, n). `start` is (m, n), may be y itself, or null
/// for zeros; `start_step` is 0 where it is one row (n) for all, otherwise n.
template <class T>
void packed_product(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* packed, const T* start,
                    std::size_t start_step, T* y);

}  // namespace autograd::kernels
