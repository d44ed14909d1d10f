#include "nn/io/json_value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <unordered_map>

#include "nn/io/faults.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io {

namespace {

/// A float32 file turned out to have numbers that are no floats.
struct NotFloats {};

/// So many numbers at the beginning make a list one of numbers, and anything else in it an error.
constexpr std::size_t certain = 16;

/// Arrays of at least so many numbers are not copied once more, but handed out as they are.
constexpr std::size_t large_array = 256;

constexpr std::size_t max_problems = 256;

static_assert(sizeof(JsonValue) == 32);

/// A text with its length before it.
const char* stored(Arena& arena, const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  auto* const to = static_cast<char*>(arena.allocate(sizeof length + text.size(), 1));
  std::memcpy(to, &length, sizeof length);
  std::copy(text.begin(), text.end(), to + sizeof length);
  return to + sizeof length;
}

std::string_view view(const char* text) {
  std::uint32_t length;
  std::memcpy(&length, text - sizeof length, sizeof length);
  return {text, length};
}

class TreeReader : JsonScanner {
 public:
  TreeReader(const std::string& who, const std::string& source, std::string_view text, Dtype dtype, bool guessed,
             std::size_t most_per_byte, Arena& arena, std::vector<Tensor>& large)
      : JsonScanner(who, source, text),
        arena_(arena),
        large_(large),
        dtype_(dtype),
        guessed_(guessed),
        most_per_byte_(most_per_byte),
        memory_allowed_((256 << 10) + most_per_byte * text.size()) {}

  JsonValue read() {
    scan();
    return root_;
  }

 private:
  using Kind = JsonValue::Kind;

  /// A list or an object that is open, and the last value in it.
  struct Frame {
    JsonValue* value;
    bool notes = false;  // the object called "metadata"
    JsonValue* last = nullptr;
  };

  /// The array at hand: lists within lists, whose lengths must agree.
  struct Rows {
    std::size_t depth = 0;  // of the list at hand; 0 outside an array
    std::string key = {};
    std::vector<double> values = {};
    std::vector<std::size_t> counts = {};  // of the open lists
    std::vector<std::size_t> known = {};   // of the first list closed at each depth
    std::size_t leaf_depth = 0;            // the depth of the lists that hold numbers, or 0
  };

  bool in_object() const { return !frames_.empty() && frames_.back().value->kind == Kind::object; }

  bool in_notes() const { return !frames_.empty() && frames_.back().notes; }
  /// Within a note that is a list or an object. Nothing of it is anybody's business.
  bool in_note() const { return note_depth_ > 0; }

  void add_note(JsonValue::Kind kind, const std::string& text) {
    JsonValue& value = add(kind, &key());
    value.text = stored(arena_, text);
    check_memory();
  }

  void on_open(Container container) override {
    if (in_note() || in_notes()) {
      if (note_depth_++ == 0) note_begin_ = bytes_read() - 1;  // with its bracket
      return;
    }
    if (rows_.depth) {
      if (container == Container::object) mismatch(container, "a number or a list of numbers");
      return open_row();
    }
    if (container == Container::list) {
      const NumbersAhead ahead = numbers_ahead();
      // RTNeural's weights are a list of arrays, the one place where nested lists are not one array.
      const bool several = ahead.nested && in_object() && key() == "weights";
      if (!several && (ahead.all || ahead.count >= certain)) {
        rows_.values.clear();
        rows_.values.reserve(ahead.count);
        rows_.counts.clear();
        rows_.known.clear();
        rows_.leaf_depth = 0;
        if (in_object()) rows_.key = key();
        return open_row();
      }
    }
    const bool notes = container == Container::object && in_object() && key() == "metadata";
    JsonValue& value = add(container == Container::list ? Kind::list : Kind::object, in_object() ? &key() : nullptr);
    value.first = nullptr;
    frames_.push_back({&value, notes});
  }

  void open_row() {
    if (rows_.depth == Shape::max_rank) fail("more than " + std::to_string(Shape::max_rank) + " axes");
    if (rows_.leaf_depth && rows_.depth >= rows_.leaf_depth) fail("found a list, expected a number");
    if (!rows_.counts.empty()) ++rows_.counts.back();
    rows_.counts.push_back(0);
    ++rows_.depth;
  }

  void on_key() override {}

