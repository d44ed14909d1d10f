// Activations beyond sigmoid, tanh, relu and softplus: the rules with a kink, and compositions of other ops.
#pragma once

#include <limits>

#include "autograd/op.hpp"
#include "autograd/variable.hpp"

namespace autograd {

namespace ops {

// y = x where x > 0, slope x elsewhere,   dx = g where x > 0, slope g elsewhere
struct LeakyRelu {
  static constexpr OpInfo info{.name = "leaky_relu", .vjp_reads = Reads::inputs};
  double slope;
  auto forward(const auto& x) const { return where(greater(x, 0), x, x * slope); }
  auto vjp(const auto& g, const auto&, const auto& x) const { return gradients(where(greater(x, 0), g, g * slope)); }
  std::string attributes() const;
};

// y = x where x > 0, alpha (exp(x) - 1) elsewhere,   dx = g where x > 0, g alpha exp(x) elsewhere. The exponential sees
// only the branch it belongs to, so it does not overflow on the other.
struct Elu {
  static constexpr OpInfo info{.name = "elu", .vjp_reads = Reads::inputs};
  double alpha;
  auto forward(const auto& x) const {
    return where(greater(x, 0), x, expm1(masked(x, equal(greater(x, 0), 0))) * alpha);
  }
  auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(where(greater(x, 0), g, g * (exp(masked(x, equal(greater(x, 0), 0))) * alpha)));
  }
  std::string attributes() const;
};

// y = x where x > 0, alpha (exp(x / alpha) - 1) elsewhere,   dx = g where x > 0, g exp(x / alpha) elsewhere
struct Celu {
  static constexpr OpInfo info{.name = "celu", .vjp_reads = Reads::inputs};
  double alpha;
  auto forward(const auto& x) const {
    return where(greater(x, 0), x, expm1(masked(x, equal(greater(x, 0), 0)) / alpha) * alpha);
  }
  auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(where(greater(x, 0), g, g * exp(masked(x, equal(greater(x, 0), 0)) / alpha)));
  }
  std::string attributes() const;
};

// y = x within [low, high],   dx = g where low < x < high, 0 elsewhere, also on the bounds
struct HardTanh {
  static constexpr OpInfo info{.name = "hard_tanh", .vjp_reads = Reads::inputs};
  double low, high;
  auto forward(const auto& x) const { return clip(x, low, high); }
  auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(masked(g, greater(x, low) * greater(-x, -high)));
  }
  std::string attributes() const;
};

}  // namespace ops

/// x where x > 0, slope x elsewhere; its gradient at 0 is the slope.
template <class T>
Variable<T> leaky_relu(Variable<T> x, double slope = 0.01);
/// x where x > 0, slope x elsewhere, with a slope that is learnt and broadcast.
template <class T>
Variable<T> prelu(Variable<T> x, Variable<T> slope);
/// x where x > 0, alpha (exp(x) - 1) elsewhere.
template <class T>
Variable<T> elu(Variable<T> x, double alpha = 1);
/// x where x > 0, alpha (exp(x / alpha) - 1) elsewhere: continuously differentiable for every alpha.
/// Throws ValueError for an alpha of 0.
template <class T>
Variable<T> celu(Variable<T> x, double alpha = 1);
/// Self-normalizing (Klambauer et al. 2017): 1.0507 elu(x, 1.67326).
template <class T>
Variable<T> selu(Variable<T> x);
/// x within [low, high]; its gradient on the bounds is 0.
template <class T>
Variable<T> hard_tanh(Variable<T> x, double low = -1, double high = 1);
/// x within [0, 6].
template <class T>
Variable<T> relu6(Variable<T> x);
/// x / 6 + 1/2 within [0, 1]; its gradient on the bounds is 0.
template <class T>
Variable<T> hard_sigmoid(Variable<T> x);
/// x times (x / 6 + 1/2 within [0, 1]).
template <class T>
Variable<T> hard_swish(Variable<T> x);
/// x where x > threshold, the value elsewhere.
template <class T>
Variable<T> threshold(Variable<T> x, double threshold, double value);
/// log(sigmoid(x)), without overflow.
template <class T>
Variable<T> log_sigmoid(Variable<T> x);
/// x sigmoid(x), also known as swish.
template <class T>
Variable<T> silu(Variable<T> x);

enum class Gelu { exact, tanh };
/// x times the probability that a standard normal number is below x; or the approximation
/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016).
template <class T>
Variable<T> gelu(Variable<T> x, Gelu form = Gelu::exact);
/// x tanh(softplus(x)) (Misra 2019).
template <class T>
Variable<T> mish(Variable<T> x);
/// x / (1 + |x|).
template <class T>
Variable<T> softsign(Variable<T> x);
/// x - tanh(x).
template <class T>
Variable<T> tanhshrink(Variable<T> x);
/// a sigmoid(b) for the halves a and b of x along an axis. Throws ShapeError for an odd extent.
template <class T>
Variable<T> glu(Variable<T> x, Index axis = -1);

}  // namespace autograd
