// The JSON of GuitarML's training: a description and a PyTorch state dict, of one recurrent stack and a linear layer.
#include <algorithm>
#include <unordered_map>

#include "nn/io/formats/formats.hpp"

namespace nn::io::formats {

Files write_guitarml(const Output& output) {
  Network network = output.network;
  const Layer& first = network.layers.front();
  // Proteus takes every LSTM of 40 units, and for an LSTM of 40 units nothing but this.
  if (first.kind == Layer::Kind::lstm && first.size == 40 &&
      (network.layers.size() != 2 || network.skip != 1 || network.output_size() != 1 || network.input_size() > 3))
    output.refuse(
        "Proteus would load an LSTM of 40 units, and run one layer with one output and up to 3 inputs, the first of "
        "which is added to the output (skip 1), whatever the file says; write another size, or state_dict");
  for (Layer& layer : network.layers) {
    layer.name = layer.recurrent() ? "rec" : "lin";
    layer.cell = false;
    // The programs look for every bias, whatever bias_fl says.
    Arrays& arrays = layer.directions[0];
    for (Tensor* const bias : {&arrays.bias_ih, &arrays.bias_hh})
      if (bias->empty() && (layer.recurrent() || bias == &arrays.bias_ih))
        *bias = zero_tensor({layer.gates() * layer.size});
  }
  JsonWriter json(output.who);
  json.object();
  json.key("model_data").object();
  json.key("model").value("SimpleRNN");
  json.key("input_size").value(network.input_size());
  json.key("skip").value(network.skip);
  json.key("output_size").value(network.output_size());
  json.key("unit_type").value(name(first.kind));
  json.key("num_layers").value(network.layers.size() - 1);
  json.key("hidden_size").value(first.size);
  json.key("bias_fl").value(true);
  json.close();
  json.key("state_dict").object();
  for_each_tensor(network, [&](const std::string& name, const Tensor& tensor) {
    json.key(name).tensor(name, tensor, network.dtype);
  });
  json.close();
  write_metadata(json, network.metadata);
  write_self_test(json, network);
  json.close();
  return {{output.file_name, std::move(json).text()}};
}

Network read_guitarml(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  const JsonNode root = document.root(), data = root.at("model_data"), state = root.at("state_dict");
  Network network{.dtype = document.dtype()};
  allow_keys(root, {"model_data", "state_dict", "metadata", "self_test", "training_info"});
  allow_keys(data, {"model", "unit_type", "input_size", "output_size", "hidden_size", "num_layers", "skip", "bias_fl"});
  if (const JsonNode model = data.find("model"); model && model.text() != "SimpleRNN")
    model.problem("found \"" + model.maybe_text().value_or("") +
                  "\", expected SimpleRNN, the one that can be converted");
  const std::string unit = data.at("unit_type").text();
  const auto kind = unit == "LSTM" ? Layer::Kind::lstm : unit == "GRU" ? Layer::Kind::gru : Layer::Kind::rnn;
  if (data.find("unit_type") && unit != name(kind))
    data.at("unit_type").problem("found \"" + unit + "\", expected LSTM, GRU or RNN");
  // What is missing is as in the constructor of CoreAudioML's SimpleRNN.
  const auto or_one = [&](const char* key) {
    const JsonNode node = data.find(key);
    return node ? node.whole() : 1;
  };
  const std::size_t inputs = data.at("input_size").whole(), hidden = data.at("hidden_size").whole();
  const std::size_t outputs = or_one("output_size"), levels = or_one("num_layers"), skip = or_one("skip");
  const JsonNode with_bias = data.find("bias_fl");
  const bool linear_bias = !with_bias || with_bias.truth();
  if (inputs == 0 || hidden == 0 || outputs == 0 || levels == 0)
    data.problem("input_size, hidden_size, output_size and num_layers must be positive");
  if (levels > state.members().size()) data.problem("num_layers is more than there are arrays in state_dict");
  network.skip = std::min(skip, inputs);
  if (skip && network.skip != outputs)
    data.find("skip").problem("adds " + std::to_string(network.skip) + " inputs to " + std::to_string(outputs) +
                              " outputs; only as many inputs as outputs can be converted");
  document.finish();

  std::unordered_map<std::string, JsonNode> left;  // which finds a key at once, however many there are
  for (auto& [key, value] : state.members()) left.emplace(std::move(key), std::move(value));
  const auto array = [&](const std::string& key, const Shape& shape) {
    const auto found = left.extract(key);
    if (!found) state.problem('"' + key + "\" is missing");
    return found ? found.mapped().tensor(shape) : Tensor();
  };
  for (std::size_t level = 0; level < levels; ++level) {
    Layer layer{.kind = kind, .name = "rec", .input_size = level == 0 ? inputs : hidden, .size = hidden};
    if (kind == Layer::Kind::rnn) layer.activation = Nonlinearity::tanh;
    const std::size_t rows = layer.gates() * hidden;
    const std::string suffix = "_l" + std::to_string(level);
    layer.directions = {{.weight_ih = array("rec.weight_ih" + suffix, {rows, layer.input_size}),
                         .weight_hh = array("rec.weight_hh" + suffix, {rows, hidden}),
                         .bias_ih = array("rec.bias_ih" + suffix, {rows}),
                         .bias_hh = array("rec.bias_hh" + suffix, {rows})}};
    network.layers.push_back(std::move(layer));
  }
  Layer linear{.name = "lin", .input_size = hidden, .size = outputs};
  linear.directions[0].weight_ih = array("lin.weight", {outputs, hidden});
  if (linear_bias) linear.directions[0].bias_ih = array("lin.bias", {outputs});
  network.layers.push_back(std::move(linear));
  for (const auto& [key, value] : state.members())
    if (left.contains(key))
      value.problem("belongs to no array that model_data describes" +
                    std::string(key == "lin.bias" ? ", where bias_fl is false" : ""));
  read_extras(root, network);
  document.finish();
  return network;
}

}  // namespace nn::io::formats
