#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of the shape ops, but listed under the names users call.
constexpr OpInfo squeeze_info{.name = "squeeze"};
constexpr OpInfo expand_dims_info{.name = "expand_dims"};
constexpr OpInfo flatten_info{.name = "flatten"};
constexpr OpInfo split_every_info{.name = "split_every"};
constexpr OpInfo chunk_info{.name = "chunk"};
constexpr OpInfo flip_info{.name = "flip"};
constexpr OpInfo roll_info{.name = "roll"};
constexpr OpInfo repeat_info{.name = "repeat"};
constexpr OpInfo tile_info{.name = "tile"};
constexpr OpInfo pad_info{.name = "pad"};
constexpr OpInfo tril_info{.name = "tril"};
constexpr OpInfo triu_info{.name = "triu"};
constexpr OpInfo diagonal_info{.name = "diagonal"};
}  // namespace

std::vector<RegisteredOp> arrangement_ops() {
  return {{squeeze_info,
           {{"middle", {{3, 1, 4}}, [](auto x) { return squeeze(x[0], 1); }}},
           {{{{3, 4}},
             [](auto x) { return squeeze(x[0], -1); },
             "squeeze: axis 1 of shape (3, 4) has extent 4; only an axis of extent 1 can be dropped"}}},
          {expand_dims_info,
           {{"last", {{3, 4}}, [](auto x) { return expand_dims(x[0], -1); }},
            {"first", {{3, 4}}, [](auto x) { return expand_dims(x[0], 0); }}},
           {{{{3}},
             [](auto x) { return expand_dims(x[0], 2); },
             "expand_dims: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
          {flatten_info,
           {{"all", {{2, 3, 4}}, [](auto x) { return flatten(x[0]); }},
            {"some", {{2, 3, 4, 2}}, [](auto x) { return flatten(x[0], 1, -2); }},
            {"a scalar", {{}}, [](auto x) { return flatten(x[0]); }}},
           {{{{2, 3}},
             [](auto x) { return flatten(x[0], 1, 0); },
             "flatten: axis 1 comes after axis 0; name the first axis first"}}},
          {split_every_info,
           {{"rows",
             {{5, 3}},
             [](auto x) {
               const auto parts = split_every(x[0], 2);
               return parts.at(0) * parts.at(1) + parts.at(2);
             }}},
           {{{{5, 3}},
             [](auto x) { return split_every(x[0], 0)[0]; },
             "split_every: pieces of extent 0; a size is at least 1"}}},
          {chunk_info,
           {{"columns",
             {{3, 7}},
             [](auto x) {
               const auto parts = chunk(x[0], 3, 1);
               return parts.at(0) * parts.at(1) + parts.at(2);
             }}},
           {{{{5, 3}}, [](auto x) { return chunk(x[0], 0)[0]; }, "chunk: 0 pieces; a count is at least 1"}}},
          {flip_info,
           {{"rows", {{4, 3}}, [](auto x) { return flip(x[0], 0); }},
            {"two axes",
             {{2, 3, 4}},
             [](auto x) {
               return flip(x[0], {0, -1});
             }},
            {"nothing", {{0, 3}}, [](auto x) { return flip(x[0], 0); }}},
           {{{{2, 3}},
             [](auto x) {
               return flip(x[0], {0, 0});
             },
             "flip: axis 0 is named twice; name each axis once"}}},
          {roll_info,
           {{"forwards", {{3, 5}}, [](auto x) { return roll(x[0], 2, 1); }},
            {"backwards, twice round", {{5, 2}}, [](auto x) { return roll(x[0], -11, 0); }}},
           {{{{2, 3}},
             [](auto x) { return roll(x[0], 1, 2); },
             "roll: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
          {repeat_info,
           {{"columns", {{2, 3}}, [](auto x) { return repeat(x[0], 3, 1); }},
            {"rows", {{2, 3}}, [](auto x) { return repeat(x[0], 2, 0); }},
            {"not at all", {{2, 3}}, [](auto x) { return repeat(x[0], 0, 0); }}},
           {{{{3}},
             [](auto x) { return repeat(x[0], 2, -2); },
             "repeat: axis -2 is out of range for an array of rank 1; valid axes are -1 to 0"}}},
          {tile_info,
           {{"three axes",
             {{3, 2}},
             [](auto x) {
               return tile(x[0], {2, 1, 3});
             }}},
           {{{{2, 3}},
             [](auto x) { return tile(x[0], {2}); },
             "tile: 1 repeats for shape (2, 3); give one for each of its 2 axes"}}},
          {pad_info,
           {{"columns", {{3, 4}}, [](auto x) { return pad(x[0], -1, 1, 2, 0.5); }},
            {"rows", {{3, 4}}, [](auto x) { return pad(x[0], 0, 0, 1); }}},
           {{{{3}},
             [](auto x) { return pad(x[0], 1, 1, 1); },
             "pad: axis 1 is out of range for an array of rank 1; valid axes are -1 to 0"}}},
          {tril_info,
           {{"below", {{4, 4}}, [](auto x) { return tril(x[0], -1); }},
            {"batch of wide ones", {{2, 3, 5}}, [](auto x) { return tril(x[0]); }}},
           {{{{4}}, [](auto x) { return tril(x[0]); }, "tril: shape (4) has fewer than two axes; it takes matrices"}}},
          {triu_info,
           {{"above", {{4, 4}}, [](auto x) { return triu(x[0], 1); }}},
           {{{{4}}, [](auto x) { return triu(x[0]); }, "triu: shape (4) has fewer than two axes; it takes matrices"}}},
          {diagonal_info,
           {{"main", {{4, 4}}, [](auto x) { return diagonal(x[0]); }},
            {"above", {{3, 5}}, [](auto x) { return diagonal(x[0], 1); }},
            {"below", {{5, 3}}, [](auto x) { return diagonal(x[0], -2); }},
            {"first and last axis", {{3, 2, 3}}, [](auto x) { return diagonal(x[0], 0, 0, 2); }},
            {"outside", {{3, 3}}, [](auto x) { return diagonal(x[0], 4); }}},
           {{{{3, 3}},
             [](auto x) { return diagonal(x[0], 0, 1, -1); },
             "diagonal: axis 1 is named twice; name two axes"}}}};
}

}  // namespace autograd::testing
