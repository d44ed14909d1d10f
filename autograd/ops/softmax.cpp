#include "autograd/ops/softmax.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/apply.hpp"
#include "autograd/kernels/log_sum_exp.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/selection.hpp"

namespace autograd {

using kernels::exp_sum;
using kernels::for_each_line;
using kernels::line;

namespace ops {

// y = exp(d) / sum(exp(d)) with d = x - max(x),   dx = y (g - sum(g y))
struct Softmax {
  static constexpr OpInfo info{.name = "softmax", .vjp_reads = Reads::output};
  std::size_t axis;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Shape& shape = *call.input().shape;
    for_each_line(shape, axis, [&](std::size_t offset) {
      const auto x = line(call.input().data, offset, shape, axis);
      const auto y = line(call.output().data, offset, shape, axis);
      const V total = exp_sum(x, [&](std::size_t k, const V& term) { y[k] = term; }).sum;
      for (std::size_t k = 0; k < x.size; ++k) y[k] /= total;
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> g = call.gradient(), y = call.output();
    call.add(0, y * (g - sum(g * y, static_cast<Index>(axis), true)));
  }
  static void visit(auto& self, auto&& visitor) { visitor("axis", self.axis); }
};

// y = d - log(sum(exp(d))) with d = x - max(x),   dx = g - exp(y) sum(g); 0 where y is NaN and all g of the line are 0,
// as they are of padding that a mask leaves out
struct LogSoftmax {
  static constexpr OpInfo info{.name = "log_softmax", .vjp_reads = Reads::output};
  std::size_t axis;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    using std::log;
    const Shape& shape = *call.input().shape;
    for_each_line(shape, axis, [&](std::size_t offset) {
      const auto x = line(call.input().data, offset, shape, axis);
      const auto y = line(call.output().data, offset, shape, axis);
      const auto [largest, sum] = exp_sum(x);
      const V rest = log(sum);
      for (std::size_t k = 0; k < x.size; ++k) y[k] = (x[k] - largest) - rest;
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> g = call.gradient(), y = call.output();
    const Index along = static_cast<Index>(axis);
    const ArrayView<T> values = y.value();
    // Without NaN, as nearly always, it is the formula alone.
    const bool numbers = std::none_of(values.begin(), values.end(), [](T each) { return std::isnan(each); });
    const Variable<T> safe = numbers ? y : masked(y, equal(y, y) + sum(1 - equal(g, 0), along, true));
    call.add(0, g - exp(safe) * sum(g, along, true));
  }
  static void visit(auto& self, auto&& visitor) { visitor("axis", self.axis); }
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

#define INSTANTIATE(T)                              \
  template Variable<T> softmax(Variable<T>, Index); \
  template Variable<T> log_softmax(Variable<T>, Index);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

template <class Entry>
void detail::add_softmax_ops(std::vector<Entry>& to) {
  const auto check = [](const auto& rule, Shapes x) {
    if (rule.axis >= x[0]->rank())
      throw ShapeError(std::string(rule.info.name) + ": axis " + std::to_string(rule.axis) +
                       " is out of range for shape " + to_string(*x[0]));
  };
  add_structural<ops::Softmax>(to, check);
  add_structural<ops::LogSoftmax>(to, check);
}
WENGERT_GRAPH_OPS(detail::add_softmax_ops)

}  // namespace autograd
