// What optimizers refuse of their options.
#pragma once

#include <cmath>
#include <string>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace nn::detail {

[[noreturn]] inline void refuse_option(const char* what, double value) {
  throw autograd::ValueError(std::string("optimizer: ") + what + ", got " + autograd::fixed_text(value));
}

/// Refuses what is infinite in the type of the parameters, too.
template <class T>
void require_not_negative(const char* what, double value) {
  if (!(value >= 0)) refuse_option(what, value);
  if (!std::isfinite(value)) refuse_option((std::string(what) + ", and must be finite").c_str(), value);
  if (!std::isfinite(static_cast<T>(value)))
    refuse_option((std::string(what) + ", and must be finite in the type of the parameters").c_str(), value);
}

inline void require_rate(const char* what, double value) {
  if (!(value >= 0 && value < 1)) refuse_option(what, value);
}

/// What is added to a divisor that is 0 where a gradient has always been: without it the parameter would become NaN.
template <class T>
void require_eps(double eps) {
  require_not_negative<T>("eps must be positive", eps);
  if (static_cast<T>(eps) == 0)
    throw autograd::ValueError("optimizer: eps must be positive, got " + autograd::number_text(eps) +
                               ", which is 0 in the type of the parameters");
}

/// Checks the options that Adam, AdamW, NAdam and the like share.
template <class T, class Options>
void check_betas(const Options& options) {
  require_rate("beta1 must be in [0, 1)", options.beta1);
  require_rate("beta2 must be in [0, 1)", options.beta2);
  require_eps<T>(options.eps);
  require_not_negative<T>("weight_decay must not be negative", options.weight_decay);
}

/// 1, or -1 to go uphill.
template <class T, class Options>
T direction(const Options& options) {
  return options.maximize ? T(-1) : T(1);
}

}  // namespace nn::detail
