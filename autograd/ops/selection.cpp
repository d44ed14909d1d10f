#include "autograd/ops/selection.hpp"

#include "autograd/all_or_nothing.hpp"
#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/attributes.hpp"
#include "autograd/registry.hpp"

namespace autograd {

std::string ops::GreaterThan::attributes() const { return attribute("threshold", threshold); }
std::string ops::Clip::attributes() const { return attribute("low", low) + ", " + attribute("high", high); }
std::string ops::EqualTo::attributes() const { return attribute("value", value); }

template <class T>
Variable<T> greater(Variable<T> a, Variable<T> b) {
  return apply(ops::Greater{}, a, b);
}
template <class T>
Variable<T> greater(Variable<T> x, double threshold) {
  return apply(ops::GreaterThan{threshold}, x);
}
template <class T>
Variable<T> equal(Variable<T> a, Variable<T> b) {
  return apply(ops::Equal{}, a, b);
}
template <class T>
Variable<T> equal(Variable<T> x, double value) {
  return apply(ops::EqualTo{value}, x);
}
template <class T>
Variable<T> sign(Variable<T> x) {
  return apply(ops::Sign{}, x);
}
namespace {

/// f(mask), where the mask passes no gradient, whatever it was made of.
template <class T, class F>
Variable<T> with_mask(Tape<T>& tape, Variable<T> mask, F f) {
  if (!tape.slot(mask.slot()).needs_gradient) return f(mask);
  return all_or_nothing(tape, [&] { return f(detach(mask)); });
}

}  // namespace

template <class T>
Variable<T> masked(Variable<T> x, Variable<T> mask) {
  return with_mask(common_tape("masked", x, mask), mask, [&](Variable<T> m) { return apply(ops::Masked{}, x, m); });
}
template <class T>
Variable<T> where(Variable<T> condition, Variable<T> a, Variable<T> b) {
  return with_mask(common_tape("where", condition, a, b), condition,
                   [&](Variable<T> c) { return apply(ops::Where{}, c, a, b); });
}
template <class T>
Variable<T> maximum(Variable<T> a, Variable<T> b) {
  return apply(ops::Maximum{}, a, b);
}
template <class T>
Variable<T> minimum(Variable<T> a, Variable<T> b) {
  return apply(ops::Minimum{}, a, b);
}
template <class T>
Variable<T> clip(Variable<T> x, double low, double high) {
  return apply(ops::Clip{low, high}, x);
}
template <class T>
Variable<T> floor(Variable<T> x) {
  return apply(ops::Floor{}, x);
}
template <class T>
Variable<T> masked_fill(Variable<T> x, Variable<T> mask, double value) {
  Tape<T>& tape = common_tape("masked_fill", x, mask);
  return all_or_nothing(tape, [&] { return where(mask, tape.constant(Shape{}, static_cast<T>(value)), x); });
}
template <class T>
Variable<T> lerp(Variable<T> a, Variable<T> b, Variable<T> weight) {
  return all_or_nothing(common_tape("lerp", a, b, weight), [&] { return a + weight * (b - a); });
}

template <class T>
Variable<T> maximum(Variable<T> x, double bound) {
  return maximum(x, common_tape("maximum", x).constant(Shape{}, static_cast<T>(bound)));
}
template <class T>
Variable<T> minimum(Variable<T> x, double bound) {
  return minimum(x, common_tape("minimum", x).constant(Shape{}, static_cast<T>(bound)));
}

#define INSTANTIATE(T)                                                \
  template Variable<T> greater(Variable<T>, Variable<T>);             \
  template Variable<T> greater(Variable<T>, double);                  \
  template Variable<T> equal(Variable<T>, Variable<T>);               \
  template Variable<T> equal(Variable<T>, double);                    \
  template Variable<T> sign(Variable<T>);                             \
  template Variable<T> masked(Variable<T>, Variable<T>);              \
  template Variable<T> where(Variable<T>, Variable<T>, Variable<T>);  \
  template Variable<T> maximum(Variable<T>, Variable<T>);             \
  template Variable<T> minimum(Variable<T>, Variable<T>);             \
  template Variable<T> maximum(Variable<T>, double);                  \
  template Variable<T> minimum(Variable<T>, double);                  \
  template Variable<T> clip(Variable<T>, double, double);             \
  template Variable<T> floor(Variable<T>);                            \
  template Variable<T> masked_fill(Variable<T>, Variable<T>, double); \
  template Variable<T> lerp(Variable<T>, Variable<T>, Variable<T>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

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
