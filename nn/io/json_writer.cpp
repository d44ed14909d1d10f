// Writes wengert/1.
#include <charconv>
#include <ostream>

#include "autograd/error.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/file.hpp"
#include "nn/io/json.hpp"
#include "nn/io/json_format.hpp"
#include "nn/io/json_text.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io {

using autograd::ValueError;

namespace {

const std::string who = "save_json";

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
    text += ", " + quoted(who, attribute.name) + ": " + detail::value_text(attribute);
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

namespace detail {

std::string value_text(const Attribute& attribute) {
  if (attribute.kind == Attribute::Kind::text) return quoted(who, attribute.text);
  if (attribute.kind == Attribute::Kind::truth) return attribute.number != 0 ? "true" : "false";
  char digits[32];
  return {digits, std::to_chars(std::begin(digits), std::end(digits), attribute.number).ptr};
}

std::string write(const Weights& weights) {
  if (const auto found = faults(weights); !found.empty()) throw ValueError(who + ": " + joined(found));
  std::string text = "{\n  \"format\": \"" + std::string(format_name) + "\",\n  \"dtype\": \"";
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

std::string write(Weights weights, const SaveOptions& options) {
  weights.metadata = options.metadata;
  if (options.self_test) weights.self_test = make_self_test(network_of(weights));
  return write(weights);
}

void save(Weights weights, const std::filesystem::path& path, const SaveOptions& options) {
  const std::string text = write(std::move(weights), options);
  replace_file(path, text);
}

void save(Weights weights, std::ostream& stream, const SaveOptions& options) {
  stream << write(std::move(weights), options) << std::flush;
  if (!stream) throw autograd::Error("save_json: the stream failed while it was written");
}

}  // namespace detail
}  // namespace nn::io
