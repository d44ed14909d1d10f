#include "autograd/ops/indexing.hpp"

#include <algorithm>

#include "autograd/all_or_nothing.hpp"
#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

namespace {

/// x around one axis as (outer, extent, inner).
struct Around {
  std::size_t outer, extent, inner;
  Around(const Shape& shape, std::size_t axis)
      : outer(shape.elements(0, axis)), extent(shape[axis]), inner(shape.elements(axis + 1, shape.rank())) {}
};

/// f(offset in x, offset in y, run) for each run of `inner` elements that y takes from x.
template <class F>
void for_each_taken(const Around& x, std::span<const std::size_t> indices, F f) {
  for (std::size_t row = 0; row < x.outer; ++row)
    for (std::size_t k = 0; k < indices.size(); ++k)
      f((row * x.extent + indices[k]) * x.inner, (row * indices.size() + k) * x.inner, x.inner);
}

/// f(offset in x, offset in y) for each element that y gathers from x; x and y are row-major.
template <class F>
void for_each_gathered(const Shape& x, const Shape& y, std::size_t axis, std::span<const std::size_t> indices, F f) {
  std::array<std::size_t, Shape::max_rank> position{};
  for (std::size_t at = 0; at < indices.size(); ++at) {
    std::size_t offset = 0;
    for (std::size_t k = 0; k < y.rank(); ++k) offset = offset * x[k] + (k == axis ? indices[at] : position[k]);
    f(offset, at);
    for (std::size_t k = y.rank(); k-- > 0;) {
      if (++position[k] < y[k]) break;
      position[k] = 0;
    }
  }
}

/// The indices on the tape, counted from the front. Throws ValueError for one that is not from `lowest` to below
/// `extent`.
template <class T>
std::span<const std::size_t> keep_indices(const char* op, Tape<T>& tape, const Array<Index>& indices,
                                          std::size_t extent, Index lowest) {
  const Index end = static_cast<Index>(extent);
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const Index index = indices.data()[k];
    if (index < lowest || index >= end)
      throw ValueError(std::string(op) + ": index " + std::to_string(index) + " (number " + std::to_string(k) +
                       ") is out of range for extent " + std::to_string(extent) + "; valid indices are " +
                       std::to_string(lowest) + " to " + std::to_string(end - 1));
  }
  const std::span<std::size_t> kept = tape.recording().template list<std::size_t>(indices.size());
  for (std::size_t k = 0; k < kept.size(); ++k) {
    const Index index = indices.data()[k];
    kept[k] = static_cast<std::size_t>(index < 0 ? index + end : index);
  }
  return kept;
}
/// The same with negative ones counted from the end.
template <class T>
std::span<const std::size_t> keep_indices(const char* op, Tape<T>& tape, const Array<Index>& indices,
                                          std::size_t extent) {
  return keep_indices(op, tape, indices, extent, -static_cast<Index>(extent));
}

}  // namespace

namespace ops {

// y[.., k, ..] = x[.., index_k, ..],   dx[.., index_k, ..] += g[.., k, ..]
struct Take {
  static constexpr OpInfo info{.name = "take", .vjp_reads = Reads::neither};
  std::size_t axis;
  Shape index_shape;
  std::span<const std::size_t> indices;

