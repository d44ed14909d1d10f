#include "nn/graph/graph_document.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "autograd/error.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/io/formats/formats.hpp"

namespace nn::io::detail {

using autograd::FormatError;

namespace {

constexpr const char* who = "load_graph";
constexpr double largest_whole = 0x1p53;  // beyond it, doubles skip some

template <class T>
class Reader : JsonScanner {
 public:
  Reader(const std::string& source, std::string_view text, Dtype dtype)
      : JsonScanner(who, source, text), dtype_(dtype), most_values_(4096 + text.size() / 6) {}

  GraphValue<T> read() {
    scan();
    return std::move(root_);
  }

 private:
  using Value = GraphValue<T>;
  using Items = typename Value::Items;
  using Wholes = typename Value::Wholes;

  struct Frame {
    Value* value;
    std::set<std::string> keys = {};
  };

  void on_open(Container container) override {
    const bool object = container == Container::object;
    if (frames_.empty()) {
      if (!object) mismatch(container, "an object");
    } else {
      if (is<std::vector<T>>() || (is<Wholes>() && !top<Wholes>().empty())) mismatch(container, "a number");
      if (is<Wholes>()) frames_.back().value->content = Items{false};
    }
    const bool in_list = !frames_.empty() && !top<Items>().object;
    const bool numbers = in_list || (!frames_.empty() && (key() == "data" || key() == "initial"));
    Value& value = add();
    if (object) {
      value.content = Items{true};
    } else if (numbers) {
      value.content = std::vector<T>();
      std::get<std::vector<T>>(value.content).reserve(numbers_ahead().count);
    } else {
      value.content = Wholes();
    }
    frames_.push_back({&value});
  }

  void on_key() override {
    if (!frames_.back().keys.insert(key()).second) fail("the key occurs twice");
  }

  void on_scalar(Scalar scalar) override {
    if (frames_.empty()) mismatch(scalar, "an object");
    auto* const number = std::get_if<Number>(&scalar);
    auto* const text = std::get_if<std::string>(&scalar);
    if (is<std::vector<T>>()) {
      double special = 0;
      if (text && special_number(*text, special)) return top<std::vector<T>>().push_back(static_cast<T>(special));
      if (!number) mismatch(scalar, "a number");
      return top<std::vector<T>>().push_back(rounded(*number));
    }
    if (is<Wholes>()) {
      if (text && *text == "batch") return top<Wholes>().push_back(batch_extent);
      std::optional<std::size_t> whole;
      if (number) whole = whole_number(number->text);
      if (!whole) mismatch(scalar, "a whole number, not negative");
      return top<Wholes>().push_back(*whole);
    }
    if (!top<Items>().object) mismatch(scalar, "an object or a list");
    Value& value = add();
    if (text)
      value.content = std::move(*text);
    else if (auto* const truth = std::get_if<bool>(&scalar))
      value.content = *truth;
    else if (number)
      value.content = typename Value::Number{number->value(), is_integer(number->text)};
  }

  void on_close() override {
    frames_.back().value->byte = bytes_read();
    frames_.pop_back();
  }

  /// Of the list or the object at hand.
  template <class Content>
  bool is() const {
    return std::holds_alternative<Content>(frames_.back().value->content);
  }
  template <class Content>
  Content& top() {
    return std::get<Content>(frames_.back().value->content);
  }

  Value& add() {
    if (++values_ > most_values_) fail("more values than a graph has in a file of this size");
    Value* value = &root_;
    if (!frames_.empty()) {
      value = &top<Items>().values.emplace_back();
      if (top<Items>().object) value->key = key();
    }
    value->byte = bytes_read();
    return *value;
  }

  static std::optional<std::size_t> whole_number(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    if (static_cast<double>(value) > largest_whole) return {};
    return value;
  }

  static bool is_integer(std::string_view text) {
    return text.find_first_of(".eE") == text.npos && text != "-0" && text.size() <= 16;
  }

