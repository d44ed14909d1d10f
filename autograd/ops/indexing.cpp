#include "autograd/ops/indexing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/all_or_nothing.hpp"
#include "autograd/apply.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/on_graph.hpp"
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
  std::string attributes() const { return "axis=" + std::to_string(axis); }
  static void visit(auto& self, auto&& visitor) {
    visitor("axis", self.axis);
    visitor("index_shape", self.index_shape);
    visitor("indices", self.indices);
  }
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

// y[k, ..] = weight[x_k, ..], NaN where x_k is no row,   dweight[x_k, ..] += g[k, ..]
struct Embedding {
  static constexpr OpInfo info{.name = "embedding", .inputs = 2, .vjp_reads = Reads::inputs};

  static bool is_row(double index, std::size_t rows) {
    return index >= 0 && index < static_cast<double>(rows) && index == std::floor(index);
  }
  Shape infer(Shapes inputs) const {
    if (inputs[0]->rank() != 2)
      throw ShapeError("embedding: the weight has shape " + to_string(*inputs[0]) +
                       ", expected (vocabulary, features)");
    Shape shape = *inputs[1];
    shape.push_back(inputs[0]->back());
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const std::size_t rows = (*call.input(0).shape)[0], features = call.input(0).shape->back();
    for (std::size_t k = 0; k < call.input(1).size(); ++k) {
      const double index = std::real(call.input(1).data[k]);
      if (is_row(index, rows))
        std::copy_n(call.input(0).data + static_cast<std::size_t>(index) * features, features,
                    call.output().data + k * features);
      else
        std::fill_n(call.output().data + k * features, features, V(std::numeric_limits<double>::quiet_NaN()));
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    if (!call.wants(0)) return;
    const Variable<T> weight = call.input(0), index = call.input(1);
    const ArrayView<T> values = index.value();
    const std::span<std::size_t> rows = weight.tape().recording().template list<std::size_t>(values.size());
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const double value = static_cast<double>(values.data()[k]);
      if (!is_row(value, weight.shape()[0]))
        throw ValueError("embedding: " + number_text(value) + " is no row, and has no gradient");
      rows[k] = static_cast<std::size_t>(value);
    }
    call.add(0, apply(TakeAdjoint{{0, index.shape(), rows}, weight.shape()}, call.gradient()));
  }
};

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
  std::string attributes() const { return "axis=" + std::to_string(axis); }
  static void visit(auto& self, auto&& visitor) {
    visitor("axis", self.axis);
    visitor("index_shape", self.index_shape);
    visitor("indices", self.indices);
  }
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

template <class T>
Variable<T> embedding(Variable<T> weight, Variable<T> indices) {
  common_tape("embedding", weight, indices);
  const Shape shape = weight.shape();
  if (shape.rank() == 2)
    for (const T value : indices.value())
      if (!ops::Embedding::is_row(static_cast<double>(value), shape[0]))
        throw ValueError("embedding: " + number_text(static_cast<double>(value)) + " is no row of a vocabulary of " +
                         std::to_string(shape[0]) + "; rows are 0 to " + std::to_string(shape[0] - 1));
  return apply(ops::Embedding{}, weight, indices);
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
  template Variable<T> embedding(Variable<T>, Variable<T>);                               \
  template Variable<T> embedding(Variable<T>, const Array<Index>&, std::optional<Index>); \
  template Variable<T> gather(Variable<T>, const Array<Index>&, Index);                   \
  template Variable<T> index_add(Variable<T>, const Array<Index>&, Variable<T>, Index);   \
  template Variable<T> scatter_add(Variable<T>, const Array<Index>&, Variable<T>, Index); \
  template Variable<T> masked_select(Variable<T>, Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

namespace {

/// The indices lead into an axis of so many elements, and there are as many as their shape says.
void check_indices(const char* op, const Shape& shape, std::size_t axis, const Shape& index_shape,
                   std::span<const std::size_t> indices) {
  if (axis >= shape.rank())
    throw ShapeError(std::string(op) + ": axis " + std::to_string(axis) + " is out of range for shape " +
                     to_string(shape));
  if (index_shape.elements() != indices.size())
    throw ShapeError(std::string(op) + ": " + std::to_string(indices.size()) + " indices of shape " +
                     to_string(index_shape));
  for (const std::size_t index : indices)
    if (index >= shape[axis])
      throw ValueError(std::string(op) + ": index " + std::to_string(index) + " is out of range for extent " +
                       std::to_string(shape[axis]));
}

/// The rule with its indices kept on the tape.
template <class T, class Rule>
std::vector<Variable<T>> record_indexed(Rule rule, Variable<T> x) {
  rule.indices = x.tape().recording().keep(rule.indices);
  return {apply(rule, x)};
}

}  // namespace

template <class Entry>
void detail::add_indexing_ops(std::vector<Entry>& to) {
  const auto record = [](const auto& rule, auto x) { return record_indexed(rule, x[0]); };
  add_structural<ops::Take>(
      to,
      [](const ops::Take& rule, Shapes x) {
        check_indices("take", *x[0], rule.axis, rule.index_shape, rule.indices);
        if (x[0]->rank() - 1 + rule.index_shape.rank() > Shape::max_rank)
          throw ShapeError("take: the result has more than 8 axes");
      },
      record);
  add_structural<ops::Gather>(
      to,
      [](const ops::Gather& rule, Shapes x) {
        check_indices("gather", *x[0], rule.axis, rule.index_shape, rule.indices);
        bool fits = rule.index_shape.rank() == x[0]->rank();
        for (std::size_t k = 0; fits && k < x[0]->rank(); ++k)
          fits = k == rule.axis || rule.index_shape[k] <= (*x[0])[k];
        if (!fits)
          throw ShapeError("gather: indices of shape " + to_string(rule.index_shape) + " for an input of shape " +
                           to_string(*x[0]));
      },
      record);
  add_structural<ops::Embedding>(to, [](const ops::Embedding&, Shapes x) {
    if (x[1]->rank() == Shape::max_rank) throw ShapeError("embedding: the result has more than 8 axes");
  });
}
WENGERT_GRAPH_OPS(detail::add_indexing_ops)

}  // namespace autograd
