// ProductSums: products gᵀ x into the same matrix, joined into one wherever their rows lie next to each other.
#pragma once

#include <algorithm>
#include <cstddef>

#include "autograd/kernels/gemm.hpp"
#include "autograd/keyed_list.hpp"

namespace autograd::kernels {

/// g (rows, m) and x (rows, n), whose product is added to an (m, n) matrix known by a number.
template <class T>
struct RowProduct {
  std::size_t matrix, rows, m, n;
  const T* g;
  const T* x;
  std::size_t key() const { return matrix; }
};

/// Sums of products, put off as long as the next one continues the last, backwards or forwards in memory.
template <class T>
class ProductSums {
 public:
  /// `into(matrix)` is asked for where to add a matrix. g and x must stay as they are until flush().
  template <class Into>
  void add(const RowProduct<T>& product, Into into) {
    const std::size_t found = pending_.find(product.matrix, [](const RowProduct<T>&) { return true; });
    if (found == pending_.none) return pending_.push_back(product);
    RowProduct<T>& last = pending_[found];
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
  }

  /// Multiplies what was put off.
  template <class Into>
  void flush(Into into) {
    for (const RowProduct<T>& product : pending_) multiply(product, into);
    pending_.cut(0);
  }
  void forget() { pending_.cut(0); }

  template <class Into>
  static void multiply(const RowProduct<T>& p, Into into) {
    const auto to = into(p.matrix);
    gemm(true, false, p.m, p.n, p.rows, p.g, p.x, to.data, to.accumulate);
  }

 private:
  KeyedList<RowProduct<T>> pending_;  ///< one for each matrix
};

}  // namespace autograd::kernels
