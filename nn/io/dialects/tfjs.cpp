// TensorFlow.js layers models: a description in JSON, and the numbers in a file beside it.
#include <algorithm>
#include <cstring>

#include "nn/io/dialects/keras.hpp"

namespace nn::io::dialects {

Files write_tfjs(const Output& output) {
  const Network& network = output.network;
  const std::string stem = output.file_name.substr(0, output.file_name.rfind('.'));
  NamedBytes numbers{stem + ".weights.bin", ""};
  JsonWriter json(output.who);
  json.object();
  json.key("format").value("layers-model");
  json.key("generatedBy").value("Wengert");
  json.key("convertedBy").null();
  json.key("modelTopology").object();
  write_sequential(json, network);
  json.close();
  json.key("weightsManifest").list().object();
  json.key("paths").list().value(numbers.name).close();
  json.key("weights").list();
  const std::vector<std::string> names = distinct_names(network);
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    const std::vector<Tensor> tensors = to_layout(layer, layer.directions[0], keras_layout, Dtype::float32);
    for (std::size_t a = 0; a < tensors.size(); ++a) {
      json.object();
      json.key("name").value(names[k] + '/' + array_names(layer)[a]);
      json.key("shape").shape(tensors[a].shape);
      json.key("dtype").value("float32");
      json.close();
      for (const double value : tensors[a].values) {
        const float narrow = static_cast<float>(value);
        numbers.bytes.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
      }
    }
  }
  json.close().close().close();
  if (!network.metadata.empty() || network.self_test) {
    json.key("userDefinedMetadata").object();
    write_metadata(json, network.metadata);
    write_self_test(json, network);
    json.close();
  }
  json.close();
  return {{output.file_name, std::move(json).text()}, std::move(numbers)};
}

Network read_tfjs(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  const JsonNode root = document.root();
  Network network{.layers = read_sequential(root.at("modelTopology"))};
  struct Place {
    std::string name;
    JsonNode node;
    std::size_t offset;
    Shape shape;
  };
  std::vector<Place> places;
  std::string bytes;
  for (const JsonNode& group : root.at("weightsManifest").items()) {
    std::size_t offset = bytes.size();
    for (const JsonNode& path : group.at("paths").items()) {
      const std::string name = path.text();
      if (name.empty() || name.find('/') != std::string::npos || name.find('\\') != std::string::npos)
        path.problem("expected the name of a file in the same folder");
      else if (!input.sibling)
        path.problem("the numbers are in another file, and this one was given alone");
      else
        bytes += input.sibling(name);
    }
    for (const JsonNode& weight : group.at("weights").items()) {
      if (const JsonNode type = weight.at("dtype"); type && type.text() != "float32")
        type.problem("found \"" + type.text() + "\", expected float32");
      if (weight.find("quantization")) weight.find("quantization").problem("quantized numbers can not be converted");
      const std::vector<std::size_t> extents = weight.at("shape").extents();
      double size = 4;
      for (const std::size_t extent : extents) size *= static_cast<double>(extent);
      if (extents.size() > Shape::max_rank || size > static_cast<double>(bytes.size() - offset)) {
        weight.find("shape").problem("more than the " + std::to_string(bytes.size() - offset) + " bytes that are left");
        continue;
      }
      places.push_back({weight.at("name").text(), weight, offset, Shape(extents.begin(), extents.end())});
      offset += static_cast<std::size_t>(size);
    }
    if (offset != bytes.size())
      group.problem(std::to_string(bytes.size() - offset) + " bytes of numbers are left over");
  }
  document.finish();
  for (Layer& layer : network.layers) {
    const std::vector<Shape> shapes = layout_shapes(layer, keras_layout);
    std::vector<Tensor> tensors;
    for (std::size_t a = 0; a < shapes.size(); ++a) {
      const std::string name = layer.name + '/' + array_names(layer)[a];
      const auto place = std::find_if(places.begin(), places.end(), [&](const Place& p) { return p.name == name; });
      if (place == places.end()) {
        root.at("weightsManifest").problem(name + " is missing");
      } else if (place->shape != shapes[a]) {
        place->node.problem("found shape " + to_string(place->shape) + ", expected " + to_string(shapes[a]));
      } else {
        Tensor tensor = zero_tensor(shapes[a]);
        for (std::size_t k = 0; k < tensor.values.size(); ++k) {
          float value;
          std::memcpy(&value, bytes.data() + place->offset + 4 * k, 4);
          tensor.values[k] = static_cast<double>(value);
        }
        tensors.push_back(std::move(tensor));
      }
    }
    if (tensors.size() == shapes.size()) layer.directions = {from_layout(layer, std::move(tensors), keras_layout)};
  }
  if (const JsonNode notes = root.find("userDefinedMetadata")) read_extras(notes, network);
  document.finish();
  return network;
}

}  // namespace nn::io::dialects
