// Variable: a trivially copyable handle on a value recorded on a tape.
#pragma once

#include <cstdint>

#include "autograd/array.hpp"

namespace autograd {

template <class T>
class Tape;
template <class T>
class Parameter;

using SlotId = std::uint32_t;

[[noreturn]] void throw_empty_handle(const char* op);

/// {tape, slot, generation}. Valid until its tape is cleared, or rewound to before it was recorded; every use after
/// that throws TapeError. A default-constructed handle refers to nothing.
template <class T>
class Variable {
 public:
  using value_type = T;

  Variable() = default;
  Variable(Tape<T>* tape, SlotId slot, std::uint32_t generation) : tape_(tape), slot_(slot), generation_(generation) {}

  explicit operator bool() const { return tape_ != nullptr; }
  /// Throws TapeError for a handle that refers to nothing.
  Tape<T>& tape() const {
    if (!tape_) [[unlikely]]
      throw_empty_handle("tape");
    return *tape_;
  }
  SlotId slot() const { return slot_; }
  std::uint32_t generation() const { return generation_; }

  inline const Shape& shape() const;
  /// Whether it depends on a variable or a parameter, so that a backward() can begin with it.
  bool needs_gradient() const;
  /// A read-only xtensor view, valid while the handle is.
  ArrayView<T> value() const;
  /// An array of one's own.
  Array<T> copy() const;
  /// The value of a one-element array. Throws ShapeError otherwise.
  T item() const;

  /// select(x, 0, t): row t, without the first axis; -1 is the last one. Throws as select().
  Variable operator[](Index t) const;
  /// detach(x): the same value, through which no gradient passes.
  Variable detach() const;

 private:
  Tape<T>* tape_ = nullptr;
  SlotId slot_ = 0;
  std::uint32_t generation_ = 0;
};

/// A Variable that is not read any more: an op may write over its memory.
template <class T>
struct Donated {
  using value_type = T;
  Variable<T> x;
  operator Variable<T>() const { return x; }
};

/// Says that x is read by the call it is passed to, and by nothing after it. linear() takes its bias so, and pointwise
/// functions take any operand: they then write results, and what their gradients need, over x. Later uses of x, or of
/// what x is a slice of, throw TapeError; of its other slices, handles from before stay valid.
///
/// Where somebody else may read the memory x keeps its value: if x is a leaf, a Parameter, or watched, or was read
/// before, or is what the gradient of its own op is computed from (as of exp or tanh), and where no gradient is wanted.
/// Gradients of any order are exact; a second backward() through what was donated, and a recorded gradient, compute it
/// again.
template <class T>
Donated<T> donate(Variable<T> x) {
  return {x};
}

/// A Parameter on the tape of x. Ops that take a Parameter beside a Variable call it. Throws TapeError, naming `op`,
/// for an x that refers to nothing.
template <class T>
Variable<T> beside(Variable<T> x, Parameter<T>& parameter, const char* op = "parameter");

extern template class Variable<float>;
extern template class Variable<double>;

}  // namespace autograd
