#include "nn/io/formats/onnx/protobuf.hpp"

#include <cstring>

#include "nn/io/json_scanner.hpp"

namespace nn::io::formats::onnx {

std::int64_t Field::integer() const {
  if (wire != Wire::varint) throw Refusal("field " + std::to_string(number) + " is no whole number");
  return static_cast<std::int64_t>(value);
}

float Field::real() const {
  if (wire != Wire::four_bytes) throw Refusal("field " + std::to_string(number) + " is no float");
  return float_of(value);
}

std::string_view Field::text() const {
  if (wire != Wire::bytes) throw Refusal("field " + std::to_string(number) + " is no text, message or list");
  return bytes;
}

bool Fields::next(Field& field) {
  if (done()) return false;
  const std::uint64_t tag = number(Wire::varint);
  if (tag >> 3 == 0 || tag >> 3 > 1000) throw Refusal("an unknown field; the file is damaged, or no ONNX model");
  field = {static_cast<int>(tag >> 3), static_cast<Wire>(tag & 7)};
  if (field.wire == Wire::bytes)
    field.bytes = take(number(Wire::varint));
  else
    field.value = number(field.wire);
  return true;
}

std::uint64_t Fields::number(Wire wire) {
  std::uint64_t value = 0;
  switch (wire) {
    case Wire::varint:
      for (int shift = 0; shift < 64; shift += 7) {
        const auto byte = static_cast<unsigned char>(take(1)[0]);
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
      }
      throw Refusal("a number that does not end; the file is damaged, or no ONNX model");
    case Wire::eight_bytes:
    case Wire::four_bytes: {
      const std::string_view bytes = take(wire == Wire::eight_bytes ? 8 : 4);
      std::memcpy(&value, bytes.data(), bytes.size());
      return value;
    }
    default:
      throw Refusal("an unknown kind of field; the file is damaged, or no ONNX model");
  }
}

std::string_view Fields::take(std::uint64_t size) {
  if (size > rest_.size()) throw Refusal("more bytes than there are; the file is damaged, or no ONNX model");
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
  rest_.remove_prefix(taken.size());
  return taken;
}

std::string quoted(std::string_view name) { return '"' + shown(name) + '"'; }

}  // namespace nn::io::formats::onnx
