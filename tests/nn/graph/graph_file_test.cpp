// Graphs as files: what is read is what was written, in C++ and in plain Python; what is wrong is refused with its
// place.
#include "nn/graph/graph_file.hpp"

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/file.hpp"
#include "nn/io/save_load.hpp"

using autograd::FormatError;
using autograd::Graph;
using autograd::GraphAttribute;
using autograd::GraphOp;
using autograd::GraphRun;
using autograd::Index;
using autograd::Shape;
using Catch::Contains;

namespace {

constexpr std::size_t input = 3, hidden = 5, steps = 4;
constexpr double infinity = std::numeric_limits<double>::infinity();

std::filesystem::path scratch(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() / "wengert_graph_file_test";
  std::filesystem::create_directories(folder);
  return folder / name;
}

/// f(name, graph) for every cell and model.
template <class T, class F>
void for_each_graph(F f) {
  graphs::for_each_cell<T>(input, hidden, [&](const std::string& name, auto& cell, std::size_t features) {
    f(name, nn::step_graph<T>(cell, {.input_size = features}));
  });
  graphs::for_each_model<T>(input, hidden, [&](const std::string& name, auto& model, std::size_t, auto) {
    f(name, nn::step_graph<T>(model));
  });
  nn::Generator generator(2);
  graphs::SteppedModel<T> stepped(input, hidden, generator);
  f("SteppedModel", nn::step_graph<T>(stepped));
  nn::Sequential words(nn::Embedding<T>(7, 4, generator), nn::GRU<T>({.input_size = 4, .hidden_size = 5}, generator));
  f("words", nn::step_graph<T>(words));
}

/// Numbers for every step and input, drawn from a few, so that some are equal.
template <class T>
std::vector<std::vector<T>> inputs_of(const Graph<T>& graph, double low = -2, double high = 2) {
  std::mt19937 random(5);
  const bool words = std::any_of(graph.steps.begin(), graph.steps.end(),
                                 [](const auto& step) { return step.op->name() == "embedding"; });
  std::vector<std::vector<T>> result;
  for (std::size_t t = 0; t < steps; ++t)
    for (const auto& port : graph.inputs) {
      std::vector<T>& values = result.emplace_back(graph.shape(port.value).elements());
      for (T& value : values)
        value = words ? static_cast<T>(random() % 3) : static_cast<T>(low + (high - low) * (random() % 17) / 16.0);
    }
  return result;
}

template <class T>
std::vector<T> answers(const Graph<T>& graph, const std::vector<std::vector<T>>& inputs) {
  GraphRun<T> run(graph);
  std::vector<T> result;
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
      const std::vector<T>& values = inputs[t * graph.inputs.size() + k];
      std::copy(values.begin(), values.end(), run.input(k));
    }
    run.step();
    for (std::size_t k = 0; k < graph.outputs.size(); ++k)
      result.insert(result.end(), run.output(k), run.output(k) + graph.shape(graph.outputs[k].value).elements());
  }
  return result;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
void check_same(const Graph<T>& a, const Graph<T>& b) {
  CHECK(a.print() == b.print());
  REQUIRE(a.values.size() == b.values.size());
  for (std::size_t k = 0; k < a.values.size(); ++k) {
    CHECK(a.values[k].shape == b.values[k].shape);
    CHECK(a.values[k].batched == b.values[k].batched);
    CHECK(a.values[k].name == b.values[k].name);
  }
  REQUIRE(a.steps.size() == b.steps.size());
  for (std::size_t k = 0; k < a.steps.size(); ++k) {
    CHECK(a.steps[k].op == b.steps[k].op);
    CHECK(a.steps[k].attributes == b.steps[k].attributes);
    CHECK(a.steps[k].inputs == b.steps[k].inputs);
    CHECK(a.steps[k].outputs == b.steps[k].outputs);
  }
  const auto same_tensors = [](const auto& left, const auto& right) {
    REQUIRE(left.size() == right.size());
    for (std::size_t k = 0; k < left.size(); ++k) {
      CHECK(left[k].name == right[k].name);
      CHECK(left[k].value == right[k].value);
      CHECK(same_bits(left[k].data, right[k].data));
    }
  };
  same_tensors(a.parameters, b.parameters);
  same_tensors(a.constants, b.constants);
  REQUIRE(a.states.size() == b.states.size());
  for (std::size_t k = 0; k < a.states.size(); ++k) {
    CHECK(a.states[k].name == b.states[k].name);
    CHECK(same_bits(a.states[k].initial, b.states[k].initial));
  }
}

