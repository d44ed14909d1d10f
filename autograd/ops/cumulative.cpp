#include "autograd/ops/cumulative.hpp"

#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

namespace ops {

// y_k = x_0 + ... + x_k, or with `reverse` x_k + ... + x_last,   dx = the sum of g in the other direction
struct Cumsum {
  static constexpr OpInfo info{.name = "cumsum", .vjp_reads = Reads::neither};
  std::size_t axis;
  bool reverse;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const Shape& shape = *call.input().shape;
    const std::size_t outer = shape.elements(0, axis), extent = shape[axis];
    const std::size_t inner = shape.elements(axis + 1, shape.rank());
    for (std::size_t block = 0; block < outer; ++block)
      for (std::size_t k = 0; k < extent; ++k) {
        const std::size_t at = (block * extent + (reverse ? extent - 1 - k : k)) * inner;
        const V* const x = call.input().data + at;
        V* const y = call.output().data + at;
        const V* const before = reverse ? y + inner : y - inner;
        for (std::size_t j = 0; j < inner; ++j) y[j] = k == 0 ? x[j] : before[j] + x[j];
      }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, apply(Cumsum{axis, !reverse}, call.gradient()));
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("axis", self.axis);
    visitor("reverse", self.reverse);
  }
};

}  // namespace ops

namespace {

/// Running results of an associative operation in log2(extent) steps over the whole array: after each, element k holds
/// the result of twice as many elements up to k (Hillis and Steele 1986). Nothing is divided, so zeros do no harm.
template <class T, class Combine>
Variable<T> scan(Variable<T> x, Index axis, Combine combine) {
  const Index extent = static_cast<Index>(x.shape()[normalize_axis("scan", axis, x.shape().rank())]);
  for (Index reach = 1; reach < extent; reach *= 2) {
    const Variable<T> later = combine(slice(x, axis, reach, extent), slice(x, axis, 0, extent - reach));
    x = concat({slice(x, axis, 0, reach), later}, axis);
  }
  return x;
}

/// The product along an axis, which stays with extent 1: halves are multiplied with each other until one is left.
template <class T>
Variable<T> prod_along(Variable<T> x, std::size_t k) {
  const Index axis = static_cast<Index>(k);
  Shape shape = x.shape();
  if (shape[k] == 0) {
    shape[k] = 1;
    return sum(x, axis, true) + 1;
  }
  for (Index extent = static_cast<Index>(shape[k]); extent > 1; extent -= extent / 2) {
    const Index half = extent / 2;
    const Variable<T> product = slice(x, axis, 0, half) * slice(x, axis, half, 2 * half);
    x = extent % 2 ? concat({product, slice(x, axis, extent - 1, extent)}, axis) : product;
  }
  return x;
}

template <class T>
Variable<T> prod_over(Variable<T> x, unsigned mask, bool keepdims) {
  Shape shape = x.shape(), result;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (mask >> axis & 1u) x = prod_along(x, axis);
    if (keepdims || !(mask >> axis & 1u)) result.push_back(x.shape()[axis]);
  }
  return x.shape() == result ? x : reshape(x, result);
}

}  // namespace

template <class T>
Variable<T> cumsum(Variable<T> x, Index axis) {
  return apply(ops::Cumsum{normalize_axis("cumsum", axis, x.shape().rank()), false}, x);
}

template <class T>
Variable<T> cumprod(Variable<T> x, Index axis) {
  normalize_axis("cumprod", axis, x.shape().rank());
  return scan(x, axis, [](Variable<T> a, Variable<T> b) { return a * b; });
}

template <class T>
Variable<T> logcumsumexp(Variable<T> x, Index axis) {
  normalize_axis("logcumsumexp", axis, x.shape().rank());
  return scan(x, axis, [](Variable<T> a, Variable<T> b) { return logaddexp(a, b); });
}

template <class T>
Variable<T> prod(Variable<T> x) {
  return prod_over(x, (1u << x.shape().rank()) - 1, false);
}
template <class T>
Variable<T> prod(Variable<T> x, const Axes& axes, bool keepdims) {
  return prod_over(x, axes.mask("prod", x.shape().rank()), keepdims);
}

#define INSTANTIATE(T)                                   \
  template Variable<T> cumsum(Variable<T>, Index);       \
  template Variable<T> cumprod(Variable<T>, Index);      \
  template Variable<T> logcumsumexp(Variable<T>, Index); \
  template Variable<T> prod(Variable<T>);                \
  template Variable<T> prod(Variable<T>, const Axes&, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

template <class Entry>
void detail::add_cumulative_ops(std::vector<Entry>& to) {
  add_structural<ops::Cumsum>(to, [](const ops::Cumsum& rule, Shapes x) {
    if (rule.axis >= x[0]->rank())
      throw ShapeError("cumsum: axis " + std::to_string(rule.axis) + " is out of range for shape " + to_string(*x[0]));
  });
}
WENGERT_GRAPH_OPS(detail::add_cumulative_ops)

}  // namespace autograd