  /// The number of the file's type that is nearest to the decimal one. (By way of double a float is rounded twice.)
  T rounded(const Number& number) const {
    return dtype_ == Dtype::float32 ? nearest<float>(number) : nearest<double>(number);
  }
  template <class Own>
  T nearest(const Number& number) const {
    Own value = 0;
    const std::errc error = std::from_chars(number.text.data(), number.text.data() + number.text.size(), value).ec;
    if (error != std::errc()) value = static_cast<Own>(number.value());  // beyond the range, up or down
    const T result = static_cast<T>(value);
    if (!std::isfinite(result)) fail("the number is too large for float32");
    return result;
  }

  Dtype dtype_;
  std::size_t most_values_, values_ = 0;
  Value root_;
  std::vector<Frame> frames_;
};

/// Reads no further than to the format and the type, which stand first in most files.
class Header : JsonScanner {
 public:
  Header(const std::string& source, std::string_view text) : JsonScanner(who, source, text), text_(text) {}

  Dtype read() {
    try {
      scan();
    } catch (const Enough&) {
    }
    if (!format_) refuse(foreign());
    if (!dtype_) refuse("\"dtype\" is missing");
    return *dtype_;
  }

 private:
  struct Enough {};

  void on_open(Container container) override {
    if (depth_ == 0 && container == Container::list) mismatch(container, "an object");
    if (depth_ == 1 && is_header()) mismatch(container, "a text");
    ++depth_;
  }
  void on_key() override {}
  void on_close() override { --depth_; }
  void on_scalar(Scalar value) override {
    if (depth_ == 0) mismatch(value, "an object");
    if (depth_ != 1 || !is_header()) return;
    const auto* const text = std::get_if<std::string>(&value);
    if (!text) mismatch(value, "a text");
    if (key() == "dtype") {
      if (*text != "float32" && *text != "float64")
        fail("dtype \"" + shown(*text) + "\", expected \"float32\" or \"float64\"");
      dtype_ = *text == "float32" ? Dtype::float32 : Dtype::float64;
    } else {
      if (*text == "wengert/1")
        fail("format \"wengert/1\" has weights alone, and no computation; read it with nn::io::load()");
      if (*text != graph_version && text->starts_with("wengert/"))
        fail("format \"" + shown(*text) + "\", this library reads \"" + std::string(graph_version) +
             "\"; update it, or save the file in that format");
      if (*text != graph_version)
        fail("format \"" + shown(*text) + "\", expected \"" + std::string(graph_version) + "\"");
      format_ = true;
    }
    if (format_ && dtype_) throw Enough();
  }

  bool is_header() const { return key() == "format" || key() == "dtype"; }

  std::string foreign() const {
    const std::string what = "not a " + std::string(graph_version) + " file, \"format\" is missing";
    const formats::Likeness found = formats::likeness(text_, "");
    if (found.format) return what + "; it is " + description(*found.format) + ", which nn::io::load() reads";
    return found.other.empty() ? what : what + "; it looks like " + found.other;
  }

  std::string_view text_;
  std::size_t depth_ = 0;
  bool format_ = false;
  std::optional<Dtype> dtype_;
};

}  // namespace

bool special_number(std::string_view text, double& value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (text != "inf" && text != "-inf" && text != "nan") return false;
  value = text == "inf" ? infinity : text == "-inf" ? -infinity : std::numeric_limits<double>::quiet_NaN();
  return true;
}

void GraphPlace::fail(std::size_t byte, const std::string& pointer, const std::string& what) const {
  throw FormatError(std::string(who) + ": " + source + (source.empty() ? "byte " : ", byte ") + std::to_string(byte) +
                    (pointer.empty() ? "" : ", ") + pointer + ": " + what);
}

void GraphPlace::refuse(const std::string& what) const {
  throw FormatError(std::string(who) + ": " + source + (source.empty() ? "" : ": ") + what);
}

template <class T>
GraphValue<T> read_graph_document(const std::string& source, std::string_view text, Dtype dtype) {
  return Reader<T>(source, text, dtype).read();
}
template GraphValue<float> read_graph_document(const std::string&, std::string_view, Dtype);
template GraphValue<double> read_graph_document(const std::string&, std::string_view, Dtype);

Dtype read_graph_header(const std::string& source, std::string_view text) { return Header(source, text).read(); }

}  // namespace nn::io::detail
