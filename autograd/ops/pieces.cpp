// Shape ops that take arrays apart and put them together: slice, select, split, unbind, concat, stack, assemble.
#include <algorithm>

#include "autograd/apply.hpp"
#include "autograd/kernels/run.hpp"
#include "autograd/kernels/strided.hpp"
#include "autograd/ops/alias.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

using detail::apply_alias;
using kernels::contiguous_strides;
using kernels::copy_or_add;
using kernels::strided_copy;
using kernels::Strides;

namespace {

/// An array seen around one axis as (outer, extent, inner).
struct AxisView {
  std::size_t outer;
  std::size_t extent;
  std::size_t inner;

  AxisView(const Shape& shape, std::size_t axis)
      : outer(shape.elements(0, axis)), extent(shape[axis]), inner(shape.elements(axis + 1, shape.rank())) {}

  Strides strides(Index step) const {
    return {static_cast<Index>(extent * inner), step * static_cast<Index>(inner), 1};
  }
};

/// The piece of `whole` to a contiguous array.
template <class V>
void copy_out(const Piece& piece, const V* whole, const Shape& shape, V* part, bool accumulate) {
  const AxisView view(shape, piece.axis);
  if (view.outer * piece.length * view.inner == 0) return;  // an array without elements may have no memory
  if (view.outer == 1 && piece.step == 1)
    return copy_or_add(whole + piece.start * view.inner, part, piece.length * view.inner, accumulate);
  const Shape moved{view.outer, piece.length, view.inner};
  strided_copy(moved, whole + piece.start * view.inner, view.strides(piece.step), part, contiguous_strides(moved),
               accumulate);
}

/// A contiguous array to the piece of `whole`.
template <class V>
void copy_in(const Piece& piece, const V* part, V* whole, const Shape& shape, bool accumulate) {
  const AxisView view(shape, piece.axis);
  if (view.outer * piece.length * view.inner == 0) return;
  if (view.outer == 1 && piece.step == 1)
    return copy_or_add(part, whole + piece.start * view.inner, piece.length * view.inner, accumulate);
  const Shape moved{view.outer, piece.length, view.inner};
  strided_copy(moved, part, contiguous_strides(moved), whole + piece.start * view.inner, view.strides(piece.step),
               accumulate);
}

template <class V>
void fill_zero(V* data, std::size_t size) {
  std::fill(data, data + size, V(0));
}

}  // namespace

