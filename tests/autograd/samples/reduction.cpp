#include "autograd/gradient.hpp"
#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo min_info{.name = "min"};
constexpr OpInfo sum_info{.name = "sum"};
}  // namespace

std::vector<RegisteredOp> reduction_ops() {
  return {
      {"max_share",
       {{"inside max twice",
         {{3, 4}},
         [](auto x) {
           const auto y = x[0] * x[0];
           return grad(sum(max(y, 1)), {y})[0] * x[0];
         }}},
       {}},
      {"max",
       {{"all", {{3, 5}}, [](auto x) { return max(x[0]); }},
        {"rows", {{3, 5}}, [](auto x) { return max(x[0], 1); }},
        {"columns, kept", {{3, 5}}, [](auto x) { return max(x[0], 0, true); }},
        {"several axes",
         {{2, 3, 4}},
         [](auto x) {
           return amax(x[0], {0, 2});
         }}},
       {{{{3, 0}},
         [](auto x) { return max(x[0], 1); },
         "max: axis 1 of shape (3, 0) is empty; there is no element to reduce"},
        {{{3, 4}},
         [](auto x) { return max(x[0], 2); },
         "max: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
      {"logsumexp_share",
       {{"gradient of logsumexp times x",
         {{3, 4}},
         [](auto x) { return grad(sum(logsumexp(x[0], 1)), {x[0]})[0] * x[0]; }}},
       {}},
      {min_info,
       {{"all", {{3, 5}}, [](auto x) { return min(x[0]); }},
        {"rows, kept", {{3, 5}}, [](auto x) { return min(x[0], 1, true); }},
        {"several axes",
         {{2, 3, 4}},
         [](auto x) {
           return amin(x[0], {0, 2});
         }}},
       {{{{0}}, [](auto x) { return min(x[0]); }, "min: axis 0 of shape (0) is empty; there is no element to reduce"}}},
      {"logsumexp",
       {{"rows", {{3, 5}}, [](auto x) { return logsumexp(x[0], 1); }},
        {"several axes, kept",
         {{2, 3, 4}},
         [](auto x) {
           return logsumexp(x[0], {0, -1}, true);
         }}},
       {{{{3, 4}},
         [](auto x) { return logsumexp(x[0], -3); },
         "logsumexp: axis -3 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
      {sum_info,
       {{"all", {{3, 5}}, [](auto x) { return sum(x[0]); }},
        {"rows", {{3, 5}}, [](auto x) { return sum(x[0], 1); }},
        {"several axes",
         {{2, 3, 4}},
         [](auto x) {
           return sum(x[0], {0, -1});
         }},
        {"kept", {{2, 3, 4}}, [](auto x) { return sum(x[0], 1, true); }},
        {"long", {{3, 300}}, [](auto x) { return sum(x[0], 1); }},
        {"nothing", {{3, 0}}, [](auto x) { return sum(x[0], 1); }}},
       {{{{3, 4}},
         [](auto x) {
           return sum(x[0], {0, -2});
         },
         "sum: axis -2 is named twice; name each axis once"}}}};
}

}  // namespace autograd::testing
