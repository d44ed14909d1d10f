#include "autograd/ops/mean.hpp"

#include "autograd/all_or_nothing.hpp"
#include "autograd/apply.hpp"
#include "autograd/error.hpp"
#include "autograd/kernels/mean.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

namespace ops {

// y = the mean of x over the axes from `first` to before `last` (kept with extent 1),   dx = g / count repeated
struct Mean {
  static constexpr OpInfo info{.name = "mean", .vjp_reads = Reads::neither};
  std::size_t first, last;

  kernels::Lines lines(const Shape& x) const {
    return {x.elements(0, first), x.elements(first, last), x.elements(last, x.rank())};
  }
  Shape infer(Shapes inputs) const {
    Shape shape = *inputs[0];
    for (std::size_t axis = first; axis < last; ++axis) shape[axis] = 1;
    return shape;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    kernels::means(call.input().data, lines(*call.input().shape), call.output().data);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const auto [outer, extent, inner] = lines(*call.input().shape);
    const T count = static_cast<T>(extent);
    const Destination<T> dx = call.into();
    for (std::size_t block = 0; block < outer; ++block) {
      const T* const g = call.gradient().data + block * inner;
      T* const to = dx.data + block * extent * inner;
      for (std::size_t k = 0; k < extent; ++k)
        for (std::size_t c = 0; c < inner; ++c) {
          const T part = g[c] / count;
          to[k * inner + c] = dx.accumulate ? to[k * inner + c] + part : part;
        }
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Shape shape = call.input().shape();
    call.add(0, broadcast_to(call.gradient() / static_cast<double>(lines(shape).extent), shape));
  }
  std::string attributes() const {
    if (last == first + 1) return "axis=" + std::to_string(first);
    return last == first ? "no axes" : "axes=" + std::to_string(first) + " to " + std::to_string(last - 1);
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("first", self.first);
    visitor("last", self.last);
  }
};

// y = x - mean of x over the axes from `first` to before `last`,   dx = g - mean of g
struct Centered {
  static constexpr OpInfo info{.name = "centered", .vjp_reads = Reads::neither};
  Mean mean;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    kernels::centered(call.input().data, mean.lines(*call.input().shape), call.output().data, false);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    kernels::centered(call.gradient().data, mean.lines(*call.input().shape), dx.data, dx.accumulate);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, apply(*this, call.gradient()));
  }
  std::string attributes() const { return mean.attributes(); }
  static void visit(auto& self, auto&& visitor) { Mean::visit(self.mean, visitor); }
};

// y = the mean of x where m is not 0, 0 if it is nowhere,   dx = g / count there, 0 elsewhere. m has the leading axes
// of x, and extents of 1 for the others; it passes no gradient.
struct MaskedMean {
  static constexpr OpInfo info{.name = "masked_mean", .inputs = 2, .vjp_reads = Reads::inputs};

  /// How many elements of x a mask of `rows` elements chooses, but at least 1: so the mean of nothing is 0.
  template <class V>
  static std::size_t count(const V* m, std::size_t rows, std::size_t size) {
    const std::size_t chosen = rows - static_cast<std::size_t>(std::count(m, m + rows, V(0)));
    return rows == 0 ? 1 : std::max<std::size_t>(1, chosen * (size / rows));
  }
  Shape infer(Shapes) const { return {}; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const V* const x = call.input(0).data;
    const V* const m = call.input(1).data;
    const std::size_t size = call.input(0).size(), rows = call.input(1).size();
    const std::size_t inner = rows == 0 ? 0 : size / rows;
    kernels::line_means(
        count(m, rows, size), 1, [=](std::size_t k, std::size_t) { return x[k]; },
        [=](auto element, V* total) {
          *total = kernels::contiguous_sum<V>(rows, [&](std::size_t row) {
            if (m[row] == V(0)) return V(0);
            return kernels::contiguous_sum<V>(inner, [&](std::size_t k) { return element(row * inner + k, 0); });
          });
        },
        call.output().data);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> m = call.input(1);
    const Shape shape = call.input().shape();
    const std::size_t chosen = count(m.value().data(), m.shape().elements(), shape.elements());
    call.add(0, masked(broadcast_to(call.gradient() / static_cast<double>(chosen), shape), m));
  }
};

}  // namespace ops

