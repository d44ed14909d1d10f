#include "autograd/ops/linear_algebra.hpp"

#include <algorithm>

#include "autograd/apply.hpp"
#include "autograd/kernels/gemm.hpp"
#include "autograd/kernels/packed_product.hpp"
#include "autograd/kernels/run.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

using kernels::copy_or_add;
using kernels::gemm;

namespace ops {

// Y = A B for each matrix of a batch,   dA = G Bᵀ,  dB = Aᵀ G
struct Matmul {
  static constexpr OpInfo info{.name = "matmul", .inputs = 2, .vjp_reads = Reads::inputs};

  /// The extents of one product, and how many there are.
  struct Sizes {
    std::size_t batch, m, n, k;
    Sizes(const Shape& a, const Shape& b)
        : batch(a.elements(0, a.rank() - 2)), m(a[a.rank() - 2]), n(b.back()), k(a.back()) {}
  };

  Shape infer(Shapes inputs) const {
    Shape shape = *inputs[0];
    shape.back() = inputs[1]->back();
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Sizes s(*call.input(0).shape, *call.input(1).shape);
    for (std::size_t p = 0; p < s.batch; ++p)
      gemm(false, false, s.m, s.n, s.k, call.input(0).data + p * s.m * s.k, call.input(1).data + p * s.k * s.n,
           call.output().data + p * s.m * s.n, false);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Operand<const T> a = call.input(0), b = call.input(1), g = call.gradient();
    const Sizes s(*a.shape, *b.shape);
    if (call.wants(0)) {
      const Destination<T> da = call.into(0);
      for (std::size_t p = 0; p < s.batch; ++p)
        gemm(false, true, s.m, s.k, s.n, g.data + p * s.m * s.n, b.data + p * s.k * s.n, da.data + p * s.m * s.k,
             da.accumulate);
    }
    if (call.wants(1)) {
      const Destination<T> db = call.into(1);
      for (std::size_t p = 0; p < s.batch; ++p)
        gemm(true, false, s.k, s.n, s.m, a.data + p * s.m * s.k, g.data + p * s.m * s.n, db.data + p * s.k * s.n,
             db.accumulate);
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> a = call.input(0), b = call.input(1), g = call.gradient();
    if (call.wants(0)) call.add(0, matmul(g, transpose(b)));
    if (call.wants(1)) call.add(1, matmul(transpose(a), g));
  }
};

// Y = X Wᵀ + b,   dX = G W,  dW = Gᵀ X,  db = G, summed over rows if b is one row
struct Linear {
  static constexpr OpInfo info{.name = "linear", .inputs = OpInfo::any, .vjp_reads = Reads::inputs};
  const void* packed_weight = nullptr;  ///< Wᵀ in the tape's element type, where it was packed

