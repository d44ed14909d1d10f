// Writes wengert/1.
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "autograd/error.hpp"
#include "nn/io/file.hpp"
#include "nn/io/json.hpp"
#include "nn/io/json_format.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::detail {

using autograd::Shape;
using autograd::ValueError;

namespace {

std::string quoted(const std::string& text) {
  using nlohmann::json;
  const json value = text;
  std::string result = value.dump(-1, ' ', false, json::error_handler_t::replace);
  try {
    value.dump();
  } catch (const json::exception&) {
    throw ValueError("save_json: " + result + " is not UTF-8");
  }
  if (result.size() - 2 > max_text)
    throw ValueError("save_json: " + result.substr(0, 80) + "... has more than " + std::to_string(max_text) + " bytes");
  return result;
}

/// The shortest text that reads back as the same bits. It always has a point or an exponent, which keeps the sign of
/// -0.0 where a reader would take a whole number for an integer.
template <class T>
void append_number(std::string& text, T value) {
  char digits[32];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  const std::string_view number(digits, static_cast<std::size_t>(end - digits));
  text += number;
  if (number.find_first_of(".e") == std::string_view::npos) text += ".0";
}

std::string position(std::size_t flat, const Shape& shape) {
  Shape index = shape;
  for (std::size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
  return to_string(index);
}

template <class T>
void append_parameter(std::string& text, const std::string& name, const Parameter<T>& parameter) {
  const Shape shape = parameter.shape();
  text += quoted(name) + ": {\"shape\": [";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) text += (axis ? ", " : "") + std::to_string(shape[axis]);
  text += "], \"data\": [";
  for (std::size_t k = 0; k < parameter.size(); ++k) {
    const T value = parameter.value().data()[k];
    if (!std::isfinite(value))
      throw ValueError("save_json: " + name + " is " + (std::isnan(value) ? "NaN" : "infinite") + " at " +
                       position(k, shape) + ", and JSON has no such number");
    if (k) text += ',';
    append_number(text, value);
  }
  text += "]}";
}

std::string description_text(const std::string& name, const Description& description) {
  std::set<std::string> keys{"name", "type"};
  std::string text = "{\"name\": " + quoted(name) + ", \"type\": " + quoted(description.type);
  for (const Attribute& attribute : description.attributes) {
    if (!keys.insert(attribute.name).second)
      throw ValueError("save_json: module " + quoted(name) + " describes " + quoted(attribute.name) + " twice");
    text += ", " + quoted(attribute.name) + ": " + value_text(attribute);
  }
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
  if (attribute.kind == Attribute::Kind::text) return quoted(attribute.text);
  if (attribute.kind == Attribute::Kind::truth) return attribute.number != 0 ? "true" : "false";
  if (!std::isfinite(attribute.number)) throw ValueError("save_json: attribute " + attribute.name + " is not finite");
  char digits[32];
  return {digits, std::to_chars(std::begin(digits), std::end(digits), attribute.number).ptr};
}

std::string write(const ConstContents& model, const SaveOptions& options) {
  if (options.metadata.size() > max_keys)
    throw ValueError("save_json: " + std::to_string(options.metadata.size()) + " metadata, at most " +
                     std::to_string(max_keys) + " are kept");
  check_parameters("save_json", model);

  std::string text = "{\n  \"format\": \"" + std::string(format_name) + "\",\n  \"dtype\": \"";
  text += is_float(model) ? "float32" : "float64";
  text += "\",\n  \"modules\": ";
  append_lines(text, '[', ']', model.modules,
               [&](const auto& module) { text += description_text(module.first, module.second); });
  text += ",\n  \"parameters\": ";
  append_lines(text, '{', '}', model.parameters, [&](const auto& entry) {
    std::visit([&](const auto* parameter) { append_parameter(text, entry.name, *parameter); }, entry.parameter);
  });
  text += ",\n  \"metadata\": ";
  append_lines(text, '{', '}', options.metadata,
               [&](const auto& note) { text += quoted(note.first) + ": " + quoted(note.second); });
  return text + "\n}\n";
}

void save(const ConstContents& model, const std::filesystem::path& path, const SaveOptions& options) {
  const std::string text = write(model, options);
  replace_file(path, text);
}

void save(const ConstContents& model, std::ostream& stream, const SaveOptions& options) {
  stream << write(model, options) << std::flush;
  if (!stream) throw autograd::Error("save_json: the stream failed while it was written");
}

}  // namespace nn::io::detail
