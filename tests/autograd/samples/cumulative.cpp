#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo cumprod_info{.name = "cumprod"};
constexpr OpInfo logcumsumexp_info{.name = "logcumsumexp"};
constexpr OpInfo prod_info{.name = "prod"};
}  // namespace

std::vector<RegisteredOp> cumulative_ops() {
  return {{"cumsum",
           {{"rows", {{4, 3}}, [](auto x) { return cumsum(x[0], 0); }},
            {"middle", {{2, 4, 3}}, [](auto x) { return cumsum(x[0], 1); }},
            {"last", {{2, 5}}, [](auto x) { return cumsum(x[0], -1); }},
            {"nothing", {{2, 0}}, [](auto x) { return cumsum(x[0], 1); }}},
           {{{{2, 3}},
             [](auto x) { return cumsum(x[0], 2); },
             "cumsum: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
          {cumprod_info,
           {{"rows", {{4, 3}}, [](auto x) { return cumprod(x[0], 0); }},
            {"middle", {{2, 7, 3}}, [](auto x) { return cumprod(x[0], 1); }},
            {"with zeros", {{3, 4}}, [](auto x) { return cumprod(masked(x[0], greater(x[0], -0.5)), 1); }}},
           {{{{2, 3}},
             [](auto x) { return cumprod(x[0], -3); },
             "cumprod: axis -3 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
          {logcumsumexp_info,
           {{"rows", {{4, 3}}, [](auto x) { return logcumsumexp(x[0], 0); }},
            {"last", {{2, 6}}, [](auto x) { return logcumsumexp(x[0], -1); }}},
           {{{{3}},
             [](auto x) { return logcumsumexp(x[0], 1); },
             "logcumsumexp: axis 1 is out of range for an array of rank 1; valid axes are -1 to 0"}}},
          {prod_info,
           {{"all", {{3, 5}}, [](auto x) { return prod(x[0]); }},
            {"rows", {{3, 6}}, [](auto x) { return prod(x[0], 1); }},
            {"several axes, kept",
             {{2, 3, 4}},
             [](auto x) {
               return prod(x[0], {0, -1}, true);
             }},
            {"with zeros", {{3, 4}}, [](auto x) { return prod(masked(x[0], greater(x[0], -0.5)), 0); }},
            {"nothing", {{3, 0}}, [](auto x) { return prod(x[0], 1); }},
            {"a scalar", {{}}, [](auto x) { return prod(x[0]); }}},
           {{{{3, 4}},
             [](auto x) {
               return prod(x[0], {1, -1});
             },
             "prod: axis -1 is named twice; name each axis once"}}}};
}

}  // namespace autograd::testing
