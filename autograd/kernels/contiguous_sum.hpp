// The one way to add up many numbers.
#pragma once

#include <algorithm>
#include <cstddef>

namespace autograd::kernels {

/// element(0) + ... + element(size - 1), in a fixed order: in enough partial sums to fill the registers, and block by
/// block, so that rounding stays small.
template <class V, class F>
V contiguous_sum(std::size_t size, F element) {
  constexpr std::size_t lanes = 32, block = 64 * lanes;
  V total = V(0);
  if (size < lanes) {
    for (std::size_t k = 0; k < size; ++k) total += element(k);
    return total;
  }
  for (std::size_t begin = 0; begin < size; begin += block) {
    const std::size_t end = std::min(size, begin + block), whole = begin + (end - begin) / lanes * lanes;
    V partial[lanes] = {};
    for (std::size_t k = begin; k < whole; k += lanes)
      for (std::size_t lane = 0; lane < lanes; ++lane) partial[lane] += element(k + lane);
    for (std::size_t k = whole; k < end; ++k) partial[k - whole] += element(k);
    for (std::size_t half = lanes / 2; half > 0; half /= 2)
      for (std::size_t lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
    total += partial[0];
  }
  return total;
}

}  // namespace autograd::kernels