namespace ops {

// y = a piece of x,   dx = g at the piece, 0 elsewhere
struct Slice {
  static constexpr OpInfo info{.name = "slice", .vjp_reads = Reads::neither};
  Piece piece{0, 0, 1, 1};  ///< a Select is of one element, whatever its attributes
  Shape infer(Shapes inputs) const {
    Shape shape = *inputs[0];
    shape[piece.axis] = piece.length;
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    copy_out(piece, call.input().data, *call.input().shape, call.output().data, false);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    if (!dx.accumulate) fill_zero(dx.data, call.input().size());
    copy_in(piece, call.gradient().data, dx.data, *call.input().shape, true);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add_piece(0, piece, call.gradient());
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("axis", self.piece.axis);
    visitor("start", self.piece.start);
    visitor("step", self.piece.step);
    visitor("length", self.piece.length);
  }
};

// y = x at one index of an axis,   dx = g there, 0 elsewhere
struct Select : Slice {
  static constexpr OpInfo info{.name = "select", .vjp_reads = Reads::neither};
  Shape infer(Shapes inputs) const {
    Shape shape = *inputs[0];
    shape.erase(piece.axis);
    return shape;
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("axis", self.piece.axis);
    visitor("index", self.piece.start);
  }
};

// y_k = consecutive pieces of x,   dx = the g_k side by side
struct Split {
  static constexpr OpInfo info{.name = "split", .outputs = OpInfo::any, .vjp_reads = Reads::neither};
  std::size_t axis;
  std::span<const std::size_t> extents;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  /// f(k, piece) for each output.
  template <class F>
  void for_each_piece(F f) const {
    std::size_t start = 0;
    for (std::size_t k = 0; k < extents.size(); start += extents[k++]) f(k, Piece{axis, start, 1, extents[k]});
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for_each_piece([&](std::size_t k, const Piece& piece) {
      copy_out(piece, call.input().data, *call.input().shape, call.output(k).data, false);
    });
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    const Shape& whole = *call.input().shape;
    bool all = true;
    for (std::size_t k = 0; k < call.outputs(); ++k) all &= call.has_gradient(k);
    if (!dx.accumulate && !all) fill_zero(dx.data, call.input().size());
    for_each_piece([&](std::size_t k, const Piece& piece) {
      if (call.has_gradient(k)) copy_in(piece, call.gradient(k).data, dx.data, whole, dx.accumulate || !all);
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    for_each_piece([&](std::size_t k, const Piece& piece) {
      if (call.has_gradient(k)) call.add_piece(0, piece, call.gradient(k));
    });
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("axis", self.axis);
    visitor("extents", self.extents);
  }
};

// y_k = x[k],   dx[k] = g_k
struct Unbind {
  static constexpr OpInfo info{.name = "unbind", .outputs = OpInfo::any, .vjp_reads = Reads::neither};

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.outputs.size(); ++k)
      std::copy_n(call.input().data + k * call.output(k).size(), call.output(k).size(), call.output(k).data);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    for (std::size_t k = 0; k < call.outputs(); ++k)
      if (call.has_gradient(k)) call.add_piece(0, Piece{0, k, 1, 1}, call.gradient(k));
  }
};

// y = x_0, x_1, ... one after the other along an axis,   dx_k = its piece of g
struct Concat {
  static constexpr OpInfo info{.name = "concat", .inputs = OpInfo::any, .vjp_reads = Reads::neither};
  std::size_t axis;

  Shape infer(Shapes inputs) const {
    Shape shape = *inputs[0];
    for (std::size_t k = 1; k < inputs.size(); ++k) {
      Shape other = *inputs[k];
      const std::size_t extent = other.rank() > axis ? other[axis] : 0;
      if (other.rank() > axis) other[axis] = (*inputs[0])[axis];
      if (!(other == *inputs[0]))
        throw ShapeError("concat: input " + std::to_string(k) + " has shape " + to_string(*inputs[k]) +
                         ", input 0 has " + to_string(*inputs[0]) + "; they may differ along axis " +
                         std::to_string(axis) + " only");
      shape[axis] = extent_sum("concat", shape[axis], extent);
    }
    shape.require_elements("concat");
    return shape;
  }
  static std::size_t extent(const Shape& input, std::size_t axis) { return input[axis]; }

  template <class V>
  void forward(const ForwardCall<V>& call) const {
    Piece piece{axis, 0, 1, 0};
    for (const auto& input : call.inputs) {
      piece.length = extent(*input.shape, axis);
      copy_in(piece, input.data, call.output().data, *call.output().shape, false);
      piece.start += piece.length;
    }
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    Piece piece{axis, 0, 1, 0};
    for (std::size_t k = 0; k < call.inputs(); ++k, piece.start += piece.length) {
      piece.length = extent(*call.input(k).shape, axis);
      if (!call.wants(k)) continue;
      const Destination<T> dx = call.into(k);
      copy_out(piece, call.gradient().data, *call.gradient().shape, dx.data, dx.accumulate);
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    Piece piece{axis, 0, 1, 0};
    for (std::size_t k = 0; k < call.inputs(); ++k, piece.start += piece.length) {
      piece.length = extent(call.input(k).shape(), axis);
      if (call.wants(k)) call.add(k, apply(Slice{piece}, call.gradient()));
    }
  }
  static void visit(auto& self, auto&& visitor) { visitor("axis", self.axis); }
};

// y[k] = x_k along a new axis,   dx_k = g[k]
struct Stack {
  static constexpr OpInfo info{.name = "stack", .inputs = OpInfo::any, .vjp_reads = Reads::neither};
  std::size_t axis;

