// Softmax and its logarithm.
#pragma once

#include "autograd/variable.hpp"

namespace autograd {

/// exp(x) / sum(exp(x)) along an axis, without overflow.
template <class T>
Variable<T> softmax(Variable<T> x, Index axis = -1);

/// log(softmax(x)), without overflow.
template <class T>
Variable<T> log_softmax(Variable<T> x, Index axis = -1);

}  // namespace autograd
