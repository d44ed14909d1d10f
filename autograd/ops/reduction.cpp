#include "autograd/ops/reduction.hpp"

#include <cmath>
#include <limits>

#include "autograd/apply.hpp"
#include "autograd/kernels/contiguous_sum.hpp"
#include "autograd/kernels/strided.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

using detail::all_axes;
using detail::check_not_empty;
using detail::reduced;

namespace {

/// f(row, each) for every element of the result; each(g) calls g(offset) for every element that is reduced to it.
template <class F>
void for_each_row(const Shape& shape, unsigned mask, F f) {
  const kernels::Strides strides = kernels::contiguous_strides(shape);
  const auto walk = [&](unsigned axes, auto visit) {
    std::array<std::size_t, Shape::max_rank> position{};
    std::size_t count = 1;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis)
      if (axes >> axis & 1u) count *= shape[axis];
    Index at = 0;
    for (; count > 0; --count) {
      visit(at);
      for (std::size_t axis = shape.rank(); axis-- > 0;) {
        if (!(axes >> axis & 1u)) continue;
        at += strides[axis];
        if (++position[axis] < shape[axis]) break;
        at -= strides[axis] * static_cast<Index>(shape[axis]);
        position[axis] = 0;
      }
    }
  };
  std::size_t row = 0;
  walk(~mask, [&](Index start) {
    f(row++, [&](auto g) { walk(mask, [&](Index at) { g(static_cast<std::size_t>(start + at)); }); });
  });
}

double real_part(double x) { return x; }
double real_part(const std::complex<double>& x) { return x.real(); }

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What log(sum(exp(x))) of a row is made of, and each element's share of the sum.
template <class V>
struct ExpSum {
  V shift;               ///< the largest real part, 0 where it is -infinity
  V sum;                 ///< of exp(x - shift)
  double infinite_ones;  ///< how many x are infinity; the sum is no number if there are any

  V logarithm() const {
    using std::log;
    return infinite_ones > 0 ? V(infinity) : log(sum) + shift;
  }
  /// exp(x) / sum(exp(x)), given exp(x - shift). A sum of nothing but zeros has no shares; of an infinite one the
  /// infinite terms have even shares.
  V share(const V& x, const V& term) const {
    if (infinite_ones > 0) return V(real_part(x) == infinity ? V(1) / V(infinite_ones) : V(0));
    return sum == V(0) ? V(0) : term / sum;
  }
};

/// Of a row; keep(at, exp(x - shift)) is called for each element.
template <class V, class Each, class Keep>
ExpSum<V> exp_sum(const V* x, Each each, Keep keep) {
  using std::exp;
  double largest = -infinity, infinite_ones = 0;
  each([&](std::size_t at) { largest = std::max(largest, real_part(x[at])); });
  if (largest == infinity) each([&](std::size_t at) { infinite_ones += real_part(x[at]) == infinity; });
  const V shift = V(largest == -infinity ? 0 : largest);
  kernels::RunningSum<V> sum;
  each([&](std::size_t at) {
    const V term = exp(x[at] - shift);
    keep(at, term);
    sum.add(term);
  });
  return {shift, sum.total(), infinite_ones};
}

/// a > b, where NaN is larger than any number and as large as itself.
bool exceeds(double a, double b) { return a > b || (std::isnan(a) && !std::isnan(b)); }

}  // namespace

namespace ops {

// y_i = the share of element i in the gradient of the maximum: 1 for the first of the largest and 0 elsewhere, or
// 1 / count for each of the largest. A constant.
struct MaxShare {
  static constexpr OpInfo info{.name = "max_share", .vjp_reads = Reads::neither, .differentiable = false};
  unsigned mask;
  bool first;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const auto value = [&](std::size_t at) { return real_part(call.input().data[at]); };
    for_each_row(*call.input().shape, mask, [&](std::size_t, auto each) {
      double largest = -infinity, count = 0;
      each([&](std::size_t at) {
        if (exceeds(value(at), largest)) {
          largest = value(at);
          count = 0;
        }
        if (!exceeds(largest, value(at))) ++count;
      });
      const double share = first ? 1 : 1 / count;
      each([&](std::size_t at) {
        const bool chosen = !exceeds(largest, value(at)) && count > 0;
        call.output().data[at] = V(chosen ? share : 0);
        if (chosen && first) count = 0;
      });
    });
  }
  template <class T>
  void vjp(Recorder<T>&) const {}
};

