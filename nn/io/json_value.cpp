#include "nn/io/json_value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "nn/io/json_scanner.hpp"

namespace nn::io {

namespace {

/// A float32 file turned out to have numbers that are no floats.
struct NotFloats {};

/// So many numbers at the beginning make a list one of numbers, and anything else in it an error.
constexpr std::size_t certain = 16;

class TreeReader : JsonScanner {
 public:
  TreeReader(const std::string& who, const std::string& source, std::string_view text, Dtype dtype, bool guessed,
             std::size_t file_size)
      : JsonScanner(who, source, text),
        dtype_(dtype),
        guessed_(guessed),
        values_allowed_(200 + std::max(file_size, text.size()) / 60) {}

  JsonValue read() {
    scan();
    return std::move(root_);
  }

 private:
  struct Frame {
    JsonValue value;
    std::string key;  // under which it goes into the frame below
    std::set<std::string> keys = {};
    bool notes = false;  // the object called "metadata"
  };

  /// The array at hand: lists within lists, whose lengths must agree.
  struct Rows {
    std::unique_ptr<Tensor> tensor = nullptr;
    std::string key = {};
    std::vector<std::size_t> counts = {};  // of the open lists
    std::vector<std::size_t> known = {};   // of the first list closed at each depth
    std::size_t leaf_depth = 0;            // the depth of the lists that hold numbers, or 0
  };

  std::string key_here() const { return !frames_.empty() && in_object() ? key() : std::string(); }
  bool in_object() const { return std::holds_alternative<JsonValue::Object>(frames_.back().value.data); }

  void on_open(Container container) override {
    if (in_note() || in_notes()) {
      if (note_depth_++ == 0) note_begin_ = bytes_read() - 1;  // with its bracket
      return;
    }
    if (rows_.tensor) {
      if (container == Container::object) mismatch(container, "a number or a list of numbers");
      return open_row();
    }
    if (container == Container::list) {
      const NumbersAhead ahead = numbers_ahead();
      // RTNeural's weights are a list of arrays, the one place where nested lists are not one array.
      const bool several = ahead.nested && key_here() == "weights";
      if (!several && (ahead.all || ahead.count >= certain)) {
        rows_ = {std::make_unique<Tensor>(), key_here()};
        rows_.tensor->values.reserve(ahead.count);
        return open_row();
      }
    }
    JsonValue value;
    if (container == Container::list)
      value.data = JsonValue::List();
    else
      value.data = JsonValue::Object();
    const bool notes = container == Container::object && key_here() == "metadata";
    frames_.push_back({std::move(value), key_here(), {}, notes});
  }

  bool in_notes() const { return !frames_.empty() && frames_.back().notes; }
  /// Within a note that is a list or an object. Nothing of it is anybody's business.
  bool in_note() const { return note_depth_ > 0; }

  void add_note(MetadataValue note) {
    JsonValue value;
    value.data = std::move(note);
    add(std::move(value), key_here());
  }

  void open_row() {
    if (rows_.counts.size() == Shape::max_rank) fail("more than " + std::to_string(Shape::max_rank) + " axes");
    if (rows_.leaf_depth && rows_.counts.size() >= rows_.leaf_depth) fail("found a list, expected a number");
    if (!rows_.counts.empty()) ++rows_.counts.back();
    rows_.counts.push_back(0);
  }

  void on_key() override {
    if (in_note()) return;
    if (!frames_.back().keys.insert(key()).second) fail("the key occurs twice");
  }

  void on_scalar(Scalar scalar) override {
    if (in_note()) return;
    auto* const number = std::get_if<Number>(&scalar);
    if (in_notes()) {
      if (number) return add_note(MetadataValue::json(number->text));
      if (auto* const text = std::get_if<std::string>(&scalar)) return add_note(std::move(*text));
      if (auto* const truth = std::get_if<bool>(&scalar)) return add_note(*truth);
      return add_note(MetadataValue::json("null"));
    }
    if (rows_.tensor) {
      if (!number) mismatch(scalar, "a number");
      if (!rows_.leaf_depth) rows_.leaf_depth = rows_.counts.size();
      if (rows_.counts.size() != rows_.leaf_depth) fail("found a number, expected a list, as before");
      ++rows_.counts.back();
      rows_.tensor->values.push_back(value_of(*number));
      return;
    }
    JsonValue value;
    if (number)
      value.data = number->value();
    else if (auto* const text = std::get_if<std::string>(&scalar))
      value.data = std::move(*text);
    else if (auto* const truth = std::get_if<bool>(&scalar))
      value.data = *truth;
    add(std::move(value), key_here());
  }

