#include "autograd/ops/selection.hpp"

#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/on_tape.hpp"

namespace autograd {

namespace {

/// f(mask), where the mask passes no gradient, whatever it was made of.
template <class T, class F>
Variable<T> with_mask(Tape<T>& tape, Variable<T> mask, F f) {
  if (!mask.needs_gradient()) return f(mask);
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

// These take a mask, and are recorded as above.
#define ON_TAPE(T)                                                                                                 \
  template <>                                                                                                      \
  Variable<T> detail::OnTape<ops::Masked>::record(const ops::Masked&, Variable<T> x, Variable<T> m) {              \
    return record_masked(x, m);                                                                                    \
  }                                                                                                                \
  template <>                                                                                                      \
  Variable<T> detail::OnTape<ops::Where>::record(const ops::Where&, Variable<T> c, Variable<T> a, Variable<T> b) { \
    return record_where(c, a, b);                                                                                  \
  }
ON_TAPE(float)
ON_TAPE(double)
#undef ON_TAPE

template struct detail::OnTape<ops::Greater>;
template struct detail::OnTape<ops::GreaterThan>;
template struct detail::OnTape<ops::Equal>;
template struct detail::OnTape<ops::EqualTo>;
template struct detail::OnTape<ops::Sign>;
template struct detail::OnTape<ops::Maximum>;
template struct detail::OnTape<ops::Minimum>;
template struct detail::OnTape<ops::Clip>;
template struct detail::OnTape<ops::Floor>;

template <class Entry>
void detail::add_selection_ops(std::vector<Entry>& to) {
  add_elementwise<ops::Greater, ops::GreaterThan, ops::Equal, ops::EqualTo, ops::Sign, ops::Masked, ops::Where,
                  ops::Maximum, ops::Minimum, ops::Clip, ops::Floor>(to);
}
WENGERT_GRAPH_OPS(detail::add_selection_ops)

}  // namespace autograd
