// PyTorch's state dict as JSON: names and nested lists.
#include "nn/io/dialects/dialects.hpp"

namespace nn::io::dialects {

std::string write_state_dict(const Weights& weights, const std::string& who) {
  JsonWriter json(who);
  json.object();
  for (const auto& [name, tensor] : weights.tensors) json.key(name).tensor(name, tensor, weights.dtype);
  if (weights.self_test) {
    Network carrier{.dtype = weights.dtype, .self_test = weights.self_test};
    write_self_test(json, carrier);
  }
  json.close();
  return std::move(json).text();
}

Weights read_state_dict(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  Weights weights{.dtype = document.dtype()};
  Network carrier;
  read_extras(document.root(), carrier);
  weights.self_test = std::move(carrier.self_test);
  for (const auto& [name, node] : document.root().members()) {
    if (name == "self_test") continue;
    if (const auto number = node.scalar())
      weights.tensors.emplace_back(name, Tensor{{}, {rounded(*number, weights.dtype)}});
    else
      weights.tensors.emplace_back(name, node.tensor());
  }
  document.finish();
  if (weights.tensors.empty()) {
    document.root().problem("it has no arrays");
    document.finish();
  }
  return weights;
}

}  // namespace nn::io::dialects