  Shape infer(Shapes inputs) const {
    const Shape& x = *inputs[0];
    const Shape& w = *inputs[1];
    if (w.rank() != 2) throw ShapeError("linear: the weight has shape " + to_string(w) + ", expected (out, in)");
    if (x.rank() == 0 || x.back() != w[1])
      throw ShapeError("linear: input " + to_string(x) + " has " + (x.rank() ? std::to_string(x.back()) : "no") +
                       " features, weight " + to_string(w) + " expects " + std::to_string(w[1]));
    Shape shape = x;
    shape.back() = w[0];
    if (inputs.size() == 3 && !(*inputs[2] == Shape{w[0]}) && !(*inputs[2] == shape))
      throw ShapeError("linear: the bias has shape " + to_string(*inputs[2]) + ", expected (" + std::to_string(w[0]) +
                       ") or the shape of the result, " + to_string(shape));
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Shape& w = *call.input(1).shape;
    const Operand<V>& y = call.output();
    const bool bias = call.inputs.size() == 3;
    const std::size_t rows = y.shape->elements(0, y.shape->rank() - 1);
    const V* const start = bias ? call.input(2).data : nullptr;
    const std::size_t start_step = bias && *call.input(2).shape == *y.shape ? w[0] : 0;
    if constexpr (!std::is_same_v<V, std::complex<double>>)
      if (packed_weight)
        return kernels::packed_product(rows, w[0], w[1], call.input(0).data, static_cast<const V*>(packed_weight),
                                       start, start_step, y.data);
    if (bias && start != y.data)
      for (std::size_t row = 0; row < rows; ++row) std::copy_n(start + row * start_step, w[0], y.data + row * w[0]);
    gemm(false, true, rows, w[0], w[1], call.input(0).data, call.input(1).data, y.data, bias);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Operand<const T> g = call.gradient();
    const Shape& w = *call.input(1).shape;
    const std::size_t rows = g.shape->elements(0, g.shape->rank() - 1);
    if (call.wants(0)) {
      const Destination<T> dx = call.into(0);
      if (packed_weight)
        kernels::packed_product(rows, w[1], w[0], g.data,
                                call.sweep().packed(call.sweep().input(call.step(), 1), false, true),
                                dx.accumulate ? dx.data : nullptr, w[1], dx.data);
      else
        gemm(false, false, rows, w[1], w[0], g.data, call.input(1).data, dx.data, dx.accumulate);
    }
    if (call.wants(1))
      call.sweep().add_product(call.sweep().input(call.step(), 1), rows, w[0], g.data, w[1], call.input(0).data);
    if (call.inputs() == 3 && call.wants(2)) {
      const Operand<const T> b = call.input(2);
      if (b.size() == g.size()) {
        call.sweep().pass_gradient(call.step().first_output, call.sweep().input(call.step(), 2));
      } else {
        const Destination<T> db = call.into(2);
        for (std::size_t row = 0; row < rows; ++row)
          copy_or_add(g.data + row * w[0], db.data, w[0], row > 0 || db.accumulate);
        if (rows == 0 && !db.accumulate) std::fill_n(db.data, b.size(), T(0));
      }
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = call.input(0), w = call.input(1), g = call.gradient();
    if (call.wants(0)) call.add(0, matmul(g, w));
    if (call.wants(1)) {
      const Shape wide = w.shape(), deep = g.shape();
      const std::size_t rows = deep.elements(0, deep.rank() - 1);
      call.add(1, matmul(transpose(reshape(g, {rows, wide[0]})), reshape(x, {rows, wide[1]})));
    }
    if (call.wants(2)) call.add(2, sum_to(g, Shape(call.input(2).shape())));
  }
};

}  // namespace ops

template <class T>
Variable<T> matmul(Variable<T> a, Variable<T> b) {
  const Recording<T>& recording = recording_of("matmul", a);
  Shape left = *recording.slot(recording.check("matmul", a)).shape,
        right = *recording.slot(recording.check("matmul", b)).shape;
  if (left.rank() == 0 || right.rank() == 0)
    throw ShapeError("matmul: shapes " + to_string(left) + " and " + to_string(right) +
                     "; a scalar has no columns, use * instead");
  const bool row = left.rank() == 1, column = right.rank() == 1;
  if (row) left.insert(0, 1);
  if (column) right.push_back(1);
  if (left.back() != right[right.rank() - 2])
    throw ShapeError("matmul: inner dimensions differ: left " + to_string(a.shape()) + " has " +
                     std::to_string(left.back()) + " columns, right " + to_string(b.shape()) + " has " +
                     std::to_string(right[right.rank() - 2]) + " rows");
  const std::size_t rows = left[left.rank() - 2], columns = right.back();

  // One matrix on the right serves all rows of the left at once.
  const bool one = right.rank() == 2;
  Shape batch = broadcast("matmul", Shape(left.begin(), left.end() - 2), Shape(right.begin(), right.end() - 2));
  const auto with_batch = [&batch](std::size_t m, std::size_t n) {
    Shape shape = batch;
    shape.push_back(m);
    shape.push_back(n);
    return shape;
  };
  const auto shaped = [](Variable<T> x, const Shape& shape) { return x.shape() == shape ? x : reshape(x, shape); };
  Variable<T> product;
  if (one) {
    const Variable<T> flat = shaped(a, {left.elements(0, left.rank() - 1), left.back()});
    product = apply(ops::Matmul{}, flat, shaped(b, right));
  } else {
    const Variable<T> x = broadcast_to(shaped(a, left), with_batch(rows, left.back()));
    const Variable<T> y = broadcast_to(shaped(b, right), with_batch(left.back(), columns));
    product = apply(ops::Matmul{}, x, y);
  }
  Shape result = batch;
  if (!row) result.push_back(rows);
  if (!column) result.push_back(columns);
  return shaped(product, result);
}

namespace {

/// Records a Linear over two operands or three, the last of which may be donated.
template <class T, std::same_as<Variable<T>>... Bias>
Variable<T> record_linear(bool donated, Variable<T> x, Variable<T> weight, Bias... bias) {
  Recording<T>& recording = recording_of("linear", x);
  const typename Recording<T>::Use use(recording, "linear");
  const std::array<SlotId, 2 + sizeof...(Bias)> ids{recording.check("linear", x), recording.check("linear", weight),
                                                    recording.check("linear", bias)...};
  recording.check_current("linear", ids[1]);
  std::array<const Shape*, ids.size()> shapes;
  std::array<Operand<const T>, ids.size()> operands;
  bool needs_gradient = false;
  for (std::size_t k = 0; k < ids.size(); ++k) {
    const Slot<T>& slot = recording.slot(ids[k]);
    shapes[k] = slot.shape;
    operands[k] = {slot.value, slot.shape};
    needs_gradient |= slot.needs_gradient;
  }
  const OpTable<T>* const op = &detail::Table<ops::Linear, T>::table;
  const ops::Linear* rule;
  const Shape* shape;
  const Step<T>* const before = recording.recent(op, [&](const Step<T>& step) {
    bool alike = step.input_count == ids.size() && recording.input(step, 1) == ids[1];
    for (std::size_t k = 0; alike && k < ids.size(); ++k)
      alike = recording.slot(recording.input(step, k)).shape == shapes[k];
    return alike && static_cast<const ops::Linear*>(step.rule)->packed_weight;
  });
  if (before) {
    rule = static_cast<const ops::Linear*>(before->rule);
    shape = recording.slot(before->first_output).shape;
  } else {
    ops::Linear& fresh = recording.template emplace<ops::Linear>();
    const Shape result = fresh.infer(shapes);
    shape = sizeof...(Bias) && *shapes.back() == result ? shapes.back() : recording.keep(result);
    fresh.packed_weight = recording.packed(ids[1], true, false);
    rule = &fresh;
  }
  const std::size_t size = shape->elements();
  const bool over = donated && shape == shapes.back() && ids.back() != ids[0] && ids.back() != ids[1] &&
                    recording.take(ids.back(), ids);
  const SlotId output =
      over ? recording.new_over(ids.back(), shape, size) : recording.new_slot(shape, size, needs_gradient);
  const Operand<T> y{recording.slot(output).value, shape};
  rule->forward(ForwardCall<T>{operands, {&y, 1}});
  recording.push_step(op, rule, ids, output);
  return recording.handle(output);
}

}  // namespace

template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight) {
  return record_linear(false, x, weight);
}
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Variable<T> bias) {
  return record_linear(false, x, weight, bias);
}
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Donated<T> bias) {
  return record_linear(true, x, weight, bias.x);
}

