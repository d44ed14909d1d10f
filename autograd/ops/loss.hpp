// Softmax and the losses made of it; mean squared error.
#pragma once

#include "autograd/array.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// exp(x) / sum(exp(x)) along an axis, without overflow.
template <class T>
Variable<T> softmax(Variable<T> x, Index axis = -1);

/// log(softmax(x)), without overflow.
template <class T>
Variable<T> log_softmax(Variable<T> x, Index axis = -1);

/// The mean over rows of -log(softmax(logits)[target]), for logits (..., classes) and targets (...).
/// Throws ShapeError for other shapes, ValueError for a class out of range.
template <class T>
Variable<T> cross_entropy(Variable<T> logits, const Array<Index>& targets);

/// mean((prediction - target)^2) over all elements. Throws ShapeError unless the shapes are equal.
template <class T>
Variable<T> mse(Variable<T> prediction, Variable<T> target);

}  // namespace autograd