namespace {

/// The last run of neighbours among the first `end` axes that are in the mask; empty if none is.
ops::Mean last_run(unsigned mask, std::size_t end) {
  while (end > 0 && !(mask >> (end - 1) & 1u)) --end;
  std::size_t first = end;
  while (first > 0 && mask >> (first - 1) & 1u) --first;
  return {first, end};
}

template <class T>
Variable<T> mean_over(Variable<T> x, unsigned mask, bool keepdims) {
  const Shape shape = x.shape();
  detail::check_not_empty("mean", shape, mask);
  ops::Mean run = last_run(mask, shape.rank());
  Variable<T> y = apply(run, x);
  while (run.first > 0) {
    run = last_run(mask, run.first);
    if (run.last > 0) y = apply(run, y);
  }
  return keepdims || mask == 0 ? y : reshape(y, detail::reduced(shape, mask, false));
}

}  // namespace

template <class T>
Variable<T> mean(Variable<T> x) {
  return mean_over(x, detail::all_axes(x.shape()), false);
}
template <class T>
Variable<T> mean(Variable<T> x, const Axes& axes, bool keepdims) {
  return mean_over(x, axes.mask("mean", x.shape().rank()), keepdims);
}

template <class T>
Variable<T> centered(Variable<T> x, const Axes& axes) {
  const Shape shape = x.shape();
  const unsigned mask = axes.mask("centered", shape.rank());
  detail::check_not_empty("centered", shape, mask);
  const ops::Mean run = last_run(mask, shape.rank());
  if (last_run(mask, run.first).last == 0) return apply(ops::Centered{run}, x);
  const Variable<T> almost = x - mean_over(x, mask, true);
  return almost - mean_over(almost, mask, true);
}

template <class T>
Variable<T> masked_mean(Variable<T> x, Variable<T> mask) {
  common_tape("masked_mean", x, mask);
  const Shape &shape = x.shape(), &chosen = mask.shape();
  std::size_t axis = 0;
  while (axis < shape.rank() && axis < chosen.rank() && shape[axis] == chosen[axis]) ++axis;
  if (shape.rank() != chosen.rank() || chosen.elements(axis, chosen.rank()) != 1)
    throw ShapeError("masked_mean: a mask of shape " + to_string(chosen) + " for an array of shape " +
                     to_string(shape) + "; it must have its leading extents, and 1 for the others");
  return apply(ops::MaskedMean{}, x, detach(mask));
}

#define INSTANTIATE(T)                                       \
  template Variable<T> mean(Variable<T>);                    \
  template Variable<T> mean(Variable<T>, const Axes&, bool); \
  template Variable<T> centered(Variable<T>, const Axes&);   \
  template Variable<T> masked_mean(Variable<T>, Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

template <class Entry>
void detail::add_mean_ops(std::vector<Entry>& to) {
  const auto check = [](const ops::Mean& rule, Shapes x) {
    if (rule.first > rule.last || rule.last > x[0]->rank())
      throw ShapeError("mean: axes " + std::to_string(rule.first) + " to before " + std::to_string(rule.last) +
                       " are out of range for shape " + to_string(*x[0]));
    check_not_empty("mean", *x[0], ((1u << rule.last) - 1) & ~((1u << rule.first) - 1));
  };
  add_structural<ops::Mean>(to, check);
  add_structural<ops::Centered>(to, [](const ops::Centered& rule, Shapes x) { decltype(check){}(rule.mean, x); });
}
WENGERT_GRAPH_OPS(detail::add_mean_ops)

}  // namespace autograd
