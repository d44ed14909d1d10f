// ONNX models of graphs, run by what the standard says of each node: they compute what the graph does.
#include "nn/graph/graph_onnx.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/file.hpp"
#include "nn/io/save_load.hpp"
#include "onnx_model.hpp"
#include "op_graphs.hpp"

using autograd::Graph;
using onnx_model::Array;
using onnx_model::Dims;

namespace {

constexpr std::size_t steps = 10, input = 3, hidden = 5;

const std::filesystem::path folder = [] {
  const auto path = std::filesystem::temp_directory_path() / "wengert_graph_onnx_test";
  std::filesystem::create_directories(path);
  return path;
}();

template <class T>
onnx_model::Model saved(const Graph<T>& graph, const nn::io::OnnxGraphOptions& options = {}) {
  const auto path = folder / "graph.onnx";
  nn::io::save_onnx(graph, path, options);
  return onnx_model::read_model(nn::io::read_file(path));
}

std::size_t batch_of(const auto& graph) { return graph.batched() ? 3 : 1; }

/// (time, batch, features), within `low` and `high`.
Array sequence(const Graph<double>& graph, double low, double high) {
  nn::Generator generator(9);
  const auto x = nn::uniform<double>({steps, batch_of(graph), graph.input_size()}, low, high, generator);
  return {{steps, static_cast<std::int64_t>(batch_of(graph)), static_cast<std::int64_t>(graph.input_size())},
          {x.data(), x.data() + x.size()}};
}

/// What runs of the graph give, in the order of y (time, batch, ...).
std::vector<double> expected(const Graph<double>& graph, const Array& x) {
  const std::size_t batch = batch_of(graph), in = graph.input_size(), out = graph.output_size();
  const std::size_t outputs = graph.values[graph.outputs[0].value].batched ? batch : 1;
  std::vector<double> result(steps * outputs * out);
  for (std::size_t b = 0; b < outputs; ++b) {
    autograd::GraphRun<double> run(graph);
    for (std::size_t t = 0; t < steps; ++t) {
      std::copy_n(x.values.data() + (t * batch + b) * in, in, run.input());
      run.step();
      std::copy_n(run.output(), out, result.data() + (t * outputs + b) * out);
    }
  }
  return result;
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return 1e300;
  double worst = 0;
  for (std::size_t k = 0; k < a.size(); ++k)
    if (!(a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k]))))
      worst = std::isfinite(a[k] - b[k]) ? std::max(worst, std::abs(a[k] - b[k])) : 1e300;
  return worst;
}

std::vector<double> run_scan(const Graph<double>& graph, const Array& x) {
  const onnx_model::Model model = saved(graph);
  return onnx_model::Run::of(model.graph, {{"x", x}}).at("y").values;
}

std::vector<double> run_steps(const Graph<double>& graph, const Array& x) {
  const onnx_model::Model model = saved(graph, {.step_model = true});
  const auto initial = nlohmann::json::parse(model.metadata.at("initial_states"));
  onnx_model::Run::Values now;
  for (const auto& state : graph.states) {
    const auto numbers = initial.at(state.name).get<std::vector<double>>();
    const auto& shape = graph.shape(state.input);
    Array& value = now[state.name] = {{shape.begin(), shape.end()}, {}};
    value.dims[0] *= x.dims[1];
    for (std::int64_t b = 0; b < x.dims[1]; ++b)
      value.values.insert(value.values.end(), numbers.begin(), numbers.end());
  }
  std::vector<double> result;
  const std::size_t size = x.values.size() / steps;
  for (std::size_t t = 0; t < steps; ++t) {
    const auto begin = x.values.begin() + static_cast<std::ptrdiff_t>(t * size);
    now["x"] = {{x.dims[1], x.dims[2]}, {begin, begin + static_cast<std::ptrdiff_t>(size)}};
    auto values = onnx_model::Run::of(model.graph, now);
    const Array& y = values.at("y");
    result.insert(result.end(), y.values.begin(), y.values.end());
    for (const auto& state : graph.states) now[state.name] = values.at(state.name + "_next");
  }
  return result;
}

void require_same(const Graph<double>& graph, double low = -2, double high = 2) {
  const Array x = sequence(graph, low, high);
  const std::vector<double> y = expected(graph, x);
  CHECK(difference(run_scan(graph, x), y) <= 1e-12);
  CHECK(difference(run_steps(graph, x), y) <= 1e-12);
}

