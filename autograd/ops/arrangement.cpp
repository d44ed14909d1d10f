#include "autograd/ops/arrangement.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/tape.hpp"

namespace autograd {

template <class T>
Variable<T> squeeze(Variable<T> x, Index axis) {
  Shape shape = x.shape();
  const std::size_t k = normalize_axis("squeeze", axis, shape.rank());
  if (shape[k] != 1)
    throw ShapeError("squeeze: axis " + std::to_string(k) + " of shape " + to_string(shape) + " has extent " +
                     std::to_string(shape[k]) + "; only an axis of extent 1 can be dropped");
  shape.erase(k);
  return reshape(x, shape);
}

template <class T>
Variable<T> expand_dims(Variable<T> x, Index axis) {
  Shape shape = x.shape();
  shape.insert(normalize_axis("expand_dims", axis, shape.rank() + 1), 1);
  return reshape(x, shape);
}

template <class T>
Variable<T> flatten(Variable<T> x, Index first, Index last) {
  const Shape from = x.shape();
  if (from.rank() == 0) return reshape(x, {1});
  const std::size_t begin = normalize_axis("flatten", first, from.rank());
  const std::size_t end = normalize_axis("flatten", last, from.rank());
  if (begin > end)
    throw ShapeError("flatten: axis " + std::to_string(begin) + " comes after axis " + std::to_string(end) +
                     "; name the first axis first");
  Shape to(from.begin(), from.begin() + begin);
  to.push_back(from.elements(begin, end + 1));
  for (std::size_t axis = end + 1; axis < from.rank(); ++axis) to.push_back(from[axis]);
  return reshape(x, to);
}

template <class T>
std::vector<Variable<T>> unbind(Variable<T> x, Index axis) {
  const std::size_t count = x.shape()[normalize_axis("unbind", axis, x.shape().rank())];
  std::vector<Variable<T>> result;
  if (normalize_axis("unbind", axis, x.shape().rank()) == 0) {
    result.resize(count);
    unbind(x, std::span<Variable<T>>(result));
    return result;
  }
  for (std::size_t k = 0; k < count; ++k) result.push_back(select(x, axis, static_cast<Index>(k)));
  return result;
}

template <class T>
std::vector<Variable<T>> split_every(Variable<T> x, std::size_t size, Index axis) {
  const std::size_t extent = x.shape()[normalize_axis("split_every", axis, x.shape().rank())];
  if (size == 0) throw ValueError("split_every: pieces of extent 0; a size is at least 1");
  std::vector<std::size_t> extents;
  for (std::size_t start = 0; start < extent || start == 0; start += size)
    extents.push_back(std::min(size, extent - start));
  return split(x, std::span<const std::size_t>(extents), axis);
}

template <class T>
std::vector<Variable<T>> chunk(Variable<T> x, std::size_t count, Index axis) {
  const std::size_t extent = x.shape()[normalize_axis("chunk", axis, x.shape().rank())];
  if (count == 0) throw ValueError("chunk: 0 pieces; a count is at least 1");
  return split_every(x, std::max<std::size_t>(1, extent / count + (extent % count != 0)), axis);
}

template <class T>
Variable<T> flip(Variable<T> x, const Axes& axes) {
  const Shape shape = x.shape();
  axes.mask("flip", shape.rank());
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const Index extent = static_cast<Index>(shape[normalize_axis("flip", axes[k], shape.rank())]);
    x = slice(x, axes[k], -1, -extent - 1, -1);
  }
  return x;
}

template <class T>
Variable<T> roll(Variable<T> x, Index shift, Index axis) {
  const Index extent = static_cast<Index>(x.shape()[normalize_axis("roll", axis, x.shape().rank())]);
  if (extent == 0) return x;
  const Index cut = extent - ((shift % extent) + extent) % extent;
  return concat({slice(x, axis, cut, extent), slice(x, axis, 0, cut)}, axis);
}

template <class T>
Variable<T> repeat(Variable<T> x, std::size_t count, Index axis) {
  Shape shape = x.shape();
  const std::size_t k = normalize_axis("repeat", axis, shape.rank());
  const std::size_t outer = shape.elements(0, k), inner = shape.elements(k, shape.rank());
  shape[k] = extent_product("repeat", shape[k], count);
  shape.require_elements("repeat");
  return reshape(broadcast_to(reshape(x, {outer, 1, inner}), {outer, count, inner}), shape);
}

template <class T>
Variable<T> tile(Variable<T> x, const Shape& repeats) {
  Shape shape = x.shape();
  if (repeats.rank() < shape.rank())
    throw ShapeError("tile: " + std::to_string(repeats.rank()) + " repeats for shape " + to_string(shape) +
                     "; give one for each of its " + std::to_string(shape.rank()) + " axes");
  while (shape.rank() < repeats.rank()) shape.insert(0, 1);
  Shape whole = shape;
  for (std::size_t axis = 0; axis < repeats.rank(); ++axis)
    whole[axis] = extent_product("tile", shape[axis], repeats[axis]);
  whole.require_elements("tile");
  x = reshape(x, shape);
  for (std::size_t axis = 0; axis < repeats.rank(); ++axis)
    if (repeats[axis] != 1) x = repeat(x, repeats[axis], static_cast<Index>(axis));
  return x;
}

