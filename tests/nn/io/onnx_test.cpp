// ONNX graphs that other programs write: read so that they answer as ONNX says, or refused by the name of the node.
#include <filesystem>
#include <fstream>
#include <random>

#include "answers.hpp"
#include "autograd/error.hpp"
#include "catch.hpp"
#include "heap.hpp"
#include "networks.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/save_load.hpp"
#include "onnx_graph.hpp"

using namespace onnx_graph;
using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using nn::io::Network;

namespace {

constexpr std::int64_t steps = 7, batch = 3;  // no other extent of the graphs below has these lengths

Array random_array(const Dims& dims, std::uint64_t seed, int type = float32) {
  networks::Random random(seed);
  Array array{dims, {}, type};
  const auto size = array.size();
  array.values = random.tensor({size}).values;
  return array;
}

Array input_of(const Graph& graph) {
  Dims dims;
  for (const std::string& extent : graph.shape)
    dims.push_back(extent == "T" ? steps : extent == "B" ? batch : std::stoll(extent));
  return random_array(dims, 99, graph.type);
}

/// What is there for one sequence of a batch, whatever the order of the axes: (time, features).
nn::io::Tensor sequence(const Array& array, std::int64_t which) {
  std::vector<double> values;
  const auto size = static_cast<std::int64_t>(array.values.size());
  std::int64_t features = 1;
  for (const std::int64_t extent : array.dims)
    if (extent != steps && extent != batch) features *= extent;
  nn::io::Tensor result = nn::io::zero_tensor({static_cast<std::size_t>(steps), static_cast<std::size_t>(features)});
  for (std::int64_t k = 0; k < size; ++k) {
    std::int64_t rest = k, time = 0, sample = 0, feature = 0, stride = 1;
    for (std::size_t axis = array.dims.size(); axis-- > 0; rest /= array.dims[axis]) {
      const std::int64_t at = rest % array.dims[axis];
      if (array.dims[axis] == steps) {
        time = at;
      } else if (array.dims[axis] == batch) {
        sample = at;
      } else {
        feature += at * stride;
        stride *= array.dims[axis];
      }
    }
    if (sample == which)
      result.values[static_cast<std::size_t>(time * features + feature)] = array.values[static_cast<std::size_t>(k)];
  }
  return result;
}

Network read(const Graph& graph) { return nn::io::from_bytes(bytes_of(graph), {.format = nn::io::Format::onnx}); }

/// The largest difference between what the network answers and what ONNX says.
double difference(const Graph& graph, const Network& network) {
  const Array input = input_of(graph), output = Run(graph, input)[graph.outputs[0]];
  double largest = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    const nn::io::Tensor x = sequence(input, b);
    if (x.shape[1] != network.input_size()) return 1e300;
    largest = std::max(largest, networks::largest_difference(nn::infer::evaluate(network, x), sequence(output, b)));
    if (std::find(graph.shape.begin(), graph.shape.end(), "B") == graph.shape.end()) break;
  }
  return largest;
}

void check_agrees(const Graph& graph) { CHECK(difference(graph, read(graph)) < 1e-6); }

void check_refused(const Graph& graph, const std::string& text) {
  std::string error = "(read)";
  try {
    read(graph);
  } catch (const FormatError& e) {
    error = e.what();
  }
  CHECK_THAT(error, ContainsSubstring(text));
}

struct Form {
  std::string op = "LSTM";
  std::int64_t directions = 1, layout = 0;
  int opset = 14;
};

constexpr std::int64_t units = 4;

std::int64_t gates_of(const std::string& op) { return op == "LSTM" ? 4 : op == "GRU" ? 3 : 1; }

/// A recurrent node "rec" on `from`, and its arrays.
Node& add_recurrent(Graph& graph, const Form& form, const std::string& from = "x", std::int64_t inputs = 2) {
  const std::int64_t rows = gates_of(form.op) * units;
  graph.add("W", random_array({form.directions, rows, inputs}, 1));
  graph.add("R", random_array({form.directions, rows, units}, 2));
  graph.add("B", random_array({form.directions, 2 * rows}, 3));
  graph.node(form.op, {from, "W", "R", "B"}, "rec", {{"hidden_size", units}});
  Node& node = graph.nodes.back();
  if (form.directions == 2) node.attributes["direction"] = std::string("bidirectional");
  if (form.layout == 1) node.attributes["layout"] = std::int64_t{1};
  return node;
}

/// Squeeze or Unsqueeze, as the opset has it.
void add_axes(Graph& graph, const std::string& op, const std::string& from, const std::string& to, const Dims& axes) {
  if (graph.opset < 13)
    graph.node(op, {from}, to, {{"axes", axes}});
  else
    graph.node(op, {from, graph.add(to + ".axes", whole(axes))}, to);
}

/// From what a recurrent node gives to the output: a linear layer.
void add_head(Graph& graph, const Form& form, const std::string& to = "y") {
  if (form.directions == 1) {
    add_axes(graph, "Squeeze", "rec", "rows", {form.layout == 1 ? 2 : 1});
  } else {
    std::string from = "rec";
    if (form.layout == 0) from = graph.node("Transpose", {"rec"}, "sides", {{"perm", Dims{0, 2, 1, 3}}});
    graph.node("Reshape", {from, graph.add("merged", whole({0, 0, -1}))}, "rows");
  }
  graph.add("w", random_array({form.directions * units, 2}, 4));
  graph.add("b", random_array({2}, 5));
  graph.node("MatMul", {"rows", "w"}, "product");
  graph.node("Add", {"b", "product"}, to);
}

Graph recurrent_graph(const Form& form) {
  Graph graph{.opset = form.opset};
  if (form.layout == 1) graph.shape = {"B", "T", "2"};
  add_recurrent(graph, form);
  add_head(graph, form);
  return graph;
}

/// A linear layer on the input, and what follows it.
Graph linear_graph(int opset = 14) {
  Graph graph{.opset = opset};
  graph.add("w", random_array({2, 4}, 1));
  graph.add("b", random_array({4}, 2));
  graph.node("MatMul", {"x", "w"}, "product");
  graph.node("Add", {"product", "b"}, "sum");
  graph.outputs = {"sum"};
  return graph;
}

void append(Graph& graph, const std::string& op, Texts more = {}, Attributes attributes = {}) {
  Texts inputs{graph.outputs[0]};
  inputs.insert(inputs.end(), more.begin(), more.end());
  graph.outputs = {graph.node(op, inputs, graph.outputs[0] + "'", std::move(attributes))};
}