  Shape infer(Shapes inputs) const {
    for (std::size_t k = 1; k < inputs.size(); ++k)
      if (!(*inputs[k] == *inputs[0]))
        throw ShapeError("stack: input " + std::to_string(k) + " has shape " + to_string(*inputs[k]) +
                         ", input 0 has " + to_string(*inputs[0]) + "; stack takes equal shapes");
    Shape shape = *inputs[0];
    shape.insert(axis, inputs.size());
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const std::size_t run = axis == 0 ? call.input().size() : 0;
    for (std::size_t k = 0; k < call.inputs.size(); ++k) {
      if (axis == 0 && call.input(k).data == call.output().data + k * run) continue;  // on the same memory
      if (axis == 0)
        copy_or_add(call.input(k).data, call.output().data + k * run, run, false);
      else
        copy_in({axis, k, 1, 1}, call.input(k).data, call.output().data, *call.output().shape, false);
    }
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    if (call.sweep().hand_gradient_down(call.step())) return;
    const std::size_t run = axis == 0 ? call.input().size() : 0;
    for (std::size_t k = 0; k < call.inputs(); ++k) {
      if (!call.wants(k)) continue;
      const Destination<T> dx = call.into(k);
      if (axis == 0)
        copy_or_add(call.gradient().data + k * run, dx.data, run, dx.accumulate);
      else
        copy_out({axis, k, 1, 1}, call.gradient().data, *call.gradient().shape, dx.data, dx.accumulate);
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    for (std::size_t k = 0; k < call.inputs(); ++k)
      if (call.wants(k)) call.add(k, select(call.gradient(), static_cast<Index>(axis), static_cast<Index>(k)));
  }
  static void visit(auto& self, auto&& visitor) { visitor("axis", self.axis); }
};

// y = sum over k of x_k placed at piece k among zeros,   dx_k = piece k of g
struct Assemble {
  static constexpr OpInfo info{.name = "assemble", .inputs = OpInfo::any, .vjp_reads = Reads::neither};
  Shape shape;
  std::span<const Piece> pieces;

