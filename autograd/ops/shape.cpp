#include "autograd/ops/shape.hpp"

#include <algorithm>

#include "autograd/apply.hpp"
#include "autograd/kernels/run.hpp"
#include "autograd/kernels/strided.hpp"
#include "autograd/ops/alias.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/on_graph.hpp"

namespace autograd {

using kernels::broadcast_strides;
using kernels::contiguous_strides;
using kernels::strided_copy;
using kernels::Strides;

namespace ops {

// y = x in another shape,   dx = g in x's shape
struct Reshape {
  static constexpr OpInfo info{.name = "reshape", .vjp_reads = Reads::neither};
  Shape shape;  ///< which print() shows as that of the result
  static std::string attributes() { return {}; }
  static void visit(auto& self, auto&& visitor) { visitor("shape", self.shape); }
  Shape infer(Shapes) const { return shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    std::copy_n(call.input().data, call.input().size(), call.output().data);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, reshape(call.gradient(), Shape(call.input().shape())));
  }
};

// y = x repeated along new axes and axes of extent 1,   dx = g summed over them
struct BroadcastTo {
  static constexpr OpInfo info{.name = "broadcast_to", .vjp_reads = Reads::neither};
  Shape shape;
  static std::string attributes() { return {}; }
  static void visit(auto& self, auto&& visitor) { visitor("shape", self.shape); }
  Shape infer(Shapes) const { return shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    strided_copy(shape, call.input().data, broadcast_strides(*call.input().shape, shape), call.output().data,
                 contiguous_strides(shape), false);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    if (!dx.accumulate) std::fill_n(dx.data, call.input().size(), T(0));
    strided_copy(shape, call.gradient().data, contiguous_strides(shape), dx.data,
                 broadcast_strides(*call.input().shape, shape), true);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, sum_to(call.gradient(), Shape(call.input().shape())));
  }
};

// y = x summed over the axes along which y would be repeated,   dx = g repeated
struct SumTo {
  static constexpr OpInfo info{.name = "sum_to", .vjp_reads = Reads::neither};
  Shape shape;
  static std::string attributes() { return {}; }
  static void visit(auto& self, auto&& visitor) { visitor("shape", self.shape); }
  Shape infer(Shapes) const { return shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Shape& whole = *call.input().shape;
    std::fill_n(call.output().data, call.output().size(), V(0));
    strided_copy(whole, call.input().data, contiguous_strides(whole), call.output().data,
                 broadcast_strides(shape, whole), true);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Shape& whole = *call.input().shape;
    const Destination<T> dx = call.into();
    strided_copy(whole, call.gradient().data, broadcast_strides(shape, whole), dx.data, contiguous_strides(whole),
                 dx.accumulate);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, broadcast_to(call.gradient(), Shape(call.input().shape())));
  }
};

// y[i0, i1, ...] = x with axis k of y being axis axes[k] of x,   dx = g under the inverse permutation
struct Permute {
  static constexpr OpInfo info{.name = "permute", .vjp_reads = Reads::neither};
  Shape axes;  ///< one for each of y

  static void visit(auto& self, auto&& visitor) { visitor("axes", self.axes); }
  Shape infer(Shapes inputs) const {
    Shape shape = *inputs[0];
    for (std::size_t k = 0; k < shape.rank(); ++k) shape[k] = (*inputs[0])[axes[k]];
    return shape;
  }
  /// x's strides in the order of y's axes.
  Strides permuted(const Shape& input) const {
    const Strides own = contiguous_strides(input);
    Strides strides{};
    for (std::size_t k = 0; k < input.rank(); ++k) strides[k] = own[axes[k]];
    return strides;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Shape& shape = *call.output().shape;
    strided_copy(shape, call.input().data, permuted(*call.input().shape), call.output().data, contiguous_strides(shape),
                 false);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Shape& shape = *call.gradient().shape;
    const Destination<T> dx = call.into();
    strided_copy(shape, call.gradient().data, contiguous_strides(shape), dx.data, permuted(*call.input().shape),
                 dx.accumulate);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    Permute inverse{axes};
    for (std::size_t k = 0; k < call.input().shape().rank(); ++k) inverse.axes[axes[k]] = k;
    call.add(0, apply(inverse, call.gradient()));
  }
};

// y = x, a constant
struct Detach {
  static constexpr OpInfo info{.name = "detach", .vjp_reads = Reads::neither, .differentiable = false};
  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.input().size(); ++k) call.output().data[k] = std::real(call.input().data[k]);
  }
  template <class T>
  void vjp(Recorder<T>&) const {}
};

}  // namespace ops

template <class T>
Variable<T> reshape(Variable<T> x, const Shape& shape) {
  const Shape& own = x.shape();
  shape.require_elements("reshape");
  if (own.elements() != shape.elements())
    throw ShapeError("reshape: " + to_string(own) + " has " + std::to_string(own.elements()) + " elements, " +
                     to_string(shape) + " has " + std::to_string(shape.elements()) + "; they must be equal");
  return detail::apply_alias(ops::Reshape{shape}, x, 0);
}