/// (directions, batch, features) of an initial state, the same for the whole batch: as exporters compute it from the
/// shape of the input.
std::string add_state(Graph& graph, const Form& form, const std::string& name, const std::string& way) {
  const bool batch_first = form.layout == 1;
  const std::string sized = name + ".batch";
  graph.node("Shape", {"x"}, name + ".shape");
  graph.node("Gather", {name + ".shape", graph.add(name + ".index", one_whole(batch_first ? 0 : 1))}, name + ".length",
             {{"axis", std::int64_t{0}}});
  add_axes(graph, "Unsqueeze", name + ".length", sized, {0});
  graph.add(name + ".d", whole({form.directions}));
  graph.add(name + ".h", whole({units}));
  graph.add(name + ".1", whole({1}));
  const Texts sizes = batch_first ? Texts{sized, name + ".d", name + ".h"} : Texts{name + ".d", sized, name + ".h"};
  graph.node("Concat", sizes, name + ".sizes", {{"axis", std::int64_t{0}}});
  const Dims one = batch_first ? Dims{1, form.directions, units} : Dims{form.directions, 1, units};
  if (way == "zeros") return graph.node("ConstantOfShape", {name + ".sizes"}, name, {{"value", Array{{1}, {0}}}});
  graph.add(name + ".values", random_array(one, name.size()));
  if (way == "expanded") return graph.node("Expand", {name + ".values", name + ".sizes"}, name);
  const Texts repeats = batch_first ? Texts{sized, name + ".1", name + ".1"} : Texts{name + ".1", sized, name + ".1"};
  graph.node("Concat", repeats, name + ".repeats", {{"axis", std::int64_t{0}}});
  return graph.node("Tile", {name + ".values", name + ".repeats"}, name);
}

}  // namespace

TEST_CASE("ONNX: recurrent nodes of every form answer as the standard says") {
  std::size_t graphs = 0;
  for (const char* const op : {"LSTM", "GRU", "RNN"})
    for (const std::int64_t directions : {1, 2})
      for (const std::int64_t layout : {0, 1})
        for (const int opset : {7, 9, 11, 12, 13, 14, 17, 22})
          for (const char* const state : {"", "zeros", "expanded", "tiled"})
            for (int variant = 0; variant < 4; ++variant) {
              if (layout == 1 && opset < 14) continue;
              if (opset < 9 && *state) continue;  // without ConstantOfShape and Expand
              const Form form{op, directions, layout, opset};
              INFO(op << ", directions " << directions << ", layout " << layout << ", opset " << opset << ", " << state
                      << ", variant " << variant);
              Graph graph{.opset = opset};
              if (layout == 1) graph.shape = {"B", "T", "2"};
              Texts states;
              if (*state) states.push_back(add_state(graph, form, "h0", state));
              if (*state && op == std::string("LSTM")) states.push_back(add_state(graph, form, "c00", state));
              Node& node = add_recurrent(graph, form);
              if (variant == 1) node.inputs.resize(3);
              if (variant == 2) node.inputs[3] = "";
              if (*state) {
                node.inputs.resize(4);
                node.inputs.push_back("");
                node.inputs.insert(node.inputs.end(), states.begin(), states.end());
              }
              if (op == std::string("GRU") && variant >= 2)
                node.attributes["linear_before_reset"] = std::int64_t{variant == 2};
              if (variant == 3) {
                Texts names;
                for (std::int64_t d = 0; d < directions; ++d) {
                  if (op != std::string("RNN")) names.push_back("Sigmoid");
                  if (op == std::string("LSTM")) names.push_back("Tanh");
                  names.push_back(op == std::string("RNN") ? "Relu" : "Tanh");
                }
                node.attributes["activations"] = names;
                node.attributes.erase("hidden_size");
                if (directions == 1) node.attributes["direction"] = std::string("forward");
              }
              add_head(graph, form);
              check_agrees(graph);
              ++graphs;
            }
  CHECK(graphs > 900);
}

TEST_CASE("ONNX: what a recurrent node has beyond a layer is refused by its name") {
  struct Refused {
    const char* op;
    std::function<void(Node&, Graph&)> change;
    const char* text;
  };
  const auto with = [](const char* name, const Attribute& value) {
    return [name, value](Node& node, Graph&) { node.attributes[name] = value; };
  };
  const auto input = [](std::size_t at, const Array& array) {
    return [at, array](Node& node, Graph& graph) {
      while (node.inputs.size() <= at) node.inputs.emplace_back();
      node.inputs[at] = graph.add("extra", array);
    };
  };
  const Refused cases[]{
      {"LSTM", with("activations", Texts{"HardSigmoid", "Tanh", "Tanh"}), "activations are HardSigmoid, Tanh, Tanh"},
      {"LSTM", with("activations", Texts{"Sigmoid", "Tanh", "Relu"}), "activations are Sigmoid, Tanh, Relu"},
      {"LSTM", with("activations", Texts{"Sigmoid", "Tanh"}), "activations are Sigmoid, Tanh"},
      {"GRU", with("activations", Texts{"Sigmoid", "Relu"}), "activations are Sigmoid, Relu"},
      {"RNN", with("activations", Texts{"Softsign"}), "activations are Softsign"},
      {"RNN", with("activation_alpha", Reals{0.5f}), "activation_alpha"},
      {"LSTM", with("activation_beta", Reals{0.5f}), "activation_beta"},
      {"LSTM", with("clip", 0.25f), "clip"},
      {"GRU", with("clip", 0.25f), "clip"},
      {"RNN", with("clip", 0.25f), "clip"},
      {"LSTM", with("clip", std::int64_t{3}), "clip"},
      {"LSTM", with("input_forget", std::int64_t{1}), "input_forget"},
      {"LSTM", with("direction", std::string("reverse")), "direction is \"reverse\""},
      {"GRU", with("direction", std::string("reverse")), "direction is \"reverse\""},
      {"RNN", with("direction", std::string("backwards")), "direction is \"backwards\""},
      {"LSTM", with("hidden_size", std::int64_t{5}), "hidden_size is 5"},
      {"GRU", with("linear_before_reset", std::int64_t{2}), "linear_before_reset"},
      {"LSTM", with("linear_before_reset", std::int64_t{1}), "attribute \"linear_before_reset\""},
      {"LSTM", with("output_sequence", std::int64_t{1}), "attribute \"output_sequence\""},
      {"LSTM", with("layout", std::int64_t{2}), "layout is 2"},
      {"LSTM", with("hidden_size", 4.0f), "attribute \"hidden_size\" has another type"},
      {"LSTM", input(4, {{batch}, {2, 3, 7}, int32}), "sequence_lens"},
      {"LSTM", input(7, random_array({1, 12}, 8)), "peepholes P"},
      {"LSTM", input(5, random_array({1, batch, units}, 8)), "initial_h is not the same for the whole batch"},
      {"LSTM", input(6, random_array({1, batch, units}, 8)), "initial_c is not the same for the whole batch"},
      {"LSTM", input(6, {{1, 1, units}, std::vector<double>(units, NAN)}), "initial_c has a number that is not finite"},
      {"GRU", input(5, random_array({1, 1, 5}, 8)), "initial_h has shape (1, 1, 5)"},
      {"GRU", input(6, random_array({1, 1, 4}, 8)), "more inputs than ONNX says"},
      {"LSTM", input(3, random_array({1, 31}, 8)), "B has shape (1, 31), expected (1, 32)"},
      {"LSTM", input(2, random_array({1, 12, 4}, 8)), "R has shape (1, 12, 4), expected (1, 16, 4)"},
      {"LSTM", input(1, random_array({2, 16, 2}, 8)), "W has shape (2, 16, 2), expected (1, 16, 2)"},
      {"LSTM", input(1, random_array({1, 16, 3}, 8)), "its weights are for 3 features"},
      {"LSTM", input(1, random_array({16, 2}, 8)), "expected three axes"},
      {"LSTM", input(1, random_array({1, 16, 2}, 8, float64)), "different types"},
      {"LSTM", [](Node& node, Graph&) { node.inputs[1] = ""; }, "input 1 is missing"},
      {"LSTM", [](Node& node, Graph&) { node.inputs[1] = "x"; }, "\"x\" depends on the graph's input"},
      {"LSTM", [](Node& node, Graph&) { node.inputs[3] = "nothing"; },
       "reads \"nothing\", which nothing before it gives"},
  };
  for (const Refused& refused : cases) {
    INFO(refused.op << ": " << refused.text);
    Graph graph = recurrent_graph({refused.op});
    Node node = graph.nodes[0];
    refused.change(node, graph);
    graph.nodes[0] = node;
    check_refused(graph, std::string(refused.op) + " (output \"rec\"): ");
    check_refused(graph, refused.text);
  }
  Graph last = recurrent_graph({});
  last.nodes[0].outputs = {"", "rec"};
  check_refused(last, "Squeeze (output \"rows\"): it reads output 2 of LSTM (output \"\")");
  Graph zero_peepholes = recurrent_graph({});
  zero_peepholes.nodes[0].inputs.resize(7);
  zero_peepholes.nodes[0].inputs.push_back(zero_peepholes.add("P", {{1, 12}, std::vector<double>(12)}));
  check_agrees(zero_peepholes);
}

