// tape.print() and the Graphviz graph of a tape. Numbers go out as text: streams write them as a locale says.
#include <ostream>
#include <sstream>

#include "autograd/apply.hpp"
#include "autograd/number_text.hpp"
#include "autograd/step_text.hpp"
#include "autograd/tape.hpp"

namespace autograd {

using detail::call_text;
using detail::label;

namespace {

void add(std::string& text, const char* name, const std::string& value) {
  text += (text.empty() ? "" : ", ") + std::string(name) + value;
}

}  // namespace

void detail::add_attribute(std::string& text, const char* name, double value) {
  add(text, name, "=" + number_text(value + 0.0));  // no -0
}
void detail::add_attribute(std::string& text, const char* name, bool value) {
  if (value) add(text, name, "");
}
void detail::add_attribute(std::string& text, const char* name, std::size_t value) {
  add(text, name, "=" + std::to_string(value));
}
void detail::add_attribute(std::string& text, const char* name, Index value) {
  add(text, name, "=" + std::to_string(value));
}
void detail::add_attribute(std::string& text, const char* name, unsigned axes) {
  std::vector<std::size_t> list;
  for (std::size_t axis = 0; axis < Shape::max_rank; ++axis)
    if (axes >> axis & 1u) list.push_back(axis);
  add_attribute(text, name, std::span<const std::size_t>(list));
}
void detail::add_attribute(std::string& text, const char* name, const Shape& value) {
  add(text, name, "=" + to_string(value));
}
void detail::add_attribute(std::string& text, const char* name, std::span<const std::size_t> value) {
  std::string list;
  for (const std::size_t each : value) list += (list.empty() ? "" : ", ") + std::to_string(each);
  add(text, name, "=(" + list + ")");
}

template <class T>
void Tape<T>::print(std::ostream& out) const {
  for (const Step<T>& step : steps_) {
    for (std::uint32_t k = 0; k < step.output_count; ++k)
      out << (k ? ", " : "") << label(this->recording(), step.first_output + k);
    out << " = " << call_text(this->recording(), step) << "  ";
    for (std::uint32_t k = 0; k < step.output_count; ++k)
      out << (k ? ", " : "") << to_string(*slots_[step.first_output + k].shape);
    out << '\n';
  }
}

template <class T>
std::string Tape<T>::print() const {
  std::ostringstream text;
  print(text);
  return text.str();
}

template <class T>
void Tape<T>::write_dot(std::ostream& out) const {
  const auto quoted = [](std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    result += '"';
    return result;
  };
  out << "digraph tape {\n  rankdir=TB;\n  node [fontname=\"monospace\"];\n";
  for (std::size_t index = 0; index < steps_.size(); ++index) {
    const Step<T>& step = steps_[index];
    std::string text = step.op->info->name;
    const std::string attributes = step.op->attributes(step.rule);
    if (!attributes.empty()) text.append(" ").append(attributes);
    for (std::uint32_t k = 0; k < step.output_count; ++k) {
      const SlotId id = step.first_output + k;
      text.append("\n").append(label(this->recording(), id)).append(" ").append(to_string(*slots_[id].shape));
    }
    out << "  s" << std::to_string(index) << " [shape=" << (step.input_count ? "box" : "ellipse")
        << ", label=" << quoted(text) << "];\n";
  }
  // The step that made each slot.
  std::vector<std::size_t> maker(slots_.size(), 0);
  for (std::size_t index = 0; index < steps_.size(); ++index)
    for (std::uint32_t k = 0; k < steps_[index].output_count; ++k) maker[steps_[index].first_output + k] = index;
  for (std::size_t index = 0; index < steps_.size(); ++index)
    for (std::uint32_t k = 0; k < steps_[index].input_count; ++k)
      out << "  s" << std::to_string(maker[this->input(steps_[index], k)]) << " -> s" << std::to_string(index) << ";\n";
  out << "}\n";
}

template void Tape<float>::print(std::ostream&) const;
template void Tape<double>::print(std::ostream&) const;
template std::string Tape<float>::print() const;
template std::string Tape<double>::print() const;
template void Tape<float>::write_dot(std::ostream&) const;
template void Tape<double>::write_dot(std::ostream&) const;

}  // namespace autograd
