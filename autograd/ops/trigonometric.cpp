#include "autograd/ops/trigonometric.hpp"

#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

template <class T>
Variable<T> sin(Variable<T> x) {
  return apply(ops::Sin{}, x);
}
template <class T>
Variable<T> cos(Variable<T> x) {
  return apply(ops::Cos{}, x);
}
template <class T>
Variable<T> tan(Variable<T> x) {
  return apply(ops::Tan{}, x);
}
template <class T>
Variable<T> asin(Variable<T> x) {
  return apply(ops::Asin{}, x);
}
template <class T>
Variable<T> acos(Variable<T> x) {
  return apply(ops::Acos{}, x);
}
template <class T>
Variable<T> atan(Variable<T> x) {
  return apply(ops::Atan{}, x);
}
template <class T>
Variable<T> sinh(Variable<T> x) {
  return apply(ops::Sinh{}, x);
}
template <class T>
Variable<T> cosh(Variable<T> x) {
  return apply(ops::Cosh{}, x);
}
template <class T>
Variable<T> atan2(Variable<T> y, Variable<T> x) {
  return apply(ops::Atan2{}, y, x);
}

#define INSTANTIATE(T)                    \
  template Variable<T> sin(Variable<T>);  \
  template Variable<T> cos(Variable<T>);  \
  template Variable<T> tan(Variable<T>);  \
  template Variable<T> asin(Variable<T>); \
  template Variable<T> acos(Variable<T>); \
  template Variable<T> atan(Variable<T>); \
  template Variable<T> sinh(Variable<T>); \
  template Variable<T> cosh(Variable<T>); \
  template Variable<T> atan2(Variable<T>, Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

std::vector<RegisteredOp> trigonometric_ops() {
  return {elementwise_op<ops::Sin>([](auto x) { return sin(x[0]); }),
          elementwise_op<ops::Cos>([](auto x) { return cos(x[0]); }),
          elementwise_op<ops::Tan>([](auto x) { return tan(x[0]); }),
          elementwise_op<ops::Asin>([](auto x) { return asin(x[0]); }),
          elementwise_op<ops::Acos>([](auto x) { return acos(x[0]); }),
          elementwise_op<ops::Atan>([](auto x) { return atan(x[0]); }),
          elementwise_op<ops::Sinh>([](auto x) { return sinh(x[0]); }),
          elementwise_op<ops::Cosh>([](auto x) { return cosh(x[0]); }),
          elementwise_op<ops::Atan2>([](auto x) { return atan2(x[0], x[1]); })};
}

}  // namespace autograd