TEST_CASE("ONNX: linear layers and activations, in every form that is read") {
  Graph graph = linear_graph();
  check_agrees(graph);
  for (const char* const op : {"Tanh", "Relu", "Sigmoid", "Elu"}) {
    Graph active = linear_graph();
    append(active, op);
    check_agrees(active);
    append(active, op);
    check_refused(active, std::string(op) + " (output \"sum''\"): an activation that follows no linear layer");
  }
  graph.nodes[1].inputs = {"b", "product"};
  check_agrees(graph);
  graph.nodes.pop_back();
  graph.outputs = {"product"};
  check_agrees(graph);
  for (const Dims& dims : {Dims{}, Dims{1}, Dims{1, 4}, Dims{1, 1, 4}, Dims{1, 1, 1}}) {
    Graph biased = linear_graph();
    biased.arrays[1].second = random_array(dims, 7);
    append(biased, "Add", {biased.add("b2", random_array({4}, 8))});  // two biases are one
    check_agrees(biased);
  }
  for (const Dims& dims : {Dims{3}, Dims{3, 4}, Dims{3, 1}, Dims{1, 1, 1, 4}, Dims{steps, 1, 4}}) {
    Graph biased = linear_graph();
    biased.arrays[1].second = random_array(dims, 7);
    check_refused(biased, "Add (output \"sum\"): it adds a constant of shape");
  }
  for (const int opset : {7, 11, 12, 13, 17})
    for (const std::int64_t axis : {-3, -2, -1, 0, 1, 2, 5}) {
      INFO("opset " << opset << ", axis " << axis);
      Graph softmax = linear_graph(opset);
      append(softmax, "Softmax", {}, axis == 5 ? Attributes{} : Attributes{{"axis", axis}});
      const bool last = axis == -1 || axis == 2 || (axis == 5 && opset >= 13);
      if (last)
        check_agrees(softmax);
      else
        check_refused(softmax, "Softmax (output \"sum'\"): its axis is");
    }
  for (const float alpha : {1.0f, 0.5f}) {
    Graph elu = linear_graph();
    append(elu, "Elu", {}, {{"alpha", alpha}});
    if (alpha == 1)
      check_agrees(elu);
    else
      check_refused(elu, "Elu (output \"sum'\"): its alpha is not 1");
  }
  for (const bool transposed : {false, true})
    for (const float alpha : {1.0f, -0.5f})
      for (const float beta : {1.0f, 2.0f, 0.0f})
        for (const Dims& dims : {Dims{}, Dims{1}, Dims{4}, Dims{1, 4}, Dims{9}}) {
          Graph gemm;
          gemm.shape = {"T", "2"};
          gemm.add("w", random_array(transposed ? Dims{4, 2} : Dims{2, 4}, 1));
          Texts inputs{"x", "w"};
          if (dims != Dims{9}) inputs.push_back(gemm.add("b", random_array(dims, 2)));
          gemm.node("Gemm", inputs, "y", {{"alpha", alpha}, {"beta", beta}, {"transB", std::int64_t{transposed}}});
          check_agrees(gemm);
          gemm.nodes[0].attributes["transA"] = std::int64_t{1};
          check_refused(gemm, "Gemm (output \"y\"): its attribute transA");
        }
  Graph rows;
  rows.shape = {"T", "2"};
  rows.add("w", random_array({2, 4}, 1));
  rows.add("b", random_array({steps, 4}, 2));
  rows.node("Gemm", {"x", "w", "b"}, "y");
  check_refused(rows, "Gemm (output \"y\"): it adds a constant of shape (7, 4)");
}

TEST_CASE("ONNX: arithmetic is a bias, a gain, or refused by the name of its node") {
  const auto constant = [](Graph& graph, std::vector<double> values) {
    const Dims dims = values.size() == 1 ? Dims{} : Dims{static_cast<std::int64_t>(values.size())};
    return graph.add("c", {dims, std::move(values)});
  };
  for (const char* const op : {"LSTM", "MatMul"})
    for (const double factor : {0.5, 1.0, 3.0, 0.0, -1.0, 1e300}) {
      INFO(op << " " << factor);
      Graph graph = op == std::string("LSTM") ? recurrent_graph({}) : linear_graph();
      append(graph, "Mul", {constant(graph, {factor})});
      if (factor > 0 && factor < 10)
        check_agrees(graph);
      else
        check_refused(graph, "Mul (output \"" + graph.outputs[0] + "\"): it multiplies by");
    }
  Graph before = recurrent_graph({});
  before.nodes.insert(before.nodes.begin(), {"Mul", {"c", "x"}, {"louder"}});
  before.nodes[1].inputs[0] = "louder";
  constant(before, {2});
  check_agrees(before);
  Graph between = recurrent_graph({});
  between.nodes.insert(between.nodes.begin() + 2, {"Mul", {"rows", "c"}, {"louder"}});
  between.nodes[3].inputs[0] = "louder";
  constant(between, {2});
  check_refused(between, "it follows Mul (output \"louder\"), a product with a number");
  between.arrays.back().second = {{}, {1}};
  check_agrees(between);
  Graph vector = linear_graph();
  append(vector, "Mul", {constant(vector, {1, 2, 3, 4})});
  check_refused(vector, "Mul (output \"sum'\"): it multiplies by a constant of shape (4)");
  for (const char* const op : {"Sub", "Div"}) {
    Graph graph = linear_graph();
    append(graph, op, {constant(graph, {2})});
    check_refused(graph,
                  std::string(op) + " (output \"sum'\"): an operation that can be converted between constants only");
  }
  for (const char* const op : {"Tanh", "Relu", "Mul"}) {
    Graph graph = linear_graph();
    append(graph, op, op == std::string("Mul") ? Texts{constant(graph, {2})} : Texts());
    append(graph, "Add", {"b"});
    check_refused(graph, "Add (output \"sum''\"): it adds a constant where");
    graph = recurrent_graph({});
    append(graph, op, op == std::string("Mul") ? Texts{constant(graph, {2})} : Texts());
    if (op == std::string("Mul")) append(graph, "Tanh");
    if (op == std::string("Mul")) check_refused(graph, "Tanh (output \"y''\")");
  }
  Graph recurrent_bias = recurrent_graph({});
  recurrent_bias.nodes.insert(recurrent_bias.nodes.begin() + 2, {"Add", {"rows", "h"}, {"more"}});
  recurrent_bias.nodes[3].inputs[0] = "more";
  recurrent_bias.add("h", random_array({4}, 3));
  check_refused(recurrent_bias, "Add (output \"more\"): it adds a constant where");
}

