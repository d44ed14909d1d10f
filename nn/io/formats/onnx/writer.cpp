// ONNX, opset 14: one node for each layer, and what joins them. The input is (time, batch, feature), so is the output.
#include <cmath>
#include <cstdint>

#include "nn/io/formats/formats.hpp"
#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats {

using namespace onnx;

namespace {

Message attribute_of(const char* name, std::uint64_t value) {
  return Message().add(attribute::name, name).add(attribute::i, value).add(attribute::type, attribute::is_int);
}
Message attribute_of(const char* name, std::string_view value) {
  return Message().add(attribute::name, name).add(attribute::s, value).add(attribute::type, attribute::is_string);
}

/// The graph under construction: `now` is the name of what the last node gave.
class Graph {
 public:
  std::string now = "input";

  std::string constant(const std::string& name, const Tensor& values) {
    std::string raw;
    for (const double value : values.values) append_bytes(raw, static_cast<float>(value));
    initializer(name, values.shape, tensor::is_float, raw);
    return name;
  }
  std::string constant(const std::string& name, const std::vector<std::int64_t>& values) {
    std::string raw;
    for (const std::int64_t value : values) append_bytes(raw, value);
    initializer(name, {values.size()}, tensor::is_int64, raw);
    return name;
  }

  /// A node on `now` and more inputs, whose only output becomes `now`.
  void apply(const char* op, const std::string& output, const std::vector<std::string>& more = {},
             const std::vector<Message>& attributes = {}) {
    Message message;
    message.add(node::input, now);
    for (const std::string& input : more) message.add(node::input, input);
    message.add(node::output, output).add(node::name, output).add(node::op_type, op);
    for (const Message& attribute : attributes) message.add(node::attribute, attribute);
    graph_.add(graph::node, message);
    now = output;
  }

  void declare(int field, const std::string& name, std::size_t features) {
    Message shape;
    shape.add(1, Message().add(2, "time")).add(1, Message().add(2, "batch")).add(1, Message().add(1, features));
    const Message type = Message().add(1, Message().add(1, std::uint64_t(tensor::is_float)).add(2, shape));
    graph_.add(field, Message().add(1, name).add(2, type));
  }

  Message& message() { return graph_; }

