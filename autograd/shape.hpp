// Shape: the extents of an array, held inline (no allocation), row-major.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace autograd {

using Index = std::ptrdiff_t;

/// Extents of a row-major array, at most `max_rank` axes. An empty shape is a scalar.
class Shape {
 public:
  static constexpr std::size_t max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::size_t> extents) : Shape(extents.begin(), extents.end()) {}

  /// Throws ShapeError for more than `max_rank` axes.
  template <class Iterator>
  Shape(Iterator first, Iterator last) {
    for (; first != last; ++first) push_back(static_cast<std::size_t>(*first));
  }

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return rank_; }
  std::size_t operator[](std::size_t axis) const { return extents_[axis]; }
  std::size_t& operator[](std::size_t axis) { return extents_[axis]; }
  std::size_t back() const { return extents_[rank_ - 1]; }
  std::size_t& back() { return extents_[rank_ - 1]; }
  const std::size_t* begin() const { return extents_.data(); }
  const std::size_t* end() const { return extents_.data() + rank_; }
  std::size_t* begin() { return extents_.data(); }
  std::size_t* end() { return extents_.data() + rank_; }

  void push_back(std::size_t extent) {
    if (rank_ == max_rank) throw_rank();
    extents_[rank_++] = extent;
  }
  void insert(std::size_t axis, std::size_t extent) {
    push_back(extent);
    std::rotate(begin() + axis, end() - 1, end());
  }
  void erase(std::size_t axis) {
    std::copy(begin() + axis + 1, end(), begin() + axis);
    --rank_;
  }

  /// As many elements as a program can address, of the largest type there is.
  static constexpr std::size_t max_elements = PTRDIFF_MAX / 16;

  /// Number of elements: the product of the extents, 1 for a scalar. Throws ShapeError for more than max_elements,
  /// extents of 0 left out: what lies between them could not be addressed either.
  std::size_t elements() const { return elements(0, rank_); }

  /// Product of the extents of axes [first, last). Throws as elements().
  std::size_t elements(std::size_t first, std::size_t last) const {
    std::size_t product = 1;
    bool none = false, fits = true;
    for (; first < last; ++first) {
      const std::size_t extent = extents_[first];
      if (extent == 0)
        none = true;
      else
        fits &= multiply(product, extent);
    }
    if (!fits || product > max_elements) [[unlikely]]
      throw_elements("shape");
    return none ? 0 : product;
  }

  /// Throws the ShapeError of elements(), as `op`.
  void require_elements(const char* op) const;

  friend bool operator==(const Shape& a, const Shape& b) {
    bool equal = a.rank_ == b.rank_;
    for (std::size_t axis = 0; equal && axis < a.rank_; ++axis) equal = a.extents_[axis] == b.extents_[axis];
    return equal;
  }

 private:
  /// Whether product * factor, which takes its place, is a size; the factor is not 0.
  static bool multiply(std::size_t& product, std::size_t factor) {
#if defined(__GNUC__)
    return !__builtin_mul_overflow(product, factor, &product);
#else
    const bool fits = product <= SIZE_MAX / factor;
    product *= factor;
    return fits;
#endif
  }

  [[noreturn]] static void throw_rank();
  [[noreturn]] void throw_elements(const char* op) const;

  std::array<std::size_t, max_rank> extents_;
  std::size_t rank_ = 0;
};

/// `length` elements from `start` on, every `step`-th, of one axis; a negative step goes backwards.
struct Piece {
  std::size_t axis;
  std::size_t start;
  Index step;
  std::size_t length;
};

/// "(3, 4)", "(5)", "()".
std::string to_string(const Shape& shape);

/// a + b and a b, of extents. Throw ShapeError, which names `op`, beyond Shape::max_elements: a negative number that
/// was given as a size is far beyond.
std::size_t extent_sum(const char* op, std::size_t a, std::size_t b);
std::size_t extent_product(const char* op, std::size_t a, std::size_t b);

/// NumPy's rule: aligned at the last axis, an extent of 1 stretches. Throws ShapeError naming `op` and the axis.
Shape broadcast(const char* op, const Shape& left, const Shape& right);

/// `axis` counted from the end when negative. Throws ShapeError naming `op` when out of range.
std::size_t normalize_axis(const char* op, Index axis, std::size_t rank);

}  // namespace autograd
