// Indexing by integer arrays. Repeated indices add their gradients.
#pragma once

#include <optional>
#include <span>

#include "autograd/array.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// The slices of x at `indices` (any shape) along an axis, which the shape of the indices replaces.
/// Negative indices count from the end. Throws ValueError for an index out of range.
template <class T>
Variable<T> take(Variable<T> x, const Array<Index>& indices, Index axis);

/// Rows of a weight (vocabulary, features) at indices of any shape. The row `padding`, which counts from the end if it
/// is negative, gets no gradient. Throws ShapeError for a weight of other than two axes, ValueError for an index or a
/// padding row out of range. An index names a symbol: a negative one is out of range.
template <class T>
Variable<T> embedding(Variable<T> weight, const Array<Index>& indices, std::optional<Index> padding = {});

/// Rows of a weight (vocabulary, features) at indices that are values, whole numbers in an array of any shape: what a
/// Graph has in the place of the function above. They get no gradient. Throws ShapeError for a weight of other than two
/// axes, ValueError for a value that is no row. In a replay(), and in a Graph, the row of such a value is NaN.
template <class T>
Variable<T> embedding(Variable<T> weight, Variable<T> indices);

/// One element for each index, moving along an axis only: y[i][j] = x[indices[i][j]][j] for axis 0 (PyTorch's gather).
/// Throws ShapeError unless the indices have x's rank and no larger extents, ValueError for an index out of range.
template <class T>
Variable<T> gather(Variable<T> x, const Array<Index>& indices, Index axis);

/// x plus the slices of `source`, each added at its index along an axis: x[.., indices[k], ..] += source[.., k, ..].
/// Throws ShapeError unless `source` has the shape of take(x, indices, axis), ValueError for an index out of range.
template <class T>
Variable<T> index_add(Variable<T> x, const Array<Index>& indices, Variable<T> source, Index axis);

/// x plus each element of `source` at its index along an axis: x[indices[i][j]][j] += source[i][j] for axis 0.
/// Throws ShapeError unless `source` has the shape of the indices, and those fit x as in gather().
template <class T>
Variable<T> scatter_add(Variable<T> x, const Array<Index>& indices, Variable<T> source, Index axis);

namespace detail {
/// x[places[0]], x[places[1]], ... of the elements of x, row by row. The places are kept on the tape.
template <class T>
Variable<T> take_elements(Variable<T> x, std::span<const std::size_t> places);
}  // namespace detail

/// The elements where the mask is not 0, in a row. The mask has x's shape.
template <class T>
Variable<T> masked_select(Variable<T> x, Variable<T> mask);

}  // namespace autograd
