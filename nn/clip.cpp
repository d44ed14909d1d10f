#include "nn/clip.hpp"

#include <algorithm>
#include <array>
#include <cmath>
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
  if (order_ == 2) {
    sum_ += sum(values, size, [](double x) { return x * x; });
  } else if (order_ == 1) {
    sum_ += sum(values, size, [](double x) { return std::abs(x); });
  } else if (std::isinf(order_)) {
    // A NaN compares with nothing: once found, it stays.
    for (std::size_t k = 0; k < size; ++k)
      if (const double x = std::abs(static_cast<double>(values[k])); x > sum_ || std::isnan(x)) sum_ = x;
  } else {
    sum_ += sum(values, size, [this](double x) { return std::pow(std::abs(x), order_); });
  }
}

double Norm::total() const {
  if (order_ == 2) return std::sqrt(sum_);
  return order_ == 1 || std::isinf(order_) ? sum_ : std::pow(sum_, 1 / order_);
}

double clip_coefficient(double norm, double max_norm) {
  if (!(max_norm >= 0))
    throw ValueError("clip_grad_norm: max_norm must not be negative, got " + autograd::fixed_text(max_norm));
  return std::isfinite(norm) ? std::min(1.0, max_norm / (norm + 1e-6)) : 1;
}

void check_clip_value(double limit) {
  if (!(limit >= 0))
    throw ValueError("clip_grad_value: the limit must not be negative, got " + autograd::fixed_text(limit));
}

template <class T>
void scale(T* values, std::size_t size, double factor) {
  for (std::size_t k = 0; k < size; ++k) values[k] *= static_cast<T>(factor);
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
