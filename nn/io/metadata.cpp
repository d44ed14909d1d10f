#include "nn/io/metadata.hpp"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace nn::io {

MetadataValue MetadataValue::json(std::string_view value) {
  MetadataValue result{std::string(value)};
  result.json_ = true;
  return result;
}

MetadataValue MetadataValue::of_number(double number) {
  if (!std::isfinite(number))
    throw autograd::ValueError("metadata: a number is not finite, and JSON has no such number");
  return json(autograd::shortest_text(number));
}

std::optional<double> MetadataValue::number() const {
  double value = 0;
  const char* const end = text_.data() + text_.size();
  const auto [last, error] = std::from_chars(text_.data(), end, value);
  if (error != std::errc() || last != end || !std::isfinite(value)) return {};
  return value;
}

bool is_json(std::string_view text) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  const auto see = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::key) twice = !keys.back().insert(parsed.get<std::string>()).second || twice;
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    return true;
  };
  return !Json::parse(text, see, false).is_discarded() && !twice;
}

std::string metadata_fault(const Metadata& metadata) {
  for (const auto& [key, note] : metadata)
    if (!note.is_text() && !is_json(note.text())) return "metadata " + key + ": it is no value of JSON";
  for (const char* const key : {"modules", "self_test"})
    if (metadata.contains(key))
      return std::string("metadata ") + key + ": files keep something else under that name; give the note another one";
  return "";
}

}  // namespace nn::io
