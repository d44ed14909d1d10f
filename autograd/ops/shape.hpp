// Shape ops: the same elements in another arrangement. Reshapes and contiguous slices share memory with their source.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "autograd/ops/axes.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// The same elements, row by row, in another shape. Shares memory.
/// Throws ShapeError unless the number of elements is the same.
template <class T>
Variable<T> reshape(Variable<T> x, const Shape& shape);

/// x stretched to `shape` by NumPy's rule: missing leading axes and axes of extent 1 repeat.
template <class T>
Variable<T> broadcast_to(Variable<T> x, const Shape& shape);

/// The sum over what broadcast_to would repeat: x summed down to `shape`.
template <class T>
Variable<T> sum_to(Variable<T> x, const Shape& shape);

/// Axis k of the result is axis axes[k] of x.
template <class T>
Variable<T> permute(Variable<T> x, const Axes& axes);
/// The last two axes exchanged.
template <class T>
Variable<T> transpose(Variable<T> x);
template <class T>
Variable<T> transpose(Variable<T> x, Index axis0, Index axis1);

/// The elements start, start + step, ... before stop, of one axis; negative bounds count from the end and bounds
/// beyond it are clipped, as in Python: `slice(x, 0, -1, -n - 1, -1)` turns n rows around. Shares memory when the slice
/// is contiguous. Throws ValueError for a step of 0.
template <class T>
Variable<T> slice(Variable<T> x, Index axis, Index start, Index stop, Index step = 1);

/// Element `index` of an axis, which disappears: select(x, 0, t) is x[t]. Shares memory when contiguous.
template <class T>
Variable<T> select(Variable<T> x, Index axis, Index index);

/// parts[k] = x[k] for the whole first axis, on the memory of x. Throws ShapeError unless it has as many elements.
template <class T>
void unbind(Variable<T> x, std::span<Variable<T>> parts);
/// The same of N elements: `auto [a, b] = unbind<2>(x)`.
template <std::size_t N, class T>
std::array<Variable<T>, N> unbind(Variable<T> x) {
  std::array<Variable<T>, N> parts;
  unbind(x, std::span<Variable<T>>(parts));
  return parts;
}

/// The inputs one after the other along an existing axis.
template <class T>
Variable<T> concat(std::span<const Variable<T>> inputs, Index axis);
template <class T>
Variable<T> concat(std::initializer_list<Variable<T>> inputs, Index axis) {
  return concat(std::span<const Variable<T>>(inputs.begin(), inputs.size()), axis);
}

/// The inputs, all of one shape, along a new axis.
template <class T>
Variable<T> stack(std::span<const Variable<T>> inputs, Index axis = 0);
template <class T>
Variable<T> stack(std::initializer_list<Variable<T>> inputs, Index axis = 0) {
  return stack(std::span<const Variable<T>>(inputs.begin(), inputs.size()), axis);
}

/// Consecutive pieces of the given extents along an axis. Throws ShapeError unless they add up to its extent.
template <class T>
std::vector<Variable<T>> split(Variable<T> x, std::span<const std::size_t> extents, Index axis);
template <class T>
std::vector<Variable<T>> split(Variable<T> x, std::initializer_list<std::size_t> extents, Index axis) {
  return split(x, std::span<const std::size_t>(extents.begin(), extents.size()), axis);
}

namespace detail {
template <class T>
void split_evenly(Variable<T> x, Index axis, std::span<std::size_t> extents, std::span<Variable<T>> pieces);
}

/// N equal pieces: `auto [i, f, g, o] = split<4>(z, 1)`. Throws ShapeError unless N divides the extent.
template <std::size_t N, class T>
std::array<Variable<T>, N> split(Variable<T> x, Index axis) {
  std::array<std::size_t, N> extents;
  std::array<Variable<T>, N> pieces;
  detail::split_evenly<T>(x, axis, extents, pieces);
  return pieces;
}

/// Zeros of `shape` plus each input added at its piece. A piece may have lost its axis of extent 1. The gradient of
/// many slices of one source is one of these.
template <class T>
Variable<T> assemble(const Shape& shape, std::span<const Piece> pieces, std::span<const Variable<T>> inputs);

/// The same value as a constant: no gradient passes.
template <class T>
Variable<T> detach(Variable<T> x);

/// x itself, called `name` in print(), find() and errors. The text is not copied; a literal lives long enough.
template <class T>
Variable<T> named(std::string_view name, Variable<T> x) {
  tape_of("named", x).name(x, name);
  return x;
}

template <class T>
Variable<T> Variable<T>::operator[](Index t) const {
  return select(*this, 0, t);
}
template <class T>
Variable<T> Variable<T>::detach() const {
  return autograd::detach(*this);
}

}  // namespace autograd
