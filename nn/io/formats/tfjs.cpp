// TensorFlow.js layers models: a description in JSON, and the numbers in files beside it.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "nn/io/formats/keras.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::formats {

namespace {

/// What an array is called in the manifest: "lstm/kernel", "lstm/forward_lstm/kernel".
std::string manifest_name(const std::string& layer, const std::string& array) {
  for (const char* const direction : {"forward_", "backward_"})
    if (array.starts_with(direction))
      return layer + '/' + direction + layer + '/' + array.substr(std::strlen(direction));
  return layer + '/' + array;
}

/// An array of the manifest, and where its numbers are.
struct Place {
  std::size_t offset;
  Shape shape;
};

using Places = std::map<std::pair<std::string, std::string>, Place>;  // by layer and array, as KerasLayer names them

/// The layer and array of a name: "lstm/lstm_cell_3/kernel", as converters write it, is the kernel of lstm, and
/// "both/forward_lstm/kernel" the forward_kernel of both.
std::pair<std::string, std::string> layer_and_array(std::string name, const std::set<std::string>& layers) {
  const auto take_last = [&name] {
    const std::size_t at = name.rfind('/');
    std::string last = name.substr(at == std::string::npos ? 0 : at + 1);
    name.resize(at == std::string::npos ? 0 : at);
    return last;
  };
  std::string array = take_last();
  for (int inner = 0; inner < 2 && !layers.contains(name); ++inner) {
    const std::string part = take_last();
    for (const char* const direction : {"forward_", "backward_"})
      if (part.starts_with(direction)) return {name, direction + array};
  }
  return {name, array};
}

constexpr std::string_view odd_characters = "/\\%?#";  // of paths, and of addresses

/// The bytes of the files of one group of the manifest, whose arrays take as many as are missing from `bytes` to `end`.
/// More than that is not kept.
void append_files(const JsonNode& group, std::size_t end, const Input& input, std::set<std::string>& read,
                  std::string& bytes) {
  for (const JsonNode& path : group.at("paths").items()) {
    std::string name = path.text();
    while (name.starts_with("./")) name.erase(0, 2);
    if (name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos)
      return path.problem("expected the name of a file in the same folder");
    if (!read.insert(name).second) return path.problem(shown(name) + " is named twice");
    if (!input.sibling) return path.problem("the numbers are in another file, and this one was given alone");
    const std::string numbers = input.sibling(name);
    if (numbers.size() > end - bytes.size())
      return path.problem(shown(name) + " has " + std::to_string(numbers.size()) +
                          " bytes, and of the arrays there are " + std::to_string(end - bytes.size()) + " left");
    bytes += numbers;
  }
  if (bytes.size() != end) group.problem("the arrays take " + std::to_string(end - bytes.size()) + " bytes more");
}

constexpr std::size_t most_numbers = 1 << 30;  // of an array; places in files are far below the end of a size_t

using Shapes = std::map<std::pair<std::string, std::string>, Shape>;  // by layer and array, as KerasLayer names them

/// The arrays of one group, whose numbers begin at `offset` and end where it is then.
void add_places(const JsonNode& group, const Shapes& expected, const std::set<std::string>& layers, Places& places,
                std::size_t& offset) {
  for (const JsonNode& weight : group.at("weights").items()) {
    allow_keys(weight, {"name", "shape", "dtype", "quantization"});
    const std::string name = weight.at("name").text();
    if (const JsonNode type = weight.at("dtype"); type && type.text() != "float32")
      type.problem(name + ": found \"" + type.text() + "\", expected float32");
    if (const JsonNode quantization = weight.find("quantization"))
      quantization.problem(name + ": quantized numbers can not be converted; convert the model without quantization");
    const std::vector<std::size_t> extents = weight.at("shape").extents();
    const auto known = expected.find(layer_and_array(name, layers));
    if (known == expected.end()) {
      weight.problem(name + " belongs to no layer");
      continue;
    }
    const Shape& shape = known->second;
    if (!places.emplace(known->first, Place{offset, shape}).second)
      weight.problem(name + ": the array is there already");
    else if (!std::equal(extents.begin(), extents.end(), shape.begin(), shape.end()))
      weight.find("shape").problem(name + ": found another shape, expected " + to_string(shape));
    else if (shape.elements() > most_numbers)
      weight.find("shape").problem(name + ": no file has so many numbers");
    offset += 4 * shape.elements();
  }
}

Tensor tensor_at(const Place& place, const std::string& bytes) {
  Tensor tensor = zero_tensor(place.shape);
  for (std::size_t k = 0; k < tensor.values.size(); ++k) {
    float value;
    std::memcpy(&value, bytes.data() + place.offset + 4 * k, 4);
    tensor.values[k] = static_cast<double>(value);
  }
  return tensor;
}

/// The description as TensorFlow.js writes it, or within "model_config", as converters from Keras do.
JsonNode topology_of(const JsonNode& root) {
  JsonNode topology = root.at("modelTopology");
  allow_keys(topology, {"class_name", "config", "keras_version", "backend", "model_config", "training_config", "module",
                        "registered_name", "build_config", "compile_config"});
  JsonNode inner = topology.find("model_config");
  if (!inner) return topology;
  allow_keys(inner, {"class_name", "config", "keras_version", "backend", "module", "registered_name", "build_config",
                     "compile_config"});
  return inner;
}

}  // namespace

