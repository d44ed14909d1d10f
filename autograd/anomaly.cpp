#include "autograd/anomaly.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/number_text.hpp"
#include "autograd/step_text.hpp"

namespace autograd {

using detail::label;

namespace {

/// How bad an array is, and its first element that is.
struct Finding {
  int badness = 0;  ///< 0 finite, 1 infinite, 2 NaN
  std::size_t at = 0;
};

template <class T>
Finding worst(const T* values, std::size_t size) {
  Finding result;
  for (std::size_t k = 0; k < size; ++k) {
    const int badness = std::isnan(values[k]) ? 2 : std::isinf(values[k]) ? 1 : 0;
    if (badness > result.badness) result = {badness, k};
  }
  return result;
}

std::string place(std::size_t flat, const Shape& shape) {
  Shape position = shape;
  for (std::size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) position[axis] = flat % shape[axis];
  return to_string(position);
}

/// "%5:c = log(%3)".
template <class T>
std::string step_text(const Recording<T>& recording, const Step<T>& step) {
  return label(recording, step.first_output) + " = " + detail::call_text(recording, step);
}

/// ", recorded in model(Tape&) (model.cpp:12)", if the tape kept it.
template <class T>
std::string site_text(const Recording<T>& recording, std::size_t index) {
  const CallSite* const site = recording.call_site(index);
  const std::string text = site ? to_string(*site) : std::string();
  return text.empty() ? text : ", recorded in " + text;
}

template <class T>
std::string element_text(const T* values, const Finding& finding, const Shape& shape) {
  return fixed_text(values[finding.at]) + " at " + place(finding.at, shape) + " of " + to_string(shape);
}

}  // namespace

template <class T>
std::optional<Anomaly> first_anomaly(const Tape<T>& tape) {
  const Sweep<T>& sweep = tape.sweep();
  const auto value = [&](SlotId id) {
    return sweep.slot(id).donated ? Finding{} : worst(sweep.slot(id).value, sweep.slot(id).size);
  };
  const auto gradient = [&](SlotId id) {
    return sweep.has_gradient(id) && !sweep.handed_down(id) ? worst(sweep.slot(id).gradient, sweep.slot(id).size)
                                                            : Finding{};
  };
  const auto worst_of = [](std::uint32_t count, auto finding_of) {
    int badness = 0;
    for (std::uint32_t k = 0; k < count; ++k) badness = std::max(badness, finding_of(k).badness);
    return badness;
  };
  for (std::size_t index = 0; index < tape.size(); ++index) {
    const Step<T>& step = sweep.step(index);
    const int before = worst_of(step.input_count, [&](std::uint32_t k) { return value(sweep.input(step, k)); });
    for (std::uint32_t k = 0; k < step.output_count; ++k) {
      const Slot<T>& slot = sweep.slot(step.first_output + k);
      const Finding finding = value(step.first_output + k);
      if (finding.badness <= before || (step.input_count == 0 && finding.badness < 2)) continue;
      return Anomaly{index, false,
                     "step " + std::to_string(index) + ", " + step_text(sweep, step) + ", is the first to hold " +
                         element_text(slot.value, finding, *slot.shape) + site_text(sweep, index)};
    }
  }
  for (std::size_t index = tape.size(); index-- > 0;) {
    const Step<T>& step = sweep.step(index);
    if (step.input_count == 0 || !sweep.has_gradient(step.first_output)) continue;
    const int before = worst_of(step.output_count, [&](std::uint32_t k) { return gradient(step.first_output + k); });
    for (std::uint32_t k = 0; k < step.input_count; ++k) {
      const SlotId id = sweep.input(step, k);
      const Finding finding = gradient(id);
      if (finding.badness <= before) continue;
      return Anomaly{index, true,
                     "backward through step " + std::to_string(index) + ", " + step_text(sweep, step) +
                         ": the gradient of " + label(sweep, id) + " is the first to hold " +
                         element_text(sweep.slot(id).gradient, finding, *sweep.slot(id).shape) +
                         site_text(sweep, index)};
    }
  }
  return std::nullopt;
}

template std::optional<Anomaly> first_anomaly(const Tape<float>&);
template std::optional<Anomaly> first_anomaly(const Tape<double>&);

}  // namespace autograd
