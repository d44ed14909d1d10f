#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> mean_ops() {
  return {{"mean",
           {{"all", {{3, 5}}, [](auto x) { return mean(x[0]); }},
            {"rows", {{3, 5}}, [](auto x) { return mean(x[0], 1); }},
            {"columns", {{3, 40}}, [](auto x) { return mean(x[0], 0); }},
            {"the middle", {{2, 3, 4}}, [](auto x) { return mean(x[0], 1); }},
            {"several axes, kept",
             {{2, 3, 4}},
             [](auto x) {
               return mean(x[0], {0, 2}, true);
             }},
            {"no axes", {{3}}, [](auto x) { return mean(x[0], Axes(std::span<const Index>())); }}},
           {{{{0, 4}},
             [](auto x) { return mean(x[0]); },
             "mean: axis 0 of shape (0, 4) is empty; there is no element to reduce"}}},
          {"centered",
           {{"rows", {{3, 5}}, [](auto x) { return centered(x[0], 1); }},
            {"columns", {{3, 40}}, [](auto x) { return centered(x[0], 0); }},
            {"neighbours",
             {{2, 3, 4}},
             [](auto x) {
               return centered(x[0], {1, 2});
             }},
            {"several axes",
             {{2, 3, 4}},
             [](auto x) {
               return centered(x[0], {0, 2});
             }}},
           {{{{3, 0}},
             [](auto x) { return centered(x[0], 1); },
             "centered: axis 1 of shape (3, 0) is empty; there is no element to reduce"}}}};
}

}  // namespace autograd::testing
