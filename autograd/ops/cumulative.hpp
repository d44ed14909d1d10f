// Running sums and products along an axis, and the product over axes.
#pragma once

#include "autograd/ops/axes.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// y[k] = x[0] + ... + x[k] along an axis.
template <class T>
Variable<T> cumsum(Variable<T> x, Index axis);
/// y[k] = x[0] ... x[k] along an axis. The gradient is right where elements are 0.
template <class T>
Variable<T> cumprod(Variable<T> x, Index axis);
/// y[k] = log(exp(x[0]) + ... + exp(x[k])) along an axis, without overflow.
template <class T>
Variable<T> logcumsumexp(Variable<T> x, Index axis);

/// The product of all elements, 1 of none. The gradient is right where elements are 0.
template <class T>
Variable<T> prod(Variable<T> x);
template <class T>
Variable<T> prod(Variable<T> x, const Axes& axes, bool keepdims = false);

}  // namespace autograd
