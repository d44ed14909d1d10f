// Elementary functions and activations, element by element.
#pragma once

#include "autograd/op.hpp"
#include "autograd/variable.hpp"

namespace autograd {

namespace ops {

// y = exp(x),   dx = g y
struct Exp {
  static constexpr OpInfo info{.name = "exp", .vjp_reads = Reads::output, .dear = true};
  WENGERT_INLINE static auto forward(const auto& x) { return exp(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * y); }
};

// y = log(x),   dx = g / x
struct Log {
  static constexpr OpInfo info{.name = "log", .vjp_reads = Reads::inputs, .domain = {0.3, 3}, .dear = true};
  WENGERT_INLINE static auto forward(const auto& x) { return log(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g / x); }
};

// y = sqrt(x),   dx = g / (2 y)
struct Sqrt {
  static constexpr OpInfo info{.name = "sqrt", .vjp_reads = Reads::output, .domain = {0.3, 3}};
  WENGERT_INLINE static auto forward(const auto& x) { return sqrt(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g / (2 * y)); }
};

// y = tanh(x),   dx = g (1 - y^2)
struct Tanh {
  static constexpr OpInfo info{.name = "tanh", .vjp_reads = Reads::output, .domain = {-3, 3}, .dear = true};
  WENGERT_INLINE static auto forward(const auto& x) { return tanh(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * (1 - y * y)); }
};

// y = 1 / (1 + exp(-x)),   dx = g y (1 - y)
struct Sigmoid {
  static constexpr OpInfo info{.name = "sigmoid", .vjp_reads = Reads::output, .domain = {-4, 4}, .dear = true};
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
  static constexpr OpInfo info{.name = "softplus", .vjp_reads = Reads::inputs, .domain = {-4, 4}, .dear = true};
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
  std::string attributes() const;
};

// y = |x|,   dx = g sign(x); 0 at 0
struct Abs {
  static constexpr OpInfo info{.name = "abs", .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& x) { return abs(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * sign(x)); }
};

}  // namespace ops

template <class T>
Variable<T> exp(Variable<T> x);
/// The natural logarithm.
template <class T>
Variable<T> log(Variable<T> x);
template <class T>
Variable<T> sqrt(Variable<T> x);
template <class T>
Variable<T> tanh(Variable<T> x);
/// The logistic function 1 / (1 + exp(-x)).
template <class T>
Variable<T> sigmoid(Variable<T> x);
/// max(x, 0); its gradient at 0 is 0.
template <class T>
Variable<T> relu(Variable<T> x);
/// log(1 + exp(beta x)) / beta; x itself where beta x exceeds the threshold, as in PyTorch.
template <class T>
Variable<T> softplus(Variable<T> x, double beta = 1, double threshold = 20);
/// |x|; its gradient at 0 is 0.
template <class T>
Variable<T> abs(Variable<T> x);

}  // namespace autograd