TEST_CASE("ONNX: inputs that are added to the outputs") {
  const auto skipping = [](const std::string& way, std::int64_t outputs) {
    Graph graph;
    add_recurrent(graph, {});
    add_head(graph, {}, "last");
    graph.arrays[4].second = random_array({units, outputs}, 4);
    graph.arrays[5].second = random_array({outputs}, 5);
    std::string from = "x";
    if (way == "slice") {
      graph.add("0", whole({0}));
      graph.add("1", whole({1}));
      graph.add("-1", whole({-1}));
      from = graph.node("Slice", {"x", "0", "1", "-1"}, "first");
    } else if (way == "second") {
      graph.add("1", whole({1}));
      graph.add("2", whole({2}));
      from = graph.node("Slice", {"x", "1", "2", "2"}, "first");
      graph.add("2", whole({2}));
      graph.arrays.pop_back();
    } else if (way == "gather") {
      graph.node("Gather", {"x", graph.add("0", one_whole(0))}, "taken", {{"axis", std::int64_t{2}}});
      graph.add("axes", whole({2}));
      from = graph.node("Unsqueeze", {"taken", "axes"}, "first");
    }
    graph.node("Add", {from, "last"}, "y");
    return graph;
  };
  check_agrees(skipping("", 2));
  check_agrees(skipping("slice", 1));
  check_agrees(skipping("gather", 1));
  check_refused(skipping("", 1), "Add (output \"y\"): it adds an array of shape (a, b, 2)");
  check_refused(skipping("slice", 2), "Add (output \"y\"): it adds an array of shape (a, b, 1)");
  check_refused(skipping("second", 1), "Slice (output \"first\"): it takes a part");

  Graph batch_first = skipping("", 2);
  batch_first.shape = {"B", "T", "2"};
  batch_first.nodes[0].inputs[0] = "turned";
  batch_first.nodes.insert(batch_first.nodes.begin(), {"Transpose", {"x"}, {"turned"}, {{"perm", Dims{1, 0, 2}}}});
  check_refused(batch_first, "Add (output \"y\"): it adds an array of shape (a, b, 2)");

  Graph twice = skipping("", 2);
  append(twice, "Add", {"x"});
  check_refused(twice, "Add (output \"y'\"): it follows the sum");
  Graph own = skipping("", 2);
  own.nodes.back().inputs = {"last", "last"};
  check_refused(own, "Add (output \"y\"): it adds two arrays");
  Graph later = skipping("", 2);
  append(later, "MatMul", {later.add("w2", random_array({2, 2}, 9))});
  check_refused(later, "MatMul (output \"y'\"): it follows the sum");
  Graph inner = recurrent_graph({});
  append(inner, "Add", {"rows"});
  inner.arrays[4].second = random_array({units, units}, 4);
  inner.arrays[5].second = random_array({units}, 5);
  check_refused(inner, "Add (output \"y'\"): it adds two arrays");
  Graph stacked = linear_graph();
  append(stacked, "MatMul", {stacked.add("w2", random_array({2, 2}, 9))});
  stacked.nodes.back().inputs[0] = "x";
  check_agrees(stacked);  // of the input alone
  append(stacked, "Add", {"sum"});
  stacked.arrays.back().second = random_array({2, 4}, 9);
  check_refused(stacked, "MatMul (output \"sum'\"): it does not read what the last layer gives");
}

