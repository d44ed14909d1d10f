#include "autograd/ops/trigonometric.hpp"

#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/on_tape.hpp"

namespace autograd {

template struct detail::OnTape<ops::Sin>;
template struct detail::OnTape<ops::Cos>;
template struct detail::OnTape<ops::Tan>;
template struct detail::OnTape<ops::Asin>;
template struct detail::OnTape<ops::Acos>;
template struct detail::OnTape<ops::Atan>;
template struct detail::OnTape<ops::Sinh>;
template struct detail::OnTape<ops::Cosh>;
template struct detail::OnTape<ops::Atan2>;

template <class Entry>
void detail::add_trigonometric_ops(std::vector<Entry>& to) {
  add_elementwise<ops::Sin, ops::Cos, ops::Tan, ops::Asin, ops::Acos, ops::Atan, ops::Sinh, ops::Cosh, ops::Atan2>(to);
}
WENGERT_GRAPH_OPS(detail::add_trigonometric_ops)

}  // namespace autograd
