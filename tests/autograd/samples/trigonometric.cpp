#include "autograd/ops/trigonometric.hpp"

#include "elementwise.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> trigonometric_ops() {
  return {elementwise_op<ops::Sin>([](auto x) { return sin(x); }),
          elementwise_op<ops::Cos>([](auto x) { return cos(x); }),
          elementwise_op<ops::Tan>([](auto x) { return tan(x); }),
          elementwise_op<ops::Asin>([](auto x) { return asin(x); }),
          elementwise_op<ops::Acos>([](auto x) { return acos(x); }),
          elementwise_op<ops::Atan>([](auto x) { return atan(x); }),
          elementwise_op<ops::Sinh>([](auto x) { return sinh(x); }),
          elementwise_op<ops::Cosh>([](auto x) { return cosh(x); }),
          elementwise_op<ops::Atan2>([](auto y, auto x) { return atan2(y, x); })};
}

}  // namespace autograd::testing
