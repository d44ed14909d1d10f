// Indexing by integer arrays. Repeated indices add their gradients.
#pragma once

#include "autograd/array.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// The slices of x at `indices` (any shape) along an axis, which the shape of the indices replaces.
/// Negative indices count from the end. Throws ValueError for an index out of range.
template <class T>
Variable<T> take(Variable<T> x, const Array<Index>& indices, Index axis);

/// Rows of a weight (vocabulary, features): take(weight, indices, 0).
template <class T>
Variable<T> embedding(Variable<T> weight, const Array<Index>& indices);

/// One element for each index, moving along an axis only: y[i][j] = x[indices[i][j]][j] for axis 0 (PyTorch's gather).
/// Throws ShapeError unless the indices have x's rank and no larger extents, ValueError for an index out of range.
template <class T>
Variable<T> gather(Variable<T> x, const Array<Index>& indices, Index axis);

}  // namespace autograd
