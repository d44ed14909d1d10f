#include "autograd/ops/trigonometric.hpp"

#include "autograd/ops/on_tape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

template struct detail::OnTape<ops::Sin>;
template struct detail::OnTape<ops::Cos>;
template struct detail::OnTape<ops::Tan>;
template struct detail::OnTape<ops::Asin>;
template struct detail::OnTape<ops::Acos>;
template struct detail::OnTape<ops::Atan>;
template struct detail::OnTape<ops::Sinh>;
template struct detail::OnTape<ops::Cosh>;
template struct detail::OnTape<ops::Atan2>;

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
