// Metadata: the notes that travel with the weights of a model.
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nn::io {

/// A note: a text, or any other value of JSON, kept as it is written: -20.5, true, {"year": 2024}.
class MetadataValue {
 public:
  MetadataValue() = default;
  MetadataValue(std::string text) : text_(std::move(text)) {}
  MetadataValue(const char* text) : text_(text) {}
  MetadataValue(std::same_as<bool> auto truth) : MetadataValue(json(truth ? "true" : "false")) {}
  /// The shortest text that reads back as the same double. Throws ValueError for NaN and infinities.
  template <class T>
  requires((std::integral<T> || std::floating_point<T>)&&!std::same_as<T, bool>) MetadataValue(T number)
      : MetadataValue(of_number(static_cast<double>(number))) {}

  /// A value of JSON as it is written, which must be one.
  static MetadataValue json(std::string_view value);

  bool is_text() const { return !json_; }
  bool is_object() const { return json_ && text_.starts_with('{'); }
  bool is_null() const { return json_ && text_ == "null"; }
  /// A number, also one that is written as a text; empty for anything else.
  std::optional<double> number() const;

  /// The text, or the JSON of what is none: what formats that keep texts alone get.
  const std::string& text() const { return text_; }
  operator const std::string&() const { return text_; }
  operator std::string_view() const { return text_; }

  friend bool operator==(const MetadataValue&, const MetadataValue&) = default;

 private:
  static MetadataValue of_number(double number);

  std::string text_;
  bool json_ = false;
};

/// At most 1000 notes, in UTF-8.
using Metadata = std::map<std::string, MetadataValue>;

/// Whether a text is one value of JSON and nothing else, in whose objects no key occurs twice.
bool is_json(std::string_view text);

/// What keeps notes out of files: one has a name under which some files have something else beside their notes, or is
/// no value of JSON though it is said to be one. Empty if nothing does.
std::string metadata_fault(const Metadata& metadata);

}  // namespace nn::io
