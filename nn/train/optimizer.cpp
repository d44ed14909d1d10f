#include "nn/train/optimizer.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "nn/train/optimizer_checks.hpp"

namespace nn {

using autograd::ValueError;
using detail::require_not_negative;
using detail::require_rate;

namespace {

/// Whether all numbers are finite, by their bits: as integers they compare many at a time, and fast arithmetic changes
/// nothing about it.
template <class T>
bool all_finite(const T* values, std::size_t size) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const Bits magnitude = std::numeric_limits<Bits>::max() >> 1;
  Bits largest = 0;
  for (std::size_t k = 0; k < size; ++k) largest = std::max(largest, std::bit_cast<Bits>(values[k]) & magnitude);
  return largest < std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
}

}  // namespace

template <class T>
void Optimizer<T>::add_group(const std::vector<Parameter<T>*>& parameters, double learning_rate) {
  require_not_negative<T>("learning_rate must not be negative", learning_rate);
  for (Parameter<T>* parameter : parameters) {
    if (!parameter)
      throw ValueError("optimizer: parameter " + std::to_string(parameters_.size()) + " is a null pointer");
    if (!held_.insert(parameter).second)
      throw ValueError("optimizer: parameter " + std::to_string(parameters_.size()) + " of shape " +
                       to_string(parameter->shape()) + " is there already; name each parameter once, in one group");
    parameters_.push_back(parameter);
    groups_.push_back(this->learning_rates.size());
    shapes_.push_back(parameter->shape());
  }
  this->learning_rates.push_back(learning_rate);
  ++group_count_;
}

template <class T>
void Optimizer<T>::check_rates() const {
  const auto check = [](const char* what, const std::vector<double>& rates, std::size_t count) {
    if (rates.size() != count)
      throw ValueError("optimizer: there are " + std::to_string(rates.size()) + " entries for the " + what + " of " +
                       std::to_string(count) + " groups; nothing was updated");
    for (std::size_t group = 0; group < rates.size(); ++group)
      if (!(rates[group] >= 0 && rates[group] <= std::numeric_limits<T>::max()))
        throw ValueError("optimizer: the " + std::string(what) + " of group " + std::to_string(group) + " is " +
                         autograd::fixed_text(rates[group]) +
                         "; it must be finite and not negative; nothing was updated");
  };
  check("learning rate", this->learning_rates, group_count_);
  check("momentum", this->momenta, momentum_count_);
  if (!averages_) return;
  for (std::size_t group = 0; group < momentum_count_; ++group)
    if (!(this->momenta[group] < 1))
      throw ValueError("optimizer: beta1 of group " + std::to_string(group) + " is " +
                       autograd::fixed_text(this->momenta[group]) + "; it must be below 1; nothing was updated");
}

template <class T>
void Optimizer<T>::check_shapes() const {
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const autograd::Shape value = parameters_[k]->shape(), gradient = autograd::shape_of(parameters_[k]->grad());
    if (value == shapes_[k] && gradient == shapes_[k]) continue;
    throw ValueError("optimizer: parameter " + std::to_string(k) + " had shape " + to_string(shapes_[k]) +
                     " when the optimizer was made, and has " + to_string(value) + " with a gradient of " +
                     to_string(gradient) + " now; nothing was updated; make an optimizer for it");
  }
}

template <class T>
void Optimizer<T>::check_finite() const {
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const T* const gradient = parameters_[k]->grad().data();
    for (std::size_t at = 0; at < parameters_[k]->size(); ++at)
      if (!std::isfinite(gradient[at]))
        throw ValueError("optimizer: the gradient of parameter " + std::to_string(k) + " of shape " +
                         to_string(parameters_[k]->shape()) + " holds " + autograd::fixed_text(gradient[at]) +
                         "; nothing was updated; look at the loss, clip gradients, or set non_finite to "
                         "NonFinite::skip");
  }
}

template <class T>
void Optimizer<T>::step() {
  check_rates();
  check_shapes();
  const bool finite = std::all_of(parameters_.begin(), parameters_.end(), [](const Parameter<T>* parameter) {
    return all_finite(parameter->grad().data(), parameter->size());
  });
  if (!finite) {
    if (non_finite == NonFinite::error) check_finite();
    ++skipped_;
    return;
  }
  ++time_;
  begin_step(time_);
  std::size_t first = 0;
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    Parameter<T>& parameter = *parameters_[k];
    const std::size_t size = parameter.size();
    const T rate(this->learning_rates[groups_[k]]);
    parameter.update([&](auto& values) {
      update({values.data(), parameter.grad().data(), size, first, groups_[k], rate, time_});
    });
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
void SGD<T>::check(const SGDOptions& options) {
  require_not_negative<T>("momentum must not be negative", options.momentum);
  require_not_negative<T>("weight_decay must not be negative", options.weight_decay);
  require_not_negative<T>("dampening must not be negative", options.dampening);
  if (options.nesterov && options.momentum == 0) detail::refuse_option("nesterov needs a momentum", options.momentum);
  if (options.nesterov && options.dampening != 0)
    detail::refuse_option("nesterov needs a dampening of 0", options.dampening);
}

template <class T>
void SGD<T>::update(typename Optimizer<T>::Update u) {
  const SGDOptions& options = this->options_[u.group];
  const T sign = detail::direction<T>(options), decay(options.weight_decay);
  const T momentum(velocity_.empty() ? 0 : this->momenta[u.group]);
  if (momentum == 0) {
    for (std::size_t k = 0; k < u.size; ++k) u.value[k] -= u.rate * (sign * u.gradient[k] + decay * u.value[k]);
    return;
  }
  const T fresh(u.time == 1 ? 1 : 1 - options.dampening);
  const bool nesterov = options.nesterov;
  T* const velocity = velocity_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    velocity[k] = momentum * velocity[k] + fresh * g;
    u.value[k] -= u.rate * (nesterov ? g + momentum * velocity[k] : velocity[k]);
  }
}

