#include "autograd/graph/record.hpp"

#include <algorithm>
#include <set>

#include "autograd/error.hpp"
#include "autograd/leaf.hpp"

namespace autograd {

namespace {

template <class T>
class Converter {
 public:
  Converter(Tape<T>& tape, const GraphEnds<T>& ends)
      : recording_(tape.recording()), ends_(ends), ids_(recording_.slot_count(), none) {}

  Graph<T> run() {
    const std::vector<bool> needed = needed_steps();
    for (const auto& end : ends_.inputs) graph_.inputs.push_back({end.name, leaf("input " + end.name, end.value)});
    for (const auto& state : ends_.states) {
      const Id id = leaf("state " + state.name, state.input);
      graph_.states.push_back({state.name, id, id, data(state.input.slot())});
    }
    for (std::size_t k = 0; k < recording_.step_count(); ++k)
      if (needed[k] && recording_.step(k).input_count == 0) add_leaf(recording_.step(k));
    for (std::size_t k = 0; k < recording_.step_count(); ++k)
      if (needed[k] && recording_.step(k).input_count > 0) add_step(recording_.step(k));
    for (std::size_t k = 0; k < ends_.states.size(); ++k) graph_.states[k].output = known(ends_.states[k].output);
    for (const auto& end : ends_.outputs) graph_.outputs.push_back({end.name, known(end.value)});
    return std::move(graph_);
  }

 private:
  using Id = typename Graph<T>::Id;
  static constexpr Id none = ~Id(0);

  SlotId slot_of(Variable<T> x) const { return recording_.check("graph", x); }

  /// Those that the ends were computed from.
  std::vector<bool> needed_steps() const {
    std::vector<bool> slots(recording_.slot_count()), steps(recording_.step_count());
    std::vector<bool> given(recording_.slot_count());
    for (const auto& end : ends_.inputs) given[slot_of(end.value)] = true;
    for (const auto& state : ends_.states) given[slot_of(state.input)] = true;
    for (const auto& state : ends_.states) slots[slot_of(state.output)] = true;
    for (const auto& end : ends_.outputs) slots[slot_of(end.value)] = true;
    for (std::size_t k = recording_.step_count(); k-- > 0;) {
      const Step<T>& step = recording_.step(k);
      for (std::uint32_t m = 0; m < step.output_count; ++m)
        if (slots[step.first_output + m] && !given[step.first_output + m]) steps[k] = true;
      if (steps[k])
        for (std::uint32_t m = 0; m < step.input_count; ++m) slots[recording_.input(step, m)] = true;
    }
    return steps;
  }

  std::vector<T> data(SlotId slot) const {
    const Slot<T>& at = recording_.slot(slot);
    return {at.value, at.value + at.size};
  }

  Id add_value(SlotId slot) {
    const Id id = static_cast<Id>(graph_.values.size());
    graph_.values.push_back({*recording_.slot(slot).shape, false, std::string(recording_.name_of(slot))});
    return ids_[slot] = id;
  }
  Id leaf(const std::string& what, Variable<T> x) {
    if (ids_[slot_of(x)] != none) throw ValueError("graph: " + what + " is given twice");
    return add_value(slot_of(x));
  }
  Id known(Variable<T> x) const { return ids_[slot_of(x)]; }

  void add_leaf(const Step<T>& step) {
    const SlotId slot = step.first_output;
    if (step.op->info == &detail::drawn_info)
      throw ValueError("graph: the recording draws random numbers, as dropout does in training; record it without");
    if (!recording_.slot(slot).parameter) {
      const std::string name = "constant_" + std::to_string(graph_.constants.size());
      graph_.constants.push_back({name, add_value(slot), data(slot)});
      return;
    }
    const auto named = std::find_if(ends_.parameters.begin(), ends_.parameters.end(),
                                    [&](const auto& end) { return end.value.slot() == slot; });
    const std::string name =
        named == ends_.parameters.end() ? "parameter_" + std::to_string(graph_.parameters.size()) : named->name;
    graph_.parameters.push_back({name, add_value(slot), data(slot)});
  }

  void add_step(const Step<T>& step) {
    const GraphOpForms<T>* const forms = forms_of<T>(step.op->info);
    if (!forms)
      throw ValueError("graph: the op " + std::string(step.op->info->name) +
                       " is none that a graph can have; compose it of ops of the library");
    const GraphOp<T>* const op = find_graph_op<T>(step.op->info->name);
    typename Graph<T>::Step made{op, nullptr, forms->attributes(step.rule), {}, {}};
    made.rule = op->make(made.attributes);
    for (std::uint32_t k = 0; k < step.input_count; ++k) made.inputs.push_back(ids_[recording_.input(step, k)]);
    for (std::uint32_t k = 0; k < step.output_count; ++k) made.outputs.push_back(add_value(step.first_output + k));
    graph_.steps.push_back(std::move(made));
  }