/// Every name is defined once, before it is used, and every initializer has all of its numbers.
void require_sound(const onnx_model::Graph& graph, std::set<std::string> defined, std::set<std::string>& all) {
  const auto define = [&](const std::string& name) {
    CHECK(!name.empty());
    CHECK(all.insert(name).second);
    defined.insert(name);
  };
  for (const auto& [name, array] : graph.initializers) {
    define(name);
    CHECK(array.values.size() == onnx_model::size_of(array.dims));
  }
  for (const std::string& name : graph.inputs) define(name);
  const std::set<std::string> others{
      "CumSum",          "Concat",    "Expand",     "Gather",    "GatherElements", "Gemm", "LogSoftmax", "MatMul",
      "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceSum", "Reshape",        "Scan", "Shape",      "Slice",
      "Softmax",         "Split",     "Squeeze",    "Transpose", "Unsqueeze",      "Where"};
  for (const onnx_model::Node& node : graph.nodes) {
    INFO(node.op << " " << node.name);
    CHECK(
        (others.contains(node.op) || onnx_model::unary().contains(node.op) || onnx_model::binary().contains(node.op)));
    for (const std::string& name : node.inputs) CHECK(defined.contains(name));
    for (const auto& body : node.body) require_sound(body, defined, all);
    for (const std::string& name : node.outputs) define(name);
  }
  for (const std::string& name : graph.outputs) CHECK(defined.contains(name));
}

void require_sound(const auto& graph) {
  for (const bool step_model : {false, true}) {
    const onnx_model::Model model = saved(graph, {.step_model = step_model});
    CHECK(model.ir_version == 8);
    CHECK(model.opset == 14);
    std::set<std::string> all;
    require_sound(model.graph, {}, all);
  }
}

/// f(name, graph of double) for every cell and model.
void for_each_graph(auto f) {
  graphs::for_each_cell<double>(input, hidden, [&](const std::string& name, auto& cell, std::size_t features) {
    f(name, nn::step_graph<double>(cell, {.input_size = features}));
  });
  graphs::for_each_model<double>(input, hidden, [&](const std::string& name, auto& model, std::size_t, auto) {
    f(name, nn::step_graph<double>(model));
  });
  nn::Generator generator(1);
  graphs::SteppedModel<double> stepped(input, hidden, generator);
  f("SteppedModel", nn::step_graph(stepped));
}

