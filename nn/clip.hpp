// Clipping of gradients, between backward() and the optimizer's step().
#pragma once

#include <cstddef>
#include <vector>

#include "nn/module.hpp"

namespace nn {

namespace detail {

/// The sum of |x|^order over all arrays added, or for an infinite order the largest |x|; then its root.
class Norm {
 public:
  /// Throws ValueError unless order > 0.
  explicit Norm(double order);
  template <class T>
  void add(const T* values, std::size_t size);
  double total() const;

 private:
  double order_;
  double sum_ = 0;
};

/// min(1, max_norm / (norm + 1e-6)); 1 for a norm that is not finite. Throws ValueError unless max_norm >= 0.
double clip_coefficient(double norm, double max_norm);
void check_clip_value(double limit);

template <class T>
void scale(T* values, std::size_t size, double factor);
template <class T>
void clamp(T* values, std::size_t size, double limit);

/// `each(f)` calls f(parameter) for every parameter.
template <class Each>
double clip_norm(Each each, double max_norm, double order) {
  Norm norm(order);
  each([&](auto& parameter) { norm.add(parameter.grad().data(), parameter.size()); });
  const double total = norm.total();
  const double factor = clip_coefficient(total, max_norm);
  if (factor < 1) each([&](auto& parameter) { scale(parameter.grad().data(), parameter.size(), factor); });
  return total;
}

}  // namespace detail

/// Scales all gradients by min(1, max_norm / (n + 1e-6)), where n is the norm of all of them together, and returns n
/// (PyTorch's rule). The norm is (Σ |g|^order)^(1/order), for an infinite order the largest |g|. If n is not finite the
/// gradients are left as they are: look at the result.
/// Throws ValueError for a negative max_norm, or an order that is not positive.
template <class T>
double clip_grad_norm(const std::vector<Parameter<T>*>& parameters, double max_norm, double order = 2) {
  return detail::clip_norm(
      [&](auto f) {
        for (Parameter<T>* parameter : parameters) f(*parameter);
      },
      max_norm, order);
}
template <Module M>
double clip_grad_norm(M& module, double max_norm, double order = 2) {
  return detail::clip_norm(
      [&](auto f) { for_each_parameter(module, [&](const std::string&, auto& parameter) { f(parameter); }); }, max_norm,
      order);
}

/// Clamps every element of every gradient to [-limit, limit]. Throws ValueError for a negative limit.
template <class T>
void clip_grad_value(const std::vector<Parameter<T>*>& parameters, double limit) {
  detail::check_clip_value(limit);
  for (Parameter<T>* parameter : parameters) detail::clamp(parameter->grad().data(), parameter->size(), limit);
}
template <Module M>
void clip_grad_value(M& module, double limit) {
  detail::check_clip_value(limit);
  for_each_parameter(module, [&](const std::string&, auto& parameter) {
    detail::clamp(parameter.grad().data(), parameter.size(), limit);
  });
}

namespace detail {

extern template void Norm::add(const float*, std::size_t);
extern template void Norm::add(const double*, std::size_t);
extern template void scale(float*, std::size_t, double);
extern template void scale(double*, std::size_t, double);
extern template void clamp(float*, std::size_t, double);
extern template void clamp(double*, std::size_t, double);

}  // namespace detail
}  // namespace nn
