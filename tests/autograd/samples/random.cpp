#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// A product with a random mask, but listed under the name users call.
constexpr OpInfo dropout_info{.name = "dropout"};
}  // namespace

std::vector<RegisteredOp> random_ops() {
  const auto seeded = [](auto x) {
    Generator generator(7);
    return dropout(x[0], 0.3, generator);
  };
  const auto too_high = [](auto x) {
    Generator generator(7);
    return dropout(x[0], 1, generator);
  };
  return {{dropout_info,
           {{"matrix", {{5, 7}}, seeded}},
           {{{{3}}, too_high, "dropout: probability 1.000000; expected 0 <= probability < 1"}}}};
}

}  // namespace autograd::testing