namespace {

/// Throws ShapeError unless `small` broadcasts to exactly `large`.
void check_broadcasts_to(const char* op, const Shape& small, const Shape& large) {
  bool fits = small.rank() <= large.rank();
  for (std::size_t back = 1; fits && back <= small.rank(); ++back) {
    const std::size_t extent = small[small.rank() - back];
    fits = extent == 1 || extent == large[large.rank() - back];
  }
  if (!fits)
    throw ShapeError(std::string(op) + ": " + to_string(small) + " does not broadcast to " + to_string(large) +
                     "; aligned at the last axis, each extent must be equal or 1");
}

}  // namespace

template <class T>
Variable<T> broadcast_to(Variable<T> x, const Shape& shape) {
  if (x.shape() == shape) return x;
  check_broadcasts_to("broadcast_to", x.shape(), shape);
  shape.require_elements("broadcast_to");
  return apply(ops::BroadcastTo{shape}, x);
}

template <class T>
Variable<T> sum_to(Variable<T> x, const Shape& shape) {
  if (x.shape() == shape) return x;
  check_broadcasts_to("sum_to", shape, x.shape());
  return apply(ops::SumTo{shape}, x);
}

template <class T>
Variable<T> permute(Variable<T> x, const Axes& axes) {
  const std::size_t rank = x.shape().rank();
  axes.mask("permute", rank);
  if (axes.size() != rank)
    throw ShapeError("permute: " + std::to_string(axes.size()) + " axes for shape " + to_string(x.shape()) +
                     "; name each of its " + std::to_string(rank) + " axes once");
  ops::Permute rule;
  for (std::size_t k = 0; k < rank; ++k) rule.axes.push_back(normalize_axis("permute", axes[k], rank));
  return apply(rule, x);
}

template <class T>
Variable<T> transpose(Variable<T> x, Index axis0, Index axis1) {
  const std::size_t rank = x.shape().rank();
  ops::Permute rule;
  for (std::size_t k = 0; k < rank; ++k) rule.axes.push_back(k);
  std::swap(rule.axes[normalize_axis("transpose", axis0, rank)], rule.axes[normalize_axis("transpose", axis1, rank)]);
  return apply(rule, x);
}

template <class T>
Variable<T> transpose(Variable<T> x) {
  if (x.shape().rank() < 2)
    throw ShapeError("transpose: shape " + to_string(x.shape()) +
                     " has fewer than two axes to exchange; add one with reshape()");
  return transpose(x, -2, -1);
}

template <class T>
Variable<T> detach(Variable<T> x) {
  using Table = detail::Table<ops::Detach, T>;
  Recording<T>& recording = recording_of("detach", x);
  const SlotId source = recording.check("detach", x);
  const SlotId output = recording.new_detached(source);
  recording.push_step(&Table::table, nullptr, {&source, 1}, output);
  return recording.handle(output);
}

#define INSTANTIATE(T)                                          \
  template Variable<T> reshape(Variable<T>, const Shape&);      \
  template Variable<T> broadcast_to(Variable<T>, const Shape&); \
  template Variable<T> sum_to(Variable<T>, const Shape&);       \
  template Variable<T> permute(Variable<T>, const Axes&);       \
  template Variable<T> transpose(Variable<T>);                  \
  template Variable<T> transpose(Variable<T>, Index, Index);    \
  template Variable<T> detach(Variable<T>);                     \
  template Variable<T> Variable<T>::operator[](Index) const;    \
  template Variable<T> Variable<T>::detach() const;
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

template <class Entry>
void detail::add_shape_ops(std::vector<Entry>& to) {
  add_structural<ops::Reshape>(to, [](const ops::Reshape& rule, Shapes x) {
    if (x[0]->elements() != rule.shape.elements())
      throw ShapeError("reshape: " + to_string(*x[0]) + " and " + to_string(rule.shape) +
                       " have other numbers of elements; they must be equal");
  });
  add_structural<ops::BroadcastTo>(
      to, [](const ops::BroadcastTo& rule, Shapes x) { check_broadcasts_to("broadcast_to", *x[0], rule.shape); });
  add_structural<ops::SumTo>(
      to, [](const ops::SumTo& rule, Shapes x) { check_broadcasts_to("sum_to", rule.shape, *x[0]); });
  add_structural<ops::Permute>(to, [](const ops::Permute& rule, Shapes x) {
    unsigned mask = 0;
    for (const std::size_t axis : rule.axes)
      if (axis < x[0]->rank()) mask |= 1u << axis;
    if (rule.axes.rank() != x[0]->rank() || mask != all_axes(*x[0]))
      throw ShapeError("permute: axes " + to_string(rule.axes) + " of shape " + to_string(*x[0]) +
                       "; name each of its " + std::to_string(x[0]->rank()) + " axes once");
  });
  add_structural<ops::Detach>(to, [](const ops::Detach&, Shapes) {});
}
WENGERT_GRAPH_OPS(detail::add_shape_ops)

}  // namespace autograd
