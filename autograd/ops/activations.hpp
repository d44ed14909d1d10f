// Activations beyond sigmoid, tanh, relu and softplus: the rules with a kink, and compositions of other ops.
#pragma once

#include <limits>
#include <numbers>

#include "autograd/op.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/selection.hpp"

namespace autograd {

namespace ops {

// y = x where x > 0, slope x elsewhere,   dx = g where x > 0, slope g elsewhere
struct LeakyRelu {
  static constexpr OpInfo info{.name = "leaky_relu", .vjp_reads = Reads::inputs};
  double slope;
  WENGERT_INLINE auto forward(const auto& x) const { return where(greater(x, 0), x, x * slope); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(where(greater(x, 0), g, g * slope));
  }
  static void visit(auto& self, auto&& visitor) { visitor("slope", self.slope); }
};

// y = x where x > 0, alpha (exp(x) - 1) elsewhere,   dx = g where x > 0, g alpha exp(x) elsewhere. The exponential sees
// only the branch it belongs to, so it does not overflow on the other.
struct Elu {
  static constexpr OpInfo info{.name = "elu", .vjp_reads = Reads::inputs};
  double alpha;
  WENGERT_INLINE auto forward(const auto& x) const {
    return where(greater(x, 0), x, expm1(masked(x, equal(greater(x, 0), 0))) * alpha);
  }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(where(greater(x, 0), g, g * (exp(masked(x, equal(greater(x, 0), 0))) * alpha)));
  }
  static void visit(auto& self, auto&& visitor) { visitor("alpha", self.alpha); }
};

// y = x where x > 0, alpha (exp(x / alpha) - 1) elsewhere,   dx = g where x > 0, g exp(x / alpha) elsewhere
struct Celu {
  static constexpr OpInfo info{.name = "celu", .vjp_reads = Reads::inputs};
  double alpha;
  WENGERT_INLINE auto forward(const auto& x) const {
    return where(greater(x, 0), x, expm1(masked(x, equal(greater(x, 0), 0)) / alpha) * alpha);
  }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(where(greater(x, 0), g, g * exp(masked(x, equal(greater(x, 0), 0)) / alpha)));
  }
  static void visit(auto& self, auto&& visitor) { visitor("alpha", self.alpha); }
};

// y = x within [low, high],   dx = g where low < x < high, 0 elsewhere, also on the bounds
struct HardTanh {
  static constexpr OpInfo info{.name = "hard_tanh", .vjp_reads = Reads::inputs};
  double low, high;
  WENGERT_INLINE auto forward(const auto& x) const { return clip(x, low, high); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(masked(g, greater(x, low) * greater(-x, -high)));
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("low", self.low);
    visitor("high", self.high);
  }
};

}  // namespace ops

namespace detail {
[[noreturn]] void throw_celu();
}

/// x where x > 0, slope x elsewhere; its gradient at 0 is the slope.
WENGERT_INLINE auto leaky_relu(const Value auto& x, double slope = 0.01) {
  return detail::call(ops::LeakyRelu{slope}, x);
}
/// x where x > 0, slope x elsewhere, with a slope that is learnt and broadcast.
template <Value X, Like<X> S>
WENGERT_INLINE auto prelu(const X& x, const S& slope) {
  return together(
      "prelu", [&] { return where(greater(x, 0), x, slope * x); }, x, slope);
}
template <class T>
Variable<T> prelu(Variable<T> x, Parameter<T>& slope) {
  return with_parameters(
      "prelu", x, [&](Variable<T> p) { return prelu(x, p); }, slope);
}
/// x where x > 0, alpha (exp(x) - 1) elsewhere.
WENGERT_INLINE auto elu(const Value auto& x, double alpha = 1) { return detail::call(ops::Elu{alpha}, x); }
/// x where x > 0, alpha (exp(x / alpha) - 1) elsewhere: continuously differentiable for every alpha.
/// Throws ValueError for an alpha of 0.
WENGERT_INLINE auto celu(const Value auto& x, double alpha = 1) {
  if (alpha == 0) detail::throw_celu();
  return detail::call(ops::Celu{alpha}, x);
}
/// Self-normalizing (Klambauer et al. 2017): 1.0507 elu(x, 1.67326).
WENGERT_INLINE auto selu(const Value auto& x) { return 1.0507009873554805 * elu(x, 1.6732632423543772); }
/// x within [low, high]; its gradient on the bounds is 0.
WENGERT_INLINE auto hard_tanh(const Value auto& x, double low = -1, double high = 1) {
  return detail::call(ops::HardTanh{low, high}, x);
}
/// x within [0, 6].
WENGERT_INLINE auto relu6(const Value auto& x) { return hard_tanh(x, 0, 6); }
/// x / 6 + 1/2 within [0, 1]; its gradient on the bounds is 0.
WENGERT_INLINE auto hard_sigmoid(const Value auto& x) { return hard_tanh(x + 3, 0, 6) / 6; }
/// x times (x / 6 + 1/2 within [0, 1]).
WENGERT_INLINE auto hard_swish(const Value auto& x) { return x * (clip(x + 3, 0, 6) / 6); }
/// x where x > threshold, the value elsewhere.
WENGERT_INLINE auto threshold(const Value auto& x, double threshold, double value) {
  return where(greater(x, threshold), x, value);
}
/// log(sigmoid(x)), without overflow.
WENGERT_INLINE auto log_sigmoid(const Value auto& x) {
  return -softplus(-x, 1, std::numeric_limits<double>::infinity());
}
/// x sigmoid(x), also known as swish.
WENGERT_INLINE auto silu(const Value auto& x) { return x * sigmoid(x); }

enum class Gelu { exact, tanh };
/// x times the probability that a standard normal number is below x; or the approximation
/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016).
template <Value X>
WENGERT_INLINE X gelu(const X& x, Gelu form = Gelu::exact) {
  if (form == Gelu::exact) return x * (erfc(x * (-1 / std::numbers::sqrt2)) / 2);
  constexpr double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return x * ((tanh(scale * (x * (1 + 0.044715 * square(x)))) + 1) / 2);
}
/// x tanh(softplus(x)) (Misra 2019).
WENGERT_INLINE auto mish(const Value auto& x) { return x * tanh(softplus(x)); }
/// x / (1 + |x|).
WENGERT_INLINE auto softsign(const Value auto& x) { return x / (1 + abs(x)); }
/// x - tanh(x).
WENGERT_INLINE auto tanhshrink(const Value auto& x) { return x - tanh(x); }
/// a sigmoid(b) for the halves a and b of x along an axis. Throws ShapeError for an odd extent.
template <class T>
Variable<T> glu(Variable<T> x, Index axis = -1);

}  // namespace autograd