template <class T>
void RMSProp<T>::check(const RMSPropOptions& options) {
  require_rate("alpha must be in [0, 1)", options.alpha);
  detail::require_eps<T>(options.eps);
  require_not_negative<T>("weight_decay must not be negative", options.weight_decay);
  require_not_negative<T>("momentum must not be negative", options.momentum);
}

template <class T>
void RMSProp<T>::update(typename Optimizer<T>::Update u) {
  const RMSPropOptions& options = this->options_[u.group];
  const T sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  const T alpha(options.alpha), fresh(1 - options.alpha);
  const T momentum(velocity_.empty() ? 0 : this->momenta[u.group]);
  T* const square = square_.data() + u.first;
  T* const average = options.centered ? average_.data() + u.first : nullptr;
  T* const velocity = velocity_.empty() ? nullptr : velocity_.data() + u.first;
  for (std::size_t k = 0; k < u.size; ++k) {
    const T g = sign * u.gradient[k] + decay * u.value[k];
    square[k] = alpha * square[k] + fresh * g * g;
    T variance = square[k];
    if (average) {
      average[k] = alpha * average[k] + fresh * g;
      variance -= average[k] * average[k];
    }
    T step = g / (std::sqrt(std::max(variance, T(0))) + eps);  // rounding may leave it below 0
    if (velocity) step = velocity[k] = momentum * velocity[k] + step;
    u.value[k] -= u.rate * step;
  }
}

namespace {

AdamOptions of_adam(const AdamOptions& options) { return options; }
AdamOptions of_adam(const AdamWOptions& o) {
  return {o.learning_rate, o.beta1, o.beta2, o.eps, 0, o.weight_decay, o.amsgrad, o.maximize};
}

}  // namespace

template <class T, class Options>
void AdamOf<T, Options>::check(const Options& given) {
  const AdamOptions options = of_adam(given);
  detail::check_betas<T>(options);
  require_not_negative<T>(std::is_same_v<Options, AdamWOptions> ? "weight_decay must not be negative"
                                                                : "decoupled_weight_decay must not be negative",
                          options.decoupled_weight_decay);
}

template <class T, class Options>
void AdamOf<T, Options>::update(typename Optimizer<T>::Update u) {
  const AdamOptions options = of_adam(this->options_[u.group]);
  const double t = static_cast<double>(u.time), first_beta = this->momenta[u.group];
  const T rate(this->learning_rates[u.group] / (1 - std::pow(first_beta, t)));
  const T scale(1 / std::sqrt(1 - std::pow(options.beta2, t)));
  const T sign = detail::direction<T>(options), decay(options.weight_decay), eps(options.eps);
  const T kept(1 - this->learning_rates[u.group] * options.decoupled_weight_decay);
  const T beta1(first_beta), beta2(options.beta2), fresh1(1 - first_beta), fresh2(1 - options.beta2);
  T* const mean = mean_.data() + u.first;
  T* const square = square_.data() + u.first;
  const auto move = [&](auto largest) {
    for (std::size_t k = 0; k < u.size; ++k) {
      const T p = u.value[k] * kept;
      const T g = sign * u.gradient[k] + decay * p;
      mean[k] = beta1 * mean[k] + fresh1 * g;
      square[k] = beta2 * square[k] + fresh2 * g * g;
      u.value[k] = p - rate * mean[k] / (std::sqrt(largest(k)) * scale + eps);
    }
  };
  if (!options.amsgrad) return move([square](std::size_t k) { return square[k]; });
  T* const largest = largest_.data() + u.first;
  move([square, largest](std::size_t k) { return largest[k] = std::max(largest[k], square[k]); });
}

#define INSTANTIATE(T)                   \
  template class Optimizer<T>;           \
  template class SGD<T>;                 \
  template class RMSProp<T>;             \
  template class AdamOf<T, AdamOptions>; \
  template class AdamOf<T, AdamWOptions>;
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn
