#include "nn/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "autograd/error.hpp"

namespace nn {

using autograd::ValueError;

namespace {

[[noreturn]] void refuse(const char* what, double value) {
  throw ValueError(std::string("optimizer: ") + what + ", got " + std::to_string(value));
}

void require_positive(const char* what, double value) {
  if (!(value >= 0)) refuse(what, value);
}

void require_rate(const char* what, double value) {
  if (!(value >= 0 && value < 1)) refuse(what, value);
}

}  // namespace

template <class T>
Optimizer<T>::Optimizer(std::vector<Parameter<T>*> parameters, double learning_rate)
    : learning_rate(learning_rate), parameters_(std::move(parameters)) {
  require_positive("learning_rate must not be negative", learning_rate);
}

template <class T>
void Optimizer<T>::step() {
  ++time_;
  std::size_t first = 0;
  for (Parameter<T>* parameter : parameters_) {
    const std::size_t size = parameter->size();
    parameter->update([&](auto& values) { update(values.data(), parameter->grad().data(), size, first); });
    first += size;
  }
}

template <class T>
void Optimizer<T>::zero_grad() {
  for (Parameter<T>* parameter : parameters_) parameter->zero_grad();
}

template <class T>
std::vector<T> Optimizer<T>::memory(bool wanted) const {
  std::size_t size = 0;
  if (wanted)
    for (const Parameter<T>* parameter : parameters_) size += parameter->size();
  return std::vector<T>(size);
}

template <class T>
SGD<T>::SGD(std::vector<Parameter<T>*> parameters, const SGDOptions& options)
    : Optimizer<T>(std::move(parameters), options.learning_rate),
      options_(options),
      velocity_(this->memory(options.momentum != 0)) {
  require_positive("momentum must not be negative", options.momentum);
  require_positive("weight_decay must not be negative", options.weight_decay);
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    refuse("nesterov needs a momentum and no dampening", options.dampening);
}

template <class T>
void SGD<T>::update(T* value, const T* gradient, std::size_t size, std::size_t first) {
  const T rate(this->learning_rate), decay(options_.weight_decay), momentum(options_.momentum);
  if (velocity_.empty()) {
    for (std::size_t k = 0; k < size; ++k) value[k] -= rate * (gradient[k] + decay * value[k]);
    return;
  }
  const T fresh(this->time() == 1 ? 1 : 1 - options_.dampening);
  const bool nesterov = options_.nesterov;
  T* const velocity = velocity_.data() + first;
  for (std::size_t k = 0; k < size; ++k) {
    const T g = gradient[k] + decay * value[k];
    velocity[k] = momentum * velocity[k] + fresh * g;
    value[k] -= rate * (nesterov ? g + momentum * velocity[k] : velocity[k]);
  }
}

template <class T>
RMSProp<T>::RMSProp(std::vector<Parameter<T>*> parameters, const RMSPropOptions& options)
    : Optimizer<T>(std::move(parameters), options.learning_rate),
      options_(options),
      square_(this->memory()),
      average_(this->memory(options.centered)),
      velocity_(this->memory(options.momentum != 0)) {
  require_rate("alpha must be in [0, 1)", options.alpha);
  require_positive("eps must not be negative", options.eps);
  require_positive("weight_decay must not be negative", options.weight_decay);
  require_positive("momentum must not be negative", options.momentum);
}

template <class T>
void RMSProp<T>::update(T* value, const T* gradient, std::size_t size, std::size_t first) {
  const T rate(this->learning_rate), decay(options_.weight_decay), momentum(options_.momentum), eps(options_.eps);
  const T alpha(options_.alpha), fresh(1 - options_.alpha);
  T* const square = square_.data() + first;
  T* const average = average_.empty() ? nullptr : average_.data() + first;
  T* const velocity = velocity_.empty() ? nullptr : velocity_.data() + first;
  for (std::size_t k = 0; k < size; ++k) {
    const T g = gradient[k] + decay * value[k];
    square[k] = alpha * square[k] + fresh * g * g;
    T variance = square[k];
    if (average) {
      average[k] = alpha * average[k] + fresh * g;
      variance -= average[k] * average[k];
    }
    T step = g / (std::sqrt(std::max(variance, T(0))) + eps);  // rounding may leave it below 0
    if (velocity) step = velocity[k] = momentum * velocity[k] + step;
    value[k] -= rate * step;
  }
}

template <class T>
Adam<T>::Adam(std::vector<Parameter<T>*> parameters, const AdamOptions& options)
    : Optimizer<T>(std::move(parameters), options.learning_rate),
      options_(options),
      mean_(this->memory()),
      square_(this->memory()) {
  require_rate("beta1 must be in [0, 1)", options.beta1);
  require_rate("beta2 must be in [0, 1)", options.beta2);
  require_positive("eps must not be negative", options.eps);
  require_positive("weight_decay must not be negative", options.weight_decay);
}

template <class T>
void Adam<T>::update(T* value, const T* gradient, std::size_t size, std::size_t first) {
  const double t = static_cast<double>(this->time());
  const T rate(this->learning_rate / (1 - std::pow(options_.beta1, t)));
  const T scale(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  const T decay(options_.weight_decay), eps(options_.eps);
  const T beta1(options_.beta1), beta2(options_.beta2), fresh1(1 - options_.beta1), fresh2(1 - options_.beta2);
  T* const mean = mean_.data() + first;
  T* const square = square_.data() + first;
  for (std::size_t k = 0; k < size; ++k) {
    const T g = gradient[k] + decay * value[k];
    mean[k] = beta1 * mean[k] + fresh1 * g;
    square[k] = beta2 * square[k] + fresh2 * g * g;
    value[k] -= rate * mean[k] / (std::sqrt(square[k]) * scale + eps);
  }
}

#define INSTANTIATE(T)         \
  template class Optimizer<T>; \
  template class SGD<T>;       \
  template class RMSProp<T>;   \
  template class Adam<T>;
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn
