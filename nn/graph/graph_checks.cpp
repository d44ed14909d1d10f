#include "nn/graph/graph_checks.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "autograd/number_text.hpp"

namespace nn::io::detail {

using autograd::Graph;
using autograd::Shape;
using autograd::ShapeError;
using autograd::ValueError;

namespace {

/// About how many numbers a step reads, multiplies and writes.
template <class T>
double work_of(const Graph<T>& graph) {
  double work = 1;
  for (const auto& step : graph.steps) {
    double size = 1;
    for (const auto id : step.inputs) size += static_cast<double>(graph.shape(id).elements());
    for (const auto id : step.outputs) size += static_cast<double>(graph.shape(id).elements());
    if (step.op->name() == "linear" || step.op->name() == "matmul")
      size += static_cast<double>(graph.shape(step.outputs[0]).elements()) *
              static_cast<double>(graph.shape(step.inputs[0]).back());
    work += size;
  }
  return work;
}

/// So many steps take time in proportion to the numbers of a graph, or a second or two.
template <class T>
std::size_t most_steps(const Graph<T>& graph) {
  double numbers = static_cast<double>(graph.parameter_count());
  for (const auto& constant : graph.constants) numbers += static_cast<double>(constant.data.size());
  return static_cast<std::size_t>((4e9 + 256 * numbers) / work_of(graph));
}

/// The rows of the table where an Embedding reads the input, as it is or rearranged; otherwise 0.
template <class T>
std::size_t rows_read_by(const Graph<T>& graph, typename Graph<T>::Id input) {
  std::vector<bool> same(graph.values.size());
  same[input] = true;
  for (const auto& step : graph.steps) {
    if (step.op->name() == "embedding" && same[step.inputs[1]]) return graph.shape(step.inputs[0])[0];
    if (!step.op->elementwise && std::any_of(step.inputs.begin(), step.inputs.end(), [&](auto id) { return same[id]; }))
      for (const auto id : step.outputs) same[id] = true;
  }
  return 0;
}

template <class T>
std::vector<std::vector<T>> run(const Graph<T>& graph, const GraphSelfTest<T>& test) {
  autograd::GraphRun<T> run(graph);
  std::vector<std::vector<T>> outputs(graph.outputs.size());
  for (std::size_t t = 0; t < test.steps; ++t) {
    for (std::size_t k = 0; k < test.inputs.size(); ++k) {
      const std::size_t size = graph.shape(graph.inputs[k].value).elements();
      std::copy_n(test.inputs[k].data() + t * size, size, run.input(k));
    }
    run.step();
    for (std::size_t k = 0; k < outputs.size(); ++k)
      outputs[k].insert(outputs[k].end(), run.output(k),
                        run.output(k) + graph.shape(graph.outputs[k].value).elements());
  }
  return outputs;
}

template <class T>
void check_step_count(const Graph<T>& graph, std::size_t steps) {
  if (const std::size_t most = most_steps(graph); steps > most)
    throw ValueError("it has " + std::to_string(steps) + " steps, and of a graph of this size at most " +
                     std::to_string(most) + " are run");
}

}  // namespace

template <class T>
void check_step(const Graph<T>& graph, const typename Graph<T>::Step& step, std::size_t batch) {
  const std::string name(step.op->name());
  std::vector<Shape> shapes;
  for (const auto id : step.inputs) shapes.push_back(shape_for(graph, id, batch));
  std::vector<const Shape*> inputs;
  for (const Shape& shape : shapes) inputs.push_back(&shape);
  std::shared_ptr<const void> rule = step.rule;
  if (batch != 1 && !step.outputs.empty() && graph.values[step.outputs[0]].batched) {
    std::vector<autograd::GraphAttribute> attributes = step.attributes;
    for (auto& attribute : attributes)
      if (auto* const list = std::get_if<std::vector<autograd::Index>>(&attribute.value);
          list && attribute.name == "shape" && !list->empty())
        list->front() = static_cast<autograd::Index>(batch);
    rule = step.op->make(attributes);
  }
  const std::vector<Shape> results = step.op->infer(rule.get(), inputs);
  const std::string end = batch == 1 ? "" : ", for a batch of " + std::to_string(batch);
  if (results.size() != step.outputs.size())
    throw ValueError(name + ": it has " + std::to_string(results.size()) + " outputs, and " +
                     std::to_string(step.outputs.size()) + " are given" + end);
  for (std::size_t k = 0; k < results.size(); ++k)
    if (const Shape given = shape_for(graph, step.outputs[k], batch); !(results[k] == given))
      throw ShapeError(name + ": output " + std::to_string(k) + " has shape " + to_string(results[k]) + ", and " +
                       to_string(given) + " is given" + end);
}

template <class T>
void check_batch(const Graph<T>& graph) {
  bool any = false;
  for (const auto& value : graph.values) any = any || value.batched;
  if (!any) return;
  if (!graph.batched())
    throw ValueError("graph: some values have the batch as their first axis, and not every input and state has it");
  for (const auto& parameter : graph.parameters)
    if (graph.values[parameter.value].batched)
      throw ValueError("graph: the parameter " + parameter.name + " has a batch, which parameters do not");
  for (const auto& state : graph.states)
    if (!graph.values[state.output].batched)
      throw ValueError("graph: state " + state.name + " has a batch before a step, and none after it");
  for (const auto& step : graph.steps) check_step(graph, step, 2);
}

template <class T>
GraphSelfTest<T> make_self_test(const Graph<T>& graph, std::size_t steps) {
  const std::string who = "save_graph: self_test: ";
  try {
    check_step_count(graph, steps);
  } catch (const ValueError& error) {
    throw ValueError(who + error.what() + "; ask for fewer");
  }
  std::mt19937_64 random(6);
  GraphSelfTest<T> test{steps, {}, {}, 1e-5};
  for (const auto& port : graph.inputs) {
    const std::size_t rows = rows_read_by(graph, port.value);
    std::vector<T>& input = test.inputs.emplace_back(steps * graph.shape(port.value).elements());
    for (T& value : input)
      value =
          rows ? static_cast<T>(random() % rows) : static_cast<T>(static_cast<double>(random() >> 40) * 0x1p-23 - 1);
  }
  test.outputs = run(graph, test);
  double largest = 1;
  for (const auto& output : test.outputs)
    for (const T value : output) {
      if (!std::isfinite(value)) throw ValueError(who + "the graph answers with a number that is not finite");
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
  test.tolerance *= largest;
  return test;
}

template <class T>
void verify_self_test(const Graph<T>& graph, const GraphSelfTest<T>& test) {
  try {
    check_step_count(graph, test.steps);
  } catch (const ValueError& error) {
    throw ValueError(std::string(error.what()) + "; leave the first of them in the file");
  }
  const auto check_sizes = [&](const auto& lists, const auto& ports, const char* what) {
    if (lists.size() != ports.size())
      throw ValueError(std::to_string(lists.size()) + " " + what + ", and the graph has " +
                       std::to_string(ports.size()));
    for (std::size_t k = 0; k < ports.size(); ++k)
      if (const std::size_t size = graph.shape(ports[k].value).elements(); lists[k].size() != test.steps * size)
        throw ValueError("\"" + ports[k].name + "\" of the " + what + " has " + std::to_string(lists[k].size()) +
                         " numbers, expected " + std::to_string(size) + " for each of " + std::to_string(test.steps) +
                         " steps");
  };
  check_sizes(test.inputs, graph.inputs, "inputs");
  check_sizes(test.outputs, graph.outputs, "outputs");
  const auto answers = run(graph, test);
  for (std::size_t k = 0; k < answers.size(); ++k)
    for (std::size_t at = 0; at < answers[k].size(); ++at) {
      const double answer = static_cast<double>(answers[k][at]), expected = static_cast<double>(test.outputs[k][at]);
      if (std::abs(answer - expected) <= test.tolerance) continue;
      throw ValueError("at step " + std::to_string(at / (answers[k].size() / test.steps)) + " the graph answers " +
                       autograd::number_text(answer, 9) + " instead of " + autograd::number_text(expected, 9) +
                       ", and the tolerance is " + autograd::number_text(test.tolerance, 3) +
                       "; the weights are not those that were saved, or mean something else here");
    }
}

#define INSTANTIATE(T)                                                                    \
  template void check_step(const Graph<T>&, const typename Graph<T>::Step&, std::size_t); \
  template void check_batch(const Graph<T>&);                                             \
  template GraphSelfTest<T> make_self_test(const Graph<T>&, std::size_t);                 \
  template void verify_self_test(const Graph<T>&, const GraphSelfTest<T>&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::io::detail
