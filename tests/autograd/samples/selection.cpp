#include "autograd/ops/selection.hpp"

#include "elementwise.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo masked_fill_info{.name = "masked_fill", .inputs = 2};
constexpr OpInfo safe_where_info{.name = "safe_where", .inputs = 2};
constexpr OpInfo lerp_info{.name = "lerp", .inputs = 3, .domain = {0.1, 0.7}};
}  // namespace

std::vector<RegisteredOp> selection_ops() {
  RegisteredOp choice = elementwise_op<ops::Where>([](auto c, auto a, auto b) { return where(greater(c, 0), a, b); });
  choice.also<2>("a number elsewhere", [](auto c, auto a) { return where(greater(c, 0), a, 0.5); });
  choice.also<2>("a number there", [](auto c, auto b) { return where(greater(c, 0), 0.5, b); });
  RegisteredOp larger = elementwise_op<ops::Maximum>([](auto a, auto b) { return maximum(a, b); });
  larger.also<1>("a lower bound", [](auto x) { return maximum(x, 0.25); });
  RegisteredOp smaller = elementwise_op<ops::Minimum>([](auto a, auto b) { return minimum(a, b); });
  smaller.also<1>("an upper bound", [](auto x) { return minimum(x, 0.25); });
  RegisteredOp filled = elementwise_op<masked_fill_info>(
      [](auto x, auto m) { return masked_fill(x, greater(m, 0), -2); }, does_not_broadcast("where", 5, 4));
  filled.samples.emplace_back("rows", std::vector<Shape>{{3, 4}, {3, 1}},
                              [](auto x) { return masked_fill(x[0], greater(x[1], 0), -2); });
  RegisteredOp between =
      elementwise_op<lerp_info>([](auto a, auto b, auto w) { return lerp(a, b, w); }, does_not_broadcast("sub", 5, 4));
  between.samples.emplace_back("matrices and a weight", std::vector<Shape>{{3, 4}, {3, 4}, {}},
                               [](auto x) { return lerp(x[0], x[1], x[2]); });
  return {elementwise_op<ops::Greater>([](auto a, auto b) { return greater(a, b); },
                                       [](auto a, auto b) { return a > b; }, [](auto a, auto b) { return a < b; },
                                       [](auto a, auto b) { return a >= b; }, [](auto a, auto b) { return a <= b; }),
          elementwise_op<ops::GreaterThan>(
              [](auto x) { return greater(x, 0.25); }, [](auto x) { return x > 0.25; }, [](auto x) { return 0.25 > x; },
              [](auto x) { return x < 0.25; }, [](auto x) { return 0.25 < x; }, [](auto x) { return x >= 0.25; },
              [](auto x) { return 0.25 >= x; }, [](auto x) { return x <= 0.25; }, [](auto x) { return 0.25 <= x; }),
          elementwise_op<ops::Equal>([](auto a, auto b) { return equal(a, b); }),
          elementwise_op<ops::EqualTo>([](auto x) { return equal(x, 0.25); }),
          elementwise_op<ops::Sign>([](auto x) { return sign(x); }),
          elementwise_op<ops::Masked>([](auto x, auto m) { return masked(x, greater(m, 0)); }),
          choice,
          larger,
          smaller,
          elementwise_op<ops::Clip>([](auto x) { return clip(x, -0.5, 1.25); }),
          elementwise_op<ops::Floor>([](auto x) { return floor(x); }),
          filled,
          elementwise_op<safe_where_info>(
              [](auto c, auto x) { return safe_where(greater(c, 0), x, [](auto y) { return exp(y); }); },
              does_not_broadcast("where", 4, 5)),
          between};
}

}  // namespace autograd::testing
