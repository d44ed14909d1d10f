// PyTorch's state dict as JSON: names and nested lists, and descriptions where these do not tell the model.
#include "nn/io/formats/formats.hpp"

namespace nn::io::formats {

void write_modules(JsonWriter& json, const std::vector<std::pair<std::string, Description>>& modules) {
  json.list();
  for (const auto& [path, description] : modules) {
    json.object();
    json.key("name").value(path);
    json.key("type").value(description.type);
    for (const Attribute& attribute : description.attributes) {
      json.key(attribute.name);
      if (attribute.kind == Attribute::Kind::text)
        json.value(attribute.text);
      else if (attribute.kind == Attribute::Kind::truth)
        json.value(attribute.number != 0);
      else
        json.value(attribute.number);
    }
    json.close();
  }
  json.close();
}

std::vector<std::pair<std::string, Description>> read_modules(const JsonNode& list) {
  std::vector<std::pair<std::string, Description>> result;
  for (const JsonNode& node : list.items()) {
    auto& [path, description] = result.emplace_back(node.at("name").text(), Description{node.at("type").text()});
    for (const auto& [key, value] : node.members()) {
      if (key == "name" || key == "type") continue;
      if (const auto text = value.maybe_text())
        description.attributes.emplace_back(key, *text);
      else if (const auto number = value.scalar())
        description.attributes.emplace_back(key, *number);
      else
        description.attributes.emplace_back(key, value.truth());
    }
  }
  return result;
}

std::string write_state_dict(const Weights& weights, const std::string& who) {
  JsonWriter json(who);
  for (const char* const key : {"modules", "self_test", "metadata"})
    if (weights.find(key))
      throw autograd::ValueError(who + ": a parameter is called " + key +
                                 ", which is no name of an array in a state dict; write native");
  json.object();
  for (const auto& [name, tensor] : weights.tensors) json.key(name).tensor(name, tensor, weights.dtype);
  if (const auto modules = untold_by_names(weights); !modules.empty()) write_modules(json.key("modules"), modules);
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
    if (name == "modules") {
      weights.modules = read_modules(node);
      continue;
    }
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

}  // namespace nn::io::formats
