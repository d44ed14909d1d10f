// Keras as JSON: what model_from_json() takes, with the weights beside it, in the order of get_weights().
#include "nn/io/dialects/keras.hpp"

#include <algorithm>
#include <array>

namespace nn::io::dialects {

namespace {

constexpr std::array classes{"LSTM", "GRU", "SimpleRNN", "Dense"};  // in the order of Layer::Kind

/// One layer of the topology; nothing if it has no weights of its own or can not be converted.
std::optional<Layer> read_layer(const JsonNode& node, std::size_t& width, std::vector<Layer>& before) {
  const std::string type = node.at("class_name").text();
  const JsonNode config = node.at("config");
  for (const char* key : {"batch_input_shape", "batch_shape"})
    if (const JsonNode shape = config.find(key)) {
      const std::vector<std::size_t> extents = shape.extents();
      if (extents.size() != 3 || extents.back() == 0)
        shape.problem("expected (batch, time, features), with a number of features");
      else
        width = extents.back();
    }
  if (type == "InputLayer" || type == "Dropout") return {};
  const JsonNode activation_node = config.find("activation");
  const std::string activation_name = activation_node ? activation_node.text() : type == "Dense" ? "linear" : "tanh";
  const auto activation = activation_named(activation_name);
  if (type == "Activation" && activation && !before.empty() && !before.back().recurrent()) {
    before.back().activation = *activation;
    return {};
  }
  const std::string inner = type == "TimeDistributed" ? "Dense" : type;
  const auto kind = std::find(classes.begin(), classes.end(), inner);
  if (kind == classes.end()) {
    node.find("class_name").problem("found \"" + type + "\"; LSTM, GRU, SimpleRNN and Dense can be converted");
    return {};
  }
  Layer layer{.kind = static_cast<Layer::Kind>(kind - classes.begin()), .name = config.at("name").text()};
  layer.input_size = width;
  layer.size = width = config.at("units").whole();
  if (layer.size == 0) config.find("units").problem("must be positive");
  if (layer.input_size == 0) node.problem("nothing says how many features the layer reads");
  const bool gated = layer.kind == Layer::Kind::lstm || layer.kind == Layer::Kind::gru;
  if (!activation || (gated && activation != Activation::tanh) ||
      (layer.kind == Layer::Kind::rnn && activation != Activation::tanh && activation != Activation::relu))
    activation_node.problem("activation \"" + activation_name + "\" can not be converted");
  else if (!gated)
    layer.activation = *activation;
  if (const JsonNode gate = config.find("recurrent_activation"); gated && gate && gate.text() != "sigmoid")
    gate.problem("found \"" + gate.text() + "\", expected sigmoid");
  if (const JsonNode reset = config.find("reset_after"); layer.kind == Layer::Kind::gru)
    layer.reset_after = reset && reset.truth();
  if (const JsonNode bias = config.find("use_bias"); bias && !bias.truth())
    bias.problem("layers without a bias can not be converted");
  if (const JsonNode back = config.find("go_backwards"); back && back.truth())
    back.problem("a layer that goes backwards can not be converted");
  return layer;
}

}  // namespace

std::vector<std::string> array_names(const Layer& layer) {
  if (!layer.recurrent()) return {"kernel", "bias"};
  return {"kernel", "recurrent_kernel", "bias"};
}

void write_sequential(JsonWriter& json, const Network& network) {
  const std::vector<std::string> names = distinct_names(network);
  json.key("class_name").value("Sequential");
  json.key("config").object();
  json.key("name").value("network");
  json.key("layers").list();
  const std::string input_shape = "[null, null, " + std::to_string(network.input_size()) + "]";
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    json.object();
    json.key("class_name").value(classes[static_cast<std::size_t>(layer.kind)]);
    json.key("config").object();
    json.key("name").value(names[k]);
    if (k == 0) json.key("batch_input_shape").raw(input_shape);
    json.key("units").value(layer.size);
    const bool gated = layer.kind == Layer::Kind::lstm || layer.kind == Layer::Kind::gru;
    const char* const activation = layer.activation == Activation::none ? "linear" : name(layer.activation);
    json.key("activation").value(gated ? "tanh" : activation);
    if (gated) json.key("recurrent_activation").value("sigmoid");  // tfjs would take hardSigmoid
    json.key("use_bias").value(true);
    if (layer.recurrent()) json.key("return_sequences").value(true);
    if (layer.kind == Layer::Kind::gru) json.key("reset_after").value(layer.reset_after);
    json.close().close();
  }
  json.close().close();
}

std::vector<Layer> read_sequential(const JsonNode& node) {
  std::vector<Layer> layers;
  if (const JsonNode type = node.at("class_name"); type && type.text() != "Sequential")
    type.problem("found \"" + type.text() + "\", expected Sequential");
  std::size_t width = 0;
  for (const JsonNode& item : node.at("config").at("layers").items())
    if (auto layer = read_layer(item, width, layers)) layers.push_back(std::move(*layer));
  return layers;
}

Files write_keras(const Output& output) {
  const Network& network = output.network;
  JsonWriter json(output.who);
  json.object();
  write_sequential(json, network);
  json.key("weights").object();
  const std::vector<std::string> names = distinct_names(network);
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    const std::vector<Tensor> tensors = to_layout(layer, layer.directions[0], keras_layout, network.dtype);
    json.key(names[k]).object();
    for (std::size_t a = 0; a < tensors.size(); ++a)
      json.key(array_names(layer)[a]).tensor(names[k], tensors[a], network.dtype);
    json.close();
  }
  json.close();
  write_metadata(json, network.metadata);
  write_self_test(json, network);
  json.close();
  return {{output.file_name, std::move(json).text()}};
}

Network read_keras(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  Network network{.dtype = document.dtype(), .layers = read_sequential(document.root())};
  const JsonNode weights = document.root().at("weights");
  for (Layer& layer : network.layers) {
    const JsonNode arrays = weights.at(layer.name);
    const std::vector<Shape> shapes = layout_shapes(layer, keras_layout);
    std::vector<Tensor> tensors;
    const std::size_t problems = document.problems().size();
    for (std::size_t k = 0; k < shapes.size(); ++k)
      tensors.push_back(arrays.at(array_names(layer)[k]).tensor(shapes[k]));
    if (arrays && document.problems().size() == problems)
      layer.directions = {from_layout(layer, std::move(tensors), keras_layout)};
  }
  read_extras(document.root(), network);
  document.finish();
  return network;
}

}  // namespace nn::io::dialects
