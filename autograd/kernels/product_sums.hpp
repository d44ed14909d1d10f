// ProductSums: many thin products gᵀ x into one matrix, gathered row by row and multiplied at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "autograd/kernels/gemm.hpp"

namespace autograd::kernels {

/// Rows for several matrices at a time, each known by a key. Keeps its memory.
template <class T>
class ProductSums {
 public:
  /// Room for so many rows before they are multiplied.
  static constexpr std::size_t most_rows = 256;

  /// Gathers `rows` more rows of g (m) and x (n). `into(key)` is asked for where to add the (m, n) matrix when there is
  /// no room left.
  template <class Into>
  void add(std::size_t key, std::size_t rows, std::size_t m, const T* g, std::size_t n, const T* x, Into into) {
    auto found = std::find_if(sums_.begin(), sums_.begin() + used_, [key](const Sum& sum) { return sum.key == key; });
    if (found == sums_.begin() + used_) {
      if (found == sums_.end()) found = sums_.emplace(found);
      ++used_;
      *found = {key, m, n, 0, std::move(found->g), std::move(found->x)};
      found->g.resize(std::max(found->g.size(), most_rows * m));
      found->x.resize(std::max(found->x.size(), most_rows * n));
    }
    if (found->rows + rows > most_rows) multiply(*found, into);
    std::copy_n(g, rows * m, found->g.data() + found->rows * m);
    std::copy_n(x, rows * n, found->x.data() + found->rows * n);
    found->rows += rows;
  }

  /// Multiplies what is gathered, and forgets the keys.
  template <class Into>
  void flush(Into into) {
    for (std::ptrdiff_t k = 0; k < used_; ++k) multiply(sums_[static_cast<std::size_t>(k)], into);
    used_ = 0;
  }
  void forget() { used_ = 0; }

 private:
  struct Sum {
    std::size_t key, m, n, rows;
    std::vector<T> g, x;
  };

  template <class Into>
  static void multiply(Sum& sum, Into into) {
    if (sum.rows == 0) return;
    const auto to = into(sum.key);
    gemm(true, false, sum.m, sum.n, sum.rows, sum.g.data(), sum.x.data(), to.data, to.accumulate);
    sum.rows = 0;
  }

  std::vector<Sum> sums_;
  std::ptrdiff_t used_ = 0;
};

}  // namespace autograd::kernels