  void on_close() override {
    if (in_note()) {
      if (--note_depth_ == 0) add_note(MetadataValue::json(text_from(note_begin_)));
      return;
    }
    if (!rows_.tensor) {
      Frame frame = std::move(frames_.back());
      frames_.pop_back();
      return add(std::move(frame.value), frame.key);
    }
    const std::size_t depth = rows_.counts.size() - 1, count = rows_.counts.back();
    rows_.counts.pop_back();
    if (rows_.known.size() <= depth) rows_.known.resize(depth + 1, std::size_t(-1));
    if (rows_.known[depth] == std::size_t(-1)) rows_.known[depth] = count;
    if (rows_.known[depth] != count)
      fail("ragged: a list of " + std::to_string(count) + ", the ones before have " +
           std::to_string(rows_.known[depth]));
    if (depth > 0) return;
    // Below an empty list nothing is known, and nothing is there.
    for (const std::size_t extent : rows_.known) {
      if (extent == std::size_t(-1)) fail("ragged: lists of different depths");
      rows_.tensor->shape.push_back(extent);
    }
    if (rows_.tensor->shape.elements() != rows_.tensor->values.size()) fail("ragged: lists of different depths");
    JsonValue value;
    value.data = std::move(rows_.tensor);
    const std::string key = std::move(rows_.key);
    rows_ = {};
    add(std::move(value), key);
  }

  void add(JsonValue value, const std::string& key) {
    if (++values_ > values_allowed_)
      fail("more than " + std::to_string(values_allowed_) + " values that are no numbers of arrays");
    value.byte = bytes_read();
    if (frames_.empty())
      root_ = std::move(value);
    else if (auto* const list = std::get_if<JsonValue::List>(&frames_.back().value.data))
      list->push_back(std::move(value));
    else
      std::get<JsonValue::Object>(frames_.back().value.data).emplace_back(key, std::move(value));
  }

  double value_of(const Number& number) {
    if (dtype_ == Dtype::float64) return number.value();
    float value = 0;
    const std::errc error = std::from_chars(number.text.data(), number.text.data() + number.text.size(), value).ec;
    if (error != std::errc()) value = static_cast<float>(number.value());  // beyond the range of a float, up or down
    if (number.text.size() > 9 && guessed_ && digits(number.text) > 9 && number.value() != static_cast<double>(value))
      throw NotFloats();
    if (!std::isfinite(value)) fail("the number is too large for float32");
    return value;
  }

  static std::size_t digits(std::string_view number) {
    number = number.substr(0, number.find_first_of("eE"));
    const std::size_t first = number.find_first_not_of("-0.");
    if (first == std::string_view::npos) return 0;
    std::size_t count = 0;
    for (const char c : number.substr(first)) count += c != '.';
    return count;
  }

