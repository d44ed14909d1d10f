// Every cell, model and op as ONNX graphs, and what a run of the library's answers, for tests/clients/graphs.mjs.
#include "clients/export_graphs.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "nn/graph/graph_onnx.hpp"
#include "nn/graph/models.hpp"
#include "nn/graph/op_graphs.hpp"

namespace {

constexpr std::size_t steps = 12, input = 3, hidden = 5;

nlohmann::json text_of(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(std::to_string(value));
}

/// The same computation in double.
autograd::Graph<double> widened(const autograd::Graph<float>& graph) {
  autograd::Graph<double> result;
  const auto copy = [](const auto& from, auto& to) {
    for (const auto& each : from) to.push_back({each.name, each.value, {each.data.begin(), each.data.end()}});
  };
  for (const auto& each : graph.values) result.values.push_back({each.shape, each.batched, each.name});
  for (const auto& each : graph.inputs) result.inputs.push_back({each.name, each.value});
  for (const auto& each : graph.outputs) result.outputs.push_back({each.name, each.value});
  for (const auto& each : graph.states)
    result.states.push_back({each.name, each.input, each.output, {each.initial.begin(), each.initial.end()}});
  copy(graph.parameters, result.parameters);
  copy(graph.constants, result.constants);
  for (const auto& step : graph.steps) {
    const auto* const op = autograd::find_graph_op<double>(step.op->name());
    result.steps.push_back({op, op->make(step.attributes), step.attributes, step.inputs, step.outputs});
  }
  return result;
}
const autograd::Graph<double>& widened(const autograd::Graph<double>& graph) { return graph; }

/// One list of numbers for each step, of all sequences one after the other.
template <class T>
class Exporter {
 public:
  explicit Exporter(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void operator()(std::string name, const autograd::Graph<T>& graph, bool within_one, bool extreme) {
    for (char& letter : name)
      if (letter == ' ' || letter == ',') letter = '_';
    name += std::is_same_v<T, float> ? ".float" : ".double";
    const std::string first = name;
    for (int k = 2; std::filesystem::exists(folder_ / (name + ".json")); ++k) name = first + "_" + std::to_string(k);
    nlohmann::json answer{{"type", std::is_same_v<T, float> ? "float32" : "float64"}};
    try {
      nn::io::save_onnx(graph, folder_ / (name + ".scan.onnx"), {.metadata = {{"made by", "export_graphs"}}});
      nn::io::save_onnx(graph, folder_ / (name + ".step.onnx"), {.step_model = true});
      run(graph, within_one, extreme, answer);
    } catch (const autograd::ValueError& error) {
      answer["refused"] = error.what();
    }
    std::ofstream(folder_ / (name + ".json")) << answer;
  }

 private:
  static void run(const autograd::Graph<T>& graph, bool within_one, bool extreme, nlohmann::json& answer) {
    const std::size_t batch = graph.batched() ? 3 : 1;
    const bool output_batched = graph.values[graph.outputs[0].value].batched;
    nn::Generator generator(9);
    const std::size_t size = graph.input_size();
    autograd::Array<T> x = within_one ? nn::uniform<T>({steps, batch, size}, 0.05, 0.95, generator)
                                      : nn::normal<T>({steps, batch, size}, 0, 1, generator);
    if (extreme) {
      constexpr T infinity = std::numeric_limits<T>::infinity();
      const T special[] = {T(0), T(-0.0), infinity, -infinity, std::numeric_limits<T>::quiet_NaN(), T(1e-6), T(-200)};
      for (std::size_t k = 0; k < x.size(); k += 3) x.data()[k] = special[k / 3 % 7];
    }
    std::vector<nlohmann::json> inputs(steps, nlohmann::json::array()), outputs = inputs;
    double rounding = 0;  // of a run of T, which some graphs magnify
    for (std::size_t b = 0; b < batch; ++b) {
      autograd::GraphRun<T> run(graph);
      autograd::GraphRun<double> exact(widened(graph));
      for (std::size_t t = 0; t < steps; ++t) {
        std::copy_n(x.data() + (t * batch + b) * size, size, run.input());
        std::copy_n(run.input(), size, exact.input());
        run.step();
        exact.step();
        for (std::size_t k = 0; k < graph.output_size(); ++k)
          if (const double error = std::abs(static_cast<double>(run.output()[k]) - exact.output()[k]); !extreme)
            rounding = std::max(rounding, error);
        for (std::size_t k = 0; k < size; ++k) inputs[t].push_back(text_of(run.input()[k]));
        for (std::size_t k = 0; k < graph.output_size() && (output_batched || b == 0); ++k)
          outputs[t].push_back(text_of(run.output()[k]));
      }
    }
    answer["rounding"] = rounding;
    answer["batch"] = batch;
    answer["features"] = size;
    answer["input"] = inputs;
    answer["output"] = outputs;
    for (const auto& state : graph.states) {
      const auto& shape = graph.shape(state.input);
      answer["states"].push_back({{"name", state.name},
                                  {"shape", std::vector<std::size_t>(shape.begin(), shape.end())},
                                  {"initial", state.initial}});
    }
  }

  std::filesystem::path folder_;
};

/// Whether an op says of each number by itself what it becomes, NaN and infinities included.
template <class T>
bool is_elementwise(const std::string& op) {
  const auto* const found = autograd::find_graph_op<T>(op);
  return found && found->elementwise;
}

template <class T>
void export_ops(Exporter<T>& give) {
  graphs::for_each_op<T>([&](const std::string& name, const auto& graph) {
    // What reads the batch as a whole can not be answered by one sequence after the other.
    if (name == "sum_to" && !graph.values[graph.outputs[0].value].batched) return;
    give("op_" + name, graph, name == "gather", false);
    if (is_elementwise<T>(name)) give("extreme_" + name, graph, false, true);
  });
}

}  // namespace

void export_graphs(const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto export_models = [&]<class T>(Exporter<T> give) {
    graphs::for_each_cell<T>(input, hidden, [&](const std::string& name, auto& cell, std::size_t features) {
      give(name, nn::step_graph<T>(cell, {.input_size = features}), false, false);
    });
    graphs::for_each_model<T>(input, hidden, [&](const std::string& name, auto& model, std::size_t, auto) {
      give(name, nn::step_graph<T>(model), false, false);
    });
    nn::Generator generator(1);
    graphs::SteppedModel<T> stepped(input, hidden, generator);
    give("SteppedModel", nn::step_graph<T>(stepped), false, false);
    nn::Linear<T> linear(input, hidden, generator);
    give("Linear", nn::step_graph<T>(linear), false, false);
    export_ops<T>(give);
  };
  export_models(Exporter<float>(folder));
  export_models(Exporter<double>(folder));
}
