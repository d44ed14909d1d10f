// Statistics over axes, norms, and what divides by them.
#pragma once

#include "autograd/ops/axes.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// The sum of (x - mean)^2 over count - correction: 1 for an unbiased estimate, 0 for the mean square.
/// Throws ValueError unless there are more elements than that.
template <class T>
Variable<T> var(Variable<T> x, const Axes& axes, bool keepdims = false, double correction = 1);
template <class T>
Variable<T> var(Variable<T> x);
/// The square root of var(); its gradient is 0 where that is 0.
template <class T>
Variable<T> stddev(Variable<T> x, const Axes& axes, bool keepdims = false, double correction = 1);
template <class T>
Variable<T> stddev(Variable<T> x);

/// (sum of |x|^p)^(1/p), for an infinite p the largest |x|. Its gradient is 0 where the norm is 0.
/// Throws ValueError unless p > 0.
template <class T>
Variable<T> norm(Variable<T> x, const Axes& axes, double p = 2, bool keepdims = false);
template <class T>
Variable<T> norm(Variable<T> x);

/// x over its norm along an axis, which counts as at least eps.
template <class T>
Variable<T> normalize(Variable<T> x, double p = 2, Index axis = -1, double eps = 1e-12);
/// <a, b> / (|a| |b|) along an axis; the norms count as at least eps.
template <class T>
Variable<T> cosine_similarity(Variable<T> a, Variable<T> b, Index axis = -1, double eps = 1e-8);

/// (x - mean) / sqrt(var + eps) over the last `axes` axes, with the biased variance (Ba, Kiros and Hinton 2016).
/// Throws ShapeError for no axes, or more than x has.
template <class T>
Variable<T> layer_norm(Variable<T> x, std::size_t axes = 1, double eps = 1e-5);
/// The same times a gain plus a bias, both of the shape of the normalised axes.
template <class T>
Variable<T> layer_norm(Variable<T> x, Variable<T> gain, Variable<T> bias, double eps = 1e-5);
/// The same with Parameters, which are on the tape of x.
template <class T>
Variable<T> layer_norm(Variable<T> x, Parameter<T>& gain, Parameter<T>& bias, double eps = 1e-5) {
  return with_parameters(
      "layer_norm", x, [&](Variable<T> g, Variable<T> b) { return layer_norm(x, g, b, eps); }, gain, bias);
}

}  // namespace autograd