template <class T>
std::string refusal(const Graph<T>& graph, const nn::io::OnnxGraphOptions& options = {}) {
  try {
    nn::io::save_onnx(graph, folder / "refused.onnx", options);
  } catch (const autograd::ValueError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("every cell and model answers as its graph, over a sequence and step by step", "[graph_onnx]") {
  for_each_graph([](const std::string& name, const Graph<double>& graph) {
    INFO(name);
    require_same(graph);
    require_sound(graph);
  });
}

TEST_CASE("every op is written, or refused by its name", "[graph_onnx]") {
  std::set<std::string> written, refused;
  graphs::for_each_op<double>([&](const std::string& name, const Graph<double>& graph) {
    INFO(name);
    const std::string reason = refusal(graph);
    if (!reason.empty()) {
      CHECK(reason.find("= " + name + ":") != std::string::npos);
      CHECK(refusal(graph, {.step_model = true}) == reason);
      refused.insert(name);
      return;
    }
    written.insert(name);
    require_sound(graph);
    // What reads the batch as a whole is not what runs of one sequence give.
    if (name == "sum_to" && !graph.values[graph.outputs[0].value].batched) return;
    if (name == "gather") return require_same(graph, 0.05, 0.05);
    require_same(graph);
  });
  CHECK(refused == std::set<std::string>{"acos", "asin", "atan", "atan2", "cosh", "erf", "erfc", "sinh", "tan"});
  for (const auto& op : autograd::graph_ops<double>()) {
    INFO(op.name());
    CHECK((written.contains(std::string(op.name())) || refused.contains(std::string(op.name()))));
  }
  refused.clear();
  graphs::for_each_op<float>([&](const std::string& name, const Graph<float>& graph) {
    if (refusal(graph).empty())
      require_sound(graph);
    else
      refused.insert(name);
  });
  CHECK(refused == std::set<std::string>{"atan2", "erfc"});
}

TEST_CASE("a step over the whole batch is one", "[graph_onnx]") {
  for (const autograd::Shape& shape : {autograd::Shape{3, 4}, autograd::Shape{1, 1, 4}}) {
    INFO(to_string(shape));
    const auto graph = graphs::op_graph<double>([&](auto x) {
      return sum_to(reshape(x, {x.shape()[0], 3, 4}), shape);
    });
    REQUIRE(graph.batched());
    const Array x = sequence(graph, -1, 1);
    const std::size_t size = shape.elements();
    std::vector<double> sums(steps * size);
    for (std::size_t k = 0; k < x.values.size(); ++k) sums[k / (3 * 12) * size + k % size] += x.values[k];
    CHECK(difference(run_scan(graph, x), sums) <= 1e-12);
  }
}

TEST_CASE("functions that ONNX does not have keep their digits", "[graph_onnx]") {
  for (const char* const name : {"expm1", "log1p"}) {
    INFO(name);
    const auto graph = graphs::elementwise_graph(*autograd::find_graph_op<double>(name));
    Array x = sequence(graph, 0, 1);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double values[] = {1e-300, -1e-17, 1e-9, -1e-5, 0.1, 700, infinity, -infinity, -1, 1e300};
    for (std::size_t k = 0; k < x.values.size(); ++k) x.values[k] = values[k % std::size(values)];
    const auto y = run_scan(graph, x), exact = expected(graph, x);
    REQUIRE(y.size() == exact.size());
    for (std::size_t k = 0; k < y.size(); ++k)
      CHECK((y[k] == exact[k] || (std::isnan(y[k]) && std::isnan(exact[k])) ||
             std::abs(y[k] - exact[k]) <= 1e-15 * std::abs(exact[k])));
  }
}

TEST_CASE("a model has the names of its program", "[graph_onnx]") {
  nn::Generator generator(1);
  nn::LSTMCell<float> cell({.input_size = input, .hidden_size = hidden}, generator);
  const Graph<float> graph = nn::step_graph<float>(cell);
  const auto sequence = saved(graph, {.metadata = {{"author", "somebody"}}}), step = saved(graph, {.step_model = true});
  CHECK(sequence.metadata == std::map<std::string, std::string>{{"author", "somebody"}});
  CHECK(sequence.graph.inputs == onnx_model::Texts{"x"});
  CHECK(sequence.graph.outputs == onnx_model::Texts{"y"});
  onnx_model::Texts inputs{"x"}, outputs{"y"};
  for (const auto& state : graph.states) {
    inputs.push_back(state.name);
    outputs.push_back(state.name + "_next");
  }
  CHECK(step.graph.inputs == inputs);
  CHECK(step.graph.outputs == outputs);
  for (const auto* const model : {&sequence, &step})
    for (const auto& parameter : graph.parameters) {
      INFO(parameter.name);
      const auto found = std::find_if(model->graph.initializers.begin(), model->graph.initializers.end(),
                                      [&](const auto& each) { return each.first == parameter.name; });
      REQUIRE(found != model->graph.initializers.end());
      CHECK(found->second.values == std::vector<double>(parameter.data.begin(), parameter.data.end()));
    }
}

TEST_CASE("a parameter that is called as a state is another value", "[graph_onnx]") {
  nn::Generator generator(1);
  nn::GRUCell<double> cell({.input_size = input, .hidden_size = hidden}, generator);
  Graph<double> graph = nn::step_graph<double>(cell);
  graph.parameters[0].name = graph.states[0].name;
  graph.parameters[1].name = "x";
  graph.values[graph.steps[0].outputs[0]].name = "y";
  require_sound(graph);
  require_same(graph);
  graph.states[0].initial[0] = -std::numeric_limits<double>::infinity();
  const auto metadata = saved(graph, {.step_model = true}).metadata;
  CHECK(nlohmann::json::parse(metadata.at("initial_states"))["h"][0] == "-inf");
}

TEST_CASE("what no model can be is refused", "[graph_onnx]") {
  nn::Generator generator(1);
  nn::GRUCell<float> cell({.input_size = input, .hidden_size = hidden}, generator);
  Graph<float> graph = nn::step_graph<float>(cell);
  CHECK(refusal(graph, {.step_model = true, .metadata = {{"initial_states", "mine"}}}).find("initial_states") !=
        std::string::npos);
  graph.states[0].name = "y";
  CHECK(refusal(graph).find("\"y\"") != std::string::npos);
  graph.states[0].name = "h";
  graph.steps.clear();
  CHECK_THROWS_AS(nn::io::save_onnx(graph, folder / "none.onnx"), autograd::Error);
  CHECK(!std::filesystem::exists(folder / "none.onnx"));
}

TEST_CASE("the library reads no model that was made of a graph, and says so", "[graph_onnx]") {
  nn::Generator generator(1);
  nn::GRUCell<float> cell({.input_size = input, .hidden_size = hidden}, generator);
  for (const bool step_model : {false, true}) {
    nn::io::save_onnx(nn::step_graph<float>(cell), folder / "graph.onnx", {.step_model = step_model});
    std::string message;
    try {
      nn::io::load(folder / "graph.onnx");
    } catch (const autograd::FormatError& error) {
      message = error.what();
    }
    INFO(message);
    CHECK(message.find(step_model ? "states" : "Scan") != std::string::npos);
  }
}