// A graph for each op.

struct OpCase {
  std::vector<Shape> inputs;
  std::vector<GraphAttribute> attributes = {};
};

GraphAttribute list(const char* name, std::vector<Index> values) { return {name, std::move(values)}; }

/// Ways to call the ops that are not elementwise.
const std::multimap<std::string, OpCase>& structural_cases() {
  static const std::multimap<std::string, OpCase> cases{
      {"reshape", {{{2, 3}}, {list("shape", {3, 1, 2})}}},
      {"broadcast_to", {{{3, 1}}, {list("shape", {2, 3, 4})}}},
      {"sum_to", {{{2, 3, 4}}, {list("shape", {3, 1})}}},
      {"sum_to", {{{2, 3}}, {list("shape", {})}}},
      {"permute", {{{2, 3, 4}}, {list("axes", {2, 0, 1})}}},
      {"detach", {{{2, 3}}}},
      {"slice", {{{2, 5}}, {{"axis", Index(1)}, {"start", Index(3)}, {"step", Index(-2)}, {"length", Index(2)}}}},
      {"select", {{{2, 5, 2}}, {{"axis", Index(1)}, {"index", Index(3)}}}},
      {"split", {{{2, 5}}, {{"axis", Index(1)}, list("extents", {2, 1, 2})}}},
      {"unbind", {{{3, 2}}}},
      {"concat", {{{2, 1}, {2, 3}, {2, 2}}, {{"axis", Index(1)}}}},
      {"stack", {{{2, 3}, {2, 3}}, {{"axis", Index(1)}}}},
      {"max", {{{2, 3, 4}}, {list("axes", {0, 2}), {"first", false}}}},
      {"logsumexp", {{{2, 3, 4}}, {list("axes", {1})}}},
      {"softmax", {{{2, 3, 2}}, {{"axis", Index(1)}}}},
      {"log_softmax", {{{2, 3, 2}}, {{"axis", Index(1)}}}},
      {"mean", {{{2, 3, 4}}, {{"first", Index(1)}, {"last", Index(3)}}}},
      {"centered", {{{2, 3, 4}}, {{"first", Index(0)}, {"last", Index(2)}}}},
      {"cumsum", {{{2, 3, 2}}, {{"axis", Index(1)}, {"reverse", false}}}},
      {"cumsum", {{{2, 3}}, {{"axis", Index(1)}, {"reverse", true}}}},
      {"take", {{{2, 4, 2}}, {{"axis", Index(1)}, list("index_shape", {2, 2}), list("indices", {3, 0, 1, 3})}}},
      {"gather", {{{2, 4}}, {{"axis", Index(1)}, list("index_shape", {2, 3}), list("indices", {3, 0, 1, 3, 2, 2})}}},
      {"embedding", {{{3, 2}, {2, 2}}}},
      {"linear", {{{2, 3}, {4, 3}}}},
      {"linear", {{{2, 3}, {4, 3}, {4}}}},
      {"linear", {{{2, 3}, {4, 3}, {2, 4}}}},
      {"matmul", {{{3, 2, 4}, {3, 4, 2}}}}};
  return cases;
}

template <class T>
Graph<T> graph_of(const GraphOp<T>& op, const OpCase& call) {
  Graph<T> graph;
  typename Graph<T>::Step step{&op, op.make(call.attributes), call.attributes, {}, {}};
  std::vector<const Shape*> shapes;
  for (const Shape& shape : call.inputs) {
    const auto id = static_cast<typename Graph<T>::Id>(graph.values.size());
    graph.values.push_back({shape});
    graph.inputs.push_back({"x" + std::to_string(id), id});
    step.inputs.push_back(id);
    shapes.push_back(&shape);
  }
  for (const Shape& shape : op.infer(step.rule.get(), shapes)) {
    const auto id = static_cast<typename Graph<T>::Id>(graph.values.size());
    graph.values.push_back({shape});
    graph.outputs.push_back({"y" + std::to_string(id), id});
    step.outputs.push_back(id);
  }
  graph.steps.push_back(std::move(step));
  return graph;
}

