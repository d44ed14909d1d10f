// hook(): look at a gradient, or change it, as a sweep passes.
#pragma once

#include <functional>

#include "autograd/variable.hpp"

namespace autograd {

/// Receives the whole gradient of a hooked value and returns what goes on in its place, of the same shape.
template <class T>
using GradientHook = std::function<Variable<T>(Variable<T>)>;

/// x itself; f is called with its gradient in every sweep, by backward() and by grad(). What f records is
/// differentiated as all else. f must outlive the tape's generation: the tape refers to it.
template <class T>
Variable<T> hook(Variable<T> x, const GradientHook<T>& f);
/// A hook that would be gone when the tape needs it.
template <class T>
Variable<T> hook(Variable<T> x, GradientHook<T>&& f) = delete;

}  // namespace autograd