  Recording<T>& recording_;
  const GraphEnds<T>& ends_;
  std::vector<Id> ids_;
  Graph<T> graph_;
};

/// Whether a step's attributes are those of another batch: a shape that differs in its first extent.
bool alike(const GraphAttribute& one, const GraphAttribute& two, bool batched) {
  if (one == two) return true;
  const auto *const a = std::get_if<std::vector<Index>>(&one.value), *const b =
                                                                         std::get_if<std::vector<Index>>(&two.value);
  return batched && one.name == "shape" && two.name == "shape" && a && b && !a->empty() && a->size() == b->size() &&
         std::equal(a->begin() + 1, a->end(), b->begin() + 1);
}

template <class T>
bool is_repeated(const std::vector<T>& one, const std::vector<T>& two) {
  return two.size() == 2 * one.size() && std::equal(one.begin(), one.end(), two.begin()) &&
         std::equal(one.begin(), one.end(), two.begin() + static_cast<Index>(one.size()));
}

}  // namespace

template <class T>
Graph<T> graph_of(Tape<T>& tape, const GraphEnds<T>& ends) {
  return Converter<T>(tape, ends).run();
}

template <class T>
bool mark_batch(Graph<T>& one, const Graph<T>& two) {
  if (one.values.size() != two.values.size() || one.steps.size() != two.steps.size() ||
      one.constants.size() != two.constants.size())
    return false;
  std::vector<bool> batched(one.values.size());
  for (std::size_t k = 0; k < batched.size(); ++k) {
    Shape shape = one.values[k].shape;
    const Shape& other = two.values[k].shape;
    if (shape == other) continue;
    if (shape.rank() == 0 || shape[0] != 1) return false;
    shape[0] = 2;
    if (!(shape == other)) return false;
    batched[k] = true;
  }
  for (std::size_t k = 0; k < one.steps.size(); ++k) {
    const auto &a = one.steps[k], &b = two.steps[k];
    if (a.op != b.op || a.inputs != b.inputs || a.outputs != b.outputs || a.attributes.size() != b.attributes.size())
      return false;
    for (std::size_t m = 0; m < a.attributes.size(); ++m)
      if (!alike(a.attributes[m], b.attributes[m], batched[a.outputs[0]])) return false;
  }
  for (std::size_t k = 0; k < one.constants.size(); ++k)
    if (batched[one.constants[k].value] ? !is_repeated(one.constants[k].data, two.constants[k].data)
                                        : one.constants[k].data != two.constants[k].data)
      return false;
  for (std::size_t k = 0; k < batched.size(); ++k) one.values[k].batched = batched[k];
  if (one.batched()) return true;
  for (auto& value : one.values) value.batched = false;
  return false;
}

template <class T>
GraphResult<T> record(const Graph<T>& graph, Tape<T>& tape, std::span<const Variable<T>> inputs,
                      std::span<const Variable<T>> states, std::span<const Variable<T>> parameters) {
  std::size_t batch = 1;
  if (graph.batched()) {
    const Variable<T> first = !inputs.empty() ? inputs[0] : !states.empty() ? states[0] : Variable<T>();
    if (first && first.shape().rank() > 0) batch = first.shape()[0];
  }
  std::vector<Variable<T>> values(graph.values.size());
  const auto bind = [&](const auto& ports, auto id, std::span<const Variable<T>> given, const char* what) {
    if (ports.size() != given.size())
      throw ValueError("graph: " + std::to_string(given.size()) + " " + what + " given, and it has " +
                       std::to_string(ports.size()));
    for (std::size_t k = 0; k < ports.size(); ++k) {
      const Shape expected = shape_for(graph, id(ports[k]), batch);
      if (!(given[k].shape() == expected))
        throw ShapeError("graph: \"" + ports[k].name + "\" of the " + what + " has shape " +
                         to_string(given[k].shape()) + ", expected " + to_string(expected));
      values[id(ports[k])] = given[k];
    }
  };
  bind(
      graph.inputs, [](const auto& port) { return port.value; }, inputs, "inputs");
  bind(
      graph.states, [](const auto& state) { return state.input; }, states, "states");
  bind(
      graph.parameters, [](const auto& tensor) { return tensor.value; }, parameters, "parameters");
  for (const auto& constant : graph.constants)
    values[constant.value] = tape.constant(shape_for(graph, constant.value, batch), [&](std::span<T> to) {
      for (std::size_t at = 0; at < to.size(); at += constant.data.size())
        std::copy(constant.data.begin(), constant.data.end(), to.begin() + static_cast<Index>(at));
    });
  for (const auto& step : graph.steps) {
    std::vector<Variable<T>> operands;
    for (const auto id : step.inputs) operands.push_back(values[id]);
    std::shared_ptr<const void> rule = step.rule;
    if (batch != 1 && graph.values[step.outputs[0]].batched) {
      std::vector<GraphAttribute> attributes = step.attributes;
      for (GraphAttribute& attribute : attributes)
        if (auto* const list = std::get_if<std::vector<Index>>(&attribute.value); list && attribute.name == "shape")
          list->front() = static_cast<Index>(batch);
      if (attributes != step.attributes) rule = step.op->make(attributes);
    }
    const std::vector<Variable<T>> results = forms_of(*step.op).record(rule.get(), operands);
    for (std::size_t k = 0; k < step.outputs.size(); ++k) {
      values[step.outputs[k]] = results[k];
      const std::string& name = graph.values[step.outputs[k]].name;
      if (name.empty()) continue;
      const std::span<const char> kept = tape.recording().keep(std::span<const char>(name));
      tape.name(results[k], std::string_view(kept.data(), kept.size()));
    }
  }
  GraphResult<T> result;
  for (const auto& output : graph.outputs) result.outputs.push_back(values[output.value]);
  for (const auto& state : graph.states) result.states.push_back(values[state.output]);
  return result;
}

#define INSTANTIATE(T)                                                                    \
  template Graph<T> graph_of(Tape<T>&, const GraphEnds<T>&);                              \
  template bool mark_batch(Graph<T>&, const Graph<T>&);                                   \
  template GraphResult<T> record(const Graph<T>&, Tape<T>&, std::span<const Variable<T>>, \
                                 std::span<const Variable<T>>, std::span<const Variable<T>>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
