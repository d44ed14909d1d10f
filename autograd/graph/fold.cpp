#include "autograd/graph/fold.hpp"

#include <algorithm>
#include <stdexcept>

namespace autograd {

namespace {

const GraphAttribute& attribute(const std::vector<GraphAttribute>& attributes, const char* name) {
  const auto found =
      std::find_if(attributes.begin(), attributes.end(), [&](const GraphAttribute& each) { return each.name == name; });
  if (found == attributes.end()) throw std::logic_error(std::string("no attribute ") + name);
  return *found;
}

}  // namespace

Index whole_attribute(const std::vector<GraphAttribute>& attributes, const char* name) {
  return std::get<Index>(attribute(attributes, name).value);
}
const std::vector<Index>& list_attribute(const std::vector<GraphAttribute>& attributes, const char* name) {
  return std::get<std::vector<Index>>(attribute(attributes, name).value);
}

template <class T>
Folded<T> fold_constants(const Graph<T>& graph) {
  Folded<T> folded{std::vector<bool>(graph.values.size()), std::vector<const T*>(graph.values.size())};
  for (const auto* const tensors : {&graph.parameters, &graph.constants})
    for (const auto& tensor : *tensors) {
      folded.is_constant[tensor.value] = true;
      folded.data[tensor.value] = tensor.data.data();
    }
  for (const auto& step : graph.steps) {
    if (!std::all_of(step.inputs.begin(), step.inputs.end(), [&](auto id) { return folded.is_constant[id]; })) continue;
    std::vector<Operand<const T>> inputs;
    std::vector<Operand<T>> outputs;
    for (const auto id : step.inputs) inputs.push_back({folded.data[id], &graph.shape(id)});
    for (const auto id : step.outputs) {
      std::vector<T>& room = folded.computed.emplace_back(graph.shape(id).elements());
      folded.is_constant[id] = true;
      folded.data[id] = room.data();
      outputs.push_back({room.data(), &graph.shape(id)});
    }
    step.op->forward(step.rule.get(), {inputs, outputs});
  }
  return folded;
}

template <class T>
std::vector<GraphAlias<T>> aliases_of(const Graph<T>& graph, const typename Graph<T>::Step& step) {
  const std::string_view name = step.op->name();
  const auto source = step.inputs[0];
  if (name == "reshape" || name == "detach") return {{source, 0}};
  if (name != "slice" && name != "select" && name != "split" && name != "unbind") return {};
  const auto whole = [&](const char* attribute) {
    return static_cast<std::size_t>(whole_attribute(step.attributes, attribute));
  };
  const std::size_t axis = name == "unbind" ? 0 : whole("axis");
  const Shape& shape = graph.shape(source);
  if (shape.elements(0, axis) != 1 || (name == "slice" && whole_attribute(step.attributes, "step") != 1)) return {};
  const std::size_t start = name == "select" ? whole("index") : name == "slice" ? whole("start") : 0;
  std::size_t offset = start * shape.elements(axis + 1, shape.rank());
  std::vector<GraphAlias<T>> aliases;
  for (const auto id : step.outputs) {
    aliases.push_back({source, offset});
    offset += graph.shape(id).elements();
  }
  return aliases;
}

#define INSTANTIATE(T)                                \
  template Folded<T> fold_constants(const Graph<T>&); \
  template std::vector<GraphAlias<T>> aliases_of(const Graph<T>&, const typename Graph<T>::Step&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
