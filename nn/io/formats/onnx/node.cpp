#include "nn/io/formats/onnx/node.hpp"

#include <algorithm>

#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::formats::onnx {

namespace {

/// More inputs, outputs or attributes than any node has that can be converted, and few enough to be kept.
constexpr std::size_t most_parts = 256;
constexpr std::size_t most_numbers = 4096;

template <class T>
void append(std::vector<T>& to, T value, const char* what, std::size_t most = most_parts) {
  if (to.size() == most) throw Refusal("it has more than " + std::to_string(most) + ' ' + what);
  to.push_back(value);
}

std::string_view attribute_name(std::string_view bytes) {
  std::string_view name;
  Field field;
  for (Fields fields(bytes); fields.next(field);)
    if (field.number == attribute::name) name = field.text();
  return name;
}

}  // namespace

Node::Node(std::string_view bytes) {
  Field field;
  std::string_view domain;
  for (Fields fields(bytes); fields.next(field);) switch (field.number) {
      case node::input:
        append(inputs, field.text(), "inputs");
        break;
      case node::output:
        append(outputs, field.text(), "outputs");
        break;
      case node::name:
        name = field.text();
        break;
      case node::op_type:
        op = field.text();
        break;
      case node::attribute:
        append(attributes_, {attribute_name(field.text()), field.bytes}, "attributes");
        break;
      case node::domain:
        domain = field.text();
        break;
      case node::doc_string:
      case node::metadata_props:
        break;
      default:
        throw Refusal(label() + ": it has field " + std::to_string(field.number) + ", which is not known here");
    }
  if (op.empty() || outputs.empty()) throw Refusal("a node without an operation or an output");
  if (!domain.empty() && domain != "ai.onnx")
    throw Refusal(label() + ": it is an operation of " + quoted(domain) +
                  "; only those of ONNX itself can be converted");
  for (std::size_t k = 0; k < attributes_.size(); ++k)
    for (std::size_t l = 0; l < k; ++l)
      if (attributes_[l].name == attributes_[k].name)
        throw Refusal(label() + ": it has two attributes " + quoted(attributes_[k].name));
}

std::string Node::label() const {
  return shown(op) + (name.empty() ? "" : ' ' + quoted(name)) +
         (outputs.empty() ? "" : " (output " + quoted(outputs[0]) + ')');
}

/// f(field) for what the attribute holds, which must be of the type: all of it in one kind of field.
template <class F>
bool Node::take(std::string_view wanted, int type, int holder, F f) {
  const auto found = std::find_if(attributes_.begin(), attributes_.end(),
                                  [wanted](const Attribute& attribute) { return attribute.name == wanted; });
  if (found == attributes_.end()) return false;
  found->taken = true;
  bool any = false;
  Field field;
  for (Fields fields(found->bytes); fields.next(field);) {
    const bool says_type = field.number == attribute::type && field.integer() == type;
    if (field.number == holder)
      f(field);
    else if (field.number != attribute::name && field.number != attribute::doc_string && !says_type)
      throw Refusal("its attribute " + quoted(wanted) + " has another type than ONNX says");
    any |= field.number == holder || says_type;
  }
  if (!any) throw Refusal("its attribute " + quoted(wanted) + " has no value");
  return true;
}

std::optional<std::int64_t> Node::integer(std::string_view wanted) {
  std::int64_t value = 0;
  if (!take(wanted, attribute::is_int, attribute::i, [&](const Field& field) { value = field.integer(); })) return {};
  return value;
}

std::optional<double> Node::real(std::string_view wanted) {
  double value = 0;
  const auto keep = [&](const Field& field) { value = static_cast<double>(field.real()); };
  if (!take(wanted, attribute::is_float, attribute::f, keep)) return {};
  return value;
}

std::optional<std::string_view> Node::text(std::string_view wanted) {
  std::string_view value;
  if (!take(wanted, attribute::is_string, attribute::s, [&](const Field& field) { value = field.text(); })) return {};
  return value;
}

std::optional<std::string_view> Node::tensor(std::string_view wanted) {
  std::optional<std::string_view> value;
  take(wanted, attribute::is_tensor, attribute::t, [&](const Field& field) {
    if (value) throw Refusal("its attribute " + quoted(wanted) + " has two values");
    value = field.text();
  });
  return value;
}

std::optional<std::vector<std::int64_t>> Node::integers(std::string_view wanted) {
  std::vector<std::int64_t> values;
  const auto keep = [&](std::uint64_t bits) {
    append(values, static_cast<std::int64_t>(bits), "numbers in an attribute", most_numbers);
  };
  if (!take(wanted, attribute::is_ints, attribute::ints,
            [&](const Field& field) { for_each_number(field, Wire::varint, keep); }))
    return {};
  return values;
}

std::optional<std::vector<double>> Node::reals(std::string_view wanted) {
  std::vector<double> values;
  const auto keep = [&](std::uint64_t bits) {
    append(values, static_cast<double>(float_of(bits)), "numbers in an attribute", most_numbers);
  };
  if (!take(wanted, attribute::is_floats, attribute::floats,
            [&](const Field& field) { for_each_number(field, Wire::four_bytes, keep); }))
    return {};
  return values;
}

std::optional<std::vector<std::string_view>> Node::texts(std::string_view wanted) {
  std::vector<std::string_view> values;
  if (!take(wanted, attribute::is_strings, attribute::strings,
            [&](const Field& field) { append(values, field.text(), "texts in an attribute"); }))
    return {};
  return values;
}

void Node::require_all_taken() const {
  for (const Attribute& attribute : attributes_)
    if (!attribute.taken) throw Refusal("its attribute " + quoted(attribute.name) + " can not be converted");
}

}  // namespace nn::io::formats::onnx
