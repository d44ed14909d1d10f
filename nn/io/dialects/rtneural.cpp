// RTNeural's JSON, and AIDA-X's, which is the same with an input, an answer and gains.
#include <algorithm>
#include <array>

#include "nn/io/dialects/dialects.hpp"

namespace nn::io::dialects {

namespace {

constexpr std::array kinds{"lstm", "gru", "", "dense"};  // in the order of Layer::Kind

std::string shape_text(std::size_t width) { return "[null, null, " + std::to_string(width) + "]"; }

/// The keys of the model, without the brackets around them.
void write_layers(JsonWriter& json, const Network& network) {
  json.key("in_shape").raw(shape_text(network.input_size()));
  json.key("layers").list();
  for (const Layer& layer : network.layers) {
    json.object();
    json.key("type").value(kinds[static_cast<std::size_t>(layer.kind)]);
    json.key("activation").value(layer.recurrent() ? "tanh" : name(layer.activation));
    json.key("shape").raw(shape_text(layer.size));
    json.key("weights").list();
    for (const Tensor& tensor : to_layout(layer, layer.directions[0], keras_layout, network.dtype))
      json.tensor(layer.name, tensor, network.dtype);
    json.close().close();
  }
  json.close();
}

/// One number each, as AIDA-X reads them.
void write_flat(JsonWriter& json, const Network& network, const char* key, Tensor tensor) {
  tensor.shape = {tensor.values.size()};
  json.key(key).tensor(key, tensor, network.dtype);
}

/// Adds the layer to the network.
void read_layer(const JsonNode& node, Network& network, std::size_t& width) {
  const std::string type = node.at("type").text();
  const JsonNode activation_node = node.find("activation");
  const std::string activation_name = activation_node ? activation_node.text() : "";
  if (type == "activation") {
    const auto activation = activation_named(activation_name);
    if (!activation)
      activation_node.problem("unknown activation \"" + activation_name + "\"");
    else if (network.layers.empty() || network.layers.back().recurrent() ||
             network.layers.back().activation != Activation::none)
      node.problem("an activation that follows no dense layer can not be converted");
    else
      network.layers.back().activation = *activation;
    return;
  }
  const auto kind = std::find(kinds.begin(), kinds.end(), type == "time-distributed-dense" ? "dense" : type);
  if (kind == kinds.end() || type.empty())
    return node.at("type").problem("layer type \"" + type + "\"; lstm, gru and dense can be converted");
  Layer layer{.kind = static_cast<Layer::Kind>(kind - kinds.begin())};
  const std::vector<std::size_t> shape = node.at("shape").extents();
  layer.input_size = width;
  layer.size = shape.empty() ? 0 : shape.back();
  if (layer.size == 0) return node.find("shape").problem("the last extent, the size of the layer, must be positive");
  width = layer.size;
  if (!layer.recurrent()) {
    const auto activation = activation_named(activation_name);
    if (!activation) activation_node.problem("unknown activation \"" + activation_name + "\"");
    layer.activation = activation.value_or(Activation::none);
  }
  const std::vector<JsonNode> weights = node.at("weights").items();
  const std::vector<Shape> shapes = layout_shapes(layer, keras_layout);
  const bool no_bias = !layer.recurrent() && weights.size() == 1;
  if (weights.size() != shapes.size() && !no_bias)
    return node.at("weights").problem("found " + std::to_string(weights.size()) + " arrays, expected " +
                                      std::to_string(shapes.size()));
  std::vector<Tensor> tensors;
  bool fits = true;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    tensors.push_back(weights[k].tensor(shapes[k]));
    fits = fits && tensors.back().shape == shapes[k];
  }
  if (!fits) return;
  if (no_bias) tensors.push_back(zero_tensor(shapes[1]));
  layer.directions = {from_layout(layer, std::move(tensors), keras_layout)};
  network.layers.push_back(std::move(layer));
}

}  // namespace

Files write_rtneural(const Output& output) {
  JsonWriter json(output.who);
  json.object();
  write_layers(json, output.network);
  write_metadata(json, output.network.metadata);
  write_self_test(json, output.network);
  json.close();
  return {{output.file_name, std::move(json).text()}};
}

Files write_aidax(const Output& output) {
  constexpr std::array sizes{8, 12, 16, 20, 24, 32, 40, 64, 80};  // compiled into the plugin
  const Network& network = output.network;
  const std::vector<Layer>& layers = network.layers;
  if (layers.size() != 2 || !layers[0].recurrent() || layers[1].recurrent() || layers[1].size != 1)
    output.refuse(
        "AIDA-X runs one LSTM or GRU and a linear layer with one output, and this is something else; rtneural "
        "takes any row of layers");
  if (std::find(sizes.begin(), sizes.end(), layers[0].size) == sizes.end())
    output.refuse("AIDA-X has no hidden size of " + std::to_string(layers[0].size) +
                  ", only 8, 12, 16, 20, 24, 32, 40, 64 and 80");
  if (network.input_size() > 3)
    output.refuse("AIDA-X takes up to 3 inputs, not " + std::to_string(network.input_size()));
  JsonWriter json(output.who);
  json.object();
  json.key("in_skip").value(network.skip);
  json.key("in_gain").value(network.input_gain_db);
  json.key("out_gain").value(network.output_gain_db);
  Metadata metadata = network.metadata;
  metadata.try_emplace("samplerate", std::to_string(static_cast<long>(network.sample_rate)));
  write_metadata(json, metadata);
  write_layers(json, network);
  if (network.self_test) {
    write_flat(json, network, "input_batch", network.self_test->input);
    write_flat(json, network, "output_batch", network.self_test->output);
    json.key("tolerance").value(network.self_test->tolerance);
  }
  json.close();
  return {{output.file_name, std::move(json).text()}};
}

Network read_rtneural(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  const JsonNode root = document.root();
  Network network{.dtype = document.dtype()};
  const std::vector<std::size_t> in_shape = root.at("in_shape").extents();
  std::size_t width = in_shape.empty() ? 0 : in_shape.back();
  if (root.find("in_shape") && width == 0)
    root.find("in_shape").problem("the last extent, the number of inputs, must be positive");
  for (const JsonNode& layer : root.at("layers").items()) read_layer(layer, network, width);
  if (const JsonNode skip = root.find("in_skip")) network.skip = skip.whole();
  if (const JsonNode gain = root.find("in_gain")) network.input_gain_db = gain.number();
  if (const JsonNode gain = root.find("out_gain")) network.output_gain_db = gain.number();
  read_extras(root, network);
  document.finish();
  if (const auto rate = network.metadata.find("samplerate"); rate != network.metadata.end())
    network.sample_rate = std::strtod(rate->second.c_str(), nullptr);
  const JsonNode questions = root.find("input_batch"), answers = root.find("output_batch");
  if (questions && answers && !network.layers.empty()) {
    SelfTest test{questions.tensor(), answers.tensor(), 1e-5};
    if (const JsonNode tolerance = root.find("tolerance")) test.tolerance = tolerance.number();
    const auto by_step = [](Tensor& tensor, std::size_t features) {
      tensor.shape = {tensor.values.size() / features, features};
    };
    by_step(test.input, network.input_size());
    by_step(test.output, network.output_size());
    network.self_test = std::move(test);
    document.finish();
  }
  return network;
}

}  // namespace nn::io::dialects
