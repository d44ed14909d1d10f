#include "autograd/ops/elementary.hpp"

#include "elementwise.hpp"

namespace autograd::testing {

namespace {
// Made of log, but listed under the names users call.
constexpr OpInfo log2_info{.name = "log2", .domain = {0.3, 3}};
constexpr OpInfo log10_info{.name = "log10", .domain = {0.3, 3}};
}  // namespace

std::vector<RegisteredOp> elementary_ops() {
  return {elementwise_op<ops::Exp>([](auto x) { return exp(x); }),
          elementwise_op<ops::Log>([](auto x) { return log(x); }),
          elementwise_op<ops::Sqrt>([](auto x) { return sqrt(x); }),
          elementwise_op<ops::Rsqrt>([](auto x) { return rsqrt(x); }),
          elementwise_op<ops::Expm1>([](auto x) { return expm1(x); }),
          elementwise_op<ops::Log1p>([](auto x) { return log1p(x); }),
          elementwise_op<log2_info>([](auto x) { return log2(x); }),
          elementwise_op<log10_info>([](auto x) { return log10(x); }),
          elementwise_op<ops::LogAddExp>([](auto a, auto b) { return logaddexp(a, b); }),
          elementwise_op<ops::Erf>([](auto x) { return erf(x); }),
          elementwise_op<ops::Erfc>([](auto x) { return erfc(x); }),
          elementwise_op<ops::Tanh>([](auto x) { return tanh(x); }),
          elementwise_op<ops::Sigmoid>([](auto x) { return sigmoid(x); }),
          elementwise_op<ops::Relu>([](auto x) { return relu(x); }),
          elementwise_op<ops::Softplus>([](auto x) { return softplus(x); }, [](auto x) { return softplus(x, 2, 3); }),
          elementwise_op<ops::Abs>([](auto x) { return abs(x); })};
}

}  // namespace autograd::testing