TEST_CASE("ONNX: arrays in every form that is read, and constants that a graph computes") {
  for (const Place place : {Place::raw, Place::packed, Place::unpacked})
    for (const int type : {float32, float64}) {
      Graph graph = recurrent_graph({});
      graph.place = place;
      graph.type = type;
      for (auto& [name, array] : graph.arrays)
        if (array.type == float32) array.type = type;
      check_agrees(graph);
      CHECK(read(graph).dtype == (type == float32 ? nn::io::Dtype::float32 : nn::io::Dtype::float64));
    }
  const auto with_bias = [](const std::function<void(Graph&)>& compute) {
    Graph graph = linear_graph(14);
    const Graph linear = graph;
    graph.nodes.clear();
    compute(graph);  // gives "bias" from "b" (4)
    graph.nodes.insert(graph.nodes.end(), linear.nodes.begin(), linear.nodes.end());
    graph.nodes.back().inputs[1] = "bias";
    check_agrees(graph);
  };
  const auto list = [](Graph& graph, Dims values) {
    const std::string name = "list" + std::to_string(graph.arrays.size());
    return graph.add(name, whole(std::move(values)));
  };
  with_bias([](Graph& g) { g.node("Identity", {"b"}, "bias"); });
  with_bias([](Graph& g) { g.node("Constant", {}, "bias", {{"value", random_array({4}, 8)}}); });
  with_bias([](Graph& g) { g.node("Constant", {}, "bias", {{"value_float", 0.5f}}); });
  with_bias([](Graph& g) { g.node("Constant", {}, "bias", {{"value_floats", Reals{1, 2, 3, 4}}}); });
  with_bias([](Graph& g) {
    g.node("Constant", {}, "whole", {{"value_ints", Dims{1, -2, 3, 4}}});
    g.node("Cast", {"whole"}, "bias", {{"to", std::int64_t{float32}}});
  });
  with_bias([](Graph& g) {
    g.node("Constant", {}, "whole", {{"value_int", std::int64_t{-3}}});
    g.node("Cast", {"whole"}, "bias", {{"to", std::int64_t{float32}}});
  });
  for (const char* const op : {"Add", "Sub", "Mul", "Div"})
    with_bias([&](Graph& g) { g.node(op, {"b", g.add("b2", random_array({1, 4}, 8))}, "bias"); });
  with_bias([&](Graph& g) { g.node("Reshape", {"b", list(g, {1, 0 + 4})}, "bias"); });
  with_bias([&](Graph& g) {
    g.node("Reshape", {"b", list(g, {2, -1})}, "square");
    g.node("Transpose", {"square"}, "turned");
    g.node("Reshape", {"turned", list(g, {-1})}, "bias");
  });
  with_bias([&](Graph& g) { g.node("Gather", {"b", list(g, {3, 0, -2, 1})}, "bias"); });
  with_bias([&](Graph& g) {
    g.node("Slice", {"b", list(g, {-1}), list(g, {-9}), list(g, {0}), list(g, {-1})}, "bias");
  });
  with_bias([&](Graph& g) {
    g.node("Slice", {"b", list(g, {0}), list(g, {9}), list(g, {-1}), list(g, {2})}, "even");
    g.node("Slice", {"b", list(g, {1}), list(g, {4}), list(g, {0}), list(g, {2})}, "odd");
    g.node("Concat", {"odd", "even"}, "bias", {{"axis", std::int64_t{-1}}});
  });
  with_bias([&](Graph& g) {
    g.node("Unsqueeze", {"b", list(g, {0, 2})}, "three");
    g.node("Squeeze", {"three"}, "bias");
  });
  with_bias([&](Graph& g) {
    g.node("Equal", {g.add("one", whole({1, 0, 1, 0})), g.add("two", whole({1, 1, 0, 0}))}, "same");
    g.node("Where", {"same", "b", g.add("b2", random_array({1}, 8))}, "bias");
  });
  with_bias([&](Graph& g) { g.node("Expand", {g.add("b2", random_array({1}, 8)), list(g, {1, 4})}, "bias"); });
  with_bias([&](Graph& g) { g.node("ConstantOfShape", {list(g, {4})}, "bias", {{"value", Array{{1}, {2.5}}}}); });

  // As torch writes `h0.expand(-1, batch, -1)`.
  Graph graph;
  const Form form{"GRU"};
  add_state(graph, form, "h", "expanded");
  graph.nodes.pop_back();
  graph.nodes.back().inputs = {"-1", "h.batch", "-1"};
  graph.add("-1", whole({-1}));
  graph.add("minus", one_whole(-1));
  graph.node("Shape", {"h.sizes"}, "rank");
  graph.node("ConstantOfShape", {"rank"}, "ones", {{"value", whole({1})}});
  graph.node("Mul", {"ones", "minus"}, "minuses");
  graph.node("Equal", {"h.sizes", "minuses"}, "open");
  graph.node("Where", {"open", "ones", "h.sizes"}, "all");
  graph.node("Expand", {"h.values", "all"}, "h0");
  Node& node = add_recurrent(graph, form);
  node.inputs.insert(node.inputs.end(), {"", "h0"});
  add_head(graph, form);
  check_agrees(graph);
  CHECK(read(graph).layers[0].directions[0].h0.values.size() == units);
}

TEST_CASE("ONNX: axes in another order, more of them or fewer") {
  for (const int opset : {11, 14}) {
    Graph turned{.opset = opset};
    turned.shape = {"B", "T", "2"};
    turned.node("Transpose", {"x"}, "time_major", {{"perm", Dims{1, 0, 2}}});
    add_recurrent(turned, {}, "time_major");
    add_head(turned, {}, "last");
    turned.node("Transpose", {"last"}, "y", {{"perm", Dims{1, 0, 2}}});
    check_agrees(turned);
    turned.outputs = {"last"};
    check_agrees(turned);

    Graph alone{.opset = opset};
    alone.shape = {"T", "2"};
    add_axes(alone, "Unsqueeze", "x", "batched", {1});
    add_recurrent(alone, {}, "batched");
    add_head(alone, {}, "last");
    add_axes(alone, "Squeeze", "last", "y", {-2});
    check_agrees(alone);
    if (opset < 13)
      alone.nodes[0].attributes["axes"] = Dims{0};
    else
      alone.arrays[0].second = whole({0});
    check_refused(alone, "LSTM (output \"rec\"): it does not run over one axis");
  }
  // As others write a dense layer: to rows, a product, and back.
  Graph rows = recurrent_graph({});
  rows.nodes.resize(2);
  rows.node("Reshape", {"rows", rows.add("flat", whole({-1, units}))}, "flat_rows");
  rows.node("Gemm", {"flat_rows", "w", "b"}, "gemm");
  rows.node("Shape", {"x"}, "shape");
  rows.node("Slice", {"shape", rows.add("0", whole({0})), rows.add("2", whole({2}))}, "leading");
  rows.node("Concat", {"leading", "2"}, "full", {{"axis", std::int64_t{0}}});
  rows.node("Reshape", {"gemm", "full"}, "y");
  check_agrees(rows);
  Graph mixed = rows;
  mixed.add("turn", whole({1, 0, 2}));
  mixed.nodes.back() = {"Reshape", {"gemm", "swapped"}, {"y"}};
  mixed.nodes.insert(mixed.nodes.end() - 1, {"Gather", {"full", "turn"}, {"swapped"}});
  check_refused(mixed, "Reshape (output \"y\"): an array of shape (ab, 2) is reshaped to (b, a, 2)");

  for (const Dims& perm : {Dims{1, 0, 2}, Dims{2, 1, 0}, Dims{0, 2, 1}}) {
    Graph second = recurrent_graph({});
    second.nodes.resize(2);
    second.node("Transpose", {"rows"}, "turned", {{"perm", perm}});
    second.nodes.push_back({"RNN", {"turned", "W2", "R2"}, {"y"}});
    second.add("W2", random_array({1, 2, units}, 1));
    second.add("R2", random_array({1, 2, 2}, 2));
    check_refused(second, "RNN (output \"y\"): it");
  }
  Graph fixed = recurrent_graph({});
  fixed.shape = {"7", "1", "2"};
  check_agrees(fixed);
  append(fixed, "Squeeze");
  check_agrees(fixed);
  fixed.shape = {"T", "B", "2"};
  check_refused(fixed, "Squeeze (output \"y'\"): it squeezes all axes of length 1");
  Graph last = recurrent_graph({});
  last.node("Gather", {"y", last.add("end", one_whole(-1))}, "z");
  last.outputs = {"z"};
  check_refused(last, "Gather (output \"z\"): it takes a part of an array of shape (a, b, 2), such as the last step");
  Graph halves = recurrent_graph({"LSTM", 2});
  halves.nodes[1].attributes["perm"] = Dims{0, 2, 3, 1};
  halves.outputs = {"sides"};
  check_refused(halves, "the graph's output \"sides\": its directions come after its features");
  halves.outputs = {"y"};
  check_refused(halves, "MatMul (output \"product\"): its weights are for 8 features");
}

