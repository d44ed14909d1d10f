// tape.print() and the Graphviz graph of a tape.
#include <ostream>
#include <sstream>

#include "autograd/tape.hpp"

namespace autograd {

namespace {

/// "%7", or "%7:zi" for a value with a name.
template <class T>
std::string label(const Tape<T>& tape, SlotId id) {
  const std::string_view name = tape.name_of(id);
  std::string text = std::string("%").append(std::to_string(id));
  return name.empty() ? text : text.append(":").append(name);
}

/// "select(%6, axis=0, index=2)".
template <class T>
std::string call_text(const Tape<T>& tape, const Step<T>& step) {
  std::string text = step.op->info->name;
  if (step.input_count == 0) return text;
  text += "(";
  for (std::uint32_t k = 0; k < step.input_count; ++k) text += (k ? ", " : "") + label(tape, tape.input(step, k));
  const std::string attributes = step.op->attributes(step.rule);
  return text + (attributes.empty() ? "" : ", " + attributes) + ")";
}

}  // namespace

template <class T>
void Tape<T>::print(std::ostream& out) const {
  for (const Step<T>& step : steps_) {
    for (std::uint32_t k = 0; k < step.output_count; ++k) out << (k ? ", " : "") << label(*this, step.first_output + k);
    out << " = " << call_text(*this, step) << "  ";
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
      text.append("\n").append(label(*this, id)).append(" ").append(to_string(*slots_[id].shape));
    }
    out << "  s" << index << " [shape=" << (step.input_count ? "box" : "ellipse") << ", label=" << quoted(text)
        << "];\n";
  }
  // The step that made each slot.
  std::vector<std::size_t> maker(slots_.size(), 0);
  for (std::size_t index = 0; index < steps_.size(); ++index)
    for (std::uint32_t k = 0; k < steps_[index].output_count; ++k) maker[steps_[index].first_output + k] = index;
  for (std::size_t index = 0; index < steps_.size(); ++index)
    for (std::uint32_t k = 0; k < steps_[index].input_count; ++k)
      out << "  s" << maker[input(steps_[index], k)] << " -> s" << index << ";\n";
  out << "}\n";
}

template void Tape<float>::print(std::ostream&) const;
template void Tape<double>::print(std::ostream&) const;
template std::string Tape<float>::print() const;
template std::string Tape<double>::print() const;
template void Tape<float>::write_dot(std::ostream&) const;
template void Tape<double>::write_dot(std::ostream&) const;

}  // namespace autograd