  Shape infer(Shapes) const { return shape; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    fill_zero(call.output().data, call.output().size());
    for (std::size_t k = 0; k < pieces.size(); ++k)
      copy_in(pieces[k], call.input(k).data, call.output().data, shape, true);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      if (!call.wants(k)) continue;
      const Destination<T> dx = call.into(k);
      copy_out(pieces[k], call.gradient().data, shape, dx.data, dx.accumulate);
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      if (!call.wants(k)) continue;
      if (call.input(k).shape().rank() == shape.rank())
        call.add(k, apply(Slice{pieces[k]}, call.gradient()));
      else
        call.add(k, apply(Select{{pieces[k]}}, call.gradient()));
    }
  }
};

}  // namespace ops

template <class T>
Variable<T> slice(Variable<T> x, Index axis, Index start, Index stop, Index step) {
  const Shape& shape = x.shape();
  const std::size_t k = normalize_axis("slice", axis, shape.rank());
  if (step == 0) throw ValueError("slice: step 0 along axis " + std::to_string(k) + "; a step is not 0");
  const Index extent = static_cast<Index>(shape[k]);
  const Index lowest = step > 0 ? 0 : -1, highest = step > 0 ? extent : extent - 1;
  const auto clip = [&](Index bound) { return std::clamp<Index>(bound < 0 ? bound + extent : bound, lowest, highest); };
  const Index first = clip(start), distance = clip(stop) - first;
  const bool any = step > 0 ? distance > 0 : distance < 0;
  const Index length = any ? (distance - (step > 0 ? 1 : -1)) / step + 1 : 0;
  if (length <= 1) step = 1;  // it leads nowhere, and may be of any size
  const Piece piece{k, length > 0 ? static_cast<std::size_t>(first) : 0, step, static_cast<std::size_t>(length)};
  const AxisView view(shape, k);
  if (view.outer == 1 && step == 1) return apply_alias(ops::Slice{piece}, x, piece.start * view.inner);
  return apply(ops::Slice{piece}, x);
}

template <class T>
Variable<T> select(Variable<T> x, Index axis, Index index) {
  const Shape& shape = x.shape();
  const std::size_t k = normalize_axis("select", axis, shape.rank());
  const Index extent = static_cast<Index>(shape[k]);
  if (index < -extent || index >= extent)
    throw ValueError("select: index " + std::to_string(index) + " is out of range along axis " + std::to_string(k) +
                     " of shape " + to_string(shape) + ", which has extent " + std::to_string(extent));
  const ops::Select rule{{{k, static_cast<std::size_t>(index < 0 ? index + extent : index), 1, 1}}};
  const AxisView view(shape, k);
  if (view.outer == 1) return apply_alias(rule, x, rule.piece.start * view.inner);
  return apply(rule, x);
}

template <class T>
void unbind(Variable<T> x, std::span<Variable<T>> parts) {
  Recording<T>& recording = recording_of("unbind", x);
  const SlotId source = recording.check("unbind", x);
  const Shape& shape = *recording.slot(source).shape;
  if (shape.rank() == 0 || shape[0] != parts.size())
    throw ShapeError("unbind: shape " + to_string(shape) + " has no first axis of extent " +
                     std::to_string(parts.size()));
  if (parts.empty()) return;
  Shape own = shape;
  own.erase(0);
  const Shape* part_shape = recording.keep(own);
  const std::size_t size = part_shape->elements();
  const SlotId first = static_cast<SlotId>(recording.slot_count());
  for (std::size_t k = 0; k < parts.size(); ++k)
    parts[k] = recording.handle(recording.new_alias(source, k * size, part_shape, size));
  recording.push_step(&detail::Table<ops::Unbind, T>::table, nullptr, {&source, 1}, first,
                      static_cast<std::uint32_t>(parts.size()));
}

template <class T>
Variable<T> concat(std::span<const Variable<T>> inputs, Index axis) {
  if (inputs.empty()) throw ShapeError("concat: needs at least one input");
  return autograd::apply(ops::Concat{normalize_axis("concat", axis, inputs[0].shape().rank())}, inputs);
}

template <class T>
Variable<T> stack(std::span<const Variable<T>> inputs, Index axis) {
  if (inputs.empty()) throw ShapeError("stack: needs at least one input");
  const ops::Stack rule{normalize_axis("stack", axis, inputs[0].shape().rank() + 1)};
  Recording<T>& recording = recording_of("stack", inputs[0]);
  auto& [ids, shapes, operands] = recording.scratch(inputs.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) ids[k] = recording.check("stack", inputs[k]);
  // Steps of a sequence that lie one after the other are a stack already.
  T* const joined = rule.axis == 0 ? recording.joined(ids) : nullptr;
  return detail::record_structural<ops::Stack, T>(rule, recording, ids, shapes, operands, joined);
}

namespace {

/// One step with a piece of x for each extent: on x's memory where that is contiguous, else copied.
template <class T>
void split_into(Variable<T> x, std::size_t axis, std::span<const std::size_t> extents, std::span<Variable<T>> pieces) {
  using Table = detail::Table<ops::Split, T>;
  Recording<T>& recording = x.tape().recording();
  const SlotId source = x.slot();
  const Shape shape = x.shape();
  const AxisView view(shape, axis);
  const ops::Split rule{axis, recording.keep(extents)};
  const SlotId first = static_cast<SlotId>(recording.slot_count());
  const Shape* piece_shape = nullptr;
  rule.for_each_piece([&](std::size_t, const Piece& piece) {
    if (!piece_shape || (*piece_shape)[axis] != piece.length) {
      Shape own = shape;
      own[axis] = piece.length;
      piece_shape = recording.keep(own);
    }
    const std::size_t size = view.outer * piece.length * view.inner;
    if (view.outer == 1) {
      recording.new_alias(source, piece.start * view.inner, piece_shape, size);
    } else {
      const SlotId output = recording.new_slot(piece_shape, size, recording.slot(source).needs_gradient);
      copy_out(piece, static_cast<const T*>(recording.slot(source).value), shape, recording.slot(output).value, false);
    }
  });
  recording.push_step(&Table::table, Table::keep(recording, rule), {&source, 1}, first,
                      static_cast<std::uint32_t>(extents.size()));
  for (std::size_t k = 0; k < extents.size(); ++k) pieces[k] = recording.handle(first + static_cast<SlotId>(k));
}

}  // namespace

template <class T>
std::vector<Variable<T>> split(Variable<T> x, std::span<const std::size_t> extents, Index axis) {
  const std::size_t k = normalize_axis("split", axis, x.shape().rank());
  std::size_t total = 0;
  for (const std::size_t extent : extents) total = extent_sum("split", total, extent);
  if (extents.empty() || total != x.shape()[k])
    throw ShapeError("split: the pieces add up to " + std::to_string(total) + " along axis " + std::to_string(k) +
                     " of shape " + to_string(x.shape()) + "; they must add up to " + std::to_string(x.shape()[k]));
  std::vector<Variable<T>> pieces(extents.size());
  split_into(x, k, extents, std::span(pieces));
  return pieces;
}

template <class T>
void detail::split_evenly(Variable<T> x, Index axis, std::span<std::size_t> extents, std::span<Variable<T>> pieces) {
  const Shape& shape = x.shape();
  const std::size_t k = normalize_axis("split", axis, shape.rank());
  if (shape[k] % pieces.size() != 0)
    throw ShapeError("split: axis " + std::to_string(k) + " of shape " + to_string(shape) + " has extent " +
                     std::to_string(shape[k]) + ", not a multiple of " + std::to_string(pieces.size()));
  std::fill(extents.begin(), extents.end(), shape[k] / pieces.size());
  split_into<T>(x, k, extents, pieces);
}

template <class T>
Variable<T> assemble(const Shape& shape, std::span<const Piece> pieces, std::span<const Variable<T>> inputs) {
  if (inputs.empty() || inputs.size() != pieces.size())
    throw ShapeError("assemble: " + std::to_string(inputs.size()) + " inputs for " + std::to_string(pieces.size()) +
                     " pieces; there must be one each");
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    const AxisView view(shape, pieces[k].axis);
    if (inputs[k].shape().elements() != view.outer * pieces[k].length * view.inner)
      throw ShapeError("assemble: input " + std::to_string(k) + " has shape " + to_string(inputs[k].shape()) +
                       ", which does not fill its piece of " + to_string(shape));
  }
  Recording<T>& recording = recording_of("assemble", inputs[0]);
  return autograd::apply(ops::Assemble{shape, recording.keep(pieces)}, inputs);
}

