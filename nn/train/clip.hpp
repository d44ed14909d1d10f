// Clipping of gradients, between backward() and the optimizer's step().
#pragma once

#include <cstddef>
#include <vector>

#include "autograd/keyed_list.hpp"
#include "nn/train/optimizer.hpp"

namespace nn {

namespace detail {

/// (Σ |x|^order)^(1/order) over all arrays added, or for an infinite order the largest |x|. Nothing on the way
/// overflows or underflows where the norm itself does not.
class Norm {
 public:
  /// Throws ValueError unless order > 0.
  explicit Norm(double order);
  template <class T>
  void add(const T* values, std::size_t size);
  /// Infinite, if finite numbers have a norm beyond the largest double.
  double total() const;
  /// min(1, max_norm / (total + 1e-6)); 1 where a number was not finite. Throws ValueError unless 0 <= max_norm < inf.
  double clip_coefficient(double max_norm) const;

 private:
  void merge(double sum, double scale);

  double order_;
  double sum_ = 0, scale_ = 1;  ///< the sum of |x / scale|^order
  bool finite_ = true;
};

/// Throws ValueError unless 0 <= limit < inf.
void check_clip_value(double limit);

template <class T>
void scale(T* values, std::size_t size, double factor);
template <class T>
void clamp(T* values, std::size_t size, double limit);

/// f(parameter) for each parameter of a list or a module, a shared or repeated one once.
template <class T, class F>
void each_parameter(const std::vector<Parameter<T>*>& parameters, F f) {
  struct Seen {
    const void* parameter;
    std::size_t key() const { return reinterpret_cast<std::size_t>(parameter); }
  };
  thread_local autograd::KeyedList<Seen> seen;  // keeps its memory from one training step to the next
  seen.cut(0);
  for (Parameter<T>* parameter : parameters) {
    if (seen.find(Seen{parameter}.key(), [](const Seen&) { return true; }) != seen.none) continue;
    seen.push_back({parameter});
    f(*parameter);
  }
}
template <Module M, class F>
void each_parameter(M& module, F f) {
  for_each_distinct_parameter(module, [&](const std::string&, auto& parameter) { f(parameter); });
}

template <class Parameters>
Norm norm_of_gradients(Parameters& parameters, double order) {
  Norm norm(order);
  each_parameter(parameters, [&](auto& parameter) { norm.add(parameter.grad().data(), parameter.grad().size()); });
  return norm;
}

template <class Parameters>
double clip_norm(Parameters& parameters, double max_norm, double order) {
  const Norm norm = norm_of_gradients(parameters, order);
  const double factor = norm.clip_coefficient(max_norm);
  if (factor < 1)
    each_parameter(parameters,
                   [&](auto& parameter) { scale(parameter.grad().data(), parameter.grad().size(), factor); });
  return norm.total();
}

template <class Parameters>
void clip_value(Parameters& parameters, double limit) {
  check_clip_value(limit);
  each_parameter(parameters, [&](auto& parameter) { clamp(parameter.grad().data(), parameter.grad().size(), limit); });
}

}  // namespace detail

// Of the parameters in a list, of those that an optimizer holds, or of all of a module, each counted once. A module may
// have parameters that no optimizer holds: their gradients pile up, as its zero_grad() leaves them, and count here.
// Clip what the optimizer holds, or call zero_grad(module).

/// Scales all gradients by min(1, max_norm / (n + 1e-6)), where n is the norm of all of them together, and returns n
/// (PyTorch's rule). The norm is (Σ |g|^order)^(1/order), for an infinite order the largest |g|. If a gradient holds
/// NaN or infinity, all are left as they are, and n is not finite: look at the result. Throws ValueError for a max_norm
/// that is negative or not finite (grad_norm() measures alone), or an order that is not positive.
template <class T>
double clip_grad_norm(const std::vector<Parameter<T>*>& parameters, double max_norm, double order = 2) {
  return detail::clip_norm(parameters, max_norm, order);
}
template <class T>
double clip_grad_norm(Optimizer<T>& optimizer, double max_norm, double order = 2) {
  return detail::clip_norm(optimizer.parameters(), max_norm, order);
}
template <Module M>
double clip_grad_norm(M& module, double max_norm, double order = 2) {
  return detail::clip_norm(module, max_norm, order);
}

/// The norm n alone. Throws ValueError for an order that is not positive.
template <class T>
double grad_norm(const std::vector<Parameter<T>*>& parameters, double order = 2) {
  return detail::norm_of_gradients(parameters, order).total();
}
template <class T>
double grad_norm(const Optimizer<T>& optimizer, double order = 2) {
  return detail::norm_of_gradients(optimizer.parameters(), order).total();
}
template <Module M>
double grad_norm(const M& module, double order = 2) {
  return detail::norm_of_gradients(module, order).total();
}

/// Clamps every element of every gradient to [-limit, limit]. Throws ValueError for a limit that is negative or not
/// finite.
template <class T>
void clip_grad_value(const std::vector<Parameter<T>*>& parameters, double limit) {
  detail::clip_value(parameters, limit);
}
template <class T>
void clip_grad_value(Optimizer<T>& optimizer, double limit) {
  detail::clip_value(optimizer.parameters(), limit);
}
template <Module M>
void clip_grad_value(M& module, double limit) {
  detail::clip_value(module, limit);
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
