#include "autograd/ops/arithmetic.hpp"

#include "autograd/number_text.hpp"
#include "elementwise.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> arithmetic_ops() {
  RegisteredOp power = elementwise_op<ops::Pow>([](auto x) { return pow(x, 2.5); });
  for (const double exponent : {-1.5, 0.0, 0.5, 1.0, 2.0, 3.0})
    power.also<1>("pow " + fixed_text(exponent), [exponent](auto x) { return pow(x, exponent); });
  return {elementwise_op<ops::Add>([](auto a, auto b) { return a + b; }, [](auto a, auto b) { return add(a, b); }),
          elementwise_op<ops::Sub>([](auto a, auto b) { return a - b; }, [](auto a, auto b) { return sub(a, b); }),
          elementwise_op<ops::Mul>([](auto a, auto b) { return a * b; }, [](auto a, auto b) { return mul(a, b); }),
          elementwise_op<ops::Div>([](auto a, auto b) { return a / b; }, [](auto a, auto b) { return div(a, b); }),
          elementwise_op<ops::Neg>([](auto x) { return -x; }, [](auto x) { return neg(x); }),
          elementwise_op<ops::Affine>([](auto x) { return 1.5 - 2.5 * x; }, [](auto x) { return affine(x, -2.5, 1.5); },
                                      [](auto x) { return x + 1.5; }, [](auto x) { return 1.5 + x; },
                                      [](auto x) { return x - 1.5; }, [](auto x) { return 1.5 - x; },
                                      [](auto x) { return x * 2.5; }, [](auto x) { return 2.5 * x; }),
          power,
          elementwise_op<ops::Power>([](auto a, auto b) { return pow(a, b); }),
          elementwise_op<ops::Square>([](auto x) { return square(x); }),
          elementwise_op<ops::Reciprocal>([](auto x) { return reciprocal(x); }),
          elementwise_op<ops::DividedBy>([](auto x) { return x / 3; }, [](auto x) { return div(x, 3); }),
          elementwise_op<ops::DividedInto>([](auto x) { return 3 / x; }, [](auto x) { return div(3, x); })};
}

}  // namespace autograd::testing
