#include "autograd/number_text.hpp"

#include <array>
#include <charconv>

namespace autograd {

namespace {

std::string text_of(double value, std::chars_format format, int precision) {
  std::array<char, 400> text;  // the largest double has 309 digits before the point
  const std::to_chars_result result = std::to_chars(text.data(), text.data() + text.size(), value, format, precision);
  return {text.data(), result.ptr};
}

template <class T>
void append(std::string& text, T value) {
  std::array<char, 32> shortest;
  const char* const end = std::to_chars(shortest.data(), shortest.data() + shortest.size(), value).ptr;
  text.append(shortest.data(), static_cast<std::size_t>(end - shortest.data()));
}

}  // namespace

std::string number_text(double value, int digits) { return text_of(value, std::chars_format::general, digits); }

std::string fixed_text(double value, int decimals) { return text_of(value, std::chars_format::fixed, decimals); }

void append_shortest(std::string& text, float value) { append(text, value); }

void append_shortest(std::string& text, double value) { append(text, value); }

std::string shortest_text(double value) {
  std::string text;
  append(text, value);
  return text;
}

std::optional<double> number_from_text(std::string_view text) {
  double value = 0;
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const std::from_chars_result result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return {};
  return value;
}

}  // namespace autograd