/// f(name, graph) for every op that a graph can have.
template <class T, class F>
void for_each_op(F f) {
  for (const GraphOp<T>& op : autograd::graph_ops<T>()) {
    const std::string name(op.name());
    INFO(name);
    if (!op.elementwise) {
      const auto [first, last] = structural_cases().equal_range(name);
      REQUIRE(first != last);  // an op that this test does not know
      for (auto at = first; at != last; ++at) f(name, graph_of(op, at->second), op.info->domain);
      continue;
    }
    static const std::map<std::string, std::vector<GraphAttribute>> attributes{
        {"affine", {{"scale", 0.7}, {"shift", -0.0}}},
        {"divided_by", {{"divisor", 0.3}}},
        {"divided_into", {{"dividend", 0.3}}},
        {"pow", {{"exponent", 1.7}}},
        {"softplus", {{"beta", 0.7}, {"threshold", 0.5}}},
        {"greater_than", {{"threshold", 0.25}}},
        {"equal_to", {{"value", 0.25}}},
        {"clip", {{"low", -infinity}, {"high", 0.5}}},
        {"leaky_relu", {{"slope", 0.1}}},
        {"elu", {{"alpha", 1.3}}},
        {"celu", {{"alpha", 1.3}}},
        {"hard_tanh", {{"low", -0.5}, {"high", infinity}}}};
    const auto found = attributes.find(name);
    OpCase call{std::vector<Shape>(static_cast<std::size_t>(op.info->inputs), Shape{2, 8}), {}};
    if (found != attributes.end()) call.attributes = found->second;
    f(name, graph_of(op, call), op.info->domain);
  }
}

/// What docs/wengert2.py answers; nothing where there is no Python.
template <class T>
std::vector<double> python_answers(const std::string& text, const std::vector<std::vector<T>>& inputs,
                                   std::size_t ports) {
  const auto model = scratch("model.json"), in = scratch("in.txt"), out = scratch("out.txt");
  nn::io::replace_file(model, text);
  std::ofstream file(in);
  file.precision(17);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    for (const T value : inputs[k]) file << value << ' ';
    if ((k + 1) % ports == 0) file << '\n';
  }
  file.close();
  const std::string command = "python3 \"" WENGERT_DOCS_DIR "/wengert2.py\" \"" + model.string() + "\" < \"" +
                              in.string() + "\" > \"" + out.string() + "\"";
  REQUIRE(std::system(command.c_str()) == 0);
  std::ifstream read(out);
  std::vector<double> result;
  for (std::string word; read >> word;) result.push_back(std::strtod(word.c_str(), nullptr));
  return result;
}

bool has_python() {
  if (std::system("python3 -c \"import sys; sys.exit(sys.version_info < (3, 10))\"") == 0) return true;
  WARN("skipped: there is no Python 3.10 or later, which docs/wengert2.py is run with");
  return false;
}

template <class T>
void check_python(const Graph<T>& graph, const std::vector<std::vector<T>>& inputs) {
  const std::vector<T> expected = answers(graph, inputs);
  const std::vector<double> found = python_answers(nn::io::graph_text(graph), inputs, graph.inputs.size());
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k)
    if (!(std::isnan(found[k]) && std::isnan(expected[k]))) CHECK(std::abs(found[k] - expected[k]) <= 1e-12);
}