template <class T>
Variable<T> pad(Variable<T> x, Index axis, std::size_t before, std::size_t after, double value) {
  Shape shape = x.shape();
  const std::size_t k = normalize_axis("pad", axis, shape.rank());
  Shape whole = shape;
  whole[k] = extent_sum("pad", extent_sum("pad", before, shape[k]), after);
  whole.require_elements("pad");
  const auto border = [&](std::size_t extent) {
    shape[k] = extent;
    return x.tape().constant(shape, static_cast<T>(value));
  };
  const Variable<T> first = border(before), last = border(after);
  return concat({first, x, last}, axis);
}

namespace {

/// x where `inside`(how far the element is right of the main diagonal), else 0.
template <class T, class F>
Variable<T> triangle(const char* op, Variable<T> x, F inside) {
  const Shape shape = x.shape();
  if (shape.rank() < 2)
    throw ShapeError(std::string(op) + ": shape " + to_string(shape) + " has fewer than two axes; it takes matrices");
  const std::size_t rows = shape[shape.rank() - 2], columns = shape.back();
  const Variable<T> mask = x.tape().constant({rows, columns}, [&](std::span<T> values) {
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t column = 0; column < columns; ++column)
        values[row * columns + column] = inside(static_cast<Index>(column) - static_cast<Index>(row)) ? T(1) : T(0);
  });
  return masked(x, mask);
}

}  // namespace

template <class T>
Variable<T> tril(Variable<T> x, Index offset) {
  return triangle("tril", x, [offset](Index right) { return right <= offset; });
}

template <class T>
Variable<T> triu(Variable<T> x, Index offset) {
  return triangle("triu", x, [offset](Index right) { return right >= offset; });
}

// A diagonal is every (columns + 1)-th element of the matrix in one row.
template <class T>
Variable<T> diagonal(Variable<T> x, Index offset, Index axis0, Index axis1) {
  const Shape shape = x.shape();
  const std::size_t rank = shape.rank();
  const std::size_t k0 = normalize_axis("diagonal", axis0, rank), k1 = normalize_axis("diagonal", axis1, rank);
  if (k0 == k1) throw ShapeError("diagonal: axis " + std::to_string(k0) + " is named twice; name two axes");
  std::array<Index, Shape::max_rank> order;
  std::size_t count = 0;
  Shape outer;
  for (std::size_t axis = 0; axis < rank; ++axis)
    if (axis != k0 && axis != k1) {
      order[count++] = static_cast<Index>(axis);
      outer.push_back(shape[axis]);
    }
  order[count] = static_cast<Index>(k0);
  order[count + 1] = static_cast<Index>(k1);
  if (k0 + 2 != rank || k1 + 1 != rank) x = permute(x, Axes(std::span<const Index>(order.data(), rank)));

  const Index rows = static_cast<Index>(shape[k0]), columns = static_cast<Index>(shape[k1]);
  offset = std::clamp(offset, -rows, columns);  // beyond these there is nothing
  const Index start = offset >= 0 ? offset : -offset * columns;
  const Index length =
      std::max<Index>(0, offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns));
  outer.push_back(extent_product("diagonal", shape[k0], shape[k1]));
  return slice(reshape(x, outer), -1, start, length > 0 ? start + (length - 1) * (columns + 1) + 1 : start,
               columns + 1);
}

#define INSTANTIATE(T)                                                            \
  template Variable<T> squeeze(Variable<T>, Index);                               \
  template Variable<T> expand_dims(Variable<T>, Index);                           \
  template Variable<T> flatten(Variable<T>, Index, Index);                        \
  template std::vector<Variable<T>> unbind(Variable<T>, Index);                   \
  template std::vector<Variable<T>> split_every(Variable<T>, std::size_t, Index); \
  template std::vector<Variable<T>> chunk(Variable<T>, std::size_t, Index);       \
  template Variable<T> flip(Variable<T>, const Axes&);                            \
  template Variable<T> roll(Variable<T>, Index, Index);                           \
  template Variable<T> repeat(Variable<T>, std::size_t, Index);                   \
  template Variable<T> tile(Variable<T>, const Shape&);                           \
  template Variable<T> pad(Variable<T>, Index, std::size_t, std::size_t, double); \
  template Variable<T> tril(Variable<T>, Index);                                  \
  template Variable<T> triu(Variable<T>, Index);                                  \
  template Variable<T> diagonal(Variable<T>, Index, Index, Index);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
