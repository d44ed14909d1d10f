#include "nn/train/clip.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace nn::detail {

using autograd::ValueError;

namespace {

/// Σ f(x) in double, in eight sums side by side: a single one would wait for each addition.
template <class T, class F>
double sum(const T* values, std::size_t size, F f) {
  std::array<double, 8> sums{};
  std::size_t at = 0;
  for (; at + sums.size() <= size; at += sums.size())
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += f(static_cast<double>(values[at + k]));
  for (; at < size; ++at) sums[0] += f(static_cast<double>(values[at]));
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

Norm::Norm(double order) : order_(order) {
  if (!(order > 0))
    throw ValueError("clip_grad_norm: the order of the norm must be positive, got " + autograd::fixed_text(order));
}

template <class T>
void Norm::add(const T* values, std::size_t size) {
  const auto largest = [=] {
    double result = 0;
    // A NaN compares with nothing: once found, it stays.
    for (std::size_t k = 0; k < size; ++k)
      if (const double x = std::abs(static_cast<double>(values[k])); x > result || std::isnan(x)) result = x;
    return result;
  };
  if (std::isinf(order_)) {
    const double bound = largest();
    finite_ &= std::isfinite(bound);
    if (bound > sum_ || std::isnan(bound)) sum_ = bound;
    return;
  }
  const auto powers = [=, this](auto scaled) {
    if (order_ == 2) return sum(values, size, [=](double x) { return scaled(x) * scaled(x); });
    if (order_ == 1) return sum(values, size, [=](double x) { return std::abs(scaled(x)); });
    return sum(values, size, [=, this](double x) { return std::pow(std::abs(scaled(x)), order_); });
  };
  const double plain = powers([](double x) { return x; });
  if (plain > 1e-200 && plain < 1e200) return merge(plain, 1);
  const double bound = largest();  // something is very large, very small, or not finite
  finite_ &= std::isfinite(bound);
  if (bound == 0) return;
  if (std::isfinite(bound))
    merge(powers([=](double x) { return x / bound; }), bound);
  else
    sum_ = plain;
}

void Norm::merge(double sum, double scale) {
  if (sum_ == 0) {
    sum_ = sum;
    scale_ = scale;
  } else if (scale_ >= scale) {
    sum_ += sum * std::pow(scale / scale_, order_);
  } else {
    sum_ = sum + sum_ * std::pow(scale_ / scale, order_);
    scale_ = scale;
  }
}

double Norm::total() const {
  if (order_ == 2) return scale_ * std::sqrt(sum_);
  return scale_ * (order_ == 1 || std::isinf(order_) ? sum_ : std::pow(sum_, 1 / order_));
}

double Norm::clip_coefficient(double max_norm) const {
  if (!(max_norm >= 0 && std::isfinite(max_norm)))
    throw ValueError("clip_grad_norm: max_norm must be finite and not negative, got " + autograd::fixed_text(max_norm) +
                     "; grad_norm() measures without clipping");
  if (!finite_) return 1;
  const double norm = total();
  if (std::isfinite(norm)) return std::min(1.0, max_norm / (norm + 1e-6));
  const double root = order_ == 2 ? std::sqrt(sum_) : std::pow(sum_, 1 / order_);
  return std::min(1.0, max_norm / scale_ / root);
}

void check_clip_value(double limit) {
  if (!(limit >= 0 && std::isfinite(limit)))
    throw ValueError("clip_grad_value: the limit must be finite and not negative, got " + autograd::fixed_text(limit));
}

template <class T>
void scale(T* values, std::size_t size, double factor) {
  if (factor >= std::numeric_limits<T>::min() || factor == 0) {
    for (std::size_t k = 0; k < size; ++k) values[k] *= static_cast<T>(factor);
  } else {  // as a T it would lose digits
    for (std::size_t k = 0; k < size; ++k) values[k] = static_cast<T>(static_cast<double>(values[k]) * factor);
  }
}

template <class T>
void clamp(T* values, std::size_t size, double limit) {
  const T bound = static_cast<T>(limit);
  for (std::size_t k = 0; k < size; ++k) values[k] = std::clamp(values[k], -bound, bound);
}

#define INSTANTIATE(T)                            \
  template void Norm::add(const T*, std::size_t); \
  template void scale(T*, std::size_t, double);   \
  template void clamp(T*, std::size_t, double);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::detail
