// safetensors: a header in JSON, and the numbers as bytes.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "nn/io/formats/formats.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/layer_order.hpp"

namespace nn::io::formats {

using autograd::FormatError;

namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of the file are those of the memory");

constexpr std::size_t max_header = 100'000'000;

double half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return sign * std::numeric_limits<double>::infinity();
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

/// The element at `from` of a type of the format.
template <class T>
double element(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return static_cast<double>(value);
}
double half_element(const char* from) {
  std::uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return half(bits);
}
double bfloat_element(const char* from) {
  std::uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
}

struct Type {
  const char* name;
  std::size_t size;
  double (*element)(const char*);
};
constexpr Type types[]{
    {"F32", 4, element<float>}, {"F64", 8, element<double>}, {"F16", 2, half_element}, {"BF16", 2, bfloat_element}};

struct Entry {
  std::string name;
  std::size_t begin, end;
  const Type* type;
};

bool by_place(const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; }

/// Whether arrays stand in the order of their types, and of their names in each, as the format's own library puts them.
bool ordered_by_type(const std::vector<Entry>& entries) {
  for (std::size_t first = 0; first < entries.size();) {
    std::vector<std::string> names;
    for (const Type* const type = entries[first].type; first < entries.size() && entries[first].type == type; ++first)
      names.push_back(entries[first].name);
    if (!sorted_by_name(names)) return false;
  }
  return true;
}

/// An order of types, and a header in another order than the data, say no more of the order of a model than names alone
/// do, so by name they are put.
void undo_foreign_order(const std::vector<Entry>& entries, Weights& weights) {
  if (std::is_sorted(entries.begin(), entries.end(), by_place) && !ordered_by_type(entries)) return;
  std::sort(weights.tensors.begin(), weights.tensors.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
}

}  // namespace

std::string write_safetensors(const Weights& weights, const std::string& who) {
  const bool is_float = weights.dtype == Dtype::float32;
  const std::size_t size = is_float ? 4 : 8;
  if (weights.find("__metadata__"))
    throw autograd::ValueError(who + ": a parameter is called __metadata__, which are the notes of a safetensors file");
  std::string header = "{";
  Metadata metadata = weights.metadata;
  const auto note = [&](const char* key, JsonWriter json) {
    std::string text = std::move(json).text();
    text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
    metadata[key] = text;
  };
  if (weights.self_test) {
    JsonWriter test(who);
    test.object();
    write_self_test(test, {.dtype = weights.dtype, .self_test = weights.self_test});
    test.close();
    note("self_test", std::move(test));
  }
  if (const auto modules = untold_by_names(weights); !modules.empty()) {
    JsonWriter list(who);
    write_modules(list, modules);
    note("modules", std::move(list));
  }
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      header += (header.back() == '{' ? "" : ",") + quoted(who, key) + ":" + quoted(who, value);
    header += "}";
  }
  std::size_t offset = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    header += (header.back() == '{' ? "" : ",") + quoted(who, name) + ":{\"dtype\":\"" + (is_float ? "F32" : "F64") +
              "\",\"shape\":[";
    for (std::size_t axis = 0; axis < tensor.shape.rank(); ++axis)
      header += (axis ? "," : "") + std::to_string(tensor.shape[axis]);
    header += "],\"data_offsets\":[" + std::to_string(offset) + ",";
    offset += tensor.values.size() * size;
    header += std::to_string(offset) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');

  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  bytes.reserve(8 + header.size() + offset);
  bytes += header;
  for (const auto& [name, tensor] : weights.tensors)
    for (const double value : tensor.values) {
      const float narrow = static_cast<float>(value);
      bytes.append(is_float ? reinterpret_cast<const char*>(&narrow) : reinterpret_cast<const char*>(&value), size);
    }
  return bytes;
}

