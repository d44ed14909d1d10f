// Contiguous runs of numbers, copied or added.
#pragma once

#include <algorithm>
#include <cstddef>

namespace autograd::kernels {

/// to = from, or to += from with `accumulate`. The two do not overlap.
template <class V>
inline void copy_or_add(const V* __restrict from, V* __restrict to, std::size_t size, bool accumulate) {
  if (!accumulate) {
    std::copy_n(from, size, to);
    return;
  }
  for (std::size_t k = 0; k < size; ++k) to[k] += from[k];
}

}  // namespace autograd::kernels
