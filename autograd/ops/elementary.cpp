#include "autograd/ops/elementary.hpp"

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
  template Variable<T> tanh(Variable<T>);                     \
  template Variable<T> sigmoid(Variable<T>);                  \
  template Variable<T> relu(Variable<T>);                     \
  template Variable<T> softplus(Variable<T>, double, double); \
  template Variable<T> abs(Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

std::vector<RegisteredOp> elementary_ops() {
  RegisteredOp plus = elementwise_op<ops::Softplus>([](auto x) { return softplus(x[0]); });
  plus.samples.emplace_back(
      "softplus beta 2, threshold 3", std::vector<Shape>{{4, 9}}, [](auto x) { return softplus(x[0], 2, 3); },
      ops::Softplus::info.domain);
  return {elementwise_op<ops::Exp>([](auto x) { return exp(x[0]); }),
          elementwise_op<ops::Log>([](auto x) { return log(x[0]); }),
          elementwise_op<ops::Sqrt>([](auto x) { return sqrt(x[0]); }),
          elementwise_op<ops::Tanh>([](auto x) { return tanh(x[0]); }),
          elementwise_op<ops::Sigmoid>([](auto x) { return sigmoid(x[0]); }),
          elementwise_op<ops::Relu>([](auto x) { return relu(x[0]); }),
          plus,
          elementwise_op<ops::Abs>([](auto x) { return abs(x[0]); })};
}

}  // namespace autograd