TEST_CASE("ONNX: graphs that are no row of layers, or none at all") {
  const Graph good = recurrent_graph({});
  const auto changed = [&good](const std::function<void(Graph&)>& change) {
    Graph graph = good;
    change(graph);
    return graph;
  };
  check_refused(changed([](Graph& g) { g.outputs = {"y", "rows"}; }), "several outputs, \"y\", \"rows\"");
  check_refused(changed([](Graph& g) { g.inputs = {"x", "h0"}; }), "several inputs, \"x\", \"h0\"");
  check_refused(changed([](Graph& g) {
                  g.inputs = {"x", "W", "R"}, g.arrays.erase(g.arrays.begin(), g.arrays.begin() + 2);
                }),
                "several inputs, \"x\", \"W\"");
  check_agrees(changed([](Graph& g) { g.inputs = {"x"}; }));
  check_refused(changed([](Graph& g) { g.outputs = {"b"}; }),
                "the graph's output \"b\": it does not depend on the input");
  check_refused(changed([](Graph& g) { g.outputs = {"x"}; }), "the graph's output \"x\": no layer leads to it");
  check_refused(changed([](Graph& g) { g.outputs = {"nothing"}; }), "reads \"nothing\"");
  check_refused(changed([](Graph& g) { g.outputs.clear(); }), "no output");
  check_refused(changed([](Graph& g) { g.inputs.clear(); }), "no input");
  check_refused(changed([](Graph& g) { std::reverse(g.nodes.begin(), g.nodes.end()); }),
                "which nothing before it gives");
  check_refused(changed([](Graph& g) { g.nodes[0].inputs[0] = "y"; }), "reads \"y\", which nothing before it gives");
  check_refused(changed([](Graph& g) {
                  g.nodes.insert(g.nodes.begin(), {"Identity", {"b"}, {"rows"}});
                }),
                "which something else gives, too");
  check_refused(changed([](Graph& g) { g.nodes.back().outputs = {"W"}, g.outputs = {"W"}; }),
                "which something else gives");
  check_refused(changed([](Graph& g) { g.add("W", g.arrays[0].second); }), "two arrays are called \"W\"");
  check_refused(changed([](Graph& g) { append(g, "Erf"); }),
                "Erf (output \"y'\"): an operation that can not be converted");
  check_refused(changed([](Graph& g) { append(g, "If", {}, {}); }), "If (output \"y'\")");
  check_refused(changed([](Graph& g) { append(g, "Tanh", {}, {{"alpha", 1.0f}}); }), "attribute \"alpha\"");
  check_refused(changed([](Graph& g) { append(g, "Tanh", {"b"}); }), "Tanh (output \"y'\"): it has more inputs");
  check_refused(changed([](Graph& g) { g.opset = 6; }), "opset 6; 7 to ");
  check_refused(changed([](Graph& g) { g.opset = 1000; }), "opset 1000; 7 to ");
  check_refused(changed([](Graph& g) { g.type = 10; }), "\"x\" is of half");
  check_refused(changed([](Graph& g) { g.shape = {"T", "0", "2"}; }), "an axis of length 0");
  check_refused(changed([](Graph& g) { g.shape = {"T", "-2", "2"}; }), "an axis of length -2");
  CHECK(read(changed([](Graph& g) { g.shape = {"T", "-1", "2"}; })).layers.size() == 2);  // as some write an open one
  check_refused(changed([](Graph& g) {
                  g.shape = {"T", "B", "3"};
                }),
                "LSTM (output \"rec\"): its weights are for 2 features");
  check_refused(changed([](Graph& g) { g.more_of_graph = field(15, std::string("a")); }), "sparse initializers");
  check_refused(changed([](Graph& g) { g.more_of_model = field(25, std::string("a")); }), "field 25");
  check_refused(changed([](Graph& g) { g.more_of_model = field(7, std::string("a")); }), "two graphs");
  // What leads nowhere does not matter.
  check_agrees(changed([](Graph& g) { g.node("Erf", {"rows"}, "aside"); }));

  const auto with_array = [&good](const std::string& array) {
    Graph graph = good;
    graph.arrays.erase(graph.arrays.begin());  // W
    graph.more_of_graph = field(5, array);
    return graph;
  };
  const std::string w = bytes_of("W", good.arrays[0].second),
                    head = field(2, std::int64_t{1}) + field(8, std::string("W"));
  CHECK(read(with_array(w)).layers.size() == 2);
  const auto dims = [](Dims extents) {
    std::string bytes;
    for (const std::int64_t extent : extents) bytes += field(1, extent);
    return bytes;
  };
  for (const Dims& bad : {Dims{-1, 16, 2}, Dims{1, -16, -2}, Dims{1, 16, 3}, Dims{std::int64_t{1} << 62, 4, 2},
                          Dims{std::int64_t{1} << 32, std::int64_t{1} << 32}, Dims{1, 1, 1, 1, 1, 1, 1, 1, 1},
                          Dims{1, 0, std::int64_t{1} << 62}, Dims{}})
    for (const std::string& raw : {std::string(), std::string(128, 'a')})
      check_refused(with_array(head + dims(bad) + field(9, raw)), "the array \"W\": ");
  check_refused(with_array(w + field(4, std::string(4, 'a'))), "its numbers are in two places");
  check_refused(with_array(w + field(14, std::int64_t{1})), "its numbers are in another file");
  check_refused(with_array(w + field(13, std::string("a"))), "its numbers are in another file");
  check_refused(with_array(w + field(2, std::int64_t{10})), "it is of half");
  check_refused(with_array(w + field(2, std::int64_t{7})), "the array \"W\": ");
  check_refused(with_array(w + field(99, std::int64_t{7})), "it has field 99");
}

