#include "autograd/ops/loss.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

namespace {

/// One line of an array along an axis: `size` elements, `stride` apart.
template <class V>
struct Line {
  V* data;
  std::size_t size;
  std::size_t stride;
  V& operator[](std::size_t k) const { return data[k * stride]; }
};

/// f(k) with k-th line's offset, for all lines along an axis.
template <class F>
void for_each_line(const Shape& shape, std::size_t axis, F f) {
  const std::size_t outer = shape.elements(0, axis), inner = shape.elements(axis + 1, shape.rank());
  for (std::size_t row = 0; row < outer; ++row)
    for (std::size_t column = 0; column < inner; ++column) f(row * shape[axis] * inner + column);
}

template <class V>
Line<V> line(V* data, std::size_t offset, const Shape& shape, std::size_t axis) {
  return {data + offset, shape[axis], shape.elements(axis + 1, shape.rank())};
}

/// log(sum(exp(x))) of one line, shifted by its largest real part.
template <class V>
V log_sum_exp(const Line<const V>& x) {
  using std::exp, std::log, std::real;
  if (x.size == 0) return V(0);
  auto largest = real(x[0]);
  for (std::size_t k = 1; k < x.size; ++k) largest = std::max(largest, real(x[k]));
  V total = V(0);
  for (std::size_t k = 0; k < x.size; ++k) total += exp(x[k] - largest);
  return log(total) + largest;
}

}  // namespace

namespace ops {

// y = exp(x) / sum(exp(x)),   dx = y (g - sum(g y))
struct Softmax {
  static constexpr OpInfo info{.name = "softmax", .vjp_reads = Reads::output};
  std::size_t axis;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    using std::exp;
    const Shape& shape = *call.input().shape;
    for_each_line(shape, axis, [&](std::size_t offset) {
      const auto x = line(call.input().data, offset, shape, axis);
      const auto y = line(call.output().data, offset, shape, axis);
      const V total = log_sum_exp(x);
      for (std::size_t k = 0; k < x.size; ++k) y[k] = exp(x[k] - total);
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> g = call.gradient(), y = call.output();
    call.add(0, y * (g - sum(g * y, static_cast<Index>(axis), true)));
  }
  std::string attributes() const { return "axis=" + std::to_string(axis); }
};

// y = x - log(sum(exp(x))),   dx = g - exp(y) sum(g)
struct LogSoftmax {
  static constexpr OpInfo info{.name = "log_softmax", .vjp_reads = Reads::output};
  std::size_t axis;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Shape& shape = *call.input().shape;
    for_each_line(shape, axis, [&](std::size_t offset) {
      const auto x = line(call.input().data, offset, shape, axis);
      const auto y = line(call.output().data, offset, shape, axis);
      const V total = log_sum_exp(x);
      for (std::size_t k = 0; k < x.size; ++k) y[k] = x[k] - total;
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> g = call.gradient(), y = call.output();
    call.add(0, g - exp(y) * sum(g, static_cast<Index>(axis), true));
  }
  std::string attributes() const { return "axis=" + std::to_string(axis); }
};

// y = 1/n sum over rows of (log(sum(exp(x))) - x[target]),   dx = g/n (softmax(x) - onehot(target))
struct CrossEntropy {
  static constexpr OpInfo info{.name = "cross_entropy", .vjp_reads = Reads::inputs};
  std::span<const std::size_t> targets;