  void on_scalar(Scalar scalar) override {
    if (in_note()) return;
    auto* const number = std::get_if<Number>(&scalar);
    if (in_notes()) {
      if (number) return add_note(Kind::note, std::string(number->text));
      if (const auto* const text = std::get_if<std::string>(&scalar)) return add_note(Kind::text, *text);
      const auto* const truth = std::get_if<bool>(&scalar);
      return add_note(Kind::note, !truth ? "null" : *truth ? "true" : "false");
    }
    if (rows_.depth) {
      if (!number) mismatch(scalar, "a number");
      if (!rows_.leaf_depth) rows_.leaf_depth = rows_.depth;
      if (rows_.depth != rows_.leaf_depth) fail("found a number, expected a list, as before");
      ++rows_.counts.back();
      rows_.values.push_back(value_of(*number));
      return;
    }
    const std::string* const name = in_object() ? &key() : nullptr;
    if (number) {
      add(Kind::number, name).number = number->value();
    } else if (const auto* const text = std::get_if<std::string>(&scalar)) {
      JsonValue& value = add(Kind::text, name);
      value.text = stored(arena_, *text);
    } else if (const auto* const truth = std::get_if<bool>(&scalar)) {
      add(Kind::truth, name).number = *truth ? 1 : 0;
    } else {
      add(Kind::null, name);
    }
    check_memory();
  }

  void on_close() override {
    if (in_note()) {
      if (--note_depth_ == 0) add_note(Kind::note, std::string(text_from(note_begin_)));
      return;
    }
    if (!rows_.depth) {
      JsonValue& value = *frames_.back().value;
      value.byte = bytes_read();
      if (value.kind == Kind::object) check_keys(value);
      frames_.pop_back();
      return;
    }
    const std::size_t depth = --rows_.depth, count = rows_.counts.back();
    rows_.counts.pop_back();
    if (rows_.known.size() <= depth) rows_.known.resize(depth + 1, std::size_t(-1));
    if (rows_.known[depth] == std::size_t(-1)) rows_.known[depth] = count;
    if (rows_.known[depth] != count)
      fail("ragged: a list of " + std::to_string(count) + ", the ones before have " +
           std::to_string(rows_.known[depth]));
    if (depth > 0) return;
    // Below an empty list nothing is known, and nothing is there.
    Shape shape;
    for (const std::size_t extent : rows_.known) {
      if (extent == std::size_t(-1)) fail("ragged: lists of different depths");
      shape.push_back(extent);
    }
    if (!holds(shape, rows_.values.size())) fail("ragged: lists of different depths");
    const std::string* const name = in_object() ? &rows_.key : nullptr;
    if (rows_.values.size() >= large_array) {
      add(Kind::large, name).large = large_.size();
      large_.push_back({shape, std::move(rows_.values)});
      rows_.values = {};
      return check_memory();
    }
    JsonValue& value = add(Kind::array, name);
    const std::size_t size = 1 + shape.rank() + rows_.values.size();
    auto* to = static_cast<double*>(arena_.allocate(size * sizeof(double), alignof(double)));
    numbers_ += rows_.values.size() * sizeof(double);
    value.array = to;
    *to++ = static_cast<double>(shape.rank());
    for (const std::size_t extent : shape) *to++ = static_cast<double>(extent);
    std::copy(rows_.values.begin(), rows_.values.end(), to);
    check_memory();
  }

  /// Sorts pointers to the keys of an object: a set of them would take more than the object.
  void check_keys(const JsonValue& object) {
    std::vector<const JsonValue*> members;
    std::size_t count = 0;
    for (const JsonValue* at = object.first; at; at = at->next) ++count;
    members.reserve(count);
    for (const JsonValue* at = object.first; at; at = at->next) members.push_back(at);
    std::sort(members.begin(), members.end(), [](const JsonValue* a, const JsonValue* b) {
      const int order = view(a->key).compare(view(b->key));
      return order ? order < 0 : a->byte < b->byte;
    });
    const auto twice = std::adjacent_find(members.begin(), members.end(), [](const JsonValue* a, const JsonValue* b) {
      return view(a->key) == view(b->key);
    });
    if (twice != members.end())
      fail("/" + pointer_token(view((*twice)->key)) + ", ending at byte " + std::to_string((*(twice + 1))->byte) +
           ": the key occurs twice");
  }

  JsonValue& add(JsonValue::Kind kind, const std::string* key) {
    JsonValue* value = &root_;
    if (!frames_.empty()) {
      value = new (arena_.allocate(sizeof(JsonValue), alignof(JsonValue))) JsonValue;
      Frame& frame = frames_.back();
      (frame.last ? frame.last->next : frame.value->first) = value;
      frame.last = value;
    }
    value->kind = kind;
    value->byte = bytes_read();
    if (key) value->key = stored_key(*key);
    check_memory();
    return *value;
  }