  Shape infer(Shapes inputs) const {
    Shape shape(inputs[0]->begin(), inputs[0]->begin() + axis);
    for (const std::size_t extent : index_shape) shape.push_back(extent);
    for (std::size_t k = axis + 1; k < inputs[0]->rank(); ++k) shape.push_back((*inputs[0])[k]);
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for_each_taken(Around(*call.input().shape, axis), indices, [&](std::size_t x, std::size_t y, std::size_t run) {
      std::copy_n(call.input().data + x, run, call.output().data + y);
    });
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    if (!dx.accumulate) std::fill_n(dx.data, call.input().size(), T(0));
    for_each_taken(Around(*call.input().shape, axis), indices, [&](std::size_t x, std::size_t y, std::size_t run) {
      for (std::size_t k = 0; k < run; ++k) dx.data[x + k] += call.gradient().data[y + k];
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const;
  static void visit(auto& self, auto&& visitor) { visitor("axis", self.axis); }
};

// The adjoint of take: y = zeros, y[.., index_k, ..] += x[.., k, ..],   dx = take(g)
struct TakeAdjoint {
  static constexpr OpInfo info{.name = "take_adjoint", .vjp_reads = Reads::neither};
  Take take;
  Shape shape;

  Shape infer(Shapes) const { return shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    std::fill_n(call.output().data, call.output().size(), V(0));
    for_each_taken(Around(shape, take.axis), take.indices, [&](std::size_t y, std::size_t x, std::size_t run) {
      for (std::size_t k = 0; k < run; ++k) call.output().data[y + k] += call.input().data[x + k];
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, apply(take, call.gradient()));
  }
};

template <class T>
void Take::vjp(Recorder<T>& call) const {
  call.add(0, apply(TakeAdjoint{*this, call.input().shape()}, call.gradient()));
}

// y[i][j] = x[index[i][j]][j] (for axis 0),   dx[index[i][j]][j] += g[i][j]
struct Gather {
  static constexpr OpInfo info{.name = "gather", .vjp_reads = Reads::neither};
  std::size_t axis;
  Shape index_shape;
  std::span<const std::size_t> indices;

  Shape infer(Shapes) const { return index_shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for_each_gathered(*call.input().shape, index_shape, axis, indices,
                      [&](std::size_t x, std::size_t y) { call.output().data[y] = call.input().data[x]; });
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    if (!dx.accumulate) std::fill_n(dx.data, call.input().size(), T(0));
    for_each_gathered(*call.input().shape, index_shape, axis, indices,
                      [&](std::size_t x, std::size_t y) { dx.data[x] += call.gradient().data[y]; });
  }
  template <class T>
  void vjp(Recorder<T>& call) const;
  static void visit(auto& self, auto&& visitor) { visitor("axis", self.axis); }
};

// The adjoint of gather: y = zeros, y[index[i][j]][j] += x[i][j],   dx = gather(g)
struct GatherAdjoint {
  static constexpr OpInfo info{.name = "gather_adjoint", .vjp_reads = Reads::neither};
  Gather gather;
  Shape shape;

  Shape infer(Shapes) const { return shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    std::fill_n(call.output().data, call.output().size(), V(0));
    for_each_gathered(shape, gather.index_shape, gather.axis, gather.indices,
                      [&](std::size_t y, std::size_t x) { call.output().data[y] += call.input().data[x]; });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, apply(gather, call.gradient()));
  }
};

template <class T>
void Gather::vjp(Recorder<T>& call) const {
  call.add(0, apply(GatherAdjoint{*this, call.input().shape()}, call.gradient()));
}

}  // namespace ops

template <class T>
Variable<T> take(Variable<T> x, const Array<Index>& indices, Index axis) {
  const std::size_t k = normalize_axis("take", axis, x.shape().rank());
  const auto kept = keep_indices("take", x.tape(), indices, x.shape()[k]);
  return apply(ops::Take{k, shape_of(indices), kept}, x);
}

template <class T>
Variable<T> embedding(Variable<T> weight, const Array<Index>& indices, std::optional<Index> padding) {
  if (weight.shape().rank() != 2)
    throw ShapeError("embedding: the weight has shape " + to_string(weight.shape()) +
                     ", expected (vocabulary, features)");
  Tape<T>& tape = weight.tape();
  const Index extent = static_cast<Index>(weight.shape()[0]);
  if (padding && (*padding < -extent || *padding >= extent))
    throw ValueError("embedding: padding row " + std::to_string(*padding) + " is out of range for a vocabulary of " +
                     std::to_string(extent));
  const auto kept = keep_indices("embedding", tape, indices, weight.shape()[0], 0);
  const Variable<T> rows = apply(ops::Take{0, shape_of(indices), kept}, weight);
  if (!padding) return rows;
  Shape shape = shape_of(indices);
  shape.push_back(1);
  const std::size_t row = static_cast<std::size_t>(*padding < 0 ? *padding + extent : *padding);
  const Variable<T> learns = tape.constant(shape, [&](std::span<T> values) {
    for (std::size_t k = 0; k < kept.size(); ++k) values[k] = kept[k] == row ? T(0) : T(1);
  });
  return where(learns, rows, detach(rows));
}

namespace {

Shape checked_gather(const char* op, const Shape& shape, const Array<Index>& indices, std::size_t k) {
  const Shape index_shape = shape_of(indices);
  bool fits = index_shape.rank() == shape.rank();
  for (std::size_t a = 0; fits && a < shape.rank(); ++a) fits = a == k || index_shape[a] <= shape[a];
  if (!fits)
    throw ShapeError(std::string(op) + ": indices of shape " + to_string(index_shape) + " for an input of shape " +
                     to_string(shape) + "; they need its rank and no larger extents but along axis " +
                     std::to_string(k));
  return index_shape;
}

void check_source(const char* op, const Shape& source, const Shape& expected) {
  if (!(source == expected))
    throw ShapeError(std::string(op) + ": the source has shape " + to_string(source) + ", the indices ask for " +
                     to_string(expected));
}

}  // namespace

template <class T>
Variable<T> gather(Variable<T> x, const Array<Index>& indices, Index axis) {
  const Shape& shape = x.shape();
  const std::size_t k = normalize_axis("gather", axis, shape.rank());
  const Shape index_shape = checked_gather("gather", shape, indices, k);
  const auto kept = keep_indices("gather", x.tape(), indices, shape[k]);
  return apply(ops::Gather{k, index_shape, kept}, x);
}

template <class T>
Variable<T> index_add(Variable<T> x, const Array<Index>& indices, Variable<T> source, Index axis) {
  const Shape shape = x.shape();
  const std::size_t k = normalize_axis("index_add", axis, shape.rank());
  const ops::Take take{k, shape_of(indices), keep_indices("index_add", x.tape(), indices, shape[k])};
  const Shape* const inputs[] = {&shape};
  check_source("index_add", source.shape(), take.infer(inputs));
  return all_or_nothing(common_tape("index_add", x, source), [&] {
    return x + apply(ops::TakeAdjoint{take, shape}, source);
  });
}

template <class T>
Variable<T> scatter_add(Variable<T> x, const Array<Index>& indices, Variable<T> source, Index axis) {
  const Shape shape = x.shape();
  const std::size_t k = normalize_axis("scatter_add", axis, shape.rank());
  const Shape index_shape = checked_gather("scatter_add", shape, indices, k);
  check_source("scatter_add", source.shape(), index_shape);
  const ops::Gather gather{k, index_shape, keep_indices("scatter_add", x.tape(), indices, shape[k])};
  return all_or_nothing(common_tape("scatter_add", x, source), [&] {
    return x + apply(ops::GatherAdjoint{gather, shape}, source);
  });
}

template <class T>
Variable<T> detail::take_elements(Variable<T> x, std::span<const std::size_t> places) {
  return apply(ops::Take{0, {places.size()}, places}, reshape(x, {x.shape().elements()}));
}

template <class T>
Variable<T> masked_select(Variable<T> x, Variable<T> mask) {
  const Shape shape = x.shape();
  if (!(shape == mask.shape()))
    throw ShapeError("masked_select: x has shape " + to_string(shape) + ", the mask " + to_string(mask.shape()) +
                     "; they must be equal");
  Recording<T>& recording = common_tape("masked_select", x, mask).recording();
  const T* const chosen = recording.slot(mask.slot()).value;
  const std::span<std::size_t> places = recording.template list<std::size_t>(shape.elements());
  std::size_t count = 0;
  for (std::size_t k = 0; k < places.size(); ++k)
    if (chosen[k] != T(0)) places[count++] = k;
  return detail::take_elements<T>(x, places.first(count));
}

#define INSTANTIATE(T)                                                                    \
  template Variable<T> detail::take_elements(Variable<T>, std::span<const std::size_t>);  \
  template Variable<T> take(Variable<T>, const Array<Index>&, Index);                     \
  template Variable<T> embedding(Variable<T>, const Array<Index>&, std::optional<Index>); \
  template Variable<T> gather(Variable<T>, const Array<Index>&, Index);                   \
  template Variable<T> index_add(Variable<T>, const Array<Index>&, Variable<T>, Index);   \
  template Variable<T> scatter_add(Variable<T>, const Array<Index>&, Variable<T>, Index); \
  template Variable<T> masked_select(Variable<T>, Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
