// Rearrangements made of the shape ops: axes added and dropped, pieces, turns, copies, padding, triangles.
#pragma once

#include <vector>

#include "autograd/ops/axes.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// Without an axis of extent 1. Throws ShapeError for another extent.
template <class T>
Variable<T> squeeze(Variable<T> x, Index axis);
/// With a new axis of extent 1, which will be axis `axis` of the result (PyTorch's unsqueeze).
template <class T>
Variable<T> expand_dims(Variable<T> x, Index axis);
/// Axes `first` to `last` as one.
template <class T>
Variable<T> flatten(Variable<T> x, Index first = 0, Index last = -1);

/// x[0], x[1], ... along an axis, which disappears.
template <class T>
std::vector<Variable<T>> unbind(Variable<T> x, Index axis = 0);
/// Pieces of extent `size` along an axis; the last one may be shorter. Throws ValueError for a size of 0.
template <class T>
std::vector<Variable<T>> split_every(Variable<T> x, std::size_t size, Index axis = 0);
/// At most `count` pieces of equal extent; the last one may be shorter. Throws ValueError for a count of 0.
template <class T>
std::vector<Variable<T>> chunk(Variable<T> x, std::size_t count, Index axis = 0);

/// Turned around along each axis.
template <class T>
Variable<T> flip(Variable<T> x, const Axes& axes);
/// Element k moves to k + shift; what leaves one end enters at the other.
template <class T>
Variable<T> roll(Variable<T> x, Index shift, Index axis);
/// x `count` times over along an axis.
template <class T>
Variable<T> repeat(Variable<T> x, std::size_t count, Index axis);
/// x repeats[k] times over along axis k; axes are added in front where there are more repeats than axes (PyTorch's
/// repeat, NumPy's tile). Throws ShapeError for fewer repeats than axes.
template <class T>
Variable<T> tile(Variable<T> x, const Shape& repeats);
/// `before` and `after` elements of `value` added at the ends of an axis.
template <class T>
Variable<T> pad(Variable<T> x, Index axis, std::size_t before, std::size_t after, double value = 0);

/// The elements of the last two axes on and below a diagonal, `offset` above the main one; 0 elsewhere.
template <class T>
Variable<T> tril(Variable<T> x, Index offset = 0);
/// Those on and above it.
template <class T>
Variable<T> triu(Variable<T> x, Index offset = 0);
/// The elements x[.., k, .., k + offset, ..] of two axes, which become one at the end of the result.
template <class T>
Variable<T> diagonal(Variable<T> x, Index offset = 0, Index axis0 = -2, Index axis1 = -1);

}  // namespace autograd