TEST_CASE("ONNX: graphs changed at random are refused, or answer as ONNX says") {
  std::mt19937 random(17);
  const auto up_to = [&random](std::size_t count) { return random() % (count + 1); };
  std::vector<Graph> seeds{linear_graph(), linear_graph(11)};
  for (const char* const op : {"LSTM", "GRU", "RNN"})
    for (const std::int64_t directions : {1, 2})
      for (const std::int64_t layout : {0, 1}) seeds.push_back(recurrent_graph({op, directions, layout, 14}));
  {
    Graph graph{.opset = 13};
    add_state(graph, {}, "h0", "expanded");
    add_recurrent(graph, {}).inputs = {"x", "W", "R", "B", "", "h0", "h0"};
    add_head(graph, {}, "last");
    graph.node("Tanh", {"last"}, "active");
    graph.node("Add", {"x", "active"}, "y");
    seeds.push_back(graph);
  }
  std::size_t accepted = 0, refused = 0, undefined = 0;
  for (int k = 0; k < 6000; ++k) {
    Graph graph = seeds[up_to(seeds.size() - 1)];
    for (std::size_t times = 1 + up_to(1); times > 0; --times) {
      Node& node = graph.nodes[up_to(graph.nodes.size() - 1)];
      Array& array = graph.arrays[up_to(graph.arrays.size() - 1)].second;
      Texts names{"x", "", graph.arrays[up_to(graph.arrays.size() - 1)].first};
      for (const Node& other : graph.nodes) names.push_back(other.outputs[0]);
      switch (up_to(8)) {
        case 0:  // another operation
          node.op = Texts{"Tanh", "Relu", "Identity", "Softmax", "LSTM", "GRU",    "RNN",
                          "Add",  "Mul",  "Sigmoid",  "Reshape", "Elu",  "MatMul", "Squeeze"}[up_to(13)];
          break;
        case 1:  // another input
          if (!node.inputs.empty()) node.inputs[up_to(node.inputs.size() - 1)] = names[up_to(names.size() - 1)];
          break;
        case 2:  // one more
          node.inputs.push_back(names[up_to(names.size() - 1)]);
          break;
        case 3:
          graph.outputs = {names[up_to(names.size() - 1)]};
          break;
        case 4:  // an attribute
          switch (up_to(6)) {
            case 0:
              node.attributes["perm"] =
                  std::vector<Dims>{{1, 0, 2}, {0, 1, 2, 3}, {0, 2, 3, 1}, {2, 0, 1, 3}}[up_to(3)];
              break;
            case 1:
              node.attributes["axis"] = static_cast<std::int64_t>(up_to(3)) - 1;
              break;
            case 2:
              node.attributes["linear_before_reset"] = static_cast<std::int64_t>(up_to(1));
              break;
            case 3:
              node.attributes["layout"] = static_cast<std::int64_t>(up_to(1));
              break;
            case 4:
              node.attributes["alpha"] = static_cast<float>(up_to(2));
              break;
            case 5:
              node.attributes["activations"] = std::vector<Texts>{
                  {"Relu"}, {"Tanh"}, {"Sigmoid", "Relu"}, {"Relu", "Tanh"}, {"Sigmoid", "Tanh", "Tanh"}}[up_to(4)];
              break;
            default:
              node.attributes["direction"] = Texts{"forward", "reverse", "bidirectional"}[up_to(2)];
          }
          break;
        case 5:  // a number
          if (!array.values.empty()) array.values[up_to(array.values.size() - 1)] = static_cast<double>(up_to(4)) - 1;
          break;
        case 6:  // a shape
          if (!array.dims.empty()) std::swap(array.dims.front(), array.dims.back());
          break;
        case 7: {  // a node in between
          const std::string from = node.outputs[0];
          const Texts ops{"Tanh", "Relu", "Identity", "Mul", "Add", "Softmax", "Transpose"};
          const std::string op = ops[up_to(ops.size() - 1)], name = from + "~" + std::to_string(times);
          for (Node& other : graph.nodes)
            for (std::string& input : other.inputs)
              if (input == from) input = name;
          if (graph.outputs[0] == from) graph.outputs[0] = name;
          Texts inputs{from};
          if (op == "Mul" || op == "Add")
            inputs.push_back(graph.add("c" + name, random_array(up_to(1) ? Dims{} : Dims{4}, random())));
          const auto place = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                          [&](const Node& other) { return other.outputs[0] == from; });
          graph.nodes.insert(place + 1, {op, inputs, {name}});
          break;
        }
        default:
          graph.opset = std::vector<int>{9, 11, 13, 14, 17}[up_to(4)];
      }
    }
    Network network;
    try {
      network = read(graph);
    } catch (const FormatError&) {
      ++refused;
      continue;
    }
    ++accepted;
    std::string text = "opset " + std::to_string(graph.opset) + ", output " + graph.outputs[0];
    for (const Node& node : graph.nodes) {
      text += "\n" + node.op + " ->" + node.outputs[0] + ":";
      for (const std::string& input : node.inputs) text += " '" + input + "'";
      for (const auto& [name, value] : node.attributes) text += ", " + name;
    }
    INFO("change " << k << ": " << text);
    double largest = 0;
    try {
      largest = difference(graph, network);
    } catch (const std::exception&) {
      ++undefined;  // an initial state for another batch, say
    }
    CHECK(largest < 1e-5);
  }
  CHECK(undefined < 20);
  CHECK(accepted > 500);
  CHECK(refused > 2000);
}

TEST_CASE("ONNX: files that torch wrote answer as torch did") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WENGERT_ONNX_FILES)) {
    if (entry.path().extension() != ".onnx") continue;
    INFO(entry.path().filename());
    const Network network = nn::io::load(entry.path());
    CHECK(networks::difference_from(std::filesystem::path(entry.path()).replace_extension("json"), network) < 1e-6);
    ++files;

    // And damaged ones are read or refused, never worse.
    std::ifstream bytes_stream(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(bytes_stream), {}};
    for (std::size_t size = 0; size < bytes.size(); size += 3)
      CHECK_THROWS_AS(nn::io::from_bytes(bytes.substr(0, size), {.format = nn::io::Format::onnx}), FormatError);
    for (std::size_t k = 0; k < bytes.size(); k += 3)
      for (const char c : {'\x01', '\xFF'}) {
        std::string damaged = bytes;
        damaged[k] = c;
        try {
          nn::io::from_bytes(damaged, {.format = nn::io::Format::onnx});
        } catch (const FormatError&) {
        }
      }
  }
  CHECK(files >= 6);
}

namespace {

/// Reads or refuses within the memory that is promised: linear in the file.
void check_cheap(const std::string& bytes, const std::string& text, std::size_t times_file = 4) {
  std::string error = "(read)";
  const std::size_t before = heap::begin();
  try {
    nn::io::from_bytes(bytes, {.format = nn::io::Format::onnx});
  } catch (const FormatError& e) {
    error = e.what();
  }
  const std::size_t allocated = heap::peak_since(before);
  CHECK_THAT(error, ContainsSubstring(text));
  INFO(error.substr(0, 200) << ": " << bytes.size() << " bytes");
  CHECK(allocated <= times_file * bytes.size() + (1 << 18));
}

}  // namespace

