// RowProducts: one row times matrices that do not change, y = start + x_1 B_1 + x_2 B_2 + ...
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>
#include <xsimd/xsimd.hpp>

namespace autograd::kernels {

/// As many elements as a kernel may read or write past the end of a row: rows have room for a multiple of it.
inline constexpr std::size_t row_padding = 64;
inline constexpr std::size_t padded(std::size_t size) { return (size + row_padding - 1) / row_padding * row_padding; }

template <class T>
using AlignedVector = std::vector<T, xsimd::aligned_allocator<T, 64>>;

/// Weights as files have them, (n, k) row-major: B = weightᵀ.
template <class T>
struct RowFactor {
  std::size_t k;
  const T* weight;
};

template <class T>
class RowProducts {
 public:
  /// Copies the weights of all factors, in the order in which a step reads them.
  RowProducts(std::size_t n, std::span<const RowFactor<T>> factors);

  /// "(17) -> (64)".
  std::string print() const { return "(" + std::to_string(k_) + ") -> (" + std::to_string(n_) + ")"; }

  /// For rows x[0], x[1], ..., one for each factor, and `start` and y with padded(n) elements; they may be the same.
  /// Where the weights are more than a first-level cache holds, every other call reads them from the other end, so that
  /// those read last are still there.
  void run(const T* const* x, const T* start, T* y) noexcept;

 private:
  template <std::size_t registers, std::size_t chains>
  void panel(const T* const* x, const T* weight, const T* start, T* y) const noexcept;
  void panels(std::size_t index, const T* const* x, const T* start, T* y) const noexcept;
  void dots(const T* const* x, const T* start, T* y) const noexcept;

  std::size_t n_, k_;
  std::vector<std::size_t> ks_;
  bool narrow_;              ///< so few columns that each is the sum of a row of products
  std::size_t wide_, last_;  ///< panels of the widest kind, and the registers of the last one
  bool backwards_ = false;
  AlignedVector<T> packed_;
};

extern template class RowProducts<float>;
extern template class RowProducts<double>;

}  // namespace autograd::kernels
