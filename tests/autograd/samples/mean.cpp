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
          {"masked_mean",
           {{"rows", {{3, 2, 4}, {3, 1, 1}}, [](auto x) { return masked_mean(x[0], greater(x[1], 0)); }},
            {"some rows", {{3, 2, 4}, {3, 2, 1}}, [](auto x) { return masked_mean(x[0], greater(x[1], 0)); }},
            {"elements", {{3, 4}, {3, 4}}, [](auto x) { return masked_mean(x[0], greater(x[1], 0)); }}},
           {{{{3, 4}, {4}},
             [](auto x) { return masked_mean(x[0], x[1]); },
             "masked_mean: a mask of shape (4) for an array of shape (3, 4); it must have its leading extents, and 1 "
             "for the others"},
            {{{3, 4}, {1, 4}},
             [](auto x) { return masked_mean(x[0], x[1]); },
             "masked_mean: a mask of shape (1, 4) for an array of shape (3, 4); it must have its leading extents, and "
             "1 for the others"}}},
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