  /// Layers have the same few keys again and again, which are stored once.
  const char* stored_key(const std::string& key) {
    if (const auto found = common_keys_.find(key); found != common_keys_.end()) return found->second;
    const char* const result = stored(arena_, key);
    if (common_keys_.size() < 64) common_keys_.emplace(view(result), result);
    return result;
  }

  void check_memory() const {
    if (arena_.used() - numbers_ > memory_allowed_)
      fail("more values than a file of weights has: they would take more than " + std::to_string(most_per_byte_) +
           " times its size");
  }

  double value_of(const Number& number) {
    if (dtype_ == Dtype::float64) return number.value();
    float value = 0;
    const std::errc error = std::from_chars(number.text.data(), number.text.data() + number.text.size(), value).ec;
    if (error != std::errc()) value = static_cast<float>(number.value());  // beyond the range of a float, up or down
    if (guessed_ && !is_float_text(number, value)) throw NotFloats();
    if (!std::isfinite(value)) fail("the number is too large for float32");
    return value;
  }

  /// Whether the text is that of the nearest float: its value, or its value rounded to the digits of the text, of which
  /// a float needs at most 9.
  static bool is_float_text(const Number& number, float nearest) {
    const double value = number.value(), distance = std::abs(value - static_cast<double>(nearest));
    if (distance == 0) return true;
    const std::string_view digits = number.text.substr(0, number.text.find_first_of("eE"));
    const std::size_t first = digits.find_first_not_of("-0."), last = digits.find_last_not_of("0.");
    const std::size_t point = std::min(digits.find('.'), digits.size());
    if (first == std::string_view::npos || last - first + 1 - (first < point && point < last) > 9) return false;
    int exponent = 0;
    if (digits.size() < number.text.size()) {
      const std::size_t sign = number.text[digits.size() + 1] == '+';  // which from_chars does not take
      std::from_chars(digits.data() + digits.size() + 1 + sign, number.text.data() + number.text.size(), exponent);
    }
    const int place = exponent + static_cast<int>(point) - static_cast<int>(last) - (last < point);
    return distance <= 0.5000001 * std::pow(10, place);
  }

  Arena& arena_;
  std::vector<Tensor>& large_;
  Dtype dtype_;
  bool guessed_;
  std::size_t most_per_byte_, memory_allowed_;
  std::size_t numbers_ = 0;  // bytes of the arena that are numbers of arrays
  std::unordered_map<std::string_view, const char*> common_keys_;
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
  constexpr const char* names[]{"null",     "true or false", "a number", "a text",   "a note",
                                "an array", "an array",      "a list",   "an object"};
  return names[static_cast<std::size_t>(value.kind)];
}

}  // namespace

void* Arena::allocate(std::size_t bytes, std::size_t alignment) {
  std::size_t padding = -reinterpret_cast<std::uintptr_t>(at_) & (alignment - 1);
  if (left_ < bytes + padding) {
    // Pieces are in proportion to what there is, so that little is allocated that will not be used.
    const std::size_t size = std::max({bytes, std::size_t{2048}, std::min(used_ / 8, std::size_t{1} << 20)});
    pieces_.push_back(std::unique_ptr<std::byte[]>(new std::byte[size]));
    at_ = pieces_.back().get();
    left_ = size;
    padding = 0;
  }
  std::byte* const result = at_ + padding;
  at_ += padding + bytes;
  left_ -= padding + bytes;
  used_ += padding + bytes;
  return result;
}

FileProblems::FileProblems(const std::string& where, std::vector<Problem> all)
    : FormatError(first_of(where, all)), problems(std::move(all)) {}

JsonDocument::JsonDocument(std::string who, std::string source, std::string_view text, std::optional<Dtype> dtype,
                           std::size_t most_per_byte)
    : who_(std::move(who)), source_(std::move(source)), dtype_(dtype.value_or(Dtype::float32)) {
  try {
    root_ = TreeReader(who_, source_, text, dtype_, !dtype, most_per_byte, arena_, large_).read();
  } catch (const NotFloats&) {
    dtype_ = Dtype::float64;
    arena_ = Arena();
    large_.clear();
    root_ = TreeReader(who_, source_, text, dtype_, false, most_per_byte, arena_, large_).read();
  }
}

void JsonDocument::add(Problem problem) {
  if (problems_.size() >= max_problems) problem = {problem.byte, "", ""};
  problems_.push_back(std::move(problem));
}

