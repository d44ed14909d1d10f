// The wire format of Protocol Buffers, as much of it as ONNX needs: varints, numbers of 4 and 8 bytes, and bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace nn::io::formats::onnx {

/// Why something can not be read. Who knows its place in the file catches this and says it.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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

/// What precedes a field on the wire.
enum class Wire { varint = 0, eight_bytes = 1, bytes = 2, four_bytes = 5 };

/// A field as it was found.
struct Field {
  int number = 0;
  Wire wire = Wire::varint;
  std::uint64_t value = 0;      ///< of a varint, or the bits of 4 or 8 bytes
  std::string_view bytes = {};  ///< a message, a text or packed numbers, in the file

  // What the field must be; throw Refusal if it is something else.
  std::int64_t integer() const;
  float real() const;
  std::string_view text() const;
};

/// Walks over the fields of a message, in order. Throws Refusal for bytes that are none.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  /// False at the end of the message.
  bool next(Field& field);

  /// The next number of `wire`, of packed ones.
  std::uint64_t number(Wire wire);
  bool done() const { return rest_.empty(); }

 private:
  std::string_view take(std::uint64_t size);

  std::string_view rest_;
};

/// f(number) for the number of a repeated field, or each of its packed ones.
template <class F>
void for_each_number(const Field& field, Wire wire, F f) {
  if (field.wire == wire) {
    f(field.value);
  } else {
    for (Fields packed(field.text()); !packed.done();) f(packed.number(wire));
  }
}

inline float float_of(std::uint64_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits)); }
inline double double_of(std::uint64_t bits) { return std::bit_cast<double>(bits); }

/// A name as it may stand in an error.
std::string quoted(std::string_view name);

}  // namespace nn::io::formats::onnx
