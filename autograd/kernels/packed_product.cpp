#include "autograd/kernels/packed_product.hpp"

#include <cstdint>

#include "autograd/kernels/tile.hpp"

namespace autograd::kernels {

template <class T>
std::size_t packed_size(std::size_t k, std::size_t n) {
  return k * packed_step<T>(n);
}

template <class T>
bool is_packed(std::size_t n, const T* matrix) {
  return n <= widest_panel<T> && n == packed_step<T>(n) &&
         reinterpret_cast<std::uintptr_t>(matrix) % sizeof(xsimd::batch<T>) == 0;
}

template <class T>
void pack(bool transpose, std::size_t k, std::size_t n, const T* matrix, T* packed) {
  if (k == 0) return;  // nothing lies anywhere
  const Strided<T> from{matrix, transpose ? k : 1, transpose ? 1 : n};
  for_each_panel<T>(
      n, [&](std::size_t at, std::size_t columns) { pack_panel(k, columns, from.at(at, 0), packed + at * k); });
}

template <class T>
void packed_product(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* packed, const T* start,
                    std::size_t start_step, T* y) {
  for_each_panel<T>(n, [&](std::size_t at, std::size_t columns) {
    multiply<T>({m,
                 columns,
                 k,
                 {x, k, 1},
                 {packed + at * k, 1, packed_step<T>(columns)},
                 start ? start + at : nullptr,
                 start_step,
                 y + at,
                 n});
  });
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
