// Graphs: what was read runs, and is written and read again as it was.
#include <stdexcept>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/graph/step_graph.hpp"
#include "nn/io/file.hpp"
#include "nn/layer_norm.hpp"
#include "nn/linear.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

template <class T>
void run_as(std::string_view bytes) {
  const nn::io::GraphFile<T> file = nn::io::graph_from_text<T>(bytes, {.allow_narrowing = true});
  std::string text;
  try {
    text = nn::io::graph_text(file.graph, {.metadata = file.metadata});
  } catch (const autograd::ValueError&) {
    return;  // a note under a name that files have for something else
  }
  if (nn::io::graph_text(nn::io::graph_from_text<T>(text).graph, {.metadata = file.metadata}) != text)
    throw std::logic_error("a graph that was read, written and read again is another one");
  std::size_t numbers = 0;
  for (const auto& value : file.graph.values) numbers += value.shape.elements();
  if (numbers > 10000 || file.graph.outputs.empty()) return;
  autograd::GraphRun<T> graph(file.graph);
  graph.step();
}

void run(std::string_view bytes) {
  try {
    run_as<float>(bytes);
  } catch (const autograd::Error&) {
  }
  run_as<double>(bytes);
}

std::vector<std::string> seeds() {
  nn::Generator generator(1);
  nn::LSTMCell<float> lstm({.input_size = 1, .hidden_size = 2}, generator);
  nn::Sequential row(nn::Embedding<double>(3, 2, generator),
                     nn::GRU<double>({.input_size = 2, .hidden_size = 2}, generator), nn::LayerNorm<double>(2),
                     nn::Linear<double>(2, 1, generator));
  return {nn::io::graph_text(nn::step_graph(lstm), {.metadata = {{"name", "a"}}, .self_test_steps = 2}),
          nn::io::graph_text(nn::step_graph(row), {.self_test_steps = 2})};
}

}  // namespace

Target graph_target() { return {"graph", run, seeds, nn::io::read_file}; }

}  // namespace fuzz