TEST_CASE("ONNX: a file costs in proportion to its size, whatever is in it") {
  Graph shared;
  shared.shape = {"T", "B", "100"};
  shared.add("w", random_array({100, 100}, 1));
  std::string now = "x";
  for (int k = 0; k < 20000; ++k) now = shared.node("MatMul", {now, "w"}, std::to_string(k));
  shared.outputs = {now};
  check_cheap(bytes_of(shared), "an array is used by many nodes", 8);

  Graph folded = linear_graph();
  folded.add("big", random_array({200, 100}, 1));
  std::string turned = "big";
  for (int k = 0; k < 20000; ++k) turned = folded.node("Transpose", {turned}, std::to_string(k));
  folded.outputs = {folded.node("MatMul", {"sum", turned}, "z")};
  check_cheap(bytes_of(folded), "fold them when exporting", 16);

  Graph wide = linear_graph();
  wide.add("column", random_array({4000, 1}, 1));
  wide.add("row", random_array({1, 4000}, 1));
  wide.outputs = {wide.node("MatMul", {"sum", wide.node("Add", {"column", "row"}, "product'")}, "z")};
  check_cheap(bytes_of(wide), "fold them when exporting", 16);
  wide.nodes.back() = {"Concat", Texts(256, "row"), {"z"}, {{"axis", std::int64_t{0}}}};
  wide.outputs = {"z"};
  check_cheap(bytes_of(wide), "fold them when exporting", 16);
  wide.nodes.back() = {"Expand", {"one", "shape"}, {"z"}};
  wide.add("one", random_array({1, 1}, 1));
  wide.add("shape", whole({1 << 30, 1 << 30}));
  wide.outputs = {wide.node("MatMul", {"sum", "z"}, "zz")};
  check_cheap(bytes_of(wide), "more elements than can be counted", 16);
  wide.arrays.back().second = whole({1 << 20, 1 << 20});
  check_cheap(bytes_of(wide), "fold them when exporting", 16);
  wide.arrays.back().second = whole({std::int64_t{1} << 62, 1});
  check_cheap(bytes_of(wide), "more elements than can be counted", 16);

  Graph deep = linear_graph();
  for (int k = 0; k < 200000; ++k) deep.outputs = {deep.node("Identity", {deep.outputs[0]}, "i" + std::to_string(k))};
  check_cheap(bytes_of(deep), "(read)", 8);
  deep.nodes[0].inputs[0] = "i5";
  check_cheap(bytes_of(deep), "reads \"i5\", which nothing before it gives", 8);

  Graph many = linear_graph();
  many.nodes[0].inputs.resize(100000);
  check_cheap(bytes_of(many), "more than 256 inputs");
  many = linear_graph();
  for (int k = 0; k < 100000; ++k) many.inputs.push_back("x" + std::to_string(k));
  check_cheap(bytes_of(many), "several inputs");
  many = linear_graph();
  for (int k = 0; k < 100000; ++k) many.add("a" + std::to_string(k), {});
  for (int k = 0; k < 100000; ++k) many.arrays[static_cast<std::size_t>(k) + 2].second.values = {0};
  check_cheap(bytes_of(many), "(read)");
  many = linear_graph();
  for (int k = 0; k < 100000; ++k) many.more_of_model += field(14, field(1, std::to_string(k)));
  check_cheap(bytes_of(many), "more than 1000 notes");
  many = linear_graph();
  for (int k = 0; k < 300000; ++k) many.more_of_graph += field(1, field(4, std::string("A")));
  check_cheap(bytes_of(many), "(read)", 8);
  many.more_of_graph = {};
  for (int k = 0; k < 300000; ++k) many.more_of_graph += field(1, std::string());
  check_cheap(bytes_of(many), "a node without an operation");
  many.more_of_graph = {};
  for (int k = 0; k < 300000; ++k) many.more_of_graph += field(5, std::string());
  check_cheap(bytes_of(many), "an array without a name");
}

TEST_CASE("ONNX: arrays without elements cost nothing, however long their other axes are") {
  const auto empty = [](Dims dims) { return Array{std::move(dims), {}, float32}; };
  constexpr std::int64_t endless = 1'000'000'000'000;
  Graph graph = linear_graph();
  graph.add("none", empty({endless, 1, 0}));
  graph.add("first", whole({0}));
  graph.outputs = {
      graph.node("MatMul", {"sum", graph.node("Gather", {"none", "first"}, "g", {{"axis", std::int64_t{1}}})}, "z")};
  check_cheap(bytes_of(graph), "MatMul (output \"z\"): its weight has the shape (1000000000000, 1, 0)");
  graph.nodes[graph.nodes.size() - 2] = {"Concat", {"none", "none"}, {"g"}, {{"axis", std::int64_t{1}}}};
  check_cheap(bytes_of(graph), "MatMul (output \"z\"): its weight has the shape (1000000000000, 2, 0)");

  // What is read counts, too, where nothing is gathered.
  graph = linear_graph();
  graph.add("none", empty({4, 0}));
  graph.add("many", {{100000}, std::vector<double>(100000), int64});
  std::string now = "none";
  for (int k = 0; k < 1000; ++k) now = graph.node("Gather", {now, "many"}, "g" + std::to_string(k));
  graph.outputs = {now};
  check_cheap(bytes_of(graph), "fold them when exporting", 16);

  for (const Dims& sizes : {Dims{0, 200'000'000}, Dims{2, 0}, Dims{0, 0}}) {
    Graph wide;
    wide.shape = {"T", "B", std::to_string(std::max<std::int64_t>(sizes[0], 1))};
    wide.add("w", empty(sizes));
    wide.add("b", random_array({}, 1));
    wide.outputs = {wide.node("Add", {wide.node("MatMul", {"x", "w"}, "product"), "b"}, "y")};
    check_cheap(bytes_of(wide), "MatMul (output \"product\"): its weight has the shape (");
  }
}

TEST_CASE("ONNX: the fields of a model may have any order") {
  const std::string bytes = bytes_of(linear_graph());
  std::vector<std::string> parts;  // each with its tag
  for (std::string rest = bytes; !rest.empty();) {
    const bool number = rest[0] == 8;
    std::size_t at = 1, size = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(rest[at++]);
      size |= static_cast<std::size_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    if (!number) at += size;
    parts.push_back(rest.substr(0, at));
    rest.erase(0, at);
  }
  REQUIRE(parts.size() == 3);
  parts.push_back(field(2, std::string("a producer")));
  std::sort(parts.begin(), parts.end());
  do {
    std::string ordered;
    for (const std::string& part : parts) ordered += part;
    CHECK(nn::io::from_bytes(ordered).layers.size() == 1);
  } while (std::next_permutation(parts.begin(), parts.end()));
}

TEST_CASE("ONNX: layers may be called what they like") {
  for (const std::string name : {"output", "input", "input_gain", "output_gain", "skip", "skipped", "skip.from"})
    for (const networks::Spec& spec : {networks::Spec{networks::gru, 3}, networks::Spec{networks::gru, 3, true, 2}}) {
      INFO(name);
      Network network = networks::random_network(3, {{networks::linear, 3}, spec, {networks::linear, 2}});
      network.layers[1].name = name;
      network.skip = 2;
      network.input_gain_db = 3;
      network.output_gain_db = -3;
      const Network back = nn::io::from_bytes(nn::io::to_bytes(network, {.format = nn::io::Format::onnx}));
      const nn::io::Tensor input = networks::Random(3).tensor({5, 3});
      CHECK(networks::largest_difference(nn::infer::evaluate(back, input), nn::infer::evaluate(network, input)) < 1e-5);
    }
}

TEST_CASE("ONNX: a cast says nothing of the numbers of a layer, whether or not it saturates") {
  Graph graph = linear_graph();
  graph.outputs = {graph.node("Cast", {"sum"}, "z", {{"to", std::int64_t{1}}, {"saturate", std::int64_t{0}}})};
  CHECK(read(graph).layers.size() == 1);
}

TEST_CASE("ONNX: a gain that is no float is refused, not written as 0") {
  Graph graph = linear_graph();
  graph.type = float64;
  for (auto& [name, array] : graph.arrays) array.type = float64;
  graph.add("tiny", {{}, {1e-60}, float64});
  graph.outputs = {graph.node("Mul", {"sum", "tiny"}, "z")};
  const Network network = read(graph);
  CHECK(std::abs(network.output_gain_db + 1200) < 1e-9);
  CHECK_THROWS_WITH(nn::io::to_bytes(network, {.format = nn::io::Format::onnx}),
                    ContainsSubstring("a gain is -1200.000000 dB, a factor that float32 does not hold"));
}
