// How a step of a tape reads.
#pragma once

#include <string>

#include "autograd/recording.hpp"

namespace autograd::detail {

/// "%7", or "%7:zi" for a value with a name.
template <class T>
std::string label(const Recording<T>& recording, SlotId id) {
  const std::string_view name = recording.name_of(id);
  std::string text = std::string("%").append(std::to_string(id));
  return name.empty() ? text : text.append(":").append(name);
}

/// "select(%6, axis=0, index=2)".
template <class T>
std::string call_text(const Recording<T>& recording, const Step<T>& step) {
  std::string text = step.op->info->name;
  if (step.input_count == 0) return text;
  text += "(";
  for (std::uint32_t k = 0; k < step.input_count; ++k)
    text += (k ? ", " : "") + label(recording, recording.input(step, k));
  const std::string attributes = step.op->attributes(step.rule);
  return text + (attributes.empty() ? "" : ", " + attributes) + ")";
}

}  // namespace autograd::detail
