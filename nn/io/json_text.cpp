#include "nn/io/json_text.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io {

using autograd::ValueError;

std::string text_fault(const std::string& text) {
  using nlohmann::json;
  try {
    json(text).dump();
  } catch (const json::exception&) {
    return '"' + shown(text) + "\" is not UTF-8";
  }
  return "";
}

std::string quoted(const std::string& who, const std::string& text) {
  if (const std::string fault = text_fault(text); !fault.empty()) throw ValueError(who + ": " + fault);
  return nlohmann::json(text).dump();
}

void append_number(std::string& text, double value, Dtype dtype) {
  const std::size_t begin = text.size();
  dtype == Dtype::float32 ? autograd::append_shortest(text, static_cast<float>(value))
                          : autograd::append_shortest(text, value);
  if (std::string_view(text).substr(begin).find_first_of(".e") == std::string_view::npos) text += ".0";
}

void JsonWriter::begin() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (closing_.empty()) return;
  text_ += first_ ? "\n" : ",\n";
  text_.append(2 * closing_.size(), ' ');
  first_ = false;
}

JsonWriter& JsonWriter::open(char open, char close) {
  begin();
  text_ += open;
  closing_.push_back(close);
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close() {
  const char bracket = closing_.back();
  closing_.pop_back();
  if (!first_) {
    text_ += '\n';
    text_.append(2 * closing_.size(), ' ');
  }
  text_ += bracket;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(const std::string& key) {
  begin();
  text_ += quoted(who_, key) + ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  begin();
  text_ += json;
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) throw ValueError(who_ + ": a number is not finite, and JSON has no such number");
  std::string text;
  append_number(text, number, Dtype::float64);
  return raw(text);
}

JsonWriter& JsonWriter::tensor(const std::string& name, const Tensor& tensor, Dtype dtype) {
  if (const std::string fault = number_fault(name, tensor, dtype); !fault.empty())
    throw ValueError(who_ + ": " + fault);
  begin();
  const Shape& shape = tensor.shape;
  if (shape.rank() == 0) {
    append_number(text_, tensor.values[0], dtype);
    return *this;
  }
  if (tensor.values.empty() && shape.rank() > 1)
    throw ValueError(who_ + ": " + name + " has shape " + to_string(shape) + ", which nested lists can not show");
  // Before element k, as many brackets open (and before it close) as it has trailing indices of zero.
  const auto boundaries = [&shape](std::size_t k) {
    std::size_t count = 0;
    for (std::size_t axis = shape.rank(); axis-- > 0 && k % shape[axis] == 0; k /= shape[axis]) ++count;
    return std::min(count, shape.rank());
  };
  text_.append(shape.rank(), '[');
  for (std::size_t k = 0; k < tensor.values.size(); ++k) {
    if (k > 0) {
      const std::size_t brackets = k % shape.back() ? 0 : boundaries(k);
      text_.append(brackets, ']');
      text_ += ',';
      text_.append(brackets, '[');
    }
    append_number(text_, tensor.values[k], dtype);
  }
  text_.append(shape.rank(), ']');
  return *this;
}

JsonWriter& JsonWriter::shape(const Shape& shape) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return raw(text + ']');
}

std::string JsonWriter::text() && { return std::move(text_) + '\n'; }

}  // namespace nn::io
