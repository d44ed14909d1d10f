// Running a recording again.
#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/leaf.hpp"
#include "autograd/tape.hpp"

namespace autograd {

namespace {

/// Why nothing is recorded after assign().
constexpr Closing assigned{
    "record",
    "leaves were assigned after others had been computed from them, and these have the values of before; call replay() "
    "first, or clear the tape and record again"};

}  // namespace

template <class T>
void Tape<T>::assign(Variable<T> leaf, const Array<T>& value) {
  const Use use(*this, "assign");
  this->check_idle("assign");
  const SlotId id = this->check("assign", leaf);
  const Step<T>* step = std::lower_bound(steps_.begin(), steps_.end(), id,
                                         [](const Step<T>& s, SlotId slot) { return s.first_output < slot; });
  const bool is_leaf = step != steps_.end() && step->first_output == id &&
                       (step->op->info == &detail::variable_info || step->op->info == &detail::constant_info);
  if (!is_leaf)
    throw TapeError("assign: this value was computed, or is a Parameter's; only variables and constants take another");
  if (!(shape_of(value) == *slots_[id].shape))
    throw ShapeError("assign: the value has shape " + to_string(shape_of(value)) + ", the recording " +
                     to_string(*slots_[id].shape) + "; record again for other shapes");
  std::copy_n(value.data(), value.size(), slots_[id].value);
  for (; step != steps_.end() && step->first_output < stale_; ++step)
    if (step->input_count > 0) stale_ = step->first_output;
  if (this->stale()) slots_.close(&assigned);
}

template <class T>
void Tape<T>::check_replay() const {
  for (const Step<T>& step : steps_)
    if (!step.op->forward)
      throw TapeError(std::string("replay: ") +
                      (step.op->info == &detail::drawn_info
                           ? "dropout drew its mask when it was recorded"
                           : std::string(step.op->info->name) + " can not be repeated") +
                      "; clear the tape and record again");
  for (const Binding& binding : parameters_) {
    const Shape& shape = *slots_[binding.slot].shape;
    const ParameterState<T>* now = binding.parameter.get();
    if (now->owned) continue;
    while (!now->owned && now->successor) now = now->successor.get();
    const Shape other = shape_of(now->value);
    throw TapeError(
        "replay: a parameter of shape " + to_string(shape) +
        (now->owned ? " is another array now" + (other == shape ? std::string() : ", of shape " + to_string(other)) +
                          "; write to it through update(), or record again"
                    : std::string(" was destroyed; keep it as long as the tape is in use, or record again")));
  }
}

template <class T>
void Tape<T>::replay() {
  const Use use(*this, "replay");
  this->check_idle("replay");
  check_replay();
  std::vector<std::size_t>& order = repacked_ = made_;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return packed_[a].source < packed_[b].source; });
  auto next = order.begin();
  // Where an op throws, some values are new and some are old.
  stale_ = 0;
  const Running running(*this, "replay()");
  slots_.close(&assigned);
  for (const Step<T>& step : steps_) {
    if (slots_[step.first_output].source != Slot<T>::no_source) continue;
    if (step.input_count > 0) this->compute(step);
    for (; next != order.end() && packed_[*next].source < step.first_output + step.output_count; ++next)
      this->pack(packed_[*next]);
  }
  for (Binding& binding : parameters_) binding.version = binding.parameter->version;
  overwritten_ = false;
  stale_ = Slot<T>::no_source;
  slots_.close(nullptr);
}

template <class T>
void Recording<T>::compute(const Step<T>& step) {
  auto& operands = scratch_.operands;  // not scratch(): nothing is being recorded, and the tape may be closed
  operands.resize(step.input_count);
  results_.resize(step.output_count);
  for (std::size_t k = 0; k < step.input_count; ++k) {
    const Slot<T>& slot = slots_[input(step, k)];
    operands[k] = {slot.value, slot.shape};
  }
  for (std::uint32_t k = 0; k < step.output_count; ++k) {
    const Slot<T>& slot = slots_[step.first_output + k];
    results_[k] = {slot.value, slot.shape};
  }
  const Closing computing{step.op->info->name, in_forward};
  const Closed closed(*this, computing);
  step.op->forward(step.rule, ForwardCall<T>{operands, results_});
}

#define INSTANTIATE(T)                                         \
  template void Tape<T>::assign(Variable<T>, const Array<T>&); \
  template void Tape<T>::check_replay() const;                 \
  template void Tape<T>::replay();                             \
  template void Recording<T>::compute(const Step<T>&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
