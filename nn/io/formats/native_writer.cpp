// Writes wengert/1.
#include "autograd/number_text.hpp"
#include "nn/io/formats/formats.hpp"
#include "nn/io/formats/native.hpp"
#include "nn/io/json_text.hpp"

namespace nn::io::formats {

namespace {

const std::string who = "save (native)";

void append_tensor(std::string& text, const Tensor& tensor, Dtype dtype) {
  text += "{\"shape\": [";
  for (std::size_t axis = 0; axis < tensor.shape.rank(); ++axis)
    text += (axis ? ", " : "") + std::to_string(tensor.shape[axis]);
  text += "], \"data\": [";
  for (std::size_t k = 0; k < tensor.values.size(); ++k) {
    if (k) text += ',';
    append_number(text, tensor.values[k], dtype);
  }
  text += "]}";
}

std::string description_text(const std::string& name, const Description& description) {
  std::string text = "{\"name\": " + quoted(who, name) + ", \"type\": " + quoted(who, description.type);
  for (const Attribute& attribute : description.attributes)
    text += ", " + quoted(who, attribute.name) + ": " + value_text(attribute);
  return text + "}";
}

/// Lines of a JSON list or object, between `open` and `close`.
template <class List, class AppendItem>
void append_lines(std::string& text, char open, char close, const List& items, AppendItem append_item) {
  text += open;
  const char* separator = "\n    ";
  for (const auto& item : items) {
    text += separator;
    append_item(item);
    separator = ",\n    ";
  }
  if (!items.empty()) text += "\n  ";
  text += close;
}

}  // namespace

std::string value_text(const Attribute& attribute) {
  if (attribute.kind == Attribute::Kind::text) return quoted(who, attribute.text);
  if (attribute.kind == Attribute::Kind::truth) return attribute.number != 0 ? "true" : "false";
  return autograd::shortest_text(attribute.number);
}

std::string write_native(const Weights& weights) {
  std::string text = "{\n  \"format\": \"" + std::string(native_version) + "\",\n  \"dtype\": \"";
  text += weights.dtype == Dtype::float32 ? "float32" : "float64";
  text += "\",\n  \"modules\": ";
  append_lines(text, '[', ']', weights.modules,
               [&](const auto& module) { text += description_text(module.first, module.second); });
  text += ",\n  \"parameters\": ";
  append_lines(text, '{', '}', weights.tensors, [&](const auto& entry) {
    text += quoted(who, entry.first) + ": ";
    append_tensor(text, entry.second, weights.dtype);
  });
  text += ",\n  \"metadata\": ";
  append_lines(text, '{', '}', weights.metadata,
               [&](const auto& note) { text += quoted(who, note.first) + ": " + quoted(who, note.second); });
  if (const auto& test = weights.self_test) {
    text += ",\n  \"self_test\": {\n    \"input\": ";
    append_tensor(text, test->input, weights.dtype);
    text += ",\n    \"output\": ";
    append_tensor(text, test->output, weights.dtype);
    text += ",\n    \"tolerance\": ";
    append_number(text, test->tolerance, Dtype::float64);
    text += "\n  }";
  }
  return text + "\n}\n";
}

}  // namespace nn::io::formats
