#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> linear_algebra_ops() {
  const auto product = [](auto x) { return matmul(x[0], x[1]); };
  RegisteredOp matrix{"matmul",
                      {{"itself transposed", {{3, 4}}, [](auto x) { return matmul(x[0], transpose(x[0])); }}}};
  for (const auto& [left, right] : std::vector<std::pair<Shape, Shape>>{{{3, 4}, {4, 5}},
                                                                        {{4}, {4, 5}},
                                                                        {{3, 4}, {4}},
                                                                        {{4}, {4}},
                                                                        {{2, 3, 4}, {2, 4, 5}},
                                                                        {{2, 3, 4}, {4, 5}},
                                                                        {{3, 4}, {2, 4, 5}},
                                                                        {{2, 1, 3, 4}, {3, 4, 5}},
                                                                        {{4}, {2, 4, 5}},
                                                                        {{2, 3, 4}, {4}},
                                                                        {{1, 1}, {1, 1}},
                                                                        {{3, 0}, {0, 2}},
                                                                        {{0, 3}, {3, 2}}})
    matrix.samples.emplace_back(to_string(left) + " by " + to_string(right), std::vector<Shape>{left, right}, product);
  matrix.errors = {{{{32, 10}, {12, 40}},
                    product,
                    "matmul: inner dimensions differ: left (32, 10) has 10 columns, right (12, 40) has 12 rows"},
                   {{{}, {3}}, product, "matmul: shapes () and (3); a scalar has no columns, use * instead"}};
  const auto biased = [](auto x) { return linear(x[0], x[1], x[2]); };
  return {matrix,
          {"linear",
           {{"no bias", {{3, 4}, {5, 4}}, [](auto x) { return linear(x[0], x[1]); }},
            {"bias", {{3, 4}, {5, 4}, {5}}, biased},
            {"one row", {{4}, {5, 4}, {5}}, biased},
            {"a sequence", {{2, 3, 4}, {5, 4}, {5}}, biased},
            {"bias of the result's shape", {{3, 4}, {5, 4}, {3, 5}}, biased},
            {"input as bias", {{4, 4}, {4, 4}}, [](auto x) { return linear(x[0], x[1], x[0]); }},
            {"no rows", {{0, 4}, {5, 4}, {5}}, biased}},
           {{{{3, 4}, {5, 3}, {5}}, biased, "linear: input (3, 4) has 4 features, weight (5, 3) expects 3"},
            {{{3, 4}, {5, 4}, {4}},
             biased,
             "linear: the bias has shape (4), expected (5) or the shape of the result, (3, 5)"},
            {{{3, 4}, {4}, {4}}, biased, "linear: the weight has shape (4), expected (out, in)"}}}};
}

}  // namespace autograd::testing
