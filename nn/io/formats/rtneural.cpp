// RTNeural's JSON, and AIDA-X's, which is the same with an input, an answer and gains.
#include <algorithm>
#include <array>

#include "nn/io/formats/formats.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io::formats {

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
    const bool plain = layer.activation == Nonlinearity::identity;
    json.key("activation").value(layer.recurrent() ? "tanh" : plain ? "" : name(layer.activation));
    json.key("shape").raw(shape_text(layer.size));
    json.key("weights").list();
    for (const Tensor& tensor : to_layout(layer, layer.directions[0], keras_layout, network.dtype))
      json.tensor(layer.name, tensor, network.dtype);
    json.close().close();
  }
  json.close();
}

/// The size of a layer, 0 if there is none.
std::size_t last_extent(const JsonNode& shape) {
  const std::vector<std::size_t> extents = shape.extents();
  if (extents.size() == 4) shape.problem("four extents are the shape of an image, which can not be converted");
  return extents.empty() ? 0 : extents.back();
}

/// Adds the layer to the network.
void read_layer(const JsonNode& node, Network& network, std::size_t& width) {
  const std::string type = node.at("type").text();
  const JsonNode activation_node = node.find("activation");
  const std::string activation_name = activation_node ? activation_node.text() : "";
  const auto kind = std::find(kinds.begin(), kinds.end(), type == "time-distributed-dense" ? "dense" : type);
  if ((kind == kinds.end() && type != "activation") || type.empty())
    return node.at("type").problem("layer type \"" + type + "\"; lstm, gru and dense can be converted");
  allow_keys(node, {"type", "activation", "shape", "weights", "name"});
  if (type == "activation") {
    const auto activation = activation_named(activation_name);
    if (!activation)
      activation_node.problem("unknown activation \"" + activation_name + "\"");
    else if (network.layers.empty() || network.layers.back().recurrent() ||
             network.layers.back().activation != Nonlinearity::identity)
      node.problem("an activation that follows no dense layer can not be converted");
    else
      network.layers.back().activation = *activation;
    if (last_extent(node.at("shape")) != width)
      node.at("shape").problem("the last extent of an activation must be " + std::to_string(width) +
                               ", the size of the layer before");
    if (!node.at("weights").items().empty()) node.at("weights").problem("an activation has no weights");
    return;
  }
  Layer layer{.kind = static_cast<Layer::Kind>(kind - kinds.begin())};
  layer.input_size = width;
  layer.size = last_extent(node.at("shape"));
  if (layer.size == 0) return node.find("shape").problem("the last extent, the size of the layer, must be positive");
  width = layer.size;
  if (!layer.recurrent()) {
    const auto activation = activation_named(activation_name);
    if (!activation) activation_node.problem("unknown activation \"" + activation_name + "\"");
    layer.activation = activation.value_or(Nonlinearity::identity);
  } else if (!activation_name.empty() && activation_name != "tanh") {
    activation_node.problem("found \"" + activation_name + "\": RTNeural runs " + name(layer.kind) +
                            " layers with tanh, whatever stands here; write \"tanh\", or \"\"");
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

/// Notes that stand beside the model instead of in "metadata".
void read_notes(const JsonNode& root, Network& network) {
  for (const char* const key : {"author", "esr", "samplerate"}) {
    const JsonNode node = root.find(key);
    const auto text = node.maybe_text();
    const auto number = node.scalar();
    if (!text && !number) {
      if (node && !node.null()) node.problem("expected a text or a number, or null");
      continue;
    }
    const MetadataValue value = text ? MetadataValue(*text) : MetadataValue(*number);
    MetadataValue& kept = network.metadata.try_emplace(key, value).first->second;
    if (kept.is_null()) kept = value;
    if (value.number() ? kept.number() != value.number() : kept.text() != value.text())
      node.problem("is " + shown(value.text()) + ", and in metadata " + shown(kept.text()) + "; keep one of them");
  }
}

/// The test of AIDA-X: one sound, without gains, the other inputs at 0.
void read_batch(const JsonNode& root, Network& network) {
  const JsonNode input = root.find("input_batch"), output = root.find("output_batch");
  if (!input && !output) return;
  if (network.self_test) return input.problem("the file has a self_test too; keep one of them");
  const Tensor sound = root.at("input_batch").tensor(), answer = root.at("output_batch").tensor();
  if (sound.shape.rank() != 1 || sound.values.empty() || answer.shape != sound.shape)
    return root.problem("input_batch has shape " + to_string(sound.shape) + " and output_batch " +
                        to_string(answer.shape) + ", expected one list of samples each, of one length");
  const std::size_t inputs = network.layers.empty() ? 1 : network.input_size();
  if (inputs > 3)
    return input.problem("AIDA-X, whose test this is, takes up to 3 inputs, not " + std::to_string(inputs));
  SelfTest test{zero_tensor({sound.values.size(), inputs}), answer, 1e-5, false};
  for (std::size_t t = 0; t < sound.values.size(); ++t) test.input.values[t * inputs] = sound.values[t];
  test.output.shape = {answer.values.size(), 1};
  if (const JsonNode tolerance = root.find("tolerance")) test.tolerance = tolerance.number();
  network.self_test = std::move(test);
}

Network read_model(JsonDocument& document) {
  const JsonNode root = document.root();
  Network network{.dtype = document.dtype()};
  std::size_t width = last_extent(root.at("in_shape"));
  if (root.find("in_shape") && width == 0)
    root.find("in_shape").problem("the last extent, the number of inputs, must be positive");
  for (const JsonNode& layer : root.at("layers").items()) read_layer(layer, network, width);
  allow_keys(root, {"in_shape", "layers", "metadata", "self_test", "in_skip", "in_gain", "out_gain", "input_batch",
                    "output_batch", "tolerance", "author", "esr", "samplerate"});
  read_extras(root, network);
  read_notes(root, network);
  read_batch(root, network);
  return network;
}

/// Of AIDA-X's trainer. (samplerate is read as a number by its LV2 plugin, which takes 48000 for a text.)
constexpr std::array note_types{
    NoteType{"name", NoteType::text},    NoteType{"source", NoteType::text},       NoteType{"style", NoteType::text},
    NoteType{"based", NoteType::text},   NoteType{"author", NoteType::text},       NoteType{"dataset", NoteType::text},
    NoteType{"license", NoteType::text}, NoteType{"samplerate", NoteType::number}, NoteType{"esr", NoteType::number},
};

/// Whether the network is what the plugin runs of a file, which is its first two layers.
bool runs_in_aidax(const Network& network) {
  const std::vector<Layer>& layers = network.layers;
  return layers.size() == 2 && layers[0].recurrent() && !layers[1].recurrent() && layers[1].size == 1 &&
         layers[1].activation == Nonlinearity::identity;
}

/// What the plugin makes something else of than a gain in dB; empty if there is nothing.
std::string fault_of_gains(const Network& network) {
  for (const double gain : {network.input_gain_db, network.output_gain_db})
    if (gain <= -90 || gain > 700) return "a gain of " + std::to_string(gain) + " dB is silence or no float in AIDA-X";
  if (network.input_gain_db != 0 && !network.layers.empty() && network.input_size() > 1)
    return "an input gain is for the sound alone in AIDA-X, and for all of the " +
           std::to_string(network.input_size()) + " inputs here; scale the weights of the first input instead";
  return {};
}

/// One number each, as AIDA-X reads them.
void write_flat(JsonWriter& json, const Network& network, const char* key, const Tensor& tensor, std::size_t stride) {
  Tensor flat;
  for (std::size_t k = 0; k < tensor.values.size(); k += stride) flat.values.push_back(tensor.values[k]);
  flat.shape = {flat.values.size()};
  json.key(key).tensor(key, flat, network.dtype);
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
  const std::size_t hidden = network.layers[0].size;
  if (std::find(sizes.begin(), sizes.end(), hidden) == sizes.end())
    output.refuse("AIDA-X has no hidden size of " + std::to_string(hidden) +
                  ", only 8, 12, 16, 20, 24, 32, 40, 64 and 80");
  if (const std::string fault = fault_of_gains(network); !fault.empty()) output.refuse(fault);
  JsonWriter json(output.who);
  json.object();
  json.key("in_skip").value(network.skip);
  json.key("in_gain").value(network.input_gain_db);
  json.key("out_gain").value(network.output_gain_db);
  Metadata metadata = network.metadata;
  metadata.try_emplace("samplerate", 48000);
  write_metadata(json, typed(output, metadata, note_types));
  write_layers(json, network);
  if (network.self_test) {
    const SelfTest test = make_mono_self_test(network);
    write_flat(json, network, "input_batch", test.input, network.input_size());
    write_flat(json, network, "output_batch", test.output, 1);
    json.key("tolerance").value(test.tolerance);
  }
  json.close();
  return {{output.file_name, std::move(json).text()}};
}

Network read_rtneural(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  Network network = read_model(document);
  for (const char* const key : {"in_skip", "in_gain", "out_gain"})
    if (const JsonNode node = document.root().find(key); node && node.number() != 0)
      node.problem("RTNeural ignores it, and AIDA-X does not; read the file as aidax, or remove it");
  document.finish();
  return network;
}

Network read_aidax(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  const JsonNode root = document.root();
  Network network = read_model(document);
  if (const JsonNode skip = root.find("in_skip")) network.skip = skip.whole();
  if (const JsonNode gain = root.find("in_gain")) network.input_gain_db = gain.number();
  if (const JsonNode gain = root.find("out_gain")) network.output_gain_db = gain.number();
  document.finish();
  if (!runs_in_aidax(network))
    root.find("layers").problem(
        "AIDA-X runs one LSTM or GRU and a linear layer with one output and no activation, and ignores whatever else "
        "is there; read the file as rtneural, or remove it");
  if (const std::string fault = fault_of_gains(network); !fault.empty()) root.problem(fault);
  document.finish();
  return network;
}

}  // namespace nn::io::formats
