// JsonDocument: a JSON file whose lists of numbers are arrays, and the search for everything that is wrong with it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "autograd/error.hpp"
#include "nn/io/weights.hpp"

namespace nn::io {

/// A value of a file. Nested lists of numbers, which must not be ragged, are one array; what stands in an object called
/// "metadata" is notes, kept as they are written.
struct JsonValue {
  using List = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;

  std::variant<std::nullptr_t, bool, double, std::string, std::unique_ptr<Tensor>, List, Object, MetadataValue> data =
      nullptr;
  std::size_t byte = 0;  ///< how many bytes had been read when it was complete
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
  bool null() const { return value_ && std::holds_alternative<std::nullptr_t>(value_->data); }

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
  template <class T>
  T* get(const char* expected) const;

  JsonDocument* document_;
  JsonValue* value_;
  std::string pointer_;
  std::size_t byte_;
};

class JsonDocument {
 public:
  /// `dtype` rounds the numbers of arrays; without one they are floats if every number of the file is one, or the
  /// shortest text of one. Throws FormatError for anything but JSON, ragged lists, and more than a file of weights has.
  /// `file_size` is that of the file of which the text is a part.
  JsonDocument(std::string who, std::string source, std::string_view text, std::optional<Dtype> dtype = {},
               std::size_t file_size = 0);

  JsonNode root() { return {*this, &root_, ""}; }
  Dtype dtype() const { return dtype_; }

  void add(Problem problem) { problems_.push_back(std::move(problem)); }
  const std::vector<Problem>& problems() const { return problems_; }
  /// Throws FileProblems if there are any.
  void finish() const;

  /// `load_nam: amp.nam`, how errors begin.
  std::string where() const { return who_ + (source_.empty() ? "" : ": ") + source_; }

 private:
  std::string who_, source_;
  JsonValue root_;
  Dtype dtype_;
  std::vector<Problem> problems_;
};

}  // namespace nn::io
