#include <limits>

#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo var_info{.name = "var"};
constexpr OpInfo stddev_info{.name = "stddev"};
constexpr OpInfo norm_info{.name = "norm"};
constexpr OpInfo normalize_info{.name = "normalize"};
constexpr OpInfo cosine_similarity_info{.name = "cosine_similarity", .inputs = 2};
constexpr OpInfo layer_norm_info{.name = "layer_norm", .inputs = OpInfo::any};
}  // namespace

std::vector<RegisteredOp> normalization_ops() {
  return {
      {var_info,
       {{"all", {{3, 5}}, [](auto x) { return var(x[0]); }},
        {"rows, biased", {{3, 5}}, [](auto x) { return var(x[0], 1, false, 0); }},
        {"several axes, kept",
         {{2, 3, 4}},
         [](auto x) {
           return var(x[0], {0, -1}, true);
         }}},
       {{{{0, 4}},
         [](auto x) { return var(x[0], 0); },
         "var: 0 elements to take the variance of in shape (0, 4) are not more than the correction, 1.000000"}}},
      {stddev_info,
       {{"all", {{3, 5}}, [](auto x) { return stddev(x[0]); }},
        {"columns, biased, kept", {{3, 5}}, [](auto x) { return stddev(x[0], 0, true, 0); }}},
       {{{{2, 3}},
         [](auto x) { return stddev(x[0], 2); },
         "var: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
      {norm_info,
       {{"all", {{3, 5}}, [](auto x) { return norm(x[0]); }},
        {"rows", {{3, 5}}, [](auto x) { return norm(x[0], 1); }},
        {"p = 1, kept", {{3, 5}}, [](auto x) { return norm(x[0], 0, 1, true); }},
        {"p = 3, several axes",
         {{2, 3, 4}},
         [](auto x) {
           return norm(x[0], {0, 2}, 3);
         }},
        {"p infinite", {{3, 5}}, [](auto x) { return norm(x[0], 1, std::numeric_limits<double>::infinity()); }}},
       {{{{3}}, [](auto x) { return norm(x[0], 0, 0); }, "norm: p must be positive or infinite, got 0.000000"}}},
      {normalize_info,
       {{"rows", {{3, 4}}, [](auto x) { return normalize(x[0]); }},
        {"columns, p = 1", {{3, 4}}, [](auto x) { return normalize(x[0], 1, 0); }}},
       {{{{3}}, [](auto x) { return normalize(x[0], -1); }, "norm: p must be positive or infinite, got -1.000000"}}},
      {cosine_similarity_info,
       {{"rows", {{3, 4}, {3, 4}}, [](auto x) { return cosine_similarity(x[0], x[1]); }},
        {"columns", {{3, 4}, {3, 4}}, [](auto x) { return cosine_similarity(x[0], x[1], 0); }}},
       {{{{3, 4}, {3, 5}},
         [](auto x) { return cosine_similarity(x[0], x[1]); },
         "mul: shapes (3, 4) and (3, 5) do not broadcast: axis 1 has extents 4 and 5; make them equal, or one of "
         "them 1"}}},
      {layer_norm_info,
       {{"last axis", {{3, 5}}, [](auto x) { return layer_norm(x[0]); }},
        {"two axes", {{2, 3, 4}}, [](auto x) { return layer_norm(x[0], 2, 1e-3); }},
        {"gain and bias", {{2, 3, 5}, {5}, {5}}, [](auto x) { return layer_norm(x[0], x[1], x[2]); }}},
       {{{{3, 4}, {3}, {3}},
         [](auto x) { return layer_norm(x[0], x[1], x[2]); },
         "layer_norm: gain (3) and bias (3) for shape (3, 4); both have the extents of its last axes"},
        {{{3}}, [](auto x) { return layer_norm(x[0], 2); }, "layer_norm: 2 axes of shape (3); name 1 to 1"}}}};
}

}  // namespace autograd::testing
