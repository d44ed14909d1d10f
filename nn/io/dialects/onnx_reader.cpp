// Reads ONNX models that are layers in a row, such as onnx_writer.cpp makes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>

#include "nn/io/dialects/dialects.hpp"
#include "nn/io/dialects/onnx.hpp"
#include "nn/io/dialects/protobuf.hpp"

namespace nn::io::dialects {

using autograd::FormatError;
using namespace onnx;

namespace {

/// An initializer of the file.
struct Constant {
  Shape shape;
  std::uint64_t type = 0;
  std::string_view raw;

  Tensor floats() const {
    Tensor result = zero_tensor(shape);
    for (std::size_t k = 0; k < result.values.size(); ++k) {
      float value;
      std::memcpy(&value, raw.data() + 4 * k, 4);
      result.values[k] = static_cast<double>(value);
    }
    return result;
  }
};

struct Node {
  std::string op;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, std::uint64_t> ints = {};
  std::map<std::string, std::string> texts = {};

  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
    const auto found = ints.find(name);
    return found == ints.end() ? otherwise : found->second;
  }
};

/// Reads a graph that is a row of layers, from its input to its output, as write_onnx() makes it.
class Reader {
 public:
  explicit Reader(const Input& input) : input_(input) {}

  Network read() {
    std::string_view graph_bytes;
    for (const Field& field : parsed(input_.bytes, "the model")) {
      if (field.number == model::graph) graph_bytes = field.bytes;
      if (field.number == model::metadata_props) add_metadata(field.bytes);
    }
    if (graph_bytes.empty()) fail(input_.bytes.data(), "it has no graph");
    std::vector<std::string_view> nodes;
    for (const Field& field : parsed(graph_bytes, "the graph")) {
      if (field.number == graph::initializer) add_constant(field.bytes);
      if (field.number == graph::node) nodes.push_back(field.bytes);
      if (field.number == graph::input && now_.empty()) now_ = name_in(field.bytes, 1);
    }
    first_ = now_;
    for (const std::string_view bytes : nodes) add_node(bytes, node_of(bytes));
    return std::move(network_);
  }

 private:
  [[noreturn]] void fail(const char* at, const std::string& what) const {
    throw FormatError(input_.where() + (input_.source.empty() ? ": byte " : ", byte ") +
                      std::to_string(at - input_.bytes.data()) + ": " + what);
  }

  std::vector<Field> parsed(std::string_view bytes, const char* what) const {
    try {
      return fields(bytes);
    } catch (const std::out_of_range& error) {
      fail(bytes.data(), std::string(what) + " has " + error.what() + "; the file is damaged, or no ONNX model");
    }
  }

  std::string name_in(std::string_view bytes, int number) const {
    for (const Field& field : parsed(bytes, "a name"))
      if (field.number == number) return std::string(field.bytes);
    return {};
  }

  void add_metadata(std::string_view bytes) { network_.metadata[name_in(bytes, 1)] = name_in(bytes, 2); }

  void add_constant(std::string_view bytes) {
    Constant constant;
    std::string name;
    double size = 1;
    for (const Field& field : parsed(bytes, "an array")) {
      if (field.number == tensor::dims) {
        if (constant.shape.rank() == Shape::max_rank) fail(bytes.data(), "an array of more than 8 axes");
        constant.shape.push_back(static_cast<std::size_t>(field.value));
        size *= static_cast<double>(field.value);
      }
      if (field.number == tensor::data_type) constant.type = field.value;
      if (field.number == tensor::name) name = field.bytes;
      if (field.number == tensor::raw_data) constant.raw = field.bytes;
    }
    if (constant.type != tensor::is_float && constant.type != tensor::is_int64)
      fail(bytes.data(), name + " is neither of floats nor of 64-bit integers");
    if (size * (constant.type == tensor::is_float ? 4 : 8) != static_cast<double>(constant.raw.size()))
      fail(bytes.data(),
           name + " has shape " + to_string(constant.shape) + " and " + std::to_string(constant.raw.size()) + " bytes");
    constants_[name] = constant;
  }

  Node node_of(std::string_view bytes) const {
    Node node;
    for (const Field& field : parsed(bytes, "a node")) {
      if (field.number == node::input) node.inputs.emplace_back(field.bytes);
      if (field.number == node::output) node.outputs.emplace_back(field.bytes);
      if (field.number == node::op_type) node.op = field.bytes;
      if (field.number != node::attribute) continue;
      const std::string name = name_in(field.bytes, attribute::name);
      for (const Field& part : parsed(field.bytes, "an attribute")) {
        if (part.number == attribute::i) node.ints[name] = part.value;
        if (part.number == attribute::s || part.number == attribute::strings) node.texts[name] = part.bytes;
      }
    }
    return node;
  }

  const Constant& constant(const char* at, const Node& node, std::size_t index) const {
    const auto found = index < node.inputs.size() ? constants_.find(node.inputs[index]) : constants_.end();
    if (found == constants_.end() || found->second.type != tensor::is_float)
      fail(at, node.op + ": its input " + std::to_string(index) + " is no array of floats in the file");
    return found->second;
  }

