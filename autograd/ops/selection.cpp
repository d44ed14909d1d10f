#include "autograd/ops/selection.hpp"

#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/attributes.hpp"
#include "autograd/registry.hpp"

namespace autograd {

std::string ops::GreaterThan::attributes() const { return attribute("threshold", threshold); }
std::string ops::EqualTo::attributes() const { return attribute("value", value); }

template <class T>
Variable<T> greater(Variable<T> a, Variable<T> b) {
  return apply(ops::Greater{}, a, b);
}
template <class T>
Variable<T> greater(Variable<T> x, double threshold) {
  return apply(ops::GreaterThan{threshold}, x);
}
template <class T>
Variable<T> equal(Variable<T> a, Variable<T> b) {
  return apply(ops::Equal{}, a, b);
}
template <class T>
Variable<T> equal(Variable<T> x, double value) {
  return apply(ops::EqualTo{value}, x);
}
template <class T>
Variable<T> sign(Variable<T> x) {
  return apply(ops::Sign{}, x);
}
template <class T>
Variable<T> masked(Variable<T> x, Variable<T> mask) {
  return apply(ops::Masked{}, x, mask);
}
template <class T>
Variable<T> where(Variable<T> condition, Variable<T> a, Variable<T> b) {
  return apply(ops::Where{}, condition, a, b);
}
template <class T>
Variable<T> maximum(Variable<T> a, Variable<T> b) {
  return apply(ops::Maximum{}, a, b);
}
template <class T>
Variable<T> minimum(Variable<T> a, Variable<T> b) {
  return apply(ops::Minimum{}, a, b);
}

template <class T>
Variable<T> maximum(Variable<T> x, double bound) {
  return maximum(x, tape_of("maximum", x).constant(Shape{}, static_cast<T>(bound)));
}
template <class T>
Variable<T> minimum(Variable<T> x, double bound) {
  return minimum(x, tape_of("minimum", x).constant(Shape{}, static_cast<T>(bound)));
}

#define INSTANTIATE(T)                                               \
  template Variable<T> greater(Variable<T>, Variable<T>);            \
  template Variable<T> greater(Variable<T>, double);                 \
  template Variable<T> equal(Variable<T>, Variable<T>);              \
  template Variable<T> equal(Variable<T>, double);                   \
  template Variable<T> sign(Variable<T>);                            \
  template Variable<T> masked(Variable<T>, Variable<T>);             \
  template Variable<T> where(Variable<T>, Variable<T>, Variable<T>); \
  template Variable<T> maximum(Variable<T>, Variable<T>);            \
  template Variable<T> minimum(Variable<T>, Variable<T>);            \
  template Variable<T> maximum(Variable<T>, double);                 \
  template Variable<T> minimum(Variable<T>, double);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

std::vector<RegisteredOp> selection_ops() {
  return {elementwise_op<ops::Greater>([](auto x) { return greater(x[0], x[1]); }),
          elementwise_op<ops::GreaterThan>([](auto x) { return greater(x[0], 0.25); }),
          elementwise_op<ops::Equal>([](auto x) { return equal(x[0], x[1]); }),
          elementwise_op<ops::EqualTo>([](auto x) { return equal(x[0], 0.25); }),
          elementwise_op<ops::Sign>([](auto x) { return sign(x[0]); }),
          elementwise_op<ops::Masked>([](auto x) { return masked(x[0], greater(x[1], 0)); }),
          elementwise_op<ops::Where>([](auto x) { return where(greater(x[0], 0), x[1], x[2]); }),
          elementwise_op<ops::Maximum>([](auto x) { return maximum(x[0], x[1]); }),
          elementwise_op<ops::Minimum>([](auto x) { return minimum(x[0], x[1]); })};
}

}  // namespace autograd