Weights read_safetensors(const Input& input) {
  const auto fail = [&](std::size_t byte, const std::string& what) {
    throw FormatError(input.where() + (input.source.empty() ? ": byte " : ", byte ") + std::to_string(byte) + ": " +
                      what);
  };
  std::uint64_t length = 0;
  if (input.bytes.size() < 8) fail(input.bytes.size(), "a safetensors file begins with 8 bytes of length");
  std::memcpy(&length, input.bytes.data(), 8);
  if (length > max_header || length > input.bytes.size() - 8)
    fail(8, "the header is said to have " + std::to_string(length) + " bytes, and there are " +
                std::to_string(input.bytes.size() - 8));
  const std::string_view header = input.bytes.substr(8, length), data = input.bytes.substr(8 + length);

  JsonDocument document(input.who, input.source.empty() ? "header" : input.source + ", header", header, Dtype::float64,
                        6);  // an entry is little text and many values
  Weights weights{.dtype = Dtype::float32};
  std::vector<Entry> entries;
  for (const auto& [name, node] : document.root().members()) {
    if (name == "__metadata__") {
      for (const auto& [key, value] : node.members()) weights.metadata[key] = value.text();
      continue;
    }
    const std::string type_name = node.at("dtype").text();
    const auto type =
        std::find_if(std::begin(types), std::end(types), [&](const Type& t) { return t.name == type_name; });
    const std::vector<std::size_t> shape = node.at("shape").extents(), range = node.at("data_offsets").extents();
    if (type == std::end(types)) {
      if (node.find("dtype"))
        node.at("dtype").problem("found \"" + shown(type_name) + "\", expected F32, F64, F16 or BF16");
      continue;
    }
    if (shape.size() > Shape::max_rank) {
      node.at("shape").problem("more than " + std::to_string(Shape::max_rank) + " axes");
      continue;
    }
    if (range.size() != 2 || range[0] > range[1] || range[1] > data.size()) {
      node.find("data_offsets")
          .problem("expected [begin, end] within the " + std::to_string(data.size()) + " bytes of data");
      continue;
    }
    // Extents are at most 10^9 each, and the product stops growing as soon as it is too much.
    std::size_t elements = type->size;
    for (const std::size_t extent : shape) elements = elements > data.size() && extent ? elements : elements * extent;
    if (elements != range[1] - range[0]) {
      node.find("data_offsets")
          .problem("has " + std::to_string(range[1] - range[0]) + " bytes, expected " + std::to_string(type->size) +
                   " for each element of shape " + to_string(Shape(shape.begin(), shape.end())));
      continue;
    }
    entries.push_back({name, range[0], range[1], type});
    Tensor tensor{Shape(shape.begin(), shape.end()), {}};
    tensor.values.reserve(tensor.shape.elements());
    if (type->size == 8) weights.dtype = Dtype::float64;
    for (std::size_t at = range[0]; at < range[1]; at += type->size) {
      tensor.values.push_back(type->element(data.data() + at));
      if (std::isfinite(tensor.values.back())) continue;
      node.problem("element " + std::to_string((at - range[0]) / type->size) + " is not finite");
      break;
    }
    weights.tensors.emplace_back(name, std::move(tensor));
  }
  document.finish();
  undo_foreign_order(entries, weights);
  std::sort(entries.begin(), entries.end(), by_place);
  std::size_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end)
      fail(8 + length + std::min(entry.begin, end), shown(entry.name) + " begins at byte " +
                                                        std::to_string(entry.begin) + " of the data, expected " +
                                                        std::to_string(end) + ": arrays overlap or leave a hole");
    end = entry.end;
  }
  if (end != data.size())
    fail(8 + length + end,
         "the data has " + std::to_string(data.size()) + " bytes, and the arrays " + std::to_string(end));

  if (const auto test = weights.metadata.find("self_test"); test != weights.metadata.end()) {
    JsonDocument inner(input.who, input.source.empty() ? "self_test" : input.source + ", self_test", test->second,
                       weights.dtype);
    Network carrier{.dtype = weights.dtype};
    read_extras(inner.root(), carrier);
    inner.finish();
    weights.self_test = std::move(carrier.self_test);
    weights.metadata.erase(test);
  }
  if (const auto modules = weights.metadata.find("modules"); modules != weights.metadata.end()) {
    JsonDocument inner(input.who, input.source.empty() ? "modules" : input.source + ", modules", modules->second);
    weights.modules = read_modules(inner.root());
    inner.finish();
    weights.metadata.erase(modules);
  }
  return weights;
}

}  // namespace nn::io::formats