  void add_node(std::string_view bytes, const Node& node) {
    const char* const at = bytes.data();
    if (node.inputs.empty() || node.outputs.empty()) fail(at, node.op + " without an input or an output");
    const auto activation = std::find(activation_ops.begin() + 1, activation_ops.end(), node.op);
    const bool follows = node.inputs[0] == now_;
    if (node.op == "LSTM" || node.op == "GRU" || node.op == "RNN") {
      add_recurrent(at, node);
    } else if (node.op == "Slice" && node.inputs[0] == first_) {
      sliced_ = node.outputs[0];  // the inputs that are added at the end
      return;
    } else if (node.op == "MatMul") {
      const Constant& weight = constant(at, node, 1);
      if (weight.shape.rank() != 2) fail(at, "MatMul: a weight of shape " + to_string(weight.shape));
      Layer layer{.name = node.outputs[0].substr(0, node.outputs[0].rfind(".product"))};
      layer.input_size = weight.shape[0];
      layer.size = weight.shape[1];
      layer.directions[0].weight_ih = transposed(weight.floats());
      network_.layers.push_back(std::move(layer));
    } else if (node.op == "Add" && node.inputs.size() == 2 && node.inputs[1] == now_ && !network_.layers.empty() &&
               (node.inputs[0] == first_ || node.inputs[0] == sliced_)) {
      network_.skip = network_.layers.back().output_size();
      now_ = node.outputs[0];
      return;
    } else if (node.op == "Add" && !network_.layers.empty() && !network_.layers.back().recurrent()) {
      network_.layers.back().directions[0].bias_ih = constant(at, node, 1).floats();
    } else if (node.op == "Mul" && constant(at, node, 1).raw.size() == 4 &&
               constant(at, node, 1).floats().values[0] > 0) {
      const double decibel = 20 * std::log10(constant(at, node, 1).floats().values[0]);
      (network_.layers.empty() ? network_.input_gain_db : network_.output_gain_db) += decibel;
      if (network_.layers.empty()) first_ = node.outputs[0];
    } else if (activation != activation_ops.end() && !network_.layers.empty() && !network_.layers.back().recurrent() &&
               network_.layers.back().activation == Activation::none) {
      network_.layers.back().activation = static_cast<Activation>(activation - activation_ops.begin());
    } else if (node.op != "Squeeze" && node.op != "Transpose" && node.op != "Reshape" && node.op != "Identity") {
      fail(at, "a node " + node.op + " here can not be converted");
    }
    if (!follows)
      fail(at, node.op + " does not read what the node before gives; only layers in a row can be converted");
    now_ = node.outputs[0];
  }

  void add_recurrent(const char* at, const Node& node) {
    Layer layer{.kind = node.op == "LSTM" ? Layer::Kind::lstm : node.op == "GRU" ? Layer::Kind::gru : Layer::Kind::rnn};
    layer.name = node.outputs[0].substr(0, node.outputs[0].rfind(".Y"));
    if (layer.kind == Layer::Kind::gru) layer.reset_after = node.number("linear_before_reset", 0) == 1;
    const auto text = [&](const char* name) {
      const auto found = node.texts.find(name);
      return found == node.texts.end() ? std::string() : found->second;
    };
    if (layer.kind == Layer::Kind::rnn)
      layer.activation = text("activations") == "Relu" ? Activation::relu : Activation::tanh;
    const std::string direction = text("direction");
    if (direction == "reverse" || node.inputs.size() > 4 || node.number("layout", 0) != 0 ||
        node.number("input_forget", 0) != 0 || node.ints.contains("clip"))
      fail(at, node.op +
                   ": lengths, initial states, peepholes, a reverse direction alone, layout, clip and input_forget "
                   "can not be converted");
    const std::size_t directions = direction == "bidirectional" ? 2 : 1;
    std::vector<Tensor> all{constant(at, node, 1).floats(), constant(at, node, 2).floats(),
                            constant(at, node, 3).floats()};
    layer.size = static_cast<std::size_t>(node.number("hidden_size", 0));
    if (all[0].shape.rank() != 3) fail(at, node.op + ": W has shape " + to_string(all[0].shape));
    layer.input_size = all[0].shape[2];
    const std::vector<Shape> shapes = layout_shapes(layer, onnx_layout);
    layer.directions.clear();
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      Shape expected = shapes[k];
      expected.insert(0, directions);
      if (all[k].shape != expected)
        fail(at, node.op + ": input " + std::to_string(k + 1) + " has shape " + to_string(all[k].shape) +
                     ", expected " + to_string(expected));
    }
    for (std::size_t d = 0; d < directions; ++d) {
      std::vector<Tensor> tensors;
      for (std::size_t k = 0; k < shapes.size(); ++k) {
        const std::size_t size = shapes[k].elements();
        const auto from = all[k].values.begin() + static_cast<std::ptrdiff_t>(d * size);
        tensors.push_back({shapes[k], {from, from + static_cast<std::ptrdiff_t>(size)}});
      }
      layer.directions.push_back(from_layout(layer, std::move(tensors), onnx_layout));
    }
    network_.layers.push_back(std::move(layer));
  }

  const Input& input_;
  Network network_;
  std::map<std::string, Constant> constants_;
  std::string now_, first_, sliced_;
};

}  // namespace

Network read_onnx(const Input& input) {
  Network network = Reader(input).read();
  if (const auto test = network.metadata.find("self_test"); test != network.metadata.end()) {
    JsonDocument document(input.who, input.source.empty() ? "self_test" : input.source + ", self_test", test->second);
    Network carrier;
    read_extras(document.root(), carrier);
    document.finish();
    network.self_test = std::move(carrier.self_test);
    network.metadata.erase(test);
  }
  return network;
}

}  // namespace nn::io::dialects
