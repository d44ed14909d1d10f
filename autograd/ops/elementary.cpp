#include "autograd/ops/elementary.hpp"

#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/on_tape.hpp"

namespace autograd {

template struct detail::OnTape<ops::Exp>;
template struct detail::OnTape<ops::Log>;
template struct detail::OnTape<ops::Sqrt>;
template struct detail::OnTape<ops::Rsqrt>;
template struct detail::OnTape<ops::Expm1>;
template struct detail::OnTape<ops::Log1p>;
template struct detail::OnTape<ops::LogAddExp>;
template struct detail::OnTape<ops::Erf>;
template struct detail::OnTape<ops::Erfc>;
template struct detail::OnTape<ops::Tanh>;
template struct detail::OnTape<ops::Sigmoid>;
template struct detail::OnTape<ops::Relu>;
template struct detail::OnTape<ops::Softplus>;
template struct detail::OnTape<ops::Abs>;

template <class Entry>
void detail::add_elementary_ops(std::vector<Entry>& to) {
  add_elementwise<ops::Exp, ops::Log, ops::Sqrt, ops::Rsqrt, ops::Expm1, ops::Log1p, ops::LogAddExp, ops::Erf,
                  ops::Erfc, ops::Tanh, ops::Sigmoid, ops::Relu, ops::Softplus, ops::Abs>(to);
}
WENGERT_GRAPH_OPS(detail::add_elementary_ops)

}  // namespace autograd
