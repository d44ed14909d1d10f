// What every writer of JSON shares: numbers, quotes, and a writer that keeps track of commas and lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nn/io/weights.hpp"

namespace nn::io {

/// What keeps a text out of a file: that it is not UTF-8. Empty if nothing does.
std::string text_fault(const std::string& text);

/// The text in quotes. Throws ValueError, which begins with `who`, for a text_fault().
std::string quoted(const std::string& who, const std::string& text);

/// The shortest text that reads back as the same bits, as a float or a double. It always has a point or an exponent,
/// which keeps the sign of -0.0 where a reader would take a whole number for an integer.
void append_number(std::string& text, double value, Dtype dtype);

/// A JSON text, written from front to back, on indented lines. An array is one line.
class JsonWriter {
 public:
  explicit JsonWriter(std::string who) : who_(std::move(who)) {}

  JsonWriter& object() { return open('{', '}'); }
  JsonWriter& list() { return open('[', ']'); }
  JsonWriter& key(const std::string& key);
  JsonWriter& close();

  JsonWriter& value(const std::string& text) { return raw(quoted(who_, text)); }
  JsonWriter& value(const char* text) { return value(std::string(text)); }
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter& value(std::size_t number) { return raw(std::to_string(number)); }
  JsonWriter& value(int number) { return raw(std::to_string(number)); }
  JsonWriter& value(double number);
  JsonWriter& null() { return raw("null"); }
  /// JSON as it is.
  JsonWriter& raw(std::string_view json);

  /// Nested lists of numbers; `name` for the error if one is not finite, or the shape can not be shown.
  JsonWriter& tensor(const std::string& name, const Tensor& tensor, Dtype dtype);
  JsonWriter& shape(const Shape& shape);

  /// Everything up to here; every object and list must be closed.
  std::string text() &&;

 private:
  JsonWriter& open(char open, char close);
  void begin();

  std::string who_, text_;
  std::vector<char> closing_;
  bool first_ = true, after_key_ = false;
};

}  // namespace nn::io
