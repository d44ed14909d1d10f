#include "nn/io/metadata.hpp"

#include <charconv>
#include <cmath>
#include <iterator>

#include "autograd/error.hpp"

namespace nn::io {

MetadataValue MetadataValue::json(std::string_view value) {
  MetadataValue result{std::string(value)};
  result.json_ = true;
  return result;
}

MetadataValue MetadataValue::of_number(double number) {
  if (!std::isfinite(number))
    throw autograd::ValueError("metadata: a number is not finite, and JSON has no such number");
  char digits[32];
  return json({digits, static_cast<std::size_t>(std::to_chars(digits, std::end(digits), number).ptr - digits)});
}

std::optional<double> MetadataValue::number() const {
  double value = 0;
  const char* const end = text_.data() + text_.size();
  const auto [last, error] = std::from_chars(text_.data(), end, value);
  if (error != std::errc() || last != end || !std::isfinite(value)) return {};
  return value;
}

std::string reserved_fault(const Metadata& metadata) {
  for (const char* const key : {"modules", "self_test"})
    if (metadata.contains(key))
      return std::string("metadata ") + key + ": files keep something else under that name; give the note another one";
  return "";
}

}  // namespace nn::io
