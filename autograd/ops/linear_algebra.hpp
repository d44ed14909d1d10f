// Matrix products.
#pragma once

#include "autograd/variable.hpp"

namespace autograd {

/// A B. The last two axes are matrices, the leading ones are broadcast; a 1-d operand is a row on the left and a column
/// on the right, as in NumPy. Throws ShapeError when inner or leading extents differ.
template <class T>
Variable<T> matmul(Variable<T> a, Variable<T> b);

/// x Wᵀ, for x (..., in) and weight (out, in): (..., out).
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight);
/// x Wᵀ + b. The bias is (out), added to every row, or has the shape of the result.
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Variable<T> bias);
/// The same; a bias of the result's shape gives its memory to the result.
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Donated<T> bias);

}  // namespace autograd
