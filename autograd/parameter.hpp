// Parameter: a trainable array with its accumulated gradient and a version that every write advances.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "autograd/array.hpp"
#include "autograd/error.hpp"

namespace autograd {

/// What a Parameter holds. A tape that recorded it keeps this, too, and so notices when its Parameter is gone.
template <class T>
struct ParameterState {
  Array<T> value;
  Array<T> grad;
  std::uint64_t version = 0;
  bool owned = true;                          ///< a Parameter holds it
  bool sweeping = false;                      ///< a backward() that will add to grad is under way
  std::shared_ptr<ParameterState> successor;  ///< what its Parameter was assigned

  ParameterState() = default;
  ParameterState(const ParameterState&) = delete;
  ParameterState& operator=(const ParameterState&) = delete;
  /// One after the other: a long line of successors would end one within the other.
  ~ParameterState() {
    while (successor && successor.use_count() == 1) successor = std::move(successor->successor);
  }
};

/// Lives in a module, never on a tape. A tape that recorded it refuses to sweep after the version has moved on, and
/// after the Parameter was destroyed. Moved elsewhere, by a vector that grows, say, it remains the same Parameter.
///
/// While a backward() of a tape that recorded it is under way, in a hook say, grad(), zero_grad(), update() and
/// assignments throw TapeError: its gradient is part of a sum.
template <class T>
class Parameter {
 public:
  Parameter() : state_(std::make_shared<State>()) {}
  explicit Parameter(Array<T> value) : Parameter() {
    state_->grad = zeros<T>(shape_of(value));
    state_->value = std::move(value);
  }
  Parameter(const Parameter& other) : Parameter() {
    state_->value = other.value();
    state_->grad = other.grad();
    state_->version = other.version();
  }
  Parameter(Parameter&& other) noexcept = default;
  ~Parameter() {
    if (state_) state_->owned = false;
  }

  /// Takes value and gradient of another. Where the shapes are equal this is an update(): the memory, and so the
  /// Parameter, remains the same. Otherwise a tape that recorded it refuses to sweep.
  Parameter& operator=(const Parameter& other) {
    if (this == &other) return *this;
    return state_ && shape() == other.shape() ? copy(other) : replace(Parameter(other));
  }
  // NOLINTNEXTLINE(performance-noexcept-move-constructor): a sweep that is under way refuses it
  Parameter& operator=(Parameter&& other) {
    if (this == &other) return *this;
    return state_ && shape() == other.shape() ? copy(other) : replace(std::move(other));
  }

  const Array<T>& value() const { return state().value; }
  Shape shape() const { return shape_of(value()); }
  std::size_t size() const { return value().size(); }

  /// The sum of the gradients of every backward() since zero_grad(), of the value's shape.
  const Array<T>& grad() const { return checked("grad").grad; }
  Array<T>& grad() { return checked("grad").grad; }
  void zero_grad() { checked("zero_grad").grad.fill(T(0)); }

  /// Advanced by every update().
  std::uint64_t version() const { return state().version; }

  /// The only way to write: `f` receives an xtensor view of the value, which it may fill but not resize.
  template <class F>
  void update(F&& f) {
    State& own = checked("update");
    ++own.version;
    auto values = mutable_view(own.value.data(), shape());
    std::forward<F>(f)(values);
  }

  friend bool operator==(const Parameter& a, const Parameter& b) { return a.value() == b.value(); }

 private:
  template <class>
  friend class Tape;
  using State = ParameterState<T>;

  /// One that was moved from is as if default-constructed.
  State& state() const {
    if (!state_) [[unlikely]]
      state_ = std::make_shared<State>();
    return *state_;
  }
  const std::shared_ptr<State>& own() const {
    state();
    return state_;
  }
  State& checked(const char* what) const {
    State& own = state();
    if (own.sweeping) [[unlikely]]
      throw TapeError(std::string("parameter: ") + what +
                      "() while a backward() that adds to its gradient is under way; call it before or after that");
    return own;
  }
  Parameter& copy(const Parameter& other) {
    State& own = checked("operator=");
    Array<T> grad = other.grad();
    ++own.version;
    std::copy_n(other.value().data(), own.value.size(), own.value.data());
    own.grad = std::move(grad);
    return *this;
  }
  Parameter& replace(Parameter&& other) {
    if (state_) {
      checked("operator=").owned = false;
      state_->successor = other.state_;
    }
    state_ = std::move(other.state_);
    return *this;
  }

  mutable std::shared_ptr<State> state_;
};

}  // namespace autograd