const std::string tiny = R"({
  "format": "wengert/2",
  "dtype": "float64",
  "inputs": [{"name": "x", "value": 0, "shape": ["batch", 1]}],
  "states": [{"name": "h", "input": 1, "output": 7, "shape": ["batch", 2], "initial": [0.0, 0.0]}],
  "parameters": {
    "W": {"value": 2, "shape": [2, 1], "data": [0.5, -0.25]},
    "U": {"value": 3, "shape": [2, 2], "data": [0.1, 0.2, 0.3, 0.4]}
  },
  "constants": [{"name": "c", "value": 8, "shape": [2], "data": [1.0, 2.0]}],
  "steps": [
    {"op": "linear", "inputs": [1, 3, 8], "outputs": [{"value": 4, "shape": ["batch", 2]}]},
    {"op": "linear", "inputs": [0, 2, 4], "outputs": [{"value": 5, "shape": ["batch", 2]}]},
    {"op": "affine", "inputs": [5], "outputs": [{"value": 6, "shape": ["batch", 2]}], "scale": 2.0, "shift": 0.5},
    {"op": "tanh", "inputs": [6], "outputs": [{"value": 7, "shape": ["batch", 2], "label": "h"}]}
  ],
  "outputs": [{"name": "y", "value": 7}],
  "metadata": {"note": "a"},
  "self_test": {"steps": 1, "inputs": [[0.0]], "outputs": [[0.986614298151, 0.99975321]], "tolerance": 1e-3}
}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

