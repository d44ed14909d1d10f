// The JSON of GuitarML's training: a description and a PyTorch state dict, of one recurrent stack and a linear layer.
#include "nn/io/dialects/dialects.hpp"

namespace nn::io::dialects {

Files write_guitarml(const Output& output) {
  Network network = output.network;
  const Layer &first = network.layers.front(), &last = network.layers.back();
  bool stack = network.layers.size() > 1 && !last.recurrent() && first.recurrent();
  for (std::size_t k = 0; stack && k + 1 < network.layers.size(); ++k)
    stack = network.layers[k].kind == first.kind && network.layers[k].size == first.size;
  if (!stack)
    output.refuse(
        "a GuitarML model is a stack of LSTM or GRU layers of one size and a linear layer, and this is "
        "something else; rtneural takes any row of layers");
  for (Layer& layer : network.layers) {
    layer.name = layer.recurrent() ? "rec" : "lin";
    layer.cell = false;
    // bias_fl covers all of them, and the linear layer always has one.
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
  const std::string unit = data.at("unit_type").text();
  if (data.find("unit_type") && unit != "LSTM" && unit != "GRU")
    data.at("unit_type").problem("found \"" + unit + "\", expected LSTM or GRU");
  const std::size_t inputs = data.at("input_size").whole(), hidden = data.at("hidden_size").whole();
  const JsonNode count = data.find("num_layers"), with_bias = data.find("bias_fl"), skip = data.find("skip");
  const std::size_t levels = count ? count.whole() : 1;
  const bool bias = !with_bias || with_bias.truth();
  network.skip = skip ? skip.whole() : 0;
  if (inputs == 0 || hidden == 0 || levels == 0 || levels > 100)
    data.problem("input_size, hidden_size and num_layers must be positive, and num_layers at most 100");
  document.finish();
  for (std::size_t level = 0; level < levels; ++level) {
    Layer layer{.kind = unit == "GRU" ? Layer::Kind::gru : Layer::Kind::lstm, .name = "rec"};
    layer.input_size = level == 0 ? inputs : hidden;
    layer.size = hidden;
    const std::size_t rows = layer.gates() * hidden;
    const std::string suffix = "_l" + std::to_string(level);
    Arrays& arrays = layer.directions[0];
    arrays.weight_ih = state.at("rec.weight_ih" + suffix).tensor({rows, layer.input_size});
    arrays.weight_hh = state.at("rec.weight_hh" + suffix).tensor({rows, hidden});
    if (bias) {
      arrays.bias_ih = state.at("rec.bias_ih" + suffix).tensor({rows});
      arrays.bias_hh = state.at("rec.bias_hh" + suffix).tensor({rows});
    }
    network.layers.push_back(std::move(layer));
  }
  const JsonNode outputs = data.find("output_size");
  Layer linear{.name = "lin", .input_size = hidden, .size = outputs ? outputs.whole() : 1};
  linear.directions[0].weight_ih = state.at("lin.weight").tensor({linear.size, hidden});
  if (const JsonNode lin_bias = state.find("lin.bias")) linear.directions[0].bias_ih = lin_bias.tensor({linear.size});
  network.layers.push_back(std::move(linear));
  read_extras(root, network);
  document.finish();
  return network;
}

}  // namespace nn::io::dialects
