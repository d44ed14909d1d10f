#include "autograd/ops/normalization.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "autograd/all_or_nothing.hpp"
#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/mean.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
Axes all_axes(Variable<T> x) {
  std::array<Index, Shape::max_rank> axes;
  std::iota(axes.begin(), axes.end(), Index(0));
  return Axes(std::span<const Index>(axes.data(), x.shape().rank()));
}

/// The last `count` axes.
Axes last_axes(std::size_t count) {
  std::array<Index, Shape::max_rank> axes;
  std::iota(axes.begin(), axes.end(), -static_cast<Index>(count));
  return Axes(std::span<const Index>(axes.data(), count));
}

/// (x - mean) / sqrt(var + eps) over axes.
template <class T>
Variable<T> standardized(Variable<T> x, const Axes& axes, double eps) {
  const Variable<T> off = centered(x, axes);
  return off * rsqrt(mean(square(off), axes, true) + eps);
}

}  // namespace

template <class T>
Variable<T> var(Variable<T> x, const Axes& axes, bool keepdims, double correction) {
  const Shape shape = x.shape();
  const unsigned mask = axes.mask("var", shape.rank());
  std::size_t count = 1;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if (mask >> axis & 1u) count *= shape[axis];
  const double divisor = static_cast<double>(count) - correction;
  if (!(divisor > 0))
    throw ValueError("var: " + std::to_string(count) + " elements to take the variance of in shape " +
                     to_string(shape) + " are not more than the correction, " + std::to_string(correction));
  const Variable<T> biased = mean(square(centered(x, axes)), axes, keepdims);
  return correction == 0 ? biased : biased * (static_cast<double>(count) / divisor);
}
template <class T>
Variable<T> var(Variable<T> x) {
  return var(x, all_axes(x));
}
template <class T>
Variable<T> stddev(Variable<T> x, const Axes& axes, bool keepdims, double correction) {
  return sqrt(var(x, axes, keepdims, correction));
}
template <class T>
Variable<T> stddev(Variable<T> x) {
  return stddev(x, all_axes(x));
}

template <class T>
Variable<T> norm(Variable<T> x, const Axes& axes, double p, bool keepdims) {
  if (!(p > 0)) throw ValueError("norm: p must be positive or infinite, got " + fixed_text(p));
  if (p == 1) return sum(abs(x), axes, keepdims);
  if (p == 2) return sqrt(sum(square(x), axes, keepdims));
  if (p == infinity) return amax(abs(x), axes, keepdims);
  // The root is infinitely steep at 0: there it is taken of 1 instead, and dropped.
  const Variable<T> total = sum(pow(abs(x), p), axes, keepdims), one = x.tape().constant(Shape{}, T(1));
  return masked(pow(where(total, total, one), 1 / p), total);
}
template <class T>
Variable<T> norm(Variable<T> x) {
  return norm(x, all_axes(x));
}

template <class T>
Variable<T> normalize(Variable<T> x, double p, Index axis, double eps) {
  return x / clip(norm(x, axis, p, true), eps, infinity);
}

template <class T>
Variable<T> cosine_similarity(Variable<T> a, Variable<T> b, Index axis, double eps) {
  return all_or_nothing(common_tape("cosine_similarity", a, b), [&] {
    const auto length = [&](Variable<T> x) { return clip(norm(x, axis, 2, false), eps, infinity); };
    return sum(a * b, axis) / (length(a) * length(b));
  });
}

template <class T>
Variable<T> layer_norm(Variable<T> x, std::size_t axes, double eps) {
  if (axes == 0 || axes > x.shape().rank())
    throw ShapeError("layer_norm: " + std::to_string(axes) + " axes of shape " + to_string(x.shape()) + "; name 1 to " +
                     std::to_string(x.shape().rank()));
  return standardized(x, last_axes(axes), eps);
}

template <class T>
Variable<T> layer_norm(Variable<T> x, Variable<T> gain, Variable<T> bias, double eps) {
  const Shape shape = x.shape(), over = gain.shape();
  const bool fits = over.rank() > 0 && over.rank() <= shape.rank() && over == bias.shape() &&
                    Shape(shape.end() - over.rank(), shape.end()) == over;
  if (!fits)
    throw ShapeError("layer_norm: gain " + to_string(over) + " and bias " + to_string(bias.shape()) + " for shape " +
                     to_string(shape) + "; both have the extents of its last axes");
  return all_or_nothing(common_tape("layer_norm", x, gain, bias),
                        [&] { return standardized(x, last_axes(over.rank()), eps) * gain + bias; });
}

#define INSTANTIATE(T)                                                             \
  template Variable<T> var(Variable<T>, const Axes&, bool, double);                \
  template Variable<T> var(Variable<T>);                                           \
  template Variable<T> stddev(Variable<T>, const Axes&, bool, double);             \
  template Variable<T> stddev(Variable<T>);                                        \
  template Variable<T> norm(Variable<T>, const Axes&, double, bool);               \
  template Variable<T> norm(Variable<T>);                                          \
  template Variable<T> normalize(Variable<T>, double, Index, double);              \
  template Variable<T> cosine_similarity(Variable<T>, Variable<T>, Index, double); \
  template Variable<T> layer_norm(Variable<T>, std::size_t, double);               \
  template Variable<T> layer_norm(Variable<T>, Variable<T>, Variable<T>, double);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
