// Elementary functions and activations, element by element.
#pragma once

#include <limits>
#include <numbers>

#include "autograd/op.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/selection.hpp"

namespace autograd {

namespace ops {

// y = exp(x),   dx = g y
struct Exp {
  static constexpr OpInfo info{.name = "exp", .vjp_reads = Reads::output, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return exp(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * y); }
};

// y = log(x),   dx = g / x
struct Log {
  static constexpr OpInfo info{.name = "log", .vjp_reads = Reads::inputs, .domain = {0.3, 3}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return log(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g / x); }
};

// y = sqrt(x),   dx = g / (2 y), 0 where y is 0
struct Sqrt {
  static constexpr OpInfo info{.name = "sqrt", .vjp_reads = Reads::output, .domain = {0.3, 3}};
  WENGERT_INLINE static auto forward(const auto& x) { return sqrt(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) {
    return gradients(masked(g / (2 * (y + equal(y, 0))), y));
  }
};

// y = 1 / sqrt(x),   dx = -g y^3 / 2
struct Rsqrt {
  static constexpr OpInfo info{.name = "rsqrt", .vjp_reads = Reads::output, .domain = {0.3, 3}};
  WENGERT_INLINE static auto forward(const auto& x) { return 1 / sqrt(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) {
    return gradients(g * (y * y * y) * -0.5);
  }
};

// y = exp(x) - 1,   dx = g (y + 1)
struct Expm1 {
  static constexpr OpInfo info{.name = "expm1", .vjp_reads = Reads::output, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return expm1(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * (y + 1)); }
};

// y = log(1 + x),   dx = g / (1 + x)
struct Log1p {
  static constexpr OpInfo info{.name = "log1p", .vjp_reads = Reads::inputs, .domain = {-0.5, 3}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return log1p(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g / (1 + x)); }
};

// y = log(exp(a) + exp(b)),   da = g sigmoid(a - b),  db = g sigmoid(b - a). Equal infinities differ by 0; where both
// are negative nothing is added up, and the gradient is 0.
struct LogAddExp {
  static constexpr OpInfo info{.name = "logaddexp", .inputs = 2, .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) {
    return maximum(a, b) + log1p(exp(-abs(difference(a, b))));
  }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& a, const auto& b) {
    const auto d = difference(a, b), any = something(a, b);
    return gradients(masked(g * sigmoid(d), any), masked(g * sigmoid(-d), any));
  }
  WENGERT_INLINE static auto difference(const auto& a, const auto& b) {
    const auto d = a - b;
    return masked(d, equal(greater(equal(a, b), equal(d, d)), 0));
  }
  WENGERT_INLINE static auto something(const auto& a, const auto& b) {
    return equal(equal(maximum(a, b), -std::numeric_limits<double>::infinity()), 0);
  }
};

// y = 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x,   dx = g 2/sqrt(pi) exp(-x^2)
struct Erf {
  static constexpr OpInfo info{.name = "erf", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return erf(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) {
    return gradients(g * exp(-(x * x)) * two_by_root_pi);
  }
  static constexpr double two_by_root_pi = 1.1283791670955126;
};

// y = 1 - erf(x),   dx = -g 2/sqrt(pi) exp(-x^2)
struct Erfc {
  static constexpr OpInfo info{.name = "erfc", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return erfc(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) {
    return gradients(g * exp(-(x * x)) * -Erf::two_by_root_pi);
  }
};

// y = tanh(x),   dx = g (1 - y^2)
struct Tanh {
  static constexpr OpInfo info{.name = "tanh", .vjp_reads = Reads::output, .domain = {-3, 3}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return tanh(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * (1 - y * y)); }
};

// y = 1 / (1 + exp(-x)),   dx = g y (1 - y)
struct Sigmoid {
  static constexpr OpInfo info{.name = "sigmoid", .vjp_reads = Reads::output, .domain = {-4, 4}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return sigmoid(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * (y * (1 - y))); }
};

// y = max(x, 0),   dx = g [y > 0]; 0 at the kink
struct Relu {
  static constexpr OpInfo info{.name = "relu", .vjp_reads = Reads::output};
  WENGERT_INLINE static auto forward(const auto& x) { return maximum(x, 0); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) {
    return gradients(masked(g, greater(y, 0)));
  }
};

// y = log(1 + exp(beta x)) / beta, x itself where beta x > threshold,   dx = g sigmoid(beta x), g above the threshold
struct Softplus {
  static constexpr OpInfo info{.name = "softplus", .vjp_reads = Reads::inputs, .domain = {-4, 4}, .expensive = true};
  double beta = 1;
  double threshold = 20;
  WENGERT_INLINE auto forward(const auto& x) const {
    const auto u = x * beta;
    return where(greater(u, threshold), x, (maximum(u, 0) + log1p(exp(-abs(u)))) / beta);
  }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    const auto u = x * beta;
    return gradients(where(greater(u, threshold), g, g * sigmoid(u)));
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("beta", self.beta);
    visitor("threshold", self.threshold);
  }
};

// y = |x|,   dx = g sign(x); 0 at 0
struct Abs {
  static constexpr OpInfo info{.name = "abs", .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& x) { return abs(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * sign(x)); }
};

}  // namespace ops

WENGERT_INLINE auto exp(const Value auto& x) { return detail::call(ops::Exp{}, x); }
/// The natural logarithm.
WENGERT_INLINE auto log(const Value auto& x) { return detail::call(ops::Log{}, x); }
/// Its gradient at 0 is 0.
WENGERT_INLINE auto sqrt(const Value auto& x) { return detail::call(ops::Sqrt{}, x); }
/// 1 / sqrt(x).
WENGERT_INLINE auto rsqrt(const Value auto& x) { return detail::call(ops::Rsqrt{}, x); }
/// exp(x) - 1, accurate for small x.
WENGERT_INLINE auto expm1(const Value auto& x) { return detail::call(ops::Expm1{}, x); }
/// log(1 + x), accurate for small x.
WENGERT_INLINE auto log1p(const Value auto& x) { return detail::call(ops::Log1p{}, x); }
WENGERT_INLINE auto log2(const Value auto& x) { return log(x) / std::numbers::ln2; }
WENGERT_INLINE auto log10(const Value auto& x) { return log(x) / std::numbers::ln10; }
/// log(exp(a) + exp(b)), without overflow, also of infinite operands. Its gradient is 0 where both are -infinity, and
/// is shared in halves where both are infinity.
template <Value A, Like<A> B>
WENGERT_INLINE auto logaddexp(const A& a, const B& b) {
  return detail::call(ops::LogAddExp{}, a, b);
}
/// The error function.
WENGERT_INLINE auto erf(const Value auto& x) { return detail::call(ops::Erf{}, x); }
/// 1 - erf(x), accurate for large x.
WENGERT_INLINE auto erfc(const Value auto& x) { return detail::call(ops::Erfc{}, x); }
WENGERT_INLINE auto tanh(const Value auto& x) { return detail::call(ops::Tanh{}, x); }
/// The logistic function 1 / (1 + exp(-x)).
WENGERT_INLINE auto sigmoid(const Value auto& x) { return detail::call(ops::Sigmoid{}, x); }
/// max(x, 0); its gradient at 0 is 0.
WENGERT_INLINE auto relu(const Value auto& x) { return detail::call(ops::Relu{}, x); }
/// log(1 + exp(beta x)) / beta; x itself where beta x exceeds the threshold, as in PyTorch.
WENGERT_INLINE auto softplus(const Value auto& x, double beta = 1, double threshold = 20) {
  return detail::call(ops::Softplus{beta, threshold}, x);
}
/// |x|; its gradient at 0 is 0.
WENGERT_INLINE auto abs(const Value auto& x) { return detail::call(ops::Abs{}, x); }

}  // namespace autograd