template <class T>
std::string refusal(const std::string& text, const nn::io::GraphLoadOptions& options = {}) {
  try {
    nn::io::graph_from_text<T>(text, options, "m.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "it was read";
}

}  // namespace

TEMPLATE_TEST_CASE("a graph that is read is the one that was written", "[graph_file]", float, double) {
  using T = TestType;
  const auto path = scratch("graph.json");
  for_each_graph<T>([&](const std::string& name, const Graph<T>& graph) {
    INFO(name);
    nn::io::save_graph(graph, path, {.metadata = {{"name", name}}, .self_test_steps = 8});
    const auto file = nn::io::read_graph_file<T>(path);
    check(file.graph);
    check_same(graph, file.graph);
    CHECK(file.metadata == nn::io::Metadata{{"name", name}});
    CHECK(file.self_test_steps == 8);
    CHECK(file.dtype == (std::is_same_v<T, float> ? nn::io::Dtype::float32 : nn::io::Dtype::float64));
    CHECK(nn::io::graph_text(file.graph) == nn::io::graph_text(graph));
    // A graph with functions of the program runs them, the file's its steps.
    Graph<T> unfused = graph;
    unfused.functions.clear();
    const auto inputs = inputs_of(graph);
    CHECK(same_bits(answers(file.graph, inputs), answers(unfused, inputs)));
  });
  for_each_op<T>([&](const std::string& name, const Graph<T>& graph, const autograd::Interval& domain) {
    INFO(name);
    const Graph<T> again = nn::io::graph_from_text<T>(nn::io::graph_text(graph)).graph;
    check_same(graph, again);
    const auto inputs = inputs_of(graph, domain.low, domain.high);
    CHECK(same_bits(answers(again, inputs), answers(graph, inputs)));
  });
}

TEST_CASE("plain Python answers as a graph does", "[graph_file]") {
  if (!has_python()) return;
  std::set<std::string> cells;
  for_each_graph<double>([&](const std::string& name, const Graph<double>& graph) {
    static const std::set<std::string> wanted{
        "LSTMCell",   "PeepholeLSTMCell", "GRUResetBeforeCell", "SLSTMCell",
        "MemoryCell", "TwoRateCell",      "Sequential",         "LSTMCell of other nonlinearities",
        "words"};
    if (!wanted.count(name)) return;
    INFO(name);
    cells.insert(name);
    check_python(graph, inputs_of(graph));
  });
  CHECK(cells.size() == 9);
  for_each_op<double>([&](const std::string& name, const Graph<double>& graph, const autograd::Interval& domain) {
    INFO(name);
    check_python(graph, inputs_of(graph, domain.low, domain.high));
  });
  const auto path = scratch("unknown.json"), error = scratch("error.txt");
  nn::io::replace_file(path, replaced(tiny, "\"tanh\"", "\"tanhh\""));
  const std::string command = "python3 \"" WENGERT_DOCS_DIR "/wengert2.py\" \"" + path.string() + "\" 2> \"" +
                              error.string() + "\" < \"" + path.string() + "\"";
  CHECK(std::system(command.c_str()) != 0);
  CHECK_THAT(nn::io::read_file(error), Contains("unknown op tanhh"));
}

TEST_CASE("files that others wrote are read", "[graph_file]") {
  const auto by_hand = nn::io::read_graph_file<double>(WENGERT_GRAPH_FILES "/by_hand.json");
  CHECK(by_hand.graph.print() == R"(%2 = input x  (1, 2)
%3 = state h  (1, 2)
%0 = parameter w  (2, 2)
%1 = parameter b  (2)
%10 = constant floor  (1, 2)
%4 = linear(%2, %0, %1)  (1, 2)
%5:before = reshape(%3, shape=(1, 2))  (1, 2)
%6:z = add(%4, %5:before)  (1, 2)
%7 = clip(%6:z, low=0, high=inf)  (1, 2)
%8 = maximum(%7, %10)  (1, 2)
%9 = sum_to(%8, shape=(1, 1))  (1, 1)
next h = %8
output y = %9
)");
}

TEST_CASE("a shape has a batch where the output has one", "[graph_file]") {
  const std::string text = nn::io::read_file(WENGERT_GRAPH_FILES "/by_hand.json");
  CHECK_THAT(refusal<double>(replaced(text, R"("value":40,"shape":["batch",1])", R"("value":40,"shape":[1,1])")),
             Contains("/steps/5/shape: it has \"batch\", and the output has none"));
  CHECK_THAT(refusal<double>(replaced(text, R"("op":"sum_to","shape":["batch",1])", R"("op":"sum_to","shape":[1,1])")),
             Contains("/steps/5/shape: the output has \"batch\", and it has none"));
}

TEST_CASE("the file that the documentation shows is one", "[graph_file]") {
  const std::string page = nn::io::read_file(WENGERT_DOCS_DIR "/formats.md"), fence = "```json\n";
  const std::size_t first = page.find(fence + "{\n  \"format\": \"wengert/2\"") + fence.size();
  REQUIRE(first < page.size());
  const auto file = nn::io::graph_from_text<float>(page.substr(first, page.find("```", first) - first));
  CHECK(file.graph.steps.size() == 3);
  CHECK(file.graph.batched());
}

TEST_CASE("a number that is infinite is written as a text where there may be one", "[graph_file]") {
  Graph<double> graph = nn::io::graph_from_text<double>(tiny).graph;
  graph.constants[0].data[1] = -infinity;
  graph.states[0].initial[0] = infinity;
  const std::string text = nn::io::graph_text(graph);
  CHECK_THAT(text, Contains("\"data\": [1.0,\"-inf\"]") && Contains("\"initial\": [\"inf\",0.0]"));
  check_same(graph, nn::io::graph_from_text<double>(text).graph);
  graph.parameters[0].data[1] = infinity;
  CHECK_THROWS_WITH(nn::io::graph_text(graph), Contains("save_graph: W is infinite at (1, 0), expected a finite"));
}

TEST_CASE("a float file fits a double graph, and a double file no float graph", "[graph_file]") {
  nn::Generator generator(1);
  graphs::UserCell<float> cell(2, 3, generator);
  const Graph<float> narrow = nn::step_graph(cell, {.input_size = 2});
  const auto wide = nn::io::graph_from_text<double>(nn::io::graph_text(narrow, {.self_test_steps = 3}));
  CHECK(wide.dtype == nn::io::Dtype::float32);
  for (std::size_t k = 0; k < narrow.parameters.size(); ++k)
    CHECK(wide.graph.parameters[k].data ==
          std::vector<double>(narrow.parameters[k].data.begin(), narrow.parameters[k].data.end()));
  const std::string text = nn::io::graph_text(wide.graph, {.self_test_steps = 3});
  CHECK(refusal<float>(text) ==
        "load_graph: m.json: the file is float64, the graph float32; set allow_narrowing to round every number");
  check_same(nn::io::graph_from_text<float>(text, {.allow_narrowing = true}).graph, narrow);
  // The header may stand behind the numbers, and a float is the one nearest to the text.
  const std::string last = replaced(replaced(tiny, "  \"dtype\": \"float64\",\n", ""), "\"metadata\"",
                                    "\"dtype\": \"float32\", \"metadata\"");
  const auto rounded = nn::io::graph_from_text<float>(replaced(last, "0.5, -0.25", "0.5, 7.038531e-26"));
  CHECK(rounded.graph.parameters[0].data[1] == 7.038531e-26f);
}

TEST_CASE("what is wrong with the file of a graph is said, and where", "[graph_file]") {
  REQUIRE(refusal<double>(tiny) == "it was read");
  const auto expect = [](const std::string& from, const std::string& to, const std::string& error) {
    INFO(from << " -> " << to);
    CHECK_THAT(refusal<double>(replaced(tiny, from, to)), Contains("load_graph: m.json") && Contains(error));
  };
  expect("\"tanh\"", "\"tanhh\"", ", /steps/3/op: unknown op \"tanhh\"");
  expect("\"tanh\"", "3", "/steps/3/op: found a number, expected a text");
  expect(", \"shift\": 0.5", "", "/steps/2: affine: attribute shift is missing");
  expect(", \"shift\": 0.5", ", \"shift\": 0.5, \"shiftt\": 1",
         "/steps/2: affine: unknown attribute shiftt; it has scale");
  expect("\"scale\": 2.0", "\"scale\": true", "/steps/2: affine: attribute scale: expected a number");
  expect("\"scale\": 2.0", "\"scale\": \"two\"", "/steps/2/scale: found \"two\", expected a number");
  expect("\"scale\": 2.0", "\"scale\": null", "/steps/2/scale: expected a number, true or false");
  expect("\"scale\": 2.0", "\"scale\": [\"batch\"]", "/steps/2/scale: \"batch\" is the first extent of a shape");
  expect("\"inputs\": [6]", "\"inputs\": [6, 6]", "/steps/3: tanh: it has 2 inputs, expected 1");
  expect("\"inputs\": [6]", "\"inputs\": []", "/steps/3: tanh: it has 0 inputs, expected 1");
  expect("\"inputs\": [6]", "\"inputs\": [17]", "/steps/3/inputs: value 17 is made nowhere");
  expect("\"inputs\": [6]", "\"inputs\": [7]", "/steps/3/inputs: value 7 is used before step 3 computes it");
  expect("\"inputs\": [1, 3, 8]", "\"inputs\": [7, 3, 8]", "/steps/0/inputs: value 7 is used before step 3");
  expect("\"inputs\": [6]", "\"inputs\": [-6]", "/steps/3/inputs/0: found -6, expected a whole number, not negative");
  expect("\"inputs\": [6]", "\"inputs\": [6.5]", "/steps/3/inputs/0: found 6.5, expected a whole number");
  expect("\"inputs\": [6]", "\"inputs\": 6", "/steps/3/inputs: found a number, expected a list of whole numbers");
  expect("\"value\": 6", "\"value\": 5", "/steps/2/outputs/0/value: value 5 is made twice");
  expect("{\"value\": 7, \"shape\": [\"batch\", 2]", "{\"value\": 7, \"shape\": [\"batch\", 3]",
         "/steps/3: tanh: output 0 has shape (1, 2), and (1, 3) is given");
  expect("{\"value\": 7, \"shape\": [\"batch\", 2]", "{\"value\": 7, \"shape\": [1, 2]",
         "state h has a batch before a step, and none after it");
  expect("{\"value\": 5, \"shape\": [\"batch\", 2]", "{\"value\": 5, \"shape\": [1, 2]",
         "linear: output 0 has shape (2, 2), and (1, 2) is given, for a batch of 2");
  expect("\"inputs\": [{\"name\": \"x\", \"value\": 0, \"shape\": [\"batch\", 1]}]",
         "\"inputs\": [{\"name\": \"x\", \"value\": 0, \"shape\": [1, 1]}]", "not every input and state has it");
  expect("\"shape\": [2, 1], \"data\"", "\"shape\": [\"batch\", 2], \"data\"",
         "/steps/1: linear: input (1, 1) has 1 features");
  expect("\"shape\": [2, 1], \"data\"", "\"shape\": [2, \"batch\"], \"data\"",
         "/parameters/W/shape: \"batch\" is the first axis, or none");
  expect("\"shape\": [2, 1], \"data\"", "\"shape\": [2, 3], \"data\"", "/steps/1: linear: input (1, 1)");
  expect("[0.5, -0.25]", "[0.5]", "/parameters/W/data: shape (2, 1) does not fit the 1 numbers");
  expect("[0.5, -0.25]", "[0.5, \"nan\"]", "W is NaN at (1, 0), expected a finite number");
  expect("[0.5, -0.25]", "[0.5, NaN]", "NaN is no number in JSON");
  expect("[0.5, -0.25]", "[0.5, [1]]", "/parameters/W/data/1: found a list, expected a number");
  expect("[0.5, -0.25]", "[0.5, true]", "/parameters/W/data/1: found true, expected a number");
  expect("[0.5, -0.25]", "\"all\"", "/parameters/W/data: found \"all\", expected a list of numbers");
  expect("\"initial\": [0.0, 0.0]", "\"initial\": [0.0]", "/states/0/initial: shape (1, 2) does not fit the 1 numbers");
  expect("{\"value\": 6, \"shape\": [\"batch\", 2]", "{\"value\": 6, \"shape\": [\"batch\", 9000000000000000]",
         "/steps/2/outputs/0/shape: the values of the graph have more than 10");
  expect("\"tanh\", \"inputs\": [6], \"outputs\": [{\"value\": 7, \"shape\": [\"batch\", 2]",
         "\"broadcast_to\", \"shape\": [1000, 1000, 2], \"inputs\": [6], \"outputs\": [{\"value\": 7, \"shape\": "
         "[1000, 1000, 2]",
         "/steps/3/outputs/0/shape: the values of the graph have more than 10");
  expect("{\"value\": 6, \"shape\": [\"batch\", 2]", "{\"value\": 6, \"shape\": [1, 1, 1, 1, 1, 1, 1, 1, 2]",
         "more than 8 axes");
  expect("\"name\": \"x\", ", "", "/inputs/0: \"name\" is missing");
  expect("\"outputs\": [{\"name\": \"y\", \"value\": 7}]",
         "\"outputs\": [{\"name\": \"y\", \"value\": 7}, {\"name\": \"y\", \"value\": 6}]",
         "/outputs/1/name: two outputs have the name \"y\"");
  expect("\"U\": {", "\"W\": {", "/parameters/W: the key occurs twice");
  expect("\"U\": {", "\"\": {", "a parameter has an empty name");
  expect("\"op\": \"tanh\", ", "", "/steps/3: \"op\" is missing");
  expect("\"metadata\"", "\"meta\"", "/meta: unknown key; notes belong in \"metadata\"");
  expect("{\"note\": \"a\"}", "{\"note\": 1}", "/metadata/note: found a number, expected a text");
  expect("\"label\"", "\"lable\"", "/steps/3/outputs/0/lable: unknown key; an output of a step has");
  expect("\"initial\": [0.0, 0.0]", "\"initial\": [0.0, 0.0], \"init\": 1", "/states/0/init: unknown key; a state has");
  expect("{\"name\": \"y\", \"value\": 7}", "{\"name\": \"y\", \"value\": 7, \"shape\": [1]}",
         "/outputs/0/shape: unknown key; an output has \"name\" and \"value\"");
  expect("\"float64\"", "\"float16\"", "/dtype: dtype \"float16\", expected \"float32\" or \"float64\"");
  expect("  \"dtype\": \"float64\",\n", "", "\"dtype\" is missing");
  expect("wengert/2", "wengert/3", "/format: format \"wengert/3\", this library reads \"wengert/2\"; update it");
  expect("wengert/2", "wengert/1", "has weights alone, and no computation; read it with nn::io::load()");
  expect("  \"format\": \"wengert/2\",\n", "", "not a wengert/2 file, \"format\" is missing");
  std::string nested;
  for (int k = 0; k < 70; ++k) nested += "{\"note\": ";
  expect("{\"note\": \"a\"}", nested + "1" + std::string(70, '}'), "nested more than 64 deep");
  std::string empty_objects = "[";
  for (int k = 0; k < 100000; ++k) empty_objects += "{},";
  expect("\"steps\": [", "\"steps\": " + empty_objects, "more values than a graph has in a file of this size");
  std::string chain;
  for (int k = 0; k < 4096; ++k)
    chain += "{\"op\": \"neg\", \"inputs\": [5], \"outputs\": [{\"value\": " + std::to_string(k + 100) +
             ", \"shape\": [\"batch\", 2]}]},";
  expect("    {\"op\": \"affine\"", chain + "    {\"op\": \"affine\"", "/steps: 4100 steps, at most 4096 are read");
  expect("\"outputs\": [[0.98", "\"outputs\": [[0.97",
         "/self_test: at step 0 the graph answers 0.986614298 instead of");
  expect("\"inputs\": [[0.0]]", "\"inputs\": [[0.0, 1.0]]",
         "/self_test: \"x\" of the inputs has 2 numbers, expected 1");
  expect("\"inputs\": [[0.0]]", "\"inputs\": []", "/self_test: 0 inputs, and the graph has 1");
  expect("\"steps\": 1", "\"steps\": 1000000000", "/self_test: it has 1000000000 steps, and of a graph of this size");
  expect("\"tolerance\": 1e-3", "\"tolerance\": -1", "/self_test/tolerance: expected a number, not negative");
  for (std::size_t length = 0; length < tiny.rfind('}'); ++length)
    CHECK_THAT(refusal<double>(tiny.substr(0, length)), Contains("load_graph: m.json"));
  CHECK(refusal<double>(replaced(tiny, "\"outputs\": [[0.98", "\"outputs\": [[0.97"), {.verify = false}) ==
        "it was read");
}

TEST_CASE("a graph that can not be written leaves the file as it was", "[graph_file]") {
  Graph<double> graph = nn::io::graph_from_text<double>(tiny).graph;
  const auto path = scratch("kept.json");
  nn::io::replace_file(path, "before");
  const auto refused = [&](const std::string& error, const nn::io::GraphFileOptions& options = {}) {
    CHECK_THROWS_WITH(nn::io::save_graph(graph, path, options), Contains(error));
    CHECK(nn::io::read_file(path) == "before");
  };
  const Graph<double> good = graph;
  graph.parameters[1].data[2] = std::nan("");
  refused("save_graph: U is NaN at (1, 0)");
  graph = good;
  graph.steps.erase(graph.steps.begin());
  refused("not computed before");
  graph = good;
  graph.values[7].name = "\xff";
  refused("is not UTF-8");
  graph = good;
  graph.values[2].batched = true;
  refused("the parameter W has a batch, which parameters do not");
  graph = good;
  graph.values.push_back({Shape{2}});
  refused("value 9 of the graph is no input, and no step computes it");
  graph = good;
  graph.values[4].batched = false;
  refused("linear: output 0 has shape (2, 2), and (1, 2) is given, for a batch of 2");
  graph = good;
  graph.states[0].initial[0] = infinity;
  graph.parameters[1].data.assign(4, 0);
  refused("the graph answers with a number that is not finite", {.self_test_steps = 2});
  graph = good;
  refused("steps, and of a graph of this size at most", {.self_test_steps = 4'000'000'000});
  refused("metadata modules", {.metadata = {{"modules", "a"}}});
}

TEST_CASE("a graph's file is no file of weights, and says what reads it", "[graph_file]") {
  const auto path = scratch("front_door.json");
  for (const std::string& text : {tiny, replaced(replaced(tiny, "  \"format\": \"wengert/2\",\n", ""), "\"metadata\"",
                                                 "\"format\": \"wengert/2\", \"metadata\"")}) {
    nn::io::replace_file(path, text);
    const auto says = Contains(
        "it is a graph (wengert/2), a model's computation with its weights; read it with nn::io::load_graph()");
    CHECK_THROWS_WITH(nn::io::load(path), says);
    CHECK_THROWS_WITH(nn::io::load(path, {.format = nn::io::Format::native}), says);
    CHECK_THROWS_WITH(nn::io::load(path, {.format = nn::io::Format::nam}), says);
    CHECK_THROWS_WITH(nn::io::detect(path), says);
    CHECK_THROWS_WITH(nn::io::read_weights(path), says);
    nn::Generator generator(1);
    nn::Linear<float> model(1, 2, generator);
    CHECK_THROWS_WITH(nn::io::load(model, path), says);
  }
  nn::Generator generator(1);
  nn::Linear<float> model(1, 2, generator);
  nn::io::save(model, path);
  CHECK_THROWS_WITH(nn::io::load_graph<float>(path), Contains("read it with nn::io::load()"));
}
