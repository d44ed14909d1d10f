// Parameter: a trainable array with its accumulated gradient and a version that every write advances.
#pragma once

#include <cstdint>
#include <utility>

#include "autograd/array.hpp"

namespace autograd {

/// Lives in a module, never on a tape. A tape that recorded it refuses to sweep after the version has moved on.
template <class T>
class Parameter {
 public:
  Parameter() = default;
  explicit Parameter(Array<T> value) : value_(std::move(value)), grad_(zeros<T>(shape_of(value_))) {}

  const Array<T>& value() const { return value_; }
  Shape shape() const { return shape_of(value_); }
  std::size_t size() const { return value_.size(); }

  /// The sum of the gradients of every backward() since zero_grad(), of the value's shape.
  const Array<T>& grad() const { return grad_; }
  Array<T>& grad() { return grad_; }
  void zero_grad() { grad_.fill(T(0)); }

  /// Advanced by every update().
  std::uint64_t version() const { return version_; }

  /// The only way to write: `f` receives an xtensor view of the value, which it may fill but not resize.
  template <class F>
  void update(F&& f) {
    ++version_;
    auto values = mutable_view(value_.data(), shape());
    std::forward<F>(f)(values);
  }

  friend bool operator==(const Parameter& a, const Parameter& b) { return a.value_ == b.value_; }

 private:
  Array<T> value_;
  Array<T> grad_;
  std::uint64_t version_ = 0;
};

}  // namespace autograd
