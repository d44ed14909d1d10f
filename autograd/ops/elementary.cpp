#include "autograd/ops/elementary.hpp"

#include <numbers>

#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/attributes.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/registry.hpp"

namespace autograd {

std::string ops::Softplus::attributes() const {
  return attribute("beta", beta) + ", " + attribute("threshold", threshold);
}

template <class T>
Variable<T> exp(Variable<T> x) {
  return apply(ops::Exp{}, x);
}
template <class T>
Variable<T> log(Variable<T> x) {
  return apply(ops::Log{}, x);
}
template <class T>
Variable<T> sqrt(Variable<T> x) {
  return apply(ops::Sqrt{}, x);
}
template <class T>
Variable<T> rsqrt(Variable<T> x) {
  return apply(ops::Rsqrt{}, x);
}
template <class T>
Variable<T> expm1(Variable<T> x) {
  return apply(ops::Expm1{}, x);
}
template <class T>
Variable<T> log1p(Variable<T> x) {
  return apply(ops::Log1p{}, x);
}
template <class T>
Variable<T> log2(Variable<T> x) {
  return log(x) / std::numbers::ln2;
}
template <class T>
Variable<T> log10(Variable<T> x) {
  return log(x) / std::numbers::ln10;
}
template <class T>
Variable<T> logaddexp(Variable<T> a, Variable<T> b) {
  return apply(ops::LogAddExp{}, a, b);
}
template <class T>
Variable<T> erf(Variable<T> x) {
  return apply(ops::Erf{}, x);
}
template <class T>
Variable<T> erfc(Variable<T> x) {
  return apply(ops::Erfc{}, x);
}
template <class T>
Variable<T> tanh(Variable<T> x) {
  return apply(ops::Tanh{}, x);
}
template <class T>
Variable<T> sigmoid(Variable<T> x) {
  return apply(ops::Sigmoid{}, x);
}
template <class T>
Variable<T> relu(Variable<T> x) {
  return apply(ops::Relu{}, x);
}
template <class T>
Variable<T> softplus(Variable<T> x, double beta, double threshold) {
  return apply(ops::Softplus{beta, threshold}, x);
}
template <class T>
Variable<T> abs(Variable<T> x) {
  return apply(ops::Abs{}, x);
}

#define INSTANTIATE(T)                                        \
  template Variable<T> exp(Variable<T>);                      \
  template Variable<T> log(Variable<T>);                      \
  template Variable<T> sqrt(Variable<T>);                     \
  template Variable<T> rsqrt(Variable<T>);                    \
  template Variable<T> expm1(Variable<T>);                    \
  template Variable<T> log1p(Variable<T>);                    \
  template Variable<T> log2(Variable<T>);                     \
  template Variable<T> log10(Variable<T>);                    \
  template Variable<T> logaddexp(Variable<T>, Variable<T>);   \
  template Variable<T> erf(Variable<T>);                      \
  template Variable<T> erfc(Variable<T>);                     \
  template Variable<T> tanh(Variable<T>);                     \
  template Variable<T> sigmoid(Variable<T>);                  \
  template Variable<T> relu(Variable<T>);                     \
  template Variable<T> softplus(Variable<T>, double, double); \
  template Variable<T> abs(Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

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
