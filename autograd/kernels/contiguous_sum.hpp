// How many numbers are added up.
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

/// A sum of numbers that come one by one. Blocks of them are added up two by two, in the manner of a binary counter, so
/// that rounding stays small.
template <class V>
class RunningSum {
 public:
  void add(const V& x) {
    block_ += x;
    if (++count_ % block == 0) carry();
  }
  V total() const {
    V result = block_;
    for (std::size_t level = 0, blocks = count_ / block; blocks >> level > 0; ++level)
      if (blocks >> level & 1u) result += levels_[level];
    return result;
  }

 private:
  static constexpr std::size_t block = 64;

  void carry() {
    std::size_t level = 0;
    for (const std::size_t blocks = count_ / block; !(blocks >> level & 1u); ++level) block_ += levels_[level];
    levels_[level] = block_;
    block_ = V(0);
  }

  V block_ = V(0);
  std::size_t count_ = 0;
  V levels_[40] = {};  ///< sums of 2^level blocks, where the count of blocks has that digit
};

}  // namespace autograd::kernels
