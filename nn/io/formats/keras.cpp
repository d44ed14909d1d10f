// Keras as JSON: what model_from_json() takes, with the weights beside it, in the order of get_weights().
#include "nn/io/formats/keras.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace nn::io::formats {

namespace {

constexpr std::array classes{"LSTM", "GRU", "SimpleRNN", "Dense"};  // in the order of Layer::Kind

/// One object of the list of layers, with the keys by which Keras 3 finds its class.
class LayerText {
 public:
  LayerText(JsonWriter& json, KerasFlavour flavour, const char* type, const std::string& name, Dtype dtype)
      : json_(json), flavour_(flavour) {
    json.object();
    if (flavour == KerasFlavour::keras) json.key("module").value("keras.layers");
    json.key("class_name").value(type);
    json.key("config").object();
    json.key("name").value(name);
    if (flavour == KerasFlavour::keras) json.key("dtype").value(dtype == Dtype::float32 ? "float32" : "float64");
  }
  void close() {
    json_.close();
    if (flavour_ == KerasFlavour::keras) json_.key("registered_name").null();
    json_.close();
  }

 private:
  JsonWriter& json_;
  KerasFlavour flavour_;
};

void write_options(JsonWriter& json, const Layer& layer) {
  json.key("units").value(layer.size);
  const bool gated = layer.kind == Layer::Kind::lstm || layer.kind == Layer::Kind::gru;
  const char* const activation = layer.activation == Nonlinearity::identity ? "linear" : name(layer.activation);
  json.key("activation").value(gated ? "tanh" : activation);
  if (gated) json.key("recurrent_activation").value("sigmoid");  // tfjs would take hardSigmoid
  json.key("use_bias").value(true);
  if (layer.recurrent()) json.key("return_sequences").value(true);
  if (layer.kind == Layer::Kind::gru) json.key("reset_after").value(layer.reset_after);
}

}  // namespace

std::vector<std::string> KerasLayer::names() const {
  std::vector<std::string> names{"kernel"};
  if (layer.recurrent()) names.push_back("recurrent_kernel");
  if (bias) names.push_back("bias");
  if (layer.directions.size() == 1) return names;
  std::vector<std::string> both;
  for (const char* const direction : {"forward_", "backward_"})
    for (const std::string& name : names) both.push_back(direction + name);
  return both;
}

std::vector<Shape> KerasLayer::shapes() const {
  std::vector<Shape> one = layout_shapes(layer, keras_layout), all;
  if (!bias) one.pop_back();
  for (std::size_t d = 0; d < layer.directions.size(); ++d) all.insert(all.end(), one.begin(), one.end());
  return all;
}

std::vector<Tensor> KerasLayer::tensors(Dtype dtype) const {
  std::vector<Tensor> all;
  for (const Arrays& arrays : layer.directions)
    for (Tensor& tensor : to_layout(layer, arrays, keras_layout, dtype)) all.push_back(std::move(tensor));
  return all;
}

void KerasLayer::take(std::vector<Tensor> tensors) {
  const std::size_t count = tensors.size() / layer.directions.size();
  for (std::size_t d = 0; d < layer.directions.size(); ++d) {
    std::vector<Tensor> one;
    for (std::size_t a = 0; a < count; ++a) one.push_back(std::move(tensors[d * count + a]));
    if (!bias) one.push_back(zero_tensor(layout_shapes(layer, keras_layout).back()));
    layer.directions[d] = from_layout(layer, std::move(one), keras_layout);
    if (!bias) layer.directions[d].bias_ih = layer.directions[d].bias_hh = {};
  }
}

Network in_a_row(std::vector<KerasLayer> layers, Dtype dtype) {
  Network network{.dtype = dtype};
  for (KerasLayer& layer : layers) network.layers.push_back(std::move(layer.layer));
  return network;
}

void write_topology(JsonWriter& json, const Network& network, KerasFlavour flavour) {
  const std::vector<std::string> names = distinct_names(network);
  const bool keras = flavour == KerasFlavour::keras;
  const std::string input_shape = "[null, null, " + std::to_string(network.input_size()) + "]";
  if (keras) json.key("module").value("keras");
  json.key("class_name").value("Sequential");
  json.key("config").object();
  json.key("name").value("network");
  json.key("layers").list();
  if (keras) {
    std::string input = "input";
    while (std::find(names.begin(), names.end(), input) != names.end()) input += '_';
    LayerText text(json, flavour, "InputLayer", input, network.dtype);
    json.key("batch_shape").raw(input_shape);
    text.close();
  }
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    const char* const type = classes[static_cast<std::size_t>(layer.kind)];
    const bool both = layer.directions.size() == 2;
    LayerText text(json, flavour, both ? "Bidirectional" : type, names[k], network.dtype);
    if (k == 0 && !keras) json.key("batch_input_shape").raw(input_shape);
    if (both) {
      json.key("merge_mode").value("concat");
      json.key("layer");
      LayerText inner(json, flavour, type, names[k], network.dtype);
      write_options(json, layer);
      inner.close();
    } else {
      write_options(json, layer);
    }
    text.close();
  }
  json.close().close();
  if (keras) json.key("registered_name").null();
}

Files write_keras(const Output& output) {
  const Network& network = output.network;
  JsonWriter json(output.who);
  json.object();
  write_topology(json, network, KerasFlavour::keras);
  json.key("weights").object();
  const std::vector<std::string> names = distinct_names(network);
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const KerasLayer layer{network.layers[k]};
    const std::vector<std::string> arrays = layer.names();
    const std::vector<Tensor> tensors = layer.tensors(network.dtype);
    json.key(names[k]).object();
    for (std::size_t a = 0; a < tensors.size(); ++a) json.key(arrays[a]).tensor(names[k], tensors[a], network.dtype);
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
  const JsonNode root = document.root();
  allow_keys(root, {"module", "class_name", "config", "registered_name", "build_config", "compile_config",
                    "keras_version", "backend", "weights", "metadata", "self_test"});
  std::vector<KerasLayer> layers = read_topology(root, KerasFlavour::keras);
  const JsonNode weights = root.at("weights");
  std::map<std::string, JsonNode> found;
  if (weights)
    for (auto& [name, arrays] : weights.members()) found.emplace(name, arrays);
  for (KerasLayer& layer : layers) {
    const auto arrays = found.find(layer.layer.name);
    if (arrays == found.end()) {
      weights.problem(layer.layer.name + " is missing");
      continue;
    }
    const std::size_t problems = document.problems().size();
    const std::vector<std::string> names = layer.names();
    const std::vector<Shape> shapes = layer.shapes();
    std::vector<Tensor> tensors;
    for (std::size_t k = 0; k < shapes.size(); ++k) tensors.push_back(arrays->second.at(names[k]).tensor(shapes[k]));
    for (const auto& [name, array] : arrays->second.members())
      if (std::find(names.begin(), names.end(), name) == names.end())
        array.problem(layer.layer.name + " has no array of that name");
    if (document.problems().size() == problems) layer.take(std::move(tensors));
    found.erase(arrays);
  }
  for (const auto& [name, arrays] : found)
    if (!arrays.members().empty()) arrays.problem("no layer of that name has weights");
  Network network = in_a_row(std::move(layers), document.dtype());
  read_extras(root, network);
  document.finish();
  return network;
}

}  // namespace nn::io::formats
