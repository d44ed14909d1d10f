#include "nn/io/json_scanner.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "autograd/error.hpp"

namespace nn::io {

using autograd::FormatError;
using nlohmann::json;

namespace {

constexpr std::size_t max_depth = 64;
constexpr std::size_t max_digits = 1100;  // 2^-1074 in full, the longest number that a double can need, has 1076
constexpr std::size_t max_shown = 80;
constexpr std::size_t max_depth_ahead = 16;  // deeper lists are no arrays

bool in_number(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

const char* name(JsonScanner::Container container) {
  return container == JsonScanner::Container::object ? "an object" : "a list";
}

/// An iterator that lets the scanner see how far the parser has come.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char** at;

  reference operator*() const { return **at; }
  Cursor& operator++() {
    ++*at;
    return *this;
  }
  Cursor operator++(int) { return ++*this; }
  friend bool operator==(const Cursor& a, const Cursor& b) { return *a.at == *b.at; }
};

}  // namespace

std::string shown(std::string_view text) {
  const bool cut = text.size() > max_shown;
  const json quoted = std::string(text.substr(0, max_shown)) + (cut ? "..." : "");
  const std::string result = quoted.dump(-1, ' ', false, json::error_handler_t::replace);
  return result.substr(1, result.size() - 2);
}

std::string pointer_token(std::string_view key) {
  std::string result;
  for (const char c : shown(key)) {
    if (c == '~' || c == '/')
      result += c == '~' ? "~0" : "~1";
    else
      result += c;
  }
  return result;
}

/// What the parser calls.
struct JsonScanner::Events {
  JsonScanner& scanner;
  const Damage* damage;  // the parser sees the text before it alone

  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(json::number_integer_t) { return number(); }
  bool number_unsigned(json::number_unsigned_t) { return number(); }
  bool number_float(double, const std::string&) { return number(); }
  bool string(std::string& value) { return scalar(std::move(value)); }
  bool binary(json::binary_t&) { return false; }  // not in a text
  bool start_object(std::size_t) { return open(Container::object); }
  bool start_array(std::size_t) { return open(Container::list); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    scanner.path_.back().key = key;
    scanner.on_key();
    return true;
  }

  [[noreturn]] void fail_damaged() {
    scanner.at_ = scanner.text_.data() + damage->end;
    scanner.fail(damage->what);
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    if (damage && scanner.bytes_read() == damage->begin) fail_damaged();
    if (error.id == 406) scanner.fail("the number is too large for a double");
    // What the parser says, without its prefix and position, and without the text that it repeats.
    std::string what = error.what();
    what.erase(0, std::min(what.find("syntax error"), what.size()));
    what.erase(std::min(what.find("; last read"), what.size()));
    if (what.find("invalid literal") != std::string::npos || what.find("invalid number") != std::string::npos) {
      const std::string word = word_at_hand();
      if (word == "NaN" || word == "nan" || word == "Infinity" || word == "inf" || word == "Inf")
        scanner.fail(word + " is no number in JSON; the file was saved with numbers that are not finite");
    }
    scanner.fail(what);
  }

 private:
  bool number() { return scalar(Number{scanner.number_text()}); }

  bool scalar(Scalar value) {
    scanner.on_scalar(std::move(value));
    return advance();
  }

  bool open(Container container) {
    if (scanner.path_.size() == max_depth) scanner.fail("nested more than " + std::to_string(max_depth) + " deep");
    scanner.on_open(container);
    scanner.path_.push_back({container});
    if (container == Container::list) take_plain_numbers();
    return true;
  }

  /// Most of a file is plain numbers, and these need no parser. Takes the numbers of a list as far as each is plain and
  /// has a comma and another value behind it, so that the parser, which has read no further than the bracket, finds
  /// the rest of a list. What is not plain, or not right, is left to it.
  void take_plain_numbers() {
    const char* const end = scanner.text_.data() + (damage ? damage->begin : scanner.text_.size());
    const auto after_blanks = [end](const char* at) {
      while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
      return at;
    };
    for (const char* first = after_blanks(scanner.at_);;) {
      const char* const last = plain_number(first, end);
      const char* const comma = last ? after_blanks(last) : end;
      if (comma == end || *comma != ',') return;
      const char* const next = after_blanks(comma + 1);
      if (next == end || *next == ']') return;
      scanner.at_ = last + 1;  // as far as the parser would have read
      scalar(Number{{first, static_cast<std::size_t>(last - first)}});
      scanner.at_ = first = next;
    }
  }

  /// The end of a number of JSON that is certainly within the range of a double, or null.
  static const char* plain_number(const char* at, const char* end) {
    const char* const first = at;
    const auto digits = [&] {
      const char* const begin = at;
      while (at != end && *at >= '0' && *at <= '9') ++at;
      return at - begin;
    };
    if (at != end && *at == '-') ++at;
    const bool zero = at != end && *at == '0';
    const auto whole = digits();
    if (whole == 0 || (zero && whole > 1)) return nullptr;
    if (at != end && *at == '.' && (++at, digits() == 0)) return nullptr;
    if (at != end && (*at == 'e' || *at == 'E')) {
      ++at;
      const bool negative = at != end && *at == '-';
      if (at != end && (*at == '-' || *at == '+')) ++at;
      const char* const begin = at;
      const auto length = digits();
      if (length == 0 || length > 3) return nullptr;
      int exponent = 0;
      std::from_chars(begin, at, exponent);
      double value = 0;
      if (!negative && whole + exponent > 308 && std::from_chars(first, at, value).ec != std::errc()) return nullptr;
    }
    return at - first <= 40 ? at : nullptr;
  }

