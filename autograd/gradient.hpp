// grad(): a gradient that is itself recorded, and so can be differentiated again.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "autograd/variable.hpp"

namespace autograd {

/// dy/dx for every x, of x's shape, as more tape; zeros for an x that y does not depend on.
/// Throws ShapeError unless y has one element, TapeError for stale or foreign handles.
template <class T>
std::vector<Variable<T>> grad(Variable<T> y, std::span<const Variable<T>> inputs);

/// The same from a y of any shape, given the output gradient, of y's shape.
template <class T>
std::vector<Variable<T>> grad(Variable<T> y, std::span<const Variable<T>> inputs, Variable<T> output_gradient);

template <class T>
std::vector<Variable<T>> grad(Variable<T> y, std::initializer_list<Variable<T>> inputs) {
  return grad(y, std::span<const Variable<T>>(inputs.begin(), inputs.size()));
}

template <class T>
std::vector<Variable<T>> grad(Variable<T> y, std::initializer_list<Variable<T>> inputs, Variable<T> output_gradient) {
  return grad(y, std::span<const Variable<T>>(inputs.begin(), inputs.size()), output_gradient);
}

namespace detail {

struct TapePosition {
  std::size_t steps;
  std::size_t slots;
};

/// The gradients of the inputs as more tape, given those of the outputs, of which some may be empty; empty handles for
/// inputs that the outputs do not depend on. The inputs, and all that lies between, were recorded after `begin`.
template <class T>
std::vector<Variable<T>> record_vjp(const TapePosition& begin, std::span<const Variable<T>> outputs,
                                    std::span<const Variable<T>> output_gradients, std::span<const Variable<T>> inputs);

}  // namespace detail

}  // namespace autograd
