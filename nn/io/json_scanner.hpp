// JsonScanner: the JSON of a file that nobody vouches for, value by value, in bounded memory, every error with its
// place.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nn::io {

/// The base of a reader: scan() calls the events in the order of the text. What the parser of nlohmann/json refuses, or
/// would let pass though it is damage (NUL, a byte order mark), or would choke on (numbers of 10^5 digits, lists a
/// million deep), is a FormatError that names the byte and the JSON pointer.
class JsonScanner {
 public:
  enum class Container { object, list };
  struct Number {
    std::string_view text;  ///< as in the file

    /// The nearest double, which is finite; 0 of either sign for what is too small.
    double value() const;
  };
  using Scalar = std::variant<std::nullptr_t, bool, Number, std::string>;

  /// `who` and `source` begin every error: `load (native): weights.json, byte 120, /parameters/w/data/3: ...`. An empty
  /// source is left out. The text must outlive the scanner.
  JsonScanner(std::string who, std::string source, std::string_view text);
  virtual ~JsonScanner() = default;

 protected:
  /// Throws FormatError, and whatever an event throws.
  void scan();

  virtual void on_open(Container container) = 0;
  virtual void on_key() = 0;
  virtual void on_scalar(Scalar value) = 0;
  virtual void on_close() = 0;  ///< by then key() and the pointer are the container's own

  /// The key of the value at hand, which must be in an object.
  const std::string& key() const { return path_.back().key; }

  /// An upper bound for how many values of at least one byte are still to come in a list.
  std::size_t values_left() const { return (text_.size() - bytes_read()) / 2 + 1; }

  /// The numbers that follow the bracket of a list just opened, also in lists within it, up to whatever is neither.
  struct NumbersAhead {
    std::size_t count;
    bool all;     ///< nothing else is in the list
    bool nested;  ///< the first thing in it is a list
  };
  NumbersAhead numbers_ahead() const;

  /// How many bytes have been read.
  std::size_t bytes_read() const { return static_cast<std::size_t>(at_ - text_.data()); }

  /// The text from there on, as far as it has been read.
  std::string_view text_from(std::size_t first) const { return text_.substr(first, bytes_read() - first); }

  /// The JSON pointer of the value at hand.
  std::string pointer() const;

  /// Throws FormatError with the bytes read so far and the pointer of the value at hand.
  [[noreturn]] void fail(const std::string& what) const;

  /// Throws FormatError about the file as a whole.
  [[noreturn]] void refuse(const std::string& what) const;

  /// Throws FormatError: found one thing, expected another.
  [[noreturn]] void mismatch(Container found, const char* expected) const;
  [[noreturn]] void mismatch(const Scalar& found, const char* expected) const;

 private:
  struct Events;
  struct Step {
    Container container;
    std::string key = {};
    std::size_t index = 0;
  };

  /// What no parser should see: from `begin` on, noticed when `end` bytes had been read.
  struct Damage {
    std::size_t begin, end;
    std::string what;
  };
  std::optional<Damage> damage_of_bytes();
  std::string_view number_text() const;

  std::string who_, source_;
  std::string_view text_;
  const char* at_;
  std::vector<Step> path_;
};

/// A text from a file as it may stand in an error: short, in UTF-8, without control characters.
std::string shown(std::string_view text);

/// A key as it stands in a JSON pointer.
std::string pointer_token(std::string_view key);

}  // namespace nn::io
