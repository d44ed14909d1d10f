#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> shape_ops() {
  const std::vector<Piece> pieces{{0, 0, 1, 2}, {1, 1, 2, 2}, {0, 1, 1, 1}};
  return {
      {"reshape",
       {{"reshape",
         {{3, 4}},
         [](auto x) {
           return reshape(x[0], {2, 6});
         }},
        {"reshape to a scalar", {{1, 1}}, [](auto x) { return reshape(x[0], {}); }},
        {"reshape of a transpose", {{3, 4}}, [](auto x) { return reshape(transpose(x[0]), {12}); }}},
       {{{{3, 4}},
         [](auto x) {
           return reshape(x[0], {5, 2});
         },
         "reshape: (3, 4) has 12 elements, (5, 2) has 10; they must be equal"}}},
      {"broadcast_to",
       {{"row",
         {{4}},
         [](auto x) {
           return broadcast_to(x[0], {3, 4});
         }},
        {"column",
         {{3, 1}},
         [](auto x) {
           return broadcast_to(x[0], {3, 4});
         }},
        {"scalar",
         {{}},
         [](auto x) {
           return broadcast_to(x[0], {2, 3});
         }},
        {"middle",
         {{2, 1, 3}},
         [](auto x) {
           return broadcast_to(x[0], {2, 4, 3});
         }},
        {"empty",
         {{1, 3}},
         [](auto x) {
           return broadcast_to(x[0], {0, 3});
         }}},
       {{{{3, 4}},
         [](auto x) {
           return broadcast_to(x[0], {3, 5});
         },
         "broadcast_to: (3, 4) does not broadcast to (3, 5); aligned at the last axis, each extent must be equal or "
         "1"}}},
      {"sum_to",
       {{"to a row", {{3, 4}}, [](auto x) { return sum_to(x[0], {4}); }},
        {"to a column",
         {{3, 4}},
         [](auto x) {
           return sum_to(x[0], {3, 1});
         }},
        {"to a scalar", {{3, 70}}, [](auto x) { return sum_to(x[0], {}); }},
        {"middle",
         {{2, 4, 3}},
         [](auto x) {
           return sum_to(x[0], {2, 1, 3});
         }},
        {"empty",
         {{0, 3}},
         [](auto x) {
           return sum_to(x[0], {1, 3});
         }}},
       {{{{3, 4}},
         [](auto x) {
           return sum_to(x[0], {2, 4});
         },
         "sum_to: (2, 4) does not broadcast to (3, 4); aligned at the last axis, each extent must be equal or 1"}}},
      {"permute",
       {{"transpose", {{3, 5}}, [](auto x) { return transpose(x[0]); }},
        {"permute",
         {{2, 3, 4}},
         [](auto x) {
           return permute(x[0], {2, 0, 1});
         }},
        {"transpose of two axes", {{2, 3, 4}}, [](auto x) { return transpose(x[0], 0, -1); }}},
       {{{{3}},
         [](auto x) { return transpose(x[0]); },
         "transpose: shape (3) has fewer than two axes to exchange; add one with reshape()"},
        {{{2, 3}},
         [](auto x) {
           return permute(x[0], {0, 0});
         },
         "permute: axis 0 is named twice; name each axis once"}}},
      {"slice",
       {{"rows", {{5, 3}}, [](auto x) { return slice(x[0], 0, 1, 4); }},
        {"columns", {{3, 7}}, [](auto x) { return slice(x[0], 1, -5, -1); }},
        {"every second", {{2, 7, 3}}, [](auto x) { return slice(x[0], 1, 1, 7, 2); }},
        {"every second row", {{5, 3}}, [](auto x) { return slice(x[0], 0, 0, 5, 2); }},
        {"backwards", {{2, 7, 3}}, [](auto x) { return slice(x[0], 1, -1, -8, -1); }},
        {"every second row, backwards", {{6, 3}}, [](auto x) { return slice(x[0], 0, 5, 0, -2); }},
        {"nothing", {{3, 4}}, [](auto x) { return slice(x[0], 1, 2, 2); }},
        {"overlapping", {{6, 4}}, [](auto x) { return slice(x[0], 0, 0, 5) * slice(x[0], 0, 1, 6); }}},
       {{{{3, 4}}, [](auto x) { return slice(x[0], 1, 0, 4, 0); }, "slice: step 0 along axis 1; a step is not 0"}}},
      {"select",
       {{"row", {{4, 3}}, [](auto x) { return select(x[0], 0, 2); }},
        {"column", {{4, 3}}, [](auto x) { return select(x[0], 1, -1); }},
        {"middle", {{2, 3, 4}}, [](auto x) { return select(x[0], 1, 1); }},
        {"row and whole", {{4, 3}}, [](auto x) { return select(x[0], 0, 0) + x[0] * x[0]; }}},
       {{{{4, 3}},
         [](auto x) { return select(x[0], 0, 4); },
         "select: index 4 is out of range along axis 0 of shape (4, 3), which has extent 4"}}},
      {"split",
       {{"columns",
         {{3, 7}},
         [](auto x) {
           const auto parts = split(x[0], {1, 4, 2}, 1);
           return concat({parts[2], parts[1], parts[0] * parts[0]}, 1);
         }},
        {"gates, one unused",
         {{2, 8}},
         [](auto x) {
           const auto [i, f, g, o] = split<4>(x[0], 1);
           return i * f + o;
         }},
        {"gates, the first unused",
         {{2, 8}},
         [](auto x) {
           const auto [i, f, g, o] = split<4>(x[0], 1);
           return f * g - o;
         }},
        {"rows",
         {{6, 2}},
         [](auto x) {
           const auto [a, b, c] = split<3>(x[0], 0);
           return a * b - c;
         }}},
       {{{{3, 7}},
         [](auto x) {
           return split(x[0], {3, 3}, 1)[0];
         },
         "split: the pieces add up to 6 along axis 1 of shape (3, 7); they must add up to 7"},
        {{{3, 7}},
         [](auto x) { return split<4>(x[0], 1)[0]; },
         "split: axis 1 of shape (3, 7) has extent 7, not a multiple of 4"}}},
      {"unbind",
       {{"all parts",
         {{3, 2, 4}},
         [](auto x) {
           const auto parts = unbind<3>(x[0]);
           return parts[0] * parts[2] + parts[1];
         }},
        {"one part", {{3, 4}}, [](auto x) { return unbind<3>(x[0])[1]; }},
        {"columns",
         {{3, 4, 2}},
         [](auto x) {
           const auto each = unbind(x[0], 1);
           return each.at(0) * each.at(3) - each.at(1);
         }},
        {"a part and the whole", {{2, 4}}, [](auto x) { return x[0] * unbind<2>(x[0])[1]; }}},
       {{{{}}, [](auto x) { return unbind<1>(x[0])[0]; }, "unbind: shape () has no first axis of extent 1"},
        {{{3}},
         [](auto x) { return unbind(x[0], 1).at(0); },
         "unbind: axis 1 is out of range for an array of rank 1; valid axes are -1 to 0"}}},
      {"concat",
       {{"rows", {{2, 3}, {1, 3}, {4, 3}}, [](auto x) { return concat(x, 0); }},
        {"columns", {{2, 3}, {2, 1}}, [](auto x) { return concat(x, -1); }},
        {"with nothing", {{2, 3}, {0, 3}}, [](auto x) { return concat(x, 0); }},
        {"itself",
         {{2, 3}},
         [](auto x) {
           return concat({x[0], 2 * x[0], x[0]}, 1);
         }}},
       {{{{2, 3}, {2, 4}},
         [](auto x) { return concat(x, 0); },
         "concat: input 1 has shape (2, 4), input 0 has (2, 3); they may differ along axis 0 only"}}},
      {"stack",
       {{"first axis", {{2, 3}, {2, 3}}, [](auto x) { return stack(x, 0); }},
        {"last axis", {{2, 3}, {2, 3}, {2, 3}}, [](auto x) { return stack(x, -1); }},
        {"scalars", {{}, {}}, [](auto x) { return stack(x, 0); }},
        {"itself",
         {{3}},
         [](auto x) {
           return stack({x[0], x[0]}, 1);
         }}},
       {{{{2, 3}, {3, 2}},
         [](auto x) { return stack(x, 0); },
         "stack: input 1 has shape (3, 2), input 0 has (2, 3); stack takes equal shapes"}}},
      {"assemble",
       {{"three pieces",
         {{2, 5}, {3, 2}, {5}},
         [pieces]<class X>(X x) {
           return assemble({3, 5}, std::span<const Piece>(pieces), x);
         }}},
       {{{{2, 5}, {3, 2}},
         [pieces](auto x) {
           return assemble({3, 5}, std::span<const Piece>(pieces), x);
         },
         "assemble: 2 inputs for 3 pieces; there must be one each"}}},
      {"detach", {{"product", {{3, 4}}, [](auto x) { return x[0] * detach(3 * x[0]); }}}, {}},
  };
}

}  // namespace autograd::testing
