// JsonDocument: a JSON file whose lists of numbers are arrays, and the search for everything that is wrong with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "nn/io/weights.hpp"

namespace nn::io {

/// Memory that grows by pieces and goes as a whole.
class Arena {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment);
  /// So many bytes have been given out.
  std::size_t used() const { return used_; }

 private:
  std::vector<std::unique_ptr<std::byte[]>> pieces_;
  std::size_t left_ = 0, used_ = 0;
  std::byte* at_ = nullptr;
};

/// A value of a file, in 32 bytes, with all that it points to in an Arena. Nested lists of numbers, which must not be
/// ragged, are one array; what stands in an object called "metadata" is notes, kept as they are written.
struct JsonValue {
  // Of the same type as `byte`: Windows keeps bits of different types in words of their own.
  enum class Kind : std::uint64_t { null, truth, number, text, note, array, large, list, object };

  std::uint64_t byte : 56;  ///< how many bytes had been read when it was complete
  Kind kind : 8;
  union {
    double number;        ///< of a truth value 0 or 1
    const char* text;     ///< four bytes of length before it; of a note JSON
    const double* array;  ///< the number of axes, extents, elements
    std::size_t large;    ///< which of the document's large arrays
    JsonValue* first;     ///< of a list or an object
  };
  JsonValue* next = nullptr;  ///< in the same list or object
  const char* key = nullptr;  ///< in an object; as text

  JsonValue() : byte(0), kind(Kind::null), number(0) {}
};

/// What is wrong, and where.
struct Problem {
  std::size_t byte;
  std::string pointer;  ///< of JSON; empty for the whole file
  std::string text;
};

/// A file in which something, or several things, are wrong. The text has the first and how many more there are.
struct FileProblems : autograd::FormatError {
  FileProblems(const std::string& where, std::vector<Problem> problems);
  std::vector<Problem> problems;
};

class JsonDocument;

/// A value and where it is. What a reader asks for and does not get is noted as a problem of the document, and the
/// answer is empty, so that one run finds all problems.
class JsonNode {
 public:
  /// Where `value` is null, for a key that is missing, `byte` is where it was looked for.
  JsonNode(JsonDocument& document, JsonValue* value, std::string pointer, std::size_t byte = 0)
      : document_(&document), value_(value), pointer_(std::move(pointer)), byte_(value ? value->byte : byte) {}

  explicit operator bool() const { return value_ != nullptr; }
  bool null() const { return value_ && value_->kind == JsonValue::Kind::null; }
  bool is_list() const;   ///< of anything
  bool is_false() const;  ///< false or 0

  /// The value of a key, which must be there; of find() it need not.
  JsonNode at(const std::string& key) const;
  JsonNode find(const std::string& key) const;

  std::vector<JsonNode> items() const;                            ///< of a list of anything
  std::vector<std::pair<std::string, JsonNode>> members() const;  ///< of an object
  std::string text() const;
  std::optional<std::string> maybe_text() const;  ///< a text, if it is one
  double number() const;
  std::optional<double> scalar() const;  ///< a number, if it is one
  std::size_t whole() const;             ///< a number that is whole and not negative
  bool truth() const;
  MetadataValue note() const;  ///< a member of "metadata"
  /// An array, moved out of the document; of another shape than expected, it is a problem.
  Tensor tensor(const Shape& expected) const;
  Tensor tensor() const;
  /// A list of whole numbers, with null as 0, of which one may stand for all.
  std::vector<std::size_t> extents() const;

  void problem(const std::string& text) const;

 private:
  /// Whether the value is of the kind; if not, a problem is noted.
  bool is(JsonValue::Kind kind, const char* expected) const;
  bool is_array() const;

  JsonDocument* document_;
  JsonValue* value_;
  std::string pointer_;
  std::size_t byte_;
};

class JsonDocument {
 public:
  /// `dtype` rounds the numbers of arrays; without one they are floats if every number of the file is one, or the
  /// shortest text of one. Throws FormatError for anything but JSON, ragged lists, and a text whose values, the numbers
  /// of arrays left out, would take more than `most_per_byte` times its size and 256 KB: hundreds of layers of one
  /// unit.
  JsonDocument(std::string who, std::string source, std::string_view text, std::optional<Dtype> dtype = {},
               std::size_t most_per_byte = 3);

  JsonNode root() { return {*this, &root_, ""}; }
  Dtype dtype() const { return dtype_; }

  /// Of more than 256 problems only the places are kept.
  void add(Problem problem);
  const std::vector<Problem>& problems() const { return problems_; }
  /// Throws FileProblems if there are any.
  void finish() const;

  /// `load (nam): amp.nam`, how errors begin.
  std::string where() const { return who_ + (source_.empty() ? "" : ": ") + source_; }

 private:
  friend class JsonNode;

  std::string who_, source_;
  Arena arena_;
  std::vector<Tensor> large_;
  JsonValue root_;
  Dtype dtype_;
  std::vector<Problem> problems_;
};

}  // namespace nn::io
