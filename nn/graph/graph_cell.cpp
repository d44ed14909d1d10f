#include "nn/graph/graph_cell.hpp"

#include <algorithm>

#include "autograd/error.hpp"

namespace nn {

using autograd::Graph;
using autograd::Shape;
using autograd::ValueError;

template <class T>
GraphCell<T>::GraphCell(Graph<T> graph) : graph_(std::move(graph)) {
  check(graph_);
  if (graph_.inputs.size() != 1 || graph_.outputs.empty())
    throw ValueError("graph_cell: the graph has " + std::to_string(graph_.inputs.size()) + " inputs and " +
                     std::to_string(graph_.outputs.size()) + " outputs; a cell has one input, and an output");
  for (const auto& tensor : graph_.parameters) {
    autograd::Array<T> values = autograd::make_array<T>(graph_.shape(tensor.value));
    std::copy(tensor.data.begin(), tensor.data.end(), values.data());
    parameters_.emplace_back(std::move(values));
  }
}

template <class T>
auto GraphCell<T>::operator()(Variable<T> x, const State& state) -> State {
  Tape<T>& tape = autograd::tape_of("graph_cell", x);
  std::vector<Variable<T>> parameters;
  for (Parameter<T>& parameter : parameters_) parameters.push_back(tape.parameter(parameter));
  auto result = record<T>(graph_, tape, std::span<const Variable<T>>(&x, 1), state.carried, parameters);
  return {result.outputs[0], std::move(result.states)};
}

template <class T>
auto GraphCell<T>::zero_state(Tape<T>& tape, std::size_t batch) const -> State {
  const auto repeated = [&](auto value, const std::vector<T>& row) {
    return tape.constant(shape_for(graph_, value, batch), [&](std::span<T> to) {
      for (std::size_t at = 0; !row.empty() && at < to.size(); ++at) to[at] = row[at % row.size()];
    });
  };
  State state{repeated(graph_.outputs[0].value, {}), {}};
  for (const auto& each : graph_.states) state.carried.push_back(repeated(each.input, each.initial));
  return state;
}

template <class T>
Graph<T> GraphCell<T>::graph() const {
  Graph<T> result = graph_;
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const auto& values = parameters_[k].value();
    result.parameters[k].data.assign(values.data(), values.data() + values.size());
  }
  return result;
}

template class GraphCell<float>;
template class GraphCell<double>;

}  // namespace nn
