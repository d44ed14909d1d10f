#include "nn/train/adaptive_optimizers.hpp"

#include <cmath>

#include "nn/train/optimizer_checks.hpp"

namespace nn {

using detail::require_not_negative;
using detail::require_rate;

namespace {

/// m = beta1 m' + (1 - beta1) g and v = beta2 v' + (1 - beta2) g², the moments of Adam and all that derive from it.
template <class T>
struct Moments {
  T beta1, beta2, fresh1, fresh2;

  Moments(double first, double second)
      : beta1(static_cast<T>(first)),
        beta2(static_cast<T>(second)),
        fresh1(static_cast<T>(1 - first)),
        fresh2(static_cast<T>(1 - second)) {}
  T mean(T& m, T g) const { return m = beta1 * m + fresh1 * g; }
  T square(T& v, T g) const { return v = beta2 * v + fresh2 * g * g; }
};

}  // namespace

template <class T>
void NAdam<T>::check(const NAdamOptions& options) {
  detail::check_betas<T>(options);
  require_not_negative<T>("momentum_decay must not be negative", options.momentum_decay);
}

template <class T>
double NAdam<T>::momentum(std::size_t group, std::size_t time) const {
  const double t = static_cast<double>(time);
  return this->momenta[group] * (1 - 0.5 * std::pow(0.96, t * this->options_[group].momentum_decay));
}

template <class T>
void NAdam<T>::begin_step(std::size_t time) {
  for (std::size_t group = 0; group < products_.size(); ++group) products_[group] *= momentum(group, time);
}

template <class T>
void NAdam<T>::update(typename Optimizer<T>::Update u) {
  const NAdamOptions& options = this->options_[u.group];
  const double now = momentum(u.group, u.time), next = momentum(u.group, u.time + 1), product = products_[u.group];
  const double rate = this->learning_rates[u.group];
  const T of_gradient(rate * (1 - now) / (1 - product)), of_mean(rate * next / (1 - product * next));
  const T correction(1 / (1 - std::pow(options.beta2, static_cast<double>(u.time))));
  const T sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  const Moments<T> moments(this->momenta[u.group], options.beta2);
  T* const mean = mean_.data() + u.first;
  T* const square = square_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    const T m = moments.mean(mean[k], g), v = moments.square(square[k], g);
    u.value[k] -= (of_gradient * g + of_mean * m) / (std::sqrt(v * correction) + eps);
  }
}

template <class T>
void RAdam<T>::check(const RAdamOptions& options) {
  detail::check_betas<T>(options);
}

template <class T>
void RAdam<T>::update(typename Optimizer<T>::Update u) {
  const RAdamOptions& options = this->options_[u.group];
  const double t = static_cast<double>(u.time), power = std::pow(options.beta2, t), first = this->momenta[u.group];
  const double longest = 2 / (1 - options.beta2) - 1, length = longest - 2 * t * power / (1 - power);
  const bool rectified = length > 5;
  double rate = this->learning_rates[u.group] / (1 - std::pow(first, t));
  if (rectified)
    rate *= std::sqrt((1 - power) * (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
  const T step(rate), sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  const Moments<T> moments(first, options.beta2);
  T* const mean = mean_.data() + u.first;
  T* const square = square_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    const T m = moments.mean(mean[k], g), v = moments.square(square[k], g);
    u.value[k] -= step * (rectified ? m / (std::sqrt(v) + eps) : m);
  }
}

template <class T>
void Adamax<T>::check(const AdamaxOptions& options) {
  detail::check_betas<T>(options);
}

template <class T>
void Adamax<T>::update(typename Optimizer<T>::Update u) {
  const AdamaxOptions& options = this->options_[u.group];
  const double first = this->momenta[u.group];
  const T rate(this->learning_rates[u.group] / (1 - std::pow(first, static_cast<double>(u.time))));
  const T sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  const Moments<T> moments(first, options.beta2);
  T* const mean = mean_.data() + u.first;
  T* const largest = largest_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    const T m = moments.mean(mean[k], g);
    largest[k] = std::max(moments.beta2 * largest[k], std::abs(g) + eps);
    u.value[k] -= rate * m / largest[k];
  }
}

template <class T>
void Adagrad<T>::check(const AdagradOptions& options) {
  require_not_negative<T>("lr_decay must not be negative", options.lr_decay);
  require_not_negative<T>("weight_decay must not be negative", options.weight_decay);
  require_not_negative<T>("initial_accumulator_value must not be negative", options.initial_accumulator_value);
  detail::require_eps<T>(options.eps);
}

template <class T>
std::vector<T> Adagrad<T>::initial() const {
  std::vector<T> square;
  for (std::size_t k = 0; k < this->parameters().size(); ++k)
    square.resize(square.size() + this->parameters()[k]->size(),
                  static_cast<T>(this->options_[this->groups_[k]].initial_accumulator_value));
  return square;
}

template <class T>
void Adagrad<T>::update(typename Optimizer<T>::Update u) {
  const AdagradOptions& options = this->options_[u.group];
  const T rate(this->learning_rates[u.group] / (1 + static_cast<double>(u.time - 1) * options.lr_decay));
  const T sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  T* const square = square_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    square[k] += g * g;
    u.value[k] -= rate * g / (std::sqrt(square[k]) + eps);
  }
}

template <class T>
void Adadelta<T>::check(const AdadeltaOptions& options) {
  require_rate("rho must be in [0, 1)", options.rho);
  detail::require_eps<T>(options.eps);
  require_not_negative<T>("weight_decay must not be negative", options.weight_decay);
}

template <class T>
void Adadelta<T>::update(typename Optimizer<T>::Update u) {
  const AdadeltaOptions& options = this->options_[u.group];
  const T sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  const T rho(options.rho), fresh(1 - options.rho);
  T* const square = square_.data() + u.first;
  T* const moved = moved_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    square[k] = rho * square[k] + fresh * g * g;
    const T step = std::sqrt(moved[k] + eps) / std::sqrt(square[k] + eps) * g;
    moved[k] = rho * moved[k] + fresh * step * step;
    u.value[k] -= u.rate * step;
  }
}

#define INSTANTIATE(T)       \
  template class NAdam<T>;   \
  template class RAdam<T>;   \
  template class Adamax<T>;  \
  template class Adagrad<T>; \
  template class Adadelta<T>;
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn
