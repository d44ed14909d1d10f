// What several formats share: self-tests, metadata, names of layers.
#include <algorithm>

#include "nn/io/dialects/dialects.hpp"

namespace nn::io::dialects {

void Output::refuse(const std::string& what) const { throw autograd::ValueError(who + ": " + what); }

void write_self_test(JsonWriter& json, const Network& network) {
  if (!network.self_test) return;
  json.key("self_test").object();
  json.key("input").tensor("self_test", network.self_test->input, network.dtype);
  json.key("output").tensor("self_test", network.self_test->output, network.dtype);
  json.key("tolerance").value(network.self_test->tolerance);
  json.close();
}

void write_metadata(JsonWriter& json, const Metadata& metadata) {
  if (metadata.empty()) return;
  json.key("metadata").object();
  for (const auto& [key, value] : metadata) json.key(key).value(value);
  json.close();
}

void read_extras(const JsonNode& root, Network& network) {
  if (const JsonNode metadata = root.find("metadata"))
    for (const auto& [key, value] : metadata.members())
      if (const auto text = value.maybe_text()) network.metadata[key] = *text;  // other programs keep more than texts
  if (const JsonNode test = root.find("self_test"))
    network.self_test = {test.at("input").tensor(), test.at("output").tensor(), test.at("tolerance").number()};
}

std::vector<std::string> distinct_names(const Network& network) {
  std::vector<std::string> result;
  for (const Layer& layer : network.layers) {
    std::string base = layer.name.empty() ? name(layer.kind) : layer.name;
    std::replace(base.begin(), base.end(), '.', '_');
    std::string distinct = base;
    for (int count = 1; std::find(result.begin(), result.end(), distinct) != result.end(); ++count)
      distinct = base + '_' + std::to_string(count);
    result.push_back(distinct);
  }
  return result;
}

}  // namespace nn::io::dialects