 private:
  template <class T>
  static void append_bytes(std::string& raw, T value) {
    raw.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  void initializer(const std::string& name, const Shape& shape, std::uint64_t type, const std::string& raw) {
    Message message;
    for (const std::size_t extent : shape) message.add(tensor::dims, std::uint64_t(extent));
    message.add(tensor::data_type, type).add(tensor::name, name).add(tensor::raw_data, raw);
    graph_.add(graph::initializer, message);
  }

  Message graph_;
};

/// The arrays of all directions, one after the other, with the directions as first axis.
std::vector<Tensor> by_direction(const Layer& layer, Dtype dtype) {
  std::vector<Tensor> result;
  for (const Arrays& arrays : layer.directions) {
    std::vector<Tensor> tensors = to_layout(layer, arrays, onnx_layout, dtype);
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      if (result.size() == k) {
        result.push_back(std::move(tensors[k]));
        result[k].shape.insert(0, layer.directions.size());
      } else {
        result[k].values.insert(result[k].values.end(), tensors[k].values.begin(), tensors[k].values.end());
      }
    }
  }
  return result;
}

// What belongs to a layer is called by its name and a word after a point. No name of a layer has a point here, and
// nothing else in the graph has one of these words: so nothing clashes, whatever layers are called.
void add_recurrent(Graph& graph, const Layer& layer, const std::string& name, Dtype dtype) {
  const std::vector<Tensor> tensors = by_direction(layer, dtype);
  const bool both = layer.directions.size() == 2;
  std::vector<Message> attributes{attribute_of("hidden_size", layer.size),
                                  attribute_of("direction", both ? "bidirectional" : "forward")};
  if (layer.kind == Layer::Kind::gru)
    attributes.push_back(attribute_of("linear_before_reset", std::uint64_t(layer.reset_after)));
  if (layer.kind == Layer::Kind::rnn) {
    Message message;
    message.add(attribute::name, "activations").add(attribute::type, std::uint64_t(attribute::is_strings));
    for (std::size_t k = 0; k < layer.directions.size(); ++k)
      message.add(attribute::strings, activation_op(layer.activation));
    attributes.push_back(message);
  }
  graph.apply(nn::io::name(layer.kind), name + ".Y",
              {graph.constant(name + ".W", tensors[0]), graph.constant(name + ".R", tensors[1]),
               graph.constant(name + ".B", tensors[2])},
              attributes);
  // Y is (time, direction, batch, feature).
  if (!both) return graph.apply("Squeeze", name + ".h", {graph.constant(name + ".axes", std::vector<std::int64_t>{1})});
  Message perm;
  perm.add(attribute::name, "perm").add(attribute::type, std::uint64_t(attribute::is_ints));
  for (const std::uint64_t axis : {0, 2, 1, 3}) perm.add(attribute::ints, axis);
  graph.apply("Transpose", name + ".sides", {}, {perm});
  graph.apply("Reshape", name + ".h", {graph.constant(name + ".shape", std::vector<std::int64_t>{0, 0, -1})});
}

void add_linear(Graph& graph, const Layer& layer, const std::string& name, Dtype dtype) {
  const std::vector<Tensor> tensors = to_layout(layer, layer.directions[0], onnx_layout, dtype);
  graph.apply("MatMul", name + ".product", {graph.constant(name + ".weight", transposed(tensors[0]))});
  graph.apply("Add", name + ".sum", {graph.constant(name + ".bias", tensors[1])});
  if (layer.activation != Nonlinearity::identity) graph.apply(activation_op(layer.activation), name + ".activation");
}

void add_gain(Graph& graph, const std::string& name, double decibel) {
  if (decibel != 0)
    graph.apply("Mul", name, {graph.constant(name + ".factor", Tensor{{}, {std::pow(10, decibel / 20)}})});
}

}  // namespace

Files write_onnx(const Output& output) {
  const Network& network = output.network;
  Graph graph;
  add_gain(graph, "input_gain", network.input_gain_db);
  const std::string first = graph.now;
  const std::vector<std::string> names = distinct_names(network);
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    (layer.recurrent() ? add_recurrent : add_linear)(graph, layer, names[k], network.dtype);
  }
  if (network.skip) {
    const std::string last = graph.now;
    graph.now = first;
    if (network.skip < network.input_size()) {
      const auto one = [](std::size_t value) { return std::vector<std::int64_t>{static_cast<std::int64_t>(value)}; };
      graph.apply("Slice", "skip",
                  {graph.constant("skip.from", one(0)), graph.constant("skip.to", one(network.skip)),
                   graph.constant("skip.axis", one(2))});
    }
    graph.apply("Add", "skipped", {last});
  }
  add_gain(graph, "output_gain", network.output_gain_db);
  graph.apply("Identity", "output");
  graph.declare(graph::input, "input", network.input_size());
  graph.declare(graph::output, "output", network.output_size());
  graph.message().add(graph::name, "network");

  Message model;
  model.add(model::ir_version, std::uint64_t(8)).add(model::producer_name, "Wengert");
  model.add(model::opset_import, Message().add(1, "").add(2, std::uint64_t(14)));
  Metadata metadata = network.metadata;
  if (network.self_test) {
    JsonWriter json(output.who);
    json.object();
    write_self_test(json, network);
    json.close();
    metadata["self_test"] = std::move(json).text();
  }
  for (const auto& [key, value] : metadata) model.add(model::metadata_props, Message().add(1, key).add(2, value));
  model.add(model::graph, graph.message());  // last, so that a file that was cut has none
  return {{output.file_name, model.bytes()}};
}

}  // namespace nn::io::formats