Files write_tfjs(const Output& output) {
  const Network& network = output.network;
  const std::string stem = output.file_name.substr(0, output.file_name.rfind('.'));
  NamedBytes numbers{stem + ".weights.bin", ""};
  if (stem.find_first_of(odd_characters) != std::string::npos)
    output.refuse("the file would name " + shown(numbers.name) +
                  " as that of its numbers, and programs would look for another; choose a name without \\ % ? #");
  JsonWriter json(output.who);
  json.object();
  json.key("format").value("layers-model");
  json.key("generatedBy").value("Wengert");
  json.key("convertedBy").null();
  json.key("modelTopology").object();
  write_topology(json, network, KerasFlavour::tfjs);
  json.close();
  json.key("weightsManifest").list().object();
  json.key("paths").list().value(numbers.name).close();
  json.key("weights").list();
  const std::vector<std::string> names = distinct_names(network);
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const KerasLayer layer{network.layers[k]};
    const std::vector<std::string> arrays = layer.names();
    const std::vector<Tensor> tensors = layer.tensors(Dtype::float32);
    for (std::size_t a = 0; a < tensors.size(); ++a) {
      json.object();
      json.key("name").value(manifest_name(names[k], arrays[a]));
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
  allow_keys(root, {"format", "generatedBy", "convertedBy", "modelTopology", "weightsManifest", "userDefinedMetadata",
                    "trainingConfig"});
  if (const JsonNode format = root.find("format"); format && format.text() != "layers-model")
    format.problem("found \"" + format.text() + "\", expected layers-model");
  std::vector<KerasLayer> layers = read_topology(topology_of(root), KerasFlavour::tfjs);
  document.finish();
  Shapes expected;
  std::set<std::string> names, read;
  for (const KerasLayer& layer : layers) {
    names.insert(layer.layer.name);
    const std::vector<std::string> arrays = layer.names();
    const std::vector<Shape> shapes = layer.shapes();
    for (std::size_t a = 0; a < shapes.size(); ++a) expected.emplace(std::pair(layer.layer.name, arrays[a]), shapes[a]);
  }
  Places places;
  std::vector<std::pair<JsonNode, std::size_t>> groups;  // and where the numbers end
  std::size_t end = 0;
  const JsonNode manifest = root.at("weightsManifest");
  for (const JsonNode& group : manifest.items()) {
    allow_keys(group, {"paths", "weights"});
    add_places(group, expected, names, places, end);
    groups.emplace_back(group, end);
  }
  for (const auto& [name, shape] : expected)
    if (!places.contains(name)) manifest.problem(manifest_name(name.first, name.second) + " is missing");
  document.finish();
  std::string bytes;
  for (const auto& [group, group_end] : groups) {
    append_files(group, group_end, input, read, bytes);
    document.finish();
  }
  for (KerasLayer& layer : layers) {
    std::vector<Tensor> tensors;
    for (const std::string& array : layer.names())
      tensors.push_back(tensor_at(places.at({layer.layer.name, array}), bytes));
    layer.take(std::move(tensors));
  }
  Network network = in_a_row(std::move(layers), Dtype::float32);
  if (const JsonNode notes = root.find("userDefinedMetadata"); notes && !notes.null()) read_extras(notes, network);
  document.finish();
  return network;
}

}  // namespace nn::io::formats
