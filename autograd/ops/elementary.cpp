#include "autograd/ops/elementary.hpp"

#include "autograd/ops/on_tape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

template struct detail::OnTape<ops::Exp>;
template struct detail::OnTape<ops::Log>;
template struct detail::OnTape<ops::Sqrt>;
template struct detail::OnTape<ops::Rsqrt>;
template struct detail::OnTape<ops::Expm1>;
template struct detail::OnTape<ops::Log1p>;
template struct detail::OnTape<ops::LogAddExp>;
template struct detail::OnTape<ops::Erf>;
template struct detail::OnTape<ops::Erfc>;
template struct detail::OnTape<ops::Tanh>;
template struct detail::OnTape<ops::Sigmoid>;
template struct detail::OnTape<ops::Relu>;
template struct detail::OnTape<ops::Softplus>;
template struct detail::OnTape<ops::Abs>;

namespace {
// Made of log, but listed under the names users call.
constexpr OpInfo log2_info{.name = "log2", .domain = {0.3, 3}};
constexpr OpInfo log10_info{.name = "log10", .domain = {0.3, 3}};
}  // namespace

std::vector<RegisteredOp> elementary_ops() {
  RegisteredOp plus = elementwise_op<ops::Softplus>([](auto x) { return softplus(x[0]); });
  plus.samples.emplace_back(
      "softplus beta 2, threshold 3", std::vector<Shape>{{4, 9}}, [](auto x) { return softplus(x[0], 2, 3); },
      ops::Softplus::info.domain);
  return {elementwise_op<ops::Exp>([](auto x) { return exp(x[0]); }),
          elementwise_op<ops::Log>([](auto x) { return log(x[0]); }),
          elementwise_op<ops::Sqrt>([](auto x) { return sqrt(x[0]); }),
          elementwise_op<ops::Rsqrt>([](auto x) { return rsqrt(x[0]); }),
          elementwise_op<ops::Expm1>([](auto x) { return expm1(x[0]); }),
          elementwise_op<ops::Log1p>([](auto x) { return log1p(x[0]); }),
          {&log2_info, {{"log2", {{3, 5}}, [](auto x) { return log2(x[0]); }, log2_info.domain}}, {}},
          {&log10_info, {{"log10", {{3, 5}}, [](auto x) { return log10(x[0]); }, log10_info.domain}}, {}},
          elementwise_op<ops::LogAddExp>([](auto x) { return logaddexp(x[0], x[1]); }),
          elementwise_op<ops::Erf>([](auto x) { return erf(x[0]); }),
          elementwise_op<ops::Erfc>([](auto x) { return erfc(x[0]); }),
          elementwise_op<ops::Tanh>([](auto x) { return tanh(x[0]); }),
          elementwise_op<ops::Sigmoid>([](auto x) { return sigmoid(x[0]); }),
          elementwise_op<ops::Relu>([](auto x) { return relu(x[0]); }),
          plus,
          elementwise_op<ops::Abs>([](auto x) { return abs(x[0]); })};
}

}  // namespace autograd
