#include "autograd/ops/selection.hpp"

#include "autograd/ops/on_tape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

namespace {

/// f(mask), where the mask passes no gradient, whatever it was made of.
template <class T, class F>
Variable<T> with_mask(Tape<T>& tape, Variable<T> mask, F f) {
  if (!tape.slot(mask.slot()).needs_gradient) return f(mask);
  return all_or_nothing(tape, [&] { return f(detach(mask)); });
}

}  // namespace

template <class T>
Variable<T> detail::record_masked(Variable<T> x, Variable<T> mask) {
  return with_mask(common_tape("masked", x, mask), mask, [&](Variable<T> m) { return apply(ops::Masked{}, x, m); });
}
template <class T>
Variable<T> detail::record_where(Variable<T> condition, Variable<T> a, Variable<T> b) {
  return with_mask(common_tape("where", condition, a, b), condition,
                   [&](Variable<T> c) { return apply(ops::Where{}, c, a, b); });
}
template Variable<float> detail::record_masked(Variable<float>, Variable<float>);
template Variable<double> detail::record_masked(Variable<double>, Variable<double>);
template Variable<float> detail::record_where(Variable<float>, Variable<float>, Variable<float>);
template Variable<double> detail::record_where(Variable<double>, Variable<double>, Variable<double>);

template struct detail::OnTape<ops::Greater>;
template struct detail::OnTape<ops::GreaterThan>;
template struct detail::OnTape<ops::Equal>;
template struct detail::OnTape<ops::EqualTo>;
template struct detail::OnTape<ops::Sign>;
template struct detail::OnTape<ops::Maximum>;
template struct detail::OnTape<ops::Minimum>;
template struct detail::OnTape<ops::Clip>;
template struct detail::OnTape<ops::Floor>;

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo masked_fill_info{.name = "masked_fill", .inputs = 2};
constexpr OpInfo lerp_info{.name = "lerp", .inputs = 3};
}  // namespace

std::vector<RegisteredOp> selection_ops() {
  return {elementwise_op<ops::Greater>([](auto x) { return greater(x[0], x[1]); }),
          elementwise_op<ops::GreaterThan>([](auto x) { return greater(x[0], 0.25); }),
          elementwise_op<ops::Equal>([](auto x) { return equal(x[0], x[1]); }),
          elementwise_op<ops::EqualTo>([](auto x) { return equal(x[0], 0.25); }),
          elementwise_op<ops::Sign>([](auto x) { return sign(x[0]); }),
          elementwise_op<ops::Masked>([](auto x) { return masked(x[0], greater(x[1], 0)); }),
          elementwise_op<ops::Where>([](auto x) { return where(greater(x[0], 0), x[1], x[2]); }),
          elementwise_op<ops::Maximum>([](auto x) { return maximum(x[0], x[1]); }),
          elementwise_op<ops::Minimum>([](auto x) { return minimum(x[0], x[1]); }),
          elementwise_op<ops::Clip>([](auto x) { return clip(x[0], -0.5, 1.25); }),
          elementwise_op<ops::Floor>([](auto x) { return floor(x[0]); }),
          {&masked_fill_info,
           {{"rows", {{3, 4}, {3, 1}}, [](auto x) { return masked_fill(x[0], greater(x[1], 0), -2); }}},
           {{{{3, 4}, {3, 5}},
             [](auto x) { return masked_fill(x[0], x[1], -2); },
             "where: shapes (3, 5) and (3, 4) do not broadcast: axis 1 has extents 5 and 4; make them equal, or one of "
             "them 1"}}},
          {&lerp_info,
           {{"matrices and a weight", {{3, 4}, {3, 4}, {}}, [](auto x) { return lerp(x[0], x[1], x[2]); }},
            {"elementwise", {{3, 4}, {3, 4}, {3, 4}}, [](auto x) { return lerp(x[0], x[1], x[2]); }}},
           {{{{3, 4}, {3, 5}, {}},
             [](auto x) { return lerp(x[0], x[1], x[2]); },
             "sub: shapes (3, 5) and (3, 4) do not broadcast: axis 1 has extents 5 and 4; make them equal, or one of "
             "them 1"}}}};
}

}  // namespace autograd