#define INSTANTIATE(T)                                                                                    \
  template Variable<T> slice(Variable<T>, Index, Index, Index, Index);                                    \
  template Variable<T> select(Variable<T>, Index, Index);                                                 \
  template void unbind(Variable<T>, std::span<Variable<T>>);                                              \
  template Variable<T> concat(std::span<const Variable<T>>, Index);                                       \
  template Variable<T> stack(std::span<const Variable<T>>, Index);                                        \
  template std::vector<Variable<T>> split(Variable<T>, std::span<const std::size_t>, Index);              \
  template void detail::split_evenly(Variable<T>, Index, std::span<std::size_t>, std::span<Variable<T>>); \
  template Variable<T> assemble(const Shape&, std::span<const Piece>, std::span<const Variable<T>>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

namespace {

void check_axis(const char* op, std::size_t axis, const Shape& shape) {
  if (axis >= shape.rank())
    throw ShapeError(std::string(op) + ": axis " + std::to_string(axis) + " is out of range for shape " +
                     to_string(shape));
}

void check_piece(const char* op, const Piece& piece, const Shape& shape) {
  check_axis(op, piece.axis, shape);
  const std::size_t extent = shape[piece.axis];
  bool fits = piece.length == 0 || (piece.length <= extent && piece.start < extent);
  if (fits && piece.length > 1) {
    const std::size_t distance =
        piece.step < 0 ? std::size_t(0) - static_cast<std::size_t>(piece.step) : static_cast<std::size_t>(piece.step);
    const std::size_t room = piece.step < 0 ? piece.start : extent - 1 - piece.start;
    fits = distance > 0 && distance <= room / (piece.length - 1);
  }
  if (!fits)
    throw ShapeError(std::string(op) + ": " + std::to_string(piece.length) + " elements from " +
                     std::to_string(piece.start) + " on in steps of " + std::to_string(piece.step) +
                     " are not within axis " + std::to_string(piece.axis) + " of shape " + to_string(shape));
}

}  // namespace

template <class Entry>
void detail::add_piece_ops(std::vector<Entry>& to) {
  add_structural<ops::Slice>(to, [](const ops::Slice& rule, Shapes x) { check_piece("slice", rule.piece, *x[0]); });
  add_structural<ops::Select>(to, [](const ops::Select& rule, Shapes x) {
    check_piece("select", {rule.piece.axis, rule.piece.start, 1, 1}, *x[0]);
  });
  add_structural<ops::Split>(
      to,
      [](const ops::Split& rule, Shapes x) {
        check_axis("split", rule.axis, *x[0]);
        std::size_t total = 0;
        for (const std::size_t extent : rule.extents) total = extent_sum("split", total, extent);
        if (rule.extents.empty() || total != (*x[0])[rule.axis])
          throw ShapeError("split: the pieces add up to " + std::to_string(total) + " along axis " +
                           std::to_string(rule.axis) + " of shape " + to_string(*x[0]));
      },
      [](const ops::Split& rule, auto x) { return split(x[0], rule.extents, static_cast<Index>(rule.axis)); },
      [](const ops::Split& rule, Shapes x) {
        std::vector<Shape> shapes(rule.extents.size(), *x[0]);
        for (std::size_t k = 0; k < shapes.size(); ++k) shapes[k][rule.axis] = rule.extents[k];
        return shapes;
      });
  add_structural<ops::Unbind>(
      to,
      [](const ops::Unbind&, Shapes x) {
        constexpr std::size_t most = 4096;
        if (x[0]->rank() == 0 || (*x[0])[0] == 0 || (*x[0])[0] > most)
          throw ShapeError("unbind: shape " + to_string(*x[0]) + " has no first axis of 1 to " + std::to_string(most));
      },
      [](const ops::Unbind&, auto x) {
        std::vector parts(x[0].shape()[0], x[0]);
        unbind(x[0], std::span(parts));
        return parts;
      },
      [](const ops::Unbind&, Shapes x) {
        Shape part = *x[0];
        part.erase(0);
        return std::vector<Shape>((*x[0])[0], part);
      });
  add_structural<ops::Concat>(to, [](const ops::Concat& rule, Shapes x) { check_axis("concat", rule.axis, *x[0]); });
  add_structural<ops::Stack>(to, [](const ops::Stack& rule, Shapes x) {
    if (rule.axis > x[0]->rank() || x[0]->rank() == Shape::max_rank)
      throw ShapeError("stack: axis " + std::to_string(rule.axis) + " for inputs of shape " + to_string(*x[0]));
  });
}
WENGERT_GRAPH_OPS(detail::add_piece_ops)

}  // namespace autograd