  Dtype dtype_;
  bool guessed_;
  std::size_t values_ = 0, values_allowed_;
  std::vector<Frame> frames_;
  Rows rows_;
  std::size_t note_depth_ = 0, note_begin_ = 0;
  JsonValue root_;
};

std::string first_of(const std::string& where, const std::vector<Problem>& problems) {
  const Problem& first = problems.front();
  std::string text = where + (where.empty() ? "" : ", ") + "byte " + std::to_string(first.byte);
  if (!first.pointer.empty()) text += ", " + first.pointer;
  text += ": " + first.text;
  if (problems.size() > 1) text += "; and " + std::to_string(problems.size() - 1) + " more";
  return text;
}

const char* what_is(const JsonValue& value) {
  constexpr const char* names[]{"null",     "true or false", "a number",  "a text",
                                "an array", "a list",        "an object", "a note"};
  return names[value.data.index()];
}

}  // namespace

FileProblems::FileProblems(const std::string& where, std::vector<Problem> all)
    : FormatError(first_of(where, all)), problems(std::move(all)) {}

JsonDocument::JsonDocument(std::string who, std::string source, std::string_view text, std::optional<Dtype> dtype,
                           std::size_t file_size)
    : who_(std::move(who)), source_(std::move(source)), dtype_(dtype.value_or(Dtype::float32)) {
  try {
    root_ = TreeReader(who_, source_, text, dtype_, !dtype, file_size).read();
  } catch (const NotFloats&) {
    dtype_ = Dtype::float64;
    root_ = TreeReader(who_, source_, text, dtype_, false, file_size).read();
  }
}

void JsonDocument::finish() const {
  if (!problems_.empty()) throw FileProblems(where(), problems_);
}

void JsonNode::problem(const std::string& text) const { document_->add({byte_, pointer_, text}); }

template <class T>
T* JsonNode::get(const char* expected) const {
  if (!value_) return nullptr;
  T* const found = std::get_if<T>(&value_->data);
  if (!found) problem(std::string("found ") + what_is(*value_) + ", expected " + expected);
  return found;
}

JsonNode JsonNode::find(const std::string& key) const {
  const std::string pointer = pointer_ + '/' + pointer_token(key);
  if (value_)
    if (auto* const object = std::get_if<JsonValue::Object>(&value_->data))
      for (auto& [own, value] : *object)
        if (own == key) return {*document_, &value, pointer};
  return {*document_, nullptr, pointer, byte_};
}

JsonNode JsonNode::at(const std::string& key) const {
  if (value_ && !get<JsonValue::Object>("an object")) return find(key);
  const JsonNode found = find(key);
  if (value_ && !found) problem('"' + shown(key) + "\" is missing");
  return found;
}

std::vector<JsonNode> JsonNode::items() const {
  std::vector<JsonNode> result;
  if (value_)
    if (const auto* const tensor = std::get_if<std::unique_ptr<Tensor>>(&value_->data))
      if ((*tensor)->values.empty() && (*tensor)->shape == Shape{0}) return result;  // "[]" is a list of anything
  if (auto* const list = get<JsonValue::List>("a list"))
    for (JsonValue& value : *list)
      result.emplace_back(*document_, &value, pointer_ + '/' + std::to_string(result.size()));
  return result;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  std::vector<std::pair<std::string, JsonNode>> result;
  if (auto* const object = get<JsonValue::Object>("an object"))
    for (auto& [key, value] : *object)
      result.emplace_back(key, JsonNode(*document_, &value, pointer_ + '/' + pointer_token(key)));
  return result;
}

std::string JsonNode::text() const {
  const auto* const text = get<std::string>("a text");
  return text ? *text : "";
}

std::optional<std::string> JsonNode::maybe_text() const {
  const std::string* const text = value_ ? std::get_if<std::string>(&value_->data) : nullptr;
  return text ? std::optional(*text) : std::nullopt;
}

double JsonNode::number() const {
  const auto* const number = get<double>("a number");
  return number ? *number : 0;
}

std::optional<double> JsonNode::scalar() const {
  const double* const number = value_ ? std::get_if<double>(&value_->data) : nullptr;
  return number ? std::optional(*number) : std::nullopt;
}

std::size_t JsonNode::whole() const {
  constexpr double limit = 1e9;  // beyond any size of a layer
  const double value = number();
  if (value >= 0 && value <= limit && value == std::floor(value)) return static_cast<std::size_t>(value);
  problem("expected a whole number, not negative, at most " + std::to_string(static_cast<long>(limit)));
  return 0;
}

bool JsonNode::truth() const {
  if (const auto number = scalar()) return *number != 0;
  const bool* const truth = get<bool>("true or false");
  return truth && *truth;
}

MetadataValue JsonNode::note() const {
  const auto* const note = get<MetadataValue>("a note");
  return note ? *note : MetadataValue();
}

Tensor JsonNode::tensor() const {
  auto* const tensor = get<std::unique_ptr<Tensor>>("an array of numbers");
  return tensor ? std::move(**tensor) : Tensor();
}

Tensor JsonNode::tensor(const Shape& expected) const {
  const std::size_t before = document_->problems().size();
  Tensor result = tensor();
  if (value_ && document_->problems().size() == before && result.shape != expected)
    problem("found shape " + to_string(result.shape) + ", expected " + to_string(expected));
  return result;
}

std::vector<std::size_t> JsonNode::extents() const {
  std::vector<std::size_t> result;
  if (!value_) return result;
  if (const auto* const tensor = std::get_if<std::unique_ptr<Tensor>>(&value_->data)) {
    if ((*tensor)->shape.rank() != 1) problem("expected a list of whole numbers, not of lists");
    for (const double value : (*tensor)->values) {
      JsonValue extent{value, value_->byte};
      result.push_back(JsonNode(*document_, &extent, pointer_ + '/' + std::to_string(result.size())).whole());
    }
    return result;
  }
  for (const JsonNode& item : items()) result.push_back(item.null() ? 0 : item.whole());
  return result;
}

}  // namespace nn::io
