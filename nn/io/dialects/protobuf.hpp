// The wire format of Protocol Buffers, as much of it as ONNX needs: varints, lengths with bytes, and 4-byte numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nn::io::dialects {

/// A message under construction.
class Message {
 public:
  Message& add(int field, std::uint64_t value) {
    tag(field, 0);
    varint(value);
    return *this;
  }
  Message& add(int field, std::string_view bytes) {
    tag(field, 2);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& add(int field, const char* text) { return add(field, std::string_view(text)); }
  Message& add(int field, const Message& message) { return add(field, std::string_view(message.bytes_)); }

  const std::string& bytes() const { return bytes_; }

 private:
  void tag(int field, int type) { varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type)); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// A field as it was found: a number, or bytes, which may be a message or a text.
struct Field {
  int number;
  std::uint64_t value = 0;      ///< of a varint, or the bits of 4 or 8 bytes
  std::string_view bytes = {};  ///< into the file
};

/// The fields of a message, in order. Throws std::out_of_range for bytes that are none.
std::vector<Field> fields(std::string_view message);

}  // namespace nn::io::dialects
