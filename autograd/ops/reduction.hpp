// Reductions over axes: all of them by default.
#pragma once

#include "autograd/array.hpp"
#include "autograd/ops/axes.hpp"
#include "autograd/variable.hpp"

namespace autograd {

template <class T>
Variable<T> sum(Variable<T> x);
template <class T>
Variable<T> sum(Variable<T> x, const Axes& axes, bool keepdims = false);

/// Within about one unit in the last place, also of numbers that lie close together far from 0; of equal numbers their
/// value. Throws ShapeError for an empty array.
template <class T>
Variable<T> mean(Variable<T> x);
template <class T>
Variable<T> mean(Variable<T> x, const Axes& axes, bool keepdims = false);

/// The largest element; equal ones share the gradient evenly. Throws ShapeError where there is nothing to choose from.
template <class T>
Variable<T> max(Variable<T> x);
/// Over several axes at once equal elements share the gradient evenly (PyTorch's amax).
template <class T>
Variable<T> amax(Variable<T> x, const Axes& axes, bool keepdims = false);
/// Along one axis the first of equal elements has the whole gradient (PyTorch's max).
template <class T>
Variable<T> max(Variable<T> x, Index axis, bool keepdims = false);

/// The smallest element, by the same rules.
template <class T>
Variable<T> min(Variable<T> x);
template <class T>
Variable<T> amin(Variable<T> x, const Axes& axes, bool keepdims = false);
template <class T>
Variable<T> min(Variable<T> x, Index axis, bool keepdims = false);

/// Where along an axis the largest element is, the first of equal ones; where the smallest is. NaN counts as both.
/// Throws ShapeError for an axis of extent 0.
template <class T>
Array<Index> argmax(Variable<T> x, Index axis, bool keepdims = false);
template <class T>
Array<Index> argmin(Variable<T> x, Index axis, bool keepdims = false);

/// log(sum(exp(x))), without overflow. Where it is -infinity its gradient is 0; where it is infinity, infinite elements
/// share the gradient evenly.
template <class T>
Variable<T> logsumexp(Variable<T> x, const Axes& axes, bool keepdims = false);

}  // namespace autograd