void JsonDocument::finish() const {
  if (!problems_.empty()) throw FileProblems(where(), problems_);
}

void JsonNode::problem(const std::string& text) const { document_->add({byte_, pointer_, text}); }

bool JsonNode::is(JsonValue::Kind kind, const char* expected) const {
  if (!value_) return false;
  if (value_->kind != kind) problem(std::string("found ") + what_is(*value_) + ", expected " + expected);
  return value_->kind == kind;
}

bool JsonNode::is_list() const { return is_array() || (value_ && value_->kind == JsonValue::Kind::list); }

bool JsonNode::is_false() const {
  if (!value_) return false;
  return (value_->kind == JsonValue::Kind::truth || value_->kind == JsonValue::Kind::number) && value_->number == 0;
}

bool JsonNode::is_array() const {
  return value_ && (value_->kind == JsonValue::Kind::array || value_->kind == JsonValue::Kind::large);
}

JsonNode JsonNode::find(const std::string& key) const {
  const std::string pointer = pointer_ + '/' + pointer_token(key);
  if (value_ && value_->kind == JsonValue::Kind::object)
    for (JsonValue* at = value_->first; at; at = at->next)
      if (view(at->key) == key) return {*document_, at, pointer};
  return {*document_, nullptr, pointer, byte_};
}

JsonNode JsonNode::at(const std::string& key) const {
  if (value_ && !is(JsonValue::Kind::object, "an object")) return find(key);
  JsonNode found = find(key);
  if (value_ && !found) problem('"' + shown(key) + "\" is missing");
  return found;
}

std::vector<JsonNode> JsonNode::items() const {
  std::vector<JsonNode> result;
  if (value_ && value_->kind == JsonValue::Kind::array && value_->array[0] == 1 && value_->array[1] == 0)
    return result;  // "[]" is a list of anything
  if (is(JsonValue::Kind::list, "a list"))
    for (JsonValue* at = value_->first; at; at = at->next)
      result.emplace_back(*document_, at, pointer_ + '/' + std::to_string(result.size()));
  return result;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  std::vector<std::pair<std::string, JsonNode>> result;
  if (is(JsonValue::Kind::object, "an object"))
    for (JsonValue* at = value_->first; at; at = at->next) {
      const std::string key(view(at->key));
      result.emplace_back(key, JsonNode(*document_, at, pointer_ + '/' + pointer_token(key)));
    }
  return result;
}

std::string JsonNode::text() const {
  return is(JsonValue::Kind::text, "a text") ? std::string(view(value_->text)) : "";
}

std::optional<std::string> JsonNode::maybe_text() const {
  if (!value_ || value_->kind != JsonValue::Kind::text) return {};
  return std::string(view(value_->text));
}

double JsonNode::number() const { return is(JsonValue::Kind::number, "a number") ? value_->number : 0; }

std::optional<double> JsonNode::scalar() const {
  if (!value_ || value_->kind != JsonValue::Kind::number) return {};
  return value_->number;
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
  return is(JsonValue::Kind::truth, "true or false") && value_->number != 0;
}

MetadataValue JsonNode::note() const {
  if (value_ && value_->kind == JsonValue::Kind::text) return std::string(view(value_->text));
  return is(JsonValue::Kind::note, "a note") ? MetadataValue::json(view(value_->text)) : MetadataValue();
}

Tensor JsonNode::tensor() const {
  if (!value_) return {};
  if (value_->kind == JsonValue::Kind::large) return std::move(document_->large_[value_->large]);
  if (!is(JsonValue::Kind::array, "an array of numbers")) return {};
  const auto rank = static_cast<std::size_t>(value_->array[0]);
  const double *const extents = value_->array + 1, *const values = extents + rank;
  Tensor result{Shape(extents, values), {}};
  result.values.assign(values, values + result.shape.elements());
  return result;
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
  if (is_array()) {
    const Tensor extents = tensor();
    if (extents.shape.rank() != 1) problem("expected a list of whole numbers, not of lists");
    for (const double value : extents.values) {
      JsonValue extent;
      extent.byte = value_->byte;
      extent.kind = JsonValue::Kind::number;
      extent.number = value;
      result.push_back(JsonNode(*document_, &extent, pointer_ + '/' + std::to_string(result.size())).whole());
    }
    return result;
  }
  for (const JsonNode& item : items()) result.push_back(item.null() ? 0 : item.whole());
  return result;
}

}  // namespace nn::io
