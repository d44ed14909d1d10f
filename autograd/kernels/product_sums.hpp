// ProductSums: products gᵀ x into the same matrix, joined into one wherever their rows lie next to each other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "autograd/kernels/gemm.hpp"

namespace autograd::kernels {

/// g (rows, m) and x (rows, n), whose product is added to an (m, n) matrix known by a key.
template <class T>
struct RowProduct {
  std::size_t key, rows, m, n;
  const T* g;
  const T* x;
};

/// Sums of products, put off as long as the next one continues the last, backwards or forwards in memory.
template <class T>
class ProductSums {
 public:
  /// `into(key)` is asked for where to add a matrix. g and x must stay as they are until flush().
  template <class Into>
  void add(const RowProduct<T>& product, Into into) {
    for (RowProduct<T>& last : pending_) {
      if (last.key != product.key) continue;
      if (product.g + product.rows * product.m == last.g && product.x + product.rows * product.n == last.x) {
        last.g = product.g;
        last.x = product.x;
        last.rows += product.rows;
      } else if (last.g + last.rows * last.m == product.g && last.x + last.rows * last.n == product.x) {
        last.rows += product.rows;
      } else {
        multiply(last, into);
        last = product;
      }
      return;
    }
    pending_.push_back(product);
  }

  /// Multiplies what was put off.
  template <class Into>
  void flush(Into into) {
    for (const RowProduct<T>& product : pending_) multiply(product, into);
    pending_.clear();
  }
  void forget() { pending_.clear(); }

  template <class Into>
  static void multiply(const RowProduct<T>& p, Into into) {
    const auto to = into(p.key);
    gemm(true, false, p.m, p.n, p.rows, p.g, p.x, to.data, to.accumulate);
  }

 private:
  std::vector<RowProduct<T>> pending_;  ///< one for each key
};

}  // namespace autograd::kernels