  Shape infer(Shapes) const { return {}; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const std::size_t classes = call.input().shape->back();
    V total = V(0);
    for (std::size_t row = 0; row < targets.size(); ++row) {
      const Line<const V> x{call.input().data + row * classes, classes, 1};
      total += log_sum_exp(x) - x[targets[row]];
    }
    *call.output().data = total / static_cast<decltype(std::real(total))>(targets.size());
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const std::size_t classes = call.input().shape->back();
    const T scale = *call.gradient().data / static_cast<T>(targets.size());
    const Destination<T> dx = call.into();
    for (std::size_t row = 0; row < targets.size(); ++row) {
      const Line<const T> x{call.input().data + row * classes, classes, 1};
      const T total = log_sum_exp(x);
      for (std::size_t k = 0; k < classes; ++k) {
        const T contribution = scale * (std::exp(x[k] - total) - T(k == targets[row]));
        T& to = dx.data[row * classes + k];
        to = dx.accumulate ? to + contribution : contribution;
      }
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = call.input();
    const Shape shape = x.shape();
    Array<T> onehot = zeros<T>(shape);
    for (std::size_t row = 0; row < targets.size(); ++row) onehot.data()[row * shape.back() + targets[row]] = 1;
    const Variable<T> scale = call.gradient() / static_cast<double>(targets.size());
    call.add(0, scale * (softmax(x) - x.tape().constant(onehot)));
  }
};

}  // namespace ops

template <class T>
Variable<T> softmax(Variable<T> x, Index axis) {
  return apply(ops::Softmax{normalize_axis("softmax", axis, x.shape().rank())}, x);
}

template <class T>
Variable<T> log_softmax(Variable<T> x, Index axis) {
  return apply(ops::LogSoftmax{normalize_axis("log_softmax", axis, x.shape().rank())}, x);
}

template <class T>
Variable<T> cross_entropy(Variable<T> logits, const Array<Index>& targets) {
  const Shape& shape = logits.shape();
  if (shape.rank() == 0 || !(shape_of(targets) == Shape(shape.begin(), shape.end() - 1)) || targets.size() == 0)
    throw ShapeError("cross_entropy: logits " + to_string(shape) + " and targets " + to_string(shape_of(targets)) +
                     "; expected (..., classes) and (...) with at least one row");
  const std::span<std::size_t> kept = logits.tape().template list<std::size_t>(targets.size());
  for (std::size_t row = 0; row < kept.size(); ++row) {
    const Index target = targets.data()[row];
    if (target < 0 || target >= static_cast<Index>(shape.back()))
      throw ValueError("cross_entropy: target " + std::to_string(target) + " (row " + std::to_string(row) +
                       ") is not one of the " + std::to_string(shape.back()) + " classes of logits " +
                       to_string(shape));
    kept[row] = static_cast<std::size_t>(target);
  }
  return apply(ops::CrossEntropy{kept}, logits);
}

template <class T>
Variable<T> mse(Variable<T> prediction, Variable<T> target) {
  if (!(prediction.shape() == target.shape()))
    throw ShapeError("mse: the prediction has shape " + to_string(prediction.shape()) + ", the target " +
                     to_string(target.shape()) + "; they must be equal");
  return mean(square(prediction - target));
}

#define INSTANTIATE(T)                                                  \
  template Variable<T> softmax(Variable<T>, Index);                     \
  template Variable<T> log_softmax(Variable<T>, Index);                 \
  template Variable<T> cross_entropy(Variable<T>, const Array<Index>&); \
  template Variable<T> mse(Variable<T>, Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

namespace {
// Made of other ops, but listed under the name users call.
constexpr OpInfo mse_info{.name = "mse", .inputs = 2};
}  // namespace

std::vector<RegisteredOp> loss_ops() {
  const Array<Index> targets{2, 0, 2};
  const Array<Index> table{{0, 1}, {2, 2}};
  const Array<Index> outside{0, 5, 1};
  return {{&ops::Softmax::info,
           {{"rows", {{3, 5}}, [](auto x) { return softmax(x[0]); }},
            {"columns", {{2, 3, 4}}, [](auto x) { return softmax(x[0], 1); }}},
           {{{{3, 4}},
             [](auto x) { return softmax(x[0], 2); },
             "softmax: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
          {&ops::LogSoftmax::info,
           {{"rows", {{3, 5}}, [](auto x) { return log_softmax(x[0]); }},
            {"columns", {{2, 3, 4}}, [](auto x) { return log_softmax(x[0], 0); }}},
           {}},
          {&ops::CrossEntropy::info,
           {{"rows", {{3, 4}}, [targets](auto x) { return cross_entropy(x[0], targets); }},
            {"a sequence", {{2, 2, 3}}, [table](auto x) { return cross_entropy(x[0], table); }}},
           {{{{2, 4}},
             [targets](auto x) { return cross_entropy(x[0], targets); },
             "cross_entropy: logits (2, 4) and targets (3); expected (..., classes) and (...) with at least one row"},
            {{{3, 4}},
             [outside](auto x) { return cross_entropy(x[0], outside); },
             "cross_entropy: target 5 (row 1) is not one of the 4 classes of logits (3, 4)"}}},
          {&mse_info,
           {{"matrices", {{3, 4}, {3, 4}}, [](auto x) { return mse(x[0], x[1]); }}},
           {{{{3, 4}, {3}},
             [](auto x) { return mse(x[0], x[1]); },
             "mse: the prediction has shape (3, 4), the target (3); they must be equal"}}}};
}

}  // namespace autograd
