#include "autograd/ops/activations.hpp"

#include "autograd/ops/on_graph.hpp"
#include "autograd/ops/on_tape.hpp"

namespace autograd {

void detail::throw_celu() { throw ValueError("celu: alpha must not be 0"); }

template <class T>
Variable<T> glu(Variable<T> x, Index axis) {
  const auto [a, b] = split<2>(x, axis);
  return a * sigmoid(b);
}
template Variable<float> glu(Variable<float>, Index);
template Variable<double> glu(Variable<double>, Index);

template struct detail::OnTape<ops::LeakyRelu>;
template struct detail::OnTape<ops::Elu>;
template struct detail::OnTape<ops::Celu>;
template struct detail::OnTape<ops::HardTanh>;

template <class Entry>
void detail::add_activation_ops(std::vector<Entry>& to) {
  add_elementwise<ops::LeakyRelu, ops::Elu, ops::Celu, ops::HardTanh>(to);
}
WENGERT_GRAPH_OPS(detail::add_activation_ops)

}  // namespace autograd
