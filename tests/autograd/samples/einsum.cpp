#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo einsum_info{.name = "einsum", .inputs = OpInfo::any};
constexpr OpInfo tensordot_info{.name = "tensordot", .inputs = 2};
constexpr OpInfo outer_info{.name = "outer", .inputs = 2};
constexpr OpInfo dot_info{.name = "dot", .inputs = 2};
constexpr OpInfo addmm_info{.name = "addmm", .inputs = 3};
}  // namespace

std::vector<RegisteredOp> einsum_ops() {
  const auto equation = [](const char* text, std::vector<Shape> shapes) {
    return Sample(text, std::move(shapes), [text](auto x) { return einsum(text, x); });
  };
  const auto refused = [](const char* text, std::vector<Shape> shapes, std::string error) {
    return ErrorSample{std::move(shapes), [text](auto x) { return einsum(text, x); }, std::move(error)};
  };
  return {
      {einsum_info,
       {equation("ij,jk->ik", {{3, 4}, {4, 5}}), equation("bij,bjk->bik", {{2, 3, 4}, {2, 4, 5}}),
        equation("bqhd,bkhd->bhqk", {{2, 2, 3, 4}, {2, 3, 3, 4}}), equation("ij,ij->", {{3, 4}, {3, 4}}),
        equation("ijk,kl->jil", {{2, 3, 4}, {4, 5}}), equation("i,j->ij", {{3}, {4}}),
        equation("bij,j->bi", {{2, 3, 4}, {4}}), equation("ii->", {{4, 4}}), equation("ii->i", {{4, 4}}),
        equation("iji->j", {{3, 2, 3}}), equation("ijk->kij", {{2, 3, 4}}), equation("ij , jk", {{3, 4}, {4, 2}}),
        equation("ij,k->", {{2, 3}, {4}}), equation("ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 2}}),
        equation("i,i,i->i", {{4}, {4}, {4}}), equation(",i->i", {{}, {3}})},
       {refused("ij,jk->ik", {{3, 4}, {5, 2}}, "einsum: 'j' is 4 in one operand and 5 in another; they must be equal"),
        refused("ij->i", {{3, 4}, {4}}, "einsum: \"ij->i\" names 1 operands, given 2"),
        refused("i->j", {{3}},
                "einsum: \"i->j\" has 'j' in the result; every letter there is one of the operands', and once"),
        refused("...i->i", {{3}}, "einsum: \"...i->i\" has a '.'; an equation is letters, commas and one ->"),
        refused("ij->", {{3}}, "einsum: operand 0 has shape (3), the equation names 2 axes (ij)"),
        refused("ii->", {{3, 4}}, "einsum: 'i' names extents 3 and 4 of shape (3, 4); they must be equal")}},
      {tensordot_info,
       {{"two axes",
         {{3, 4, 5}, {4, 5, 2}},
         [](auto x) {
           return tensordot(x[0], x[1], {1, 2}, {0, 1});
         }},
        {"crossed",
         {{3, 4, 5}, {5, 2, 4}},
         [](auto x) {
           return tensordot(x[0], x[1], {1, -1}, {2, 0});
         }},
        {"none", {{2}, {3, 2}}, [](auto x) { return tensordot(x[0], x[1], {}, {}); }}},
       {{{{3, 4}, {5, 3}},
         [](auto x) { return tensordot(x[0], x[1], 1, 0); },
         "tensordot: axis 1 of (3, 4) and axis 0 of (5, 3) have extents 4 and 5; they must be equal"},
        {{{3, 4}, {4, 3}},
         [](auto x) {
           return tensordot(x[0], x[1], {0, 1}, 0);
         },
         "tensordot: 2 axes of the left operand and 1 of the right one; name pairs"}}},
      {outer_info,
       {{"vectors", {{3}, {4}}, [](auto x) { return outer(x[0], x[1]); }}},
       {{{{3}, {3, 4}},
         [](auto x) { return outer(x[0], x[1]); },
         "outer: shapes (3) and (3, 4); both operands have one axis"}}},
      {dot_info,
       {{"vectors", {{5}, {5}}, [](auto x) { return dot(x[0], x[1]); }}},
       {{{{3}, {4}},
         [](auto x) { return dot(x[0], x[1]); },
         "dot: shapes (3) and (4); both operands have one axis of the same extent"}}},
      {addmm_info,
       {{"a row", {{5}, {3, 4}, {4, 5}}, [](auto x) { return addmm(x[0], x[1], x[2], 0.5, 2); }}},
       {{{{5}, {3, 4}, {3, 5}},
         [](auto x) { return addmm(x[0], x[1], x[2]); },
         "matmul: inner dimensions differ: left (3, 4) has 4 columns, right (3, 5) has 3 rows"}}}};
}

}  // namespace autograd::testing
