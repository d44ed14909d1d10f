#include "autograd/ops/arithmetic.hpp"

#include "autograd/apply.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/attributes.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

std::string ops::Affine::attributes() const { return attribute("scale", scale) + ", " + attribute("shift", shift + 0); }
std::string ops::DividedBy::attributes() const { return attribute("divisor", divisor); }
std::string ops::DividedInto::attributes() const { return attribute("dividend", dividend); }
std::string ops::Pow::attributes() const { return attribute("exponent", exponent); }

template <class T>
Variable<T> add(Variable<T> a, Variable<T> b) {
  return apply(ops::Add{}, a, b);
}
template <class T>
Variable<T> sub(Variable<T> a, Variable<T> b) {
  return apply(ops::Sub{}, a, b);
}
template <class T>
Variable<T> mul(Variable<T> a, Variable<T> b) {
  return apply(ops::Mul{}, a, b);
}
template <class T>
Variable<T> div(Variable<T> a, Variable<T> b) {
  return apply(ops::Div{}, a, b);
}
template <class T>
Variable<T> div(Variable<T> x, double p) {
  return apply(ops::DividedBy{p}, x);
}
template <class T>
Variable<T> div(double p, Variable<T> x) {
  return apply(ops::DividedInto{p}, x);
}
template <class T>
Variable<T> neg(Variable<T> x) {
  return apply(ops::Neg{}, x);
}
template <class T>
Variable<T> affine(Variable<T> x, double scale, double shift) {
  return apply(ops::Affine{scale, shift}, x);
}
template <class T>
Variable<T> pow(Variable<T> x, double exponent) {
  return apply(ops::Pow{exponent}, x);
}
template <class T>
Variable<T> pow(Variable<T> a, Variable<T> b) {
  return apply(ops::Power{}, a, b);
}
template <class T>
Variable<T> square(Variable<T> x) {
  return apply(ops::Square{}, x);
}
template <class T>
Variable<T> reciprocal(Variable<T> x) {
  return apply(ops::Reciprocal{}, x);
}

#define INSTANTIATE(T)                                      \
  template Variable<T> add(Variable<T>, Variable<T>);       \
  template Variable<T> sub(Variable<T>, Variable<T>);       \
  template Variable<T> mul(Variable<T>, Variable<T>);       \
  template Variable<T> div(Variable<T>, Variable<T>);       \
  template Variable<T> div(Variable<T>, double);            \
  template Variable<T> div(double, Variable<T>);            \
  template Variable<T> neg(Variable<T>);                    \
  template Variable<T> affine(Variable<T>, double, double); \
  template Variable<T> pow(Variable<T>, double);            \
  template Variable<T> pow(Variable<T>, Variable<T>);       \
  template Variable<T> square(Variable<T>);                 \
  template Variable<T> reciprocal(Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

std::vector<RegisteredOp> arithmetic_ops() {
  RegisteredOp power = elementwise_op<ops::Pow>([](auto x) { return pow(x[0], 2.5); });
  for (const double exponent : {-1.5, 0.0, 0.5, 1.0, 2.0, 3.0})
    power.samples.emplace_back(
        "pow " + fixed_text(exponent), std::vector<Shape>{{3, 5}}, [exponent](auto x) { return pow(x[0], exponent); },
        ops::Pow::info.domain);
  return {elementwise_op<ops::Add>([](auto x) { return x[0] + x[1]; }),
          elementwise_op<ops::Sub>([](auto x) { return x[0] - x[1]; }),
          elementwise_op<ops::Mul>([](auto x) { return x[0] * x[1]; }),
          elementwise_op<ops::Div>([](auto x) { return x[0] / x[1]; }),
          elementwise_op<ops::Neg>([](auto x) { return -x[0]; }),
          elementwise_op<ops::Affine>([](auto x) { return 1.5 - 2.5 * x[0]; }),
          power,
          elementwise_op<ops::Power>([](auto x) { return pow(x[0], x[1]); }),
          elementwise_op<ops::Square>([](auto x) { return square(x[0]); }),
          elementwise_op<ops::Reciprocal>([](auto x) { return reciprocal(x[0]); }),
          elementwise_op<ops::DividedBy>([](auto x) { return x[0] / 3; }),
          elementwise_op<ops::DividedInto>([](auto x) { return 3 / x[0]; })};
}

}  // namespace autograd
