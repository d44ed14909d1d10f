// What compilers offer beyond the standard, and what is done without.
#pragma once

#include <cstddef>
#include <utility>

#include "autograd/values/lane.hpp"

#if defined(_M_X64) && !defined(__clang__)
#include <intrin.h>
#endif

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define WENGERT_SHUFFLES
#endif
#endif

namespace autograd::kernels {

/// Begins to fetch what is at an address, which need not be one.
inline void prefetch(const void* address) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(address);
#elif defined(_M_X64)
  _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
#else
  static_cast<void>(address);
#endif
}

/// a0 b0 a1 b1 ..., of the lower or the upper halves of a and b.
enum class Half { lower, upper };
template <Half half, class T>
[[gnu::always_inline]] inline xsimd::batch<T> interleave(const xsimd::batch<T>& a, const xsimd::batch<T>& b) {
  constexpr std::size_t width = xsimd::batch<T>::size, first = half == Half::lower ? 0 : width / 2;
#ifdef WENGERT_SHUFFLES
  const typename xsimd::batch<T>::register_type left = a, right = b;
  return [&]<std::size_t... each>(std::index_sequence<each...>) {
    return xsimd::batch<T>(__builtin_shufflevector(left, right, (first + each / 2 + (each % 2) * width)...));
  }
  (std::make_index_sequence<width>{});
#else  // through memory: what xsimd calls zip_lo() stays, in several releases, within 128 bits
  T from[2][width], to[width];
  a.store_unaligned(from[0]);
  b.store_unaligned(from[1]);
  for (std::size_t k = 0; k < width; ++k) to[k] = from[k % 2][first + k / 2];
  return xsimd::batch<T>::load_unaligned(to);
#endif
}

}  // namespace autograd::kernels

#undef WENGERT_SHUFFLES