  bool close() {
    scanner.path_.pop_back();
    scanner.on_close();
    return advance();
  }

  bool advance() {
    if (!scanner.path_.empty()) ++scanner.path_.back().index;
    return true;
  }

  /// The word in which the parser stopped.
  std::string word_at_hand() const {
    const std::string_view text = scanner.text_;
    std::size_t first = scanner.bytes_read(), last = first;
    while (first > 0 && is_letter(text[first - 1])) --first;
    while (last < text.size() && is_letter(text[last])) ++last;
    return std::string(text.substr(first, std::min(last - first, max_shown)));
  }
};

JsonScanner::JsonScanner(std::string who, std::string source, std::string_view text)
    : who_(std::move(who)), source_(std::move(source)), text_(text), at_(text.data()) {}

void JsonScanner::scan() {
  path_.clear();
  const std::optional<Damage> damage = damage_of_bytes();
  at_ = text_.data();
  const char* end = at_ + (damage ? damage->begin : text_.size());
  Events events{*this, damage ? &*damage : nullptr};
  json::sax_parse(Cursor{&at_}, Cursor{&end}, &events);
  if (damage) events.fail_damaged();
}

std::optional<JsonScanner::Damage> JsonScanner::damage_of_bytes() {
  if (text_.starts_with("\xEF\xBB\xBF")) refuse("it begins with a byte order mark; save it as UTF-8 without one");
  if (text_.starts_with("PK\x03\x04")) refuse("it is a PyTorch checkpoint or another archive, not JSON");
  if (text_.starts_with("\x89HDF")) refuse("it is a Keras (HDF5) model, not JSON");
  bool quoted = false, escaped = false;
  std::size_t length = 0;  // of the number at hand
  for (std::size_t k = 0; k < text_.size(); ++k) {
    const char c = text_[k];
    if (c == '\0') return Damage{k, k + 1, "NUL, which a text does not contain"};
    if (c == '"' && !escaped) quoted = !quoted;
    escaped = quoted && c == '\\' && !escaped;
    length = !quoted && in_number(c) ? length + 1 : 0;
    if (length > max_digits)
      return Damage{k + 1 - length, k + 1, "a number of more than " + std::to_string(max_digits) + " characters"};
  }
  return {};
}

double JsonScanner::Number::value() const {
  double result = 0;
  const std::errc error = std::from_chars(text.data(), text.data() + text.size(), result).ec;
  if (error != std::errc()) result = text.front() == '-' ? -0.0 : 0.0;  // larger ones are refused before
  return result;
}

JsonScanner::NumbersAhead JsonScanner::numbers_ahead() const {
  std::size_t count = 0, depth = 1;
  bool within = false, nested = false;
  for (const char *at = at_, *end = text_.data() + text_.size(); at != end; ++at) {
    const bool number = in_number(*at);
    count += number && !within;
    within = number;
    if (number || *at == ',' || *at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') continue;
    if (*at == '[' && depth == max_depth_ahead) break;
    if (*at == '[') {
      nested = nested || count == 0;
      ++depth;
    } else if (*at == ']' && --depth == 0) {
      return {count, true, nested};
    } else if (*at != ']') {
      break;
    }
  }
  return {count, false, nested};
}

/// The number that the parser has just read; it has looked at most one byte further.
std::string_view JsonScanner::number_text() const {
  std::size_t last = bytes_read();
  if (!in_number(text_[last - 1])) --last;
  std::size_t first = last;
  while (first > 0 && in_number(text_[first - 1])) --first;
  return text_.substr(first, last - first);
}

std::string JsonScanner::pointer() const {
  std::string result;
  for (const Step& step : path_) {
    if (&step == &path_.back() && step.container == Container::object && step.key.empty()) break;  // before its keys
    result += '/' + (step.container == Container::list ? std::to_string(step.index) : pointer_token(step.key));
  }
  return result;
}

void JsonScanner::fail(const std::string& what) const {
  const std::string path = pointer();
  throw FormatError(who_ + ": " + source_ + (source_.empty() ? "byte " : ", byte ") + std::to_string(bytes_read()) +
                    (path.empty() ? "" : ", ") + path + ": " + what);
}

void JsonScanner::refuse(const std::string& what) const {
  throw FormatError(who_ + ": " + source_ + (source_.empty() ? "" : ": ") + what);
}

void JsonScanner::mismatch(Container found, const char* expected) const {
  fail("found " + std::string(name(found)) + ", expected " + expected);
}

void JsonScanner::mismatch(const Scalar& found, const char* expected) const {
  struct {
    std::string operator()(std::nullptr_t) const { return "null"; }
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
    std::string operator()(const Number& number) const { return shown(number.text); }
    std::string operator()(const std::string& text) const { return '"' + shown(text) + '"'; }
  } text;
  fail("found " + std::visit(text, found) + ", expected " + expected);
}

}  // namespace nn::io
