#include "autograd/graph/graph.hpp"

#include <ostream>
#include <set>
#include <sstream>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace autograd {

namespace {

std::string text_of(const GraphAttribute& attribute) {
  const std::string start = attribute.name + "=";
  if (const bool* const truth = std::get_if<bool>(&attribute.value)) return *truth ? attribute.name : "";
  if (const double* const number = std::get_if<double>(&attribute.value)) return start + number_text(*number + 0.0);
  if (const Index* const whole = std::get_if<Index>(&attribute.value)) return start + std::to_string(*whole);
  std::string list;
  for (const Index each : std::get<std::vector<Index>>(attribute.value))
    list += (list.empty() ? "" : ", ") + std::to_string(each);
  return start + "(" + list + ")";
}

/// Which values have been computed.
template <class T>
class Checker {
 public:
  explicit Checker(const Graph<T>& graph) : graph_(graph), known_(graph.values.size()) {}

  void run() {
    for (const auto& port : graph_.inputs) define(port.value, "input " + port.name);
    for (const auto& state : graph_.states) {
      define(state.input, "state " + state.name);
      require_elements(state.input, state.initial.size(), "the initial value of state " + state.name);
    }
    for (const auto* const tensors : {&graph_.parameters, &graph_.constants})
      for (const auto& tensor : *tensors) {
        define(tensor.value, tensor.name);
        require_elements(tensor.value, tensor.data.size(), tensor.name);
      }
    for (std::size_t k = 0; k < graph_.steps.size(); ++k) step(k);
    for (const auto& port : graph_.outputs) require(port.value, "output " + port.name);
    for (const auto& state : graph_.states) {
      require(state.output, "the next state " + state.name);
      if (!(graph_.shape(state.input) == graph_.shape(state.output)))
        throw ShapeError("graph: state " + state.name + " has shape " + to_string(graph_.shape(state.input)) +
                         " before a step, and " + to_string(graph_.shape(state.output)) + " after it");
    }
    names(graph_.inputs, "inputs");
    names(graph_.outputs, "outputs");
    names(graph_.states, "states");
    names(graph_.parameters, "parameters");
  }

 private:
  using Id = typename Graph<T>::Id;

  void require_value(Id id, const std::string& what) const {
    if (id >= known_.size())
      throw ValueError("graph: " + what + " is value " + std::to_string(id) + ", and there are " +
                       std::to_string(known_.size()));
  }
  void define(Id id, const std::string& what) {
    require_value(id, what);
    if (known_[id]) throw ValueError("graph: " + what + " is value " + std::to_string(id) + ", which is there before");
    known_[id] = true;
  }
  void require(Id id, const std::string& what) const {
    require_value(id, what);
    if (!known_[id])
      throw ValueError("graph: " + what + " is value " + std::to_string(id) + ", which is not computed before");
  }
  void require_elements(Id id, std::size_t count, const std::string& what) const {
    if (graph_.shape(id).elements() != count)
      throw ShapeError("graph: " + what + " has " + std::to_string(count) + " elements, and shape " +
                       to_string(graph_.shape(id)));
  }
  void step(std::size_t k) {
    const auto& step = graph_.steps[k];
    const std::string what = "step " + std::to_string(k) + " (" + std::string(step.op->name()) + ")";
    std::vector<const Shape*> shapes;
    for (const Id id : step.inputs) {
      require(id, "an input of " + what);
      shapes.push_back(&graph_.shape(id));
    }
    const std::vector<Shape> results = step.op->infer(step.rule.get(), shapes);
    if (results.size() != step.outputs.size())
      throw ValueError("graph: " + what + " has " + std::to_string(results.size()) + " outputs, and " +
                       std::to_string(step.outputs.size()) + " are given");
    for (std::size_t m = 0; m < results.size(); ++m) {
      define(step.outputs[m], "an output of " + what);
      if (!(graph_.shape(step.outputs[m]) == results[m]))
        throw ShapeError("graph: an output of " + what + " has shape " + to_string(results[m]) + ", and " +
                         to_string(graph_.shape(step.outputs[m])) + " is given");
    }
  }
  template <class Named>
  static void names(const std::vector<Named>& list, const char* what) {
    std::set<std::string> seen;
    for (const Named& each : list)
      if (!seen.insert(each.name).second)
        throw ValueError("graph: two " + std::string(what) + " have the name \"" + each.name + "\"");
  }

  const Graph<T>& graph_;
  std::vector<bool> known_;
};

}  // namespace

template <class T>
std::size_t Graph<T>::parameter_count() const {
  std::size_t count = 0;
  for (const Tensor& parameter : parameters) count += parameter.data.size();
  return count;
}

template <class T>
bool Graph<T>::batched() const {
  for (const Port& input : inputs)
    if (!values[input.value].batched) return false;
  for (const State& state : states)
    if (!values[state.input].batched) return false;
  return true;
}

template <class T>
void Graph<T>::print(std::ostream& out) const {
  const auto line = [&](Id id, const char* what, const std::string& name) {
    out << label(*this, id) << " = " << what << " " << name << "  " << to_string(shape(id)) << '\n';
  };
  for (const Port& input : inputs) line(input.value, "input", input.name);
  for (const State& state : states) line(state.input, "state", state.name);
  for (const Tensor& parameter : parameters) line(parameter.value, "parameter", parameter.name);
  for (const Tensor& constant : constants) line(constant.value, "constant", constant.name);
  for (const Step& step : steps) {
    for (std::size_t k = 0; k < step.outputs.size(); ++k) out << (k ? ", " : "") << label(*this, step.outputs[k]);
    out << " = " << step.op->name() << "(";
    for (std::size_t k = 0; k < step.inputs.size(); ++k) out << (k ? ", " : "") << label(*this, step.inputs[k]);
    for (const GraphAttribute& attribute : step.attributes)
      if (const std::string text = text_of(attribute); !text.empty()) out << ", " << text;
    out << ")  ";
    for (std::size_t k = 0; k < step.outputs.size(); ++k) out << (k ? ", " : "") << to_string(shape(step.outputs[k]));
    out << '\n';
  }
  for (const State& state : states) out << "next " << state.name << " = " << label(*this, state.output) << '\n';
  for (const Port& output : outputs) out << "output " << output.name << " = " << label(*this, output.value) << '\n';
}

template <class T>
std::string Graph<T>::print() const {
  std::ostringstream text;
  print(text);
  return text.str();
}

template <class T>
void check(const Graph<T>& graph) {
  Checker<T>(graph).run();
}

template <class T>
std::string label(const Graph<T>& graph, typename Graph<T>::Id value) {
  const std::string& name = graph.values[value].name;
  return "%" + std::to_string(value) + (name.empty() ? "" : ":" + name);
}

template <class T>
Shape shape_for(const Graph<T>& graph, typename Graph<T>::Id value, std::size_t batch) {
  Shape shape = graph.shape(value);
  if (graph.values[value].batched) shape[0] = batch;
  return shape;
}

#define INSTANTIATE(T)                                                \
  template struct Graph<T>;                                           \
  template void check(const Graph<T>&);                               \
  template std::string label(const Graph<T>&, typename Graph<T>::Id); \
  template Shape shape_for(const Graph<T>&, typename Graph<T>::Id, std::size_t);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
