#include "autograd/ops/arithmetic.hpp"

#include "autograd/ops/elementary.hpp"
#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/on_tape.hpp"
#include "autograd/ops/selection.hpp"

namespace autograd {

template struct detail::OnTape<ops::Add>;
template struct detail::OnTape<ops::Sub>;
template struct detail::OnTape<ops::Mul>;
template struct detail::OnTape<ops::Div>;
template struct detail::OnTape<ops::Neg>;
template struct detail::OnTape<ops::Affine>;
template struct detail::OnTape<ops::DividedBy>;
template struct detail::OnTape<ops::DividedInto>;
template struct detail::OnTape<ops::Pow>;
template struct detail::OnTape<ops::Power>;
template struct detail::OnTape<ops::Square>;
template struct detail::OnTape<ops::Reciprocal>;

template <class Entry>
void detail::add_arithmetic_ops(std::vector<Entry>& to) {
  add_elementwise<ops::Add, ops::Sub, ops::Mul, ops::Div, ops::Neg, ops::Affine, ops::DividedBy, ops::DividedInto,
                  ops::Pow, ops::Power, ops::Square, ops::Reciprocal>(to);
}
WENGERT_GRAPH_OPS(detail::add_arithmetic_ops)

}  // namespace autograd