#define INSTANTIATE(T)                                                \
  template Variable<T> matmul(Variable<T>, Variable<T>);              \
  template Variable<T> linear(Variable<T>, Variable<T>);              \
  template Variable<T> linear(Variable<T>, Variable<T>, Variable<T>); \
  template Variable<T> linear(Variable<T>, Variable<T>, Donated<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

template <class Entry>
void detail::add_linear_ops(std::vector<Entry>& to) {
  add_structural<ops::Matmul>(to, [](const ops::Matmul&, Shapes x) {
    const Shape &a = *x[0], &b = *x[1];
    if (a.rank() < 2 || a.rank() != b.rank() || a.back() != b[b.rank() - 2] ||
        !std::equal(a.begin(), a.end() - 2, b.begin()))
      throw ShapeError("matmul: left " + to_string(a) + " and right " + to_string(b) +
                       "; they must have equal leading extents, and as many columns as rows");
  });
  add_structural<ops::Linear>(
      to,
      [](const ops::Linear&, Shapes x) {
        if (x.size() != 2 && x.size() != 3)
          throw ShapeError("linear: it has " + std::to_string(x.size()) + " inputs, expected 2 or 3");
      },
      [](const ops::Linear&, auto x) {
        return std::vector{x.size() == 2 ? linear(x[0], x[1]) : linear(x[0], x[1], x[2])};
      });
}
WENGERT_GRAPH_OPS(detail::add_linear_ops)

}  // namespace autograd
