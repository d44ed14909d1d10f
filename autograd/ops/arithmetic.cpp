#include "autograd/ops/arithmetic.hpp"

#include "autograd/number_text.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/on_tape.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/registry.hpp"

namespace autograd {

template struct detail::OnTape<ops::Add>;
template struct detail::OnTape<ops::Sub>;
template struct detail::OnTape<ops::Mul>;
template struct detail::OnTape<ops::Div>;
template struct detail::OnTape<ops::Neg>;
template struct detail::OnTape<ops::Affine>;
template struct detail::OnTape<ops::DividedBy>;
template struct detail::OnTape<ops::DividedInto>;
template struct detail::OnTape<ops::Pow>;
template struct detail::OnTape<ops::Power>;
template struct detail::OnTape<ops::Square>;
template struct detail::OnTape<ops::Reciprocal>;

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
