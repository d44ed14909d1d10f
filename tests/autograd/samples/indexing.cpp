#include "autograd/gradient.hpp"
#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo embedding_info{.name = "embedding"};
constexpr OpInfo index_add_info{.name = "index_add", .inputs = 2};
constexpr OpInfo scatter_add_info{.name = "scatter_add", .inputs = 2};
constexpr OpInfo masked_select_info{.name = "masked_select", .inputs = 2};
}  // namespace

std::vector<RegisteredOp> indexing_ops() {
  const Array<Index> some{2, 0, 2, -1};
  const Array<Index> table{{0, 1, 2, 0}, {2, 2, 0, 1}};
  const Array<Index> outside{0, 3};
  return {{"take",
           {{"rows, repeated", {{3, 4}}, [some](auto x) { return take(x[0], some, 0); }},
            {"columns, repeated", {{2, 3, 2}}, [some](auto x) { return take(x[0], some, 1); }},
            {"a table of rows", {{3, 5}}, [table](auto x) { return take(x[0], table, 0); }}},
           {{{{3, 4}},
             [outside](auto x) { return take(x[0], outside, 0); },
             "take: index 3 (number 1) is out of range for extent 3; valid indices are -3 to 2"}}},
          {embedding_info,
           {{"a table", {{3, 5}}, [table](auto x) { return embedding(x[0], table); }},
            {"with padding", {{3, 5}}, [table](auto x) { return embedding(x[0], table, 2); }},
            {"rows at values", {{3, 5}}, [](auto x) { return embedding(x[0], greater(x[0], 0)); }}},
           {{{{3}},
             [some](auto x) { return embedding(x[0], some); },
             "embedding: the weight has shape (3), expected (vocabulary, features)"},
            {{{3, 5}},
             [table](auto x) { return embedding(x[0], table, 3); },
             "embedding: padding row 3 is out of range for a vocabulary of 3"},
            {{{3, 5}},
             [some](auto x) { return embedding(x[0], some); },
             "embedding: index -1 (number 3) is out of range for extent 3; valid indices are 0 to 2"}}},
          {index_add_info,
           {{"rows", {{3, 4}, {4, 4}}, [some](auto x) { return index_add(x[0], some, x[1], 0); }},
            {"columns", {{2, 3}, {2, 4}}, [some](auto x) { return index_add(x[0], some, x[1], 1); }}},
           {{{{3, 4}, {3, 4}},
             [some](auto x) { return index_add(x[0], some, x[1], 0); },
             "index_add: the source has shape (3, 4), the indices ask for (4, 4)"}}},
          {scatter_add_info,
           {{"rows", {{3, 4}, {2, 4}}, [table](auto x) { return scatter_add(x[0], table, x[1], 0); }},
            {"columns", {{2, 3}, {2, 4}}, [table](auto x) { return scatter_add(x[0], table, x[1], 1); }}},
           {{{{3, 4}, {3, 4}},
             [table](auto x) { return scatter_add(x[0], table, x[1], 0); },
             "scatter_add: the source has shape (3, 4), the indices ask for (2, 4)"},
            {{{1, 4}, {2, 4}},
             [table](auto x) { return scatter_add(x[0], table, x[1], 0); },
             "scatter_add: index 1 (number 1) is out of range for extent 1; valid indices are -1 to 0"}}},
          {masked_select_info,
           {{"positive ones", {{3, 4}}, [](auto x) { return masked_select(x[0] * x[0], greater(x[0], 0)); }}},
           {{{{3, 4}, {4}},
             [](auto x) { return masked_select(x[0], x[1]); },
             "masked_select: x has shape (3, 4), the mask (4); they must be equal"}}},
          {"take_adjoint",
           {{"gradient of take times x",
             {{3, 4}},
             [some](auto x) { return grad(sum(square(take(x[0], some, 0))), {x[0]})[0] * x[0]; }}},
           {}},
          {"gather",
           {{"rows", {{3, 4}}, [table](auto x) { return gather(x[0], table, 0); }},
            {"columns", {{2, 3}}, [table](auto x) { return gather(x[0], table, 1); }}},
           {{{{3, 3}},
             [table](auto x) { return gather(x[0], table, 0); },
             "gather: indices of shape (2, 4) for an input of shape (3, 3); they need its rank and no larger extents "
             "but along axis 0"}}},
          {"gather_adjoint",
           {{"gradient of gather times x",
             {{3, 4}},
             [table](auto x) { return grad(sum(square(gather(x[0], table, 0))), {x[0]})[0] * x[0]; }}},
           {}}};
}

}  // namespace autograd::testing