// y = max over axes (kept with extent 1),   dx = g times the element's share
struct Max {
  static constexpr OpInfo info{.name = "max", .vjp_reads = Reads::inputs};
  unsigned mask;
  bool first;  ///< ties: all of the gradient to the first, else even shares

  static void visit(auto& self, auto&& visitor) {
    visitor("axes", self.mask);
    visitor("first", self.first);
  }

  Shape infer(Shapes inputs) const {
    check_not_empty("max", *inputs[0], mask);
    return reduced(*inputs[0], mask, true);
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const V* x = call.input().data;
    for_each_row(*call.input().shape, mask, [&](std::size_t row, auto each) {
      V largest = V(-infinity);
      each([&](std::size_t at) {
        if (exceeds(real_part(x[at]), real_part(largest))) largest = x[at];
      });
      call.output().data[row] = largest;
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = call.input();
    call.add(0, broadcast_to(call.gradient(), Shape(x.shape())) * apply(MaxShare{mask, first}, x));
  }
};

// y = the share of element i in sum(exp(x)) over axes: the slope of logsumexp,   dx = y (g - sum(g y))
struct LogSumExpShare {
  static constexpr OpInfo info{.name = "logsumexp_share", .vjp_reads = Reads::output};
  unsigned mask;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const V* x = call.input().data;
    for_each_row(*call.input().shape, mask, [&](std::size_t, auto each) {
      V* const y = call.output().data;
      const ExpSum<V> total = exp_sum(x, each, [&](std::size_t at, const V& term) { y[at] = term; });
      each([&](std::size_t at) { y[at] = total.share(x[at], y[at]); });
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> g = call.gradient(), y = call.output();
    const Shape shape = y.shape();
    call.add(0, y * (g - broadcast_to(sum_to(g * y, reduced(shape, mask, true)), shape)));
  }
};

// y = log(sum(exp(d))) + max(x) over axes (kept with extent 1), d = x - max(x),   dx = g exp(d) / sum(exp(d)); that of
// infinite y is LogSumExpShare's
struct LogSumExp {
  static constexpr OpInfo info{.name = "logsumexp", .vjp_reads = Reads::inputs};
  unsigned mask;

  static void visit(auto& self, auto&& visitor) { visitor("axes", self.mask); }

  Shape infer(Shapes inputs) const { return reduced(*inputs[0], mask, true); }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const V* x = call.input().data;
    for_each_row(*call.input().shape, mask, [&](std::size_t row, auto each) {
      call.output().data[row] = exp_sum(x, each, [](std::size_t, const V&) {}).logarithm();
    });
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const T* x = call.input().data;
    const Destination<T> dx = call.into();
    for_each_row(*call.input().shape, mask, [&](std::size_t row, auto each) {
      const T g = call.gradient().data[row];
      const ExpSum<T> total = exp_sum(x, each, [](std::size_t, const T&) {});
      each([&](std::size_t at) {
        const T part = g * total.share(x[at], std::exp(x[at] - total.shift));
        dx.data[at] = dx.accumulate ? dx.data[at] + part : part;
      });
    });
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = call.input();
    call.add(0, broadcast_to(call.gradient(), Shape(x.shape())) * apply(LogSumExpShare{mask}, x));
  }
};

}  // namespace ops

namespace {

/// The result with its axes of extent 1 kept or dropped.
template <class T>
Variable<T> finish(Variable<T> kept, const Shape& shape, unsigned mask, bool keepdims) {
  return keepdims || mask == 0 ? kept : reshape(kept, reduced(shape, mask, false));
}

template <class T>
Variable<T> sum_over(Variable<T> x, unsigned mask, bool keepdims) {
  const Shape shape = x.shape();
  if (mask == all_axes(shape) && !keepdims) return sum_to(x, Shape{});
  return finish(sum_to(x, reduced(shape, mask, true)), shape, mask, keepdims);
}

template <class T>
Variable<T> max_over(Variable<T> x, unsigned mask, bool first, bool keepdims) {
  const Shape shape = x.shape();
  return finish(apply(ops::Max{mask, first}, x), shape, mask, keepdims);
}

}  // namespace

template <class T>
Variable<T> sum(Variable<T> x) {
  return sum_to(x, Shape{});
}
template <class T>
Variable<T> sum(Variable<T> x, const Axes& axes, bool keepdims) {
  return sum_over(x, axes.mask("sum", x.shape().rank()), keepdims);
}

template <class T>
Variable<T> max(Variable<T> x) {
  return max_over(x, all_axes(x.shape()), false, false);
}
template <class T>
Variable<T> amax(Variable<T> x, const Axes& axes, bool keepdims) {
  return max_over(x, axes.mask("max", x.shape().rank()), false, keepdims);
}
template <class T>
Variable<T> max(Variable<T> x, Index axis, bool keepdims) {
  return max_over(x, 1u << normalize_axis("max", axis, x.shape().rank()), true, keepdims);
}

// What does not fit is said before anything is recorded, and by the name of min.
template <class T>
Variable<T> min(Variable<T> x) {
  check_not_empty("min", x.shape(), all_axes(x.shape()));
  return -max(-x);
}
template <class T>
Variable<T> amin(Variable<T> x, const Axes& axes, bool keepdims) {
  check_not_empty("min", x.shape(), axes.mask("min", x.shape().rank()));
  return -amax(-x, axes, keepdims);
}
template <class T>
Variable<T> min(Variable<T> x, Index axis, bool keepdims) {
  check_not_empty("min", x.shape(), 1u << normalize_axis("min", axis, x.shape().rank()));
  return -max(-x, axis, keepdims);
}

namespace {

/// The first place along an axis whose element, times `sign`, is the largest.
template <class T>
Array<Index> first_largest(const char* op, Variable<T> x, Index axis, bool keepdims, double sign) {
  const Shape shape = x.shape();
  const std::size_t k = normalize_axis(op, axis, shape.rank());
  check_not_empty(op, shape, 1u << k);
  const ArrayView<T> values = x.value();
  Array<Index> result = make_array<Index>(reduced(shape, 1u << k, keepdims));
  for_each_row(shape, 1u << k, [&](std::size_t row, auto each) {
    double largest = 0;
    Index place = 0, best = 0;
    each([&](std::size_t at) {
      const double value = sign * static_cast<double>(values.data()[at]);
      if (place == 0 || exceeds(value, largest)) {
        largest = value;
        best = place;
      }
      ++place;
    });
    result.data()[row] = best;
  });
  return result;
}

}  // namespace

template <class T>
Array<Index> argmax(Variable<T> x, Index axis, bool keepdims) {
  return first_largest("argmax", x, axis, keepdims, 1);
}
template <class T>
Array<Index> argmin(Variable<T> x, Index axis, bool keepdims) {
  return first_largest("argmin", x, axis, keepdims, -1);
}

template <class T>
Variable<T> logsumexp(Variable<T> x, const Axes& axes, bool keepdims) {
  const Shape shape = x.shape();
  const unsigned mask = axes.mask("logsumexp", shape.rank());
  return finish(apply(ops::LogSumExp{mask}, x), shape, mask, keepdims);
}

#define INSTANTIATE(T)                                       \
  template Variable<T> sum(Variable<T>);                     \
  template Variable<T> sum(Variable<T>, const Axes&, bool);  \
  template Variable<T> max(Variable<T>);                     \
  template Variable<T> amax(Variable<T>, const Axes&, bool); \
  template Variable<T> max(Variable<T>, Index, bool);        \
  template Variable<T> min(Variable<T>);                     \
  template Variable<T> amin(Variable<T>, const Axes&, bool); \
  template Variable<T> min(Variable<T>, Index, bool);        \
  template Array<Index> argmax(Variable<T>, Index, bool);    \
  template Array<Index> argmin(Variable<T>, Index, bool);    \
  template Variable<T> logsumexp(Variable<T>, const Axes&, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

namespace {

void check_mask(const char* op, unsigned mask, const Shape& shape) {
  if (mask & ~all_axes(shape))
    throw ShapeError(std::string(op) + ": an axis is out of range for shape " + to_string(shape));
}

}  // namespace

template <class Entry>
void detail::add_reduction_ops(std::vector<Entry>& to) {
  add_structural<ops::Max>(to, [](const ops::Max& rule, Shapes x) { check_mask("max", rule.mask, *x[0]); });
  add_structural<ops::LogSumExp>(
      to, [](const ops::LogSumExp& rule, Shapes x) { check_mask("logsumexp", rule.mask, *x[0]); });
}
WENGERT_GRAPH_OPS(detail::add_reduction_ops)

}  // namespace autograd
