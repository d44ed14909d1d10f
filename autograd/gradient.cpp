#include "autograd/gradient.hpp"

#include <algorithm>
#include <map>

#include "autograd/all_or_nothing.hpp"
#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/recorder.hpp"

namespace autograd {

namespace {

/// The recorded gradients on their way down. The pieces of a slot are joined once, when the sweep reaches it.
template <class T>
class Adjoints final : public GradientSink<T> {
 public:
  /// Of the slots from `first` on.
  Adjoints(Recording<T>& recording, std::span<const SlotId> inputs, std::size_t first)
      : recording_(recording),
        first_(first),
        reached_(recording.slot_count() - first, false),
        adjoints_(recording.slot_count() - first) {
    for (const SlotId id : inputs) reached_[id - first] = true;
  }

  /// Marks what lies between the inputs and the output. Steps are in topological order.
  void mark(const Step<T>& step) {
    if (!step.op->info->differentiable || step.op->record == nullptr) return;
    bool depends = false;
    for (std::uint32_t k = 0; k < step.input_count; ++k) depends |= wants(recording_.input(step, k));
    for (std::uint32_t k = 0; depends && k < step.output_count; ++k) reached_[step.first_output + k - first_] = true;
  }

  bool wants(SlotId id) const override {
    return id >= first_ && id - first_ < reached_.size() && reached_[id - first_];
  }

  void add(SlotId id, Variable<T> gradient) override {
    Variable<T>& sum = adjoints_[id - first_];
    sum = sum ? autograd::add(sum, gradient) : gradient;
  }

  void add_piece(SlotId id, const Piece& piece, Variable<T> gradient) override {
    pieces_[id].first.push_back(piece);
    pieces_[id].second.push_back(gradient);
  }

  /// The whole gradient of a slot, or an empty handle.
  Variable<T> total(SlotId id) {
    if (const auto found = pieces_.find(id); found != pieces_.end()) {
      const Shape shape = *recording_.slot(id).shape;
      add(id, assemble<T>(shape, found->second.first, found->second.second));
      pieces_.erase(found);
    }
    return adjoints_[id - first_];
  }

 private:
  Recording<T>& recording_;
  std::size_t first_;
  std::vector<bool> reached_;
  std::vector<Variable<T>> adjoints_;
  std::map<SlotId, std::pair<std::vector<Piece>, std::vector<Variable<T>>>> pieces_;
};

/// The gradients of the inputs, empty handles for those that the outputs do not depend on. Slots before `first_slot`
/// and steps before `first_step` are left out.
template <class T>
std::vector<Variable<T>> record_gradients(Recording<T>& recording, std::size_t first_step, std::size_t first_slot,
                                          std::span<const Variable<T>> outputs,
                                          std::span<const Variable<T>> output_gradients, std::span<const SlotId> ids) {
  Adjoints<T> adjoints(recording, ids, first_slot);
  SlotId last = 0;
  for (const Variable<T>& output : outputs) last = std::max(last, output.slot());
  std::size_t end = first_step;
  for (; end < recording.step_count() && recording.step(end).first_output <= last; ++end)
    adjoints.mark(recording.step(end));
  for (std::size_t m = 0; m < outputs.size(); ++m)
    if (output_gradients[m] && adjoints.wants(outputs[m].slot())) adjoints.add(outputs[m].slot(), output_gradients[m]);

  std::vector<Variable<T>> gradients;
  for (std::size_t index = end; index-- > first_step;) {
    const Step<T> step = recording.step(index);
    if (step.input_count == 0 || !step.op->info->differentiable || step.op->record == nullptr) continue;
    gradients.assign(step.output_count, Variable<T>());
    bool reached = false;
    for (std::uint32_t k = 0; k < step.output_count; ++k) {
      if (step.first_output + k > last) continue;
      gradients[k] = adjoints.total(step.first_output + k);
      reached |= static_cast<bool>(gradients[k]);
    }
    if (!reached) continue;
    Recorder<T> recorder(recording, step, adjoints);
    recorder.set_gradients(gradients);
    step.op->record(step.rule, recorder);
  }

  std::vector<Variable<T>> result;
  for (const SlotId id : ids) result.push_back(adjoints.total(id));
  return result;
}

}  // namespace

template <class T>
std::vector<Variable<T>> grad(Variable<T> y, std::span<const Variable<T>> inputs) {
  Tape<T>& tape = tape_of("grad", y);
  const Recording<T>& recording = tape.recording();
  const Slot<T>& slot = recording.slot(recording.check("grad", y));
  if (slot.size != 1)
    throw ShapeError("grad: y must be a scalar, got shape " + to_string(*slot.shape) +
                     "; reduce it with sum() or mean(), or pass an output gradient");
  const Shape shape = *slot.shape;
  recording.check_computed("grad");
  return all_or_nothing(tape, [&] { return grad(y, inputs, tape.constant(shape, T(1))); });
}

template <class T>
std::vector<Variable<T>> grad(Variable<T> y, std::span<const Variable<T>> inputs, Variable<T> output_gradient) {
  Tape<T>& tape = tape_of("grad", y);
  Recording<T>& recording = tape.recording();
  const SlotId output = recording.check("grad", y);
  const Shape& seed_shape = *recording.slot(recording.check("grad", output_gradient)).shape;
  if (!(seed_shape == *recording.slot(output).shape))
    throw ShapeError("grad: the output gradient has shape " + to_string(seed_shape) + ", the output " +
                     to_string(*recording.slot(output).shape) + "; they must be equal");
  std::vector<SlotId> ids;
  for (const Variable<T>& x : inputs) ids.push_back(recording.check("grad", x));
  recording.check_computed("grad");
  recording.restore();
  return all_or_nothing(tape, [&] {
    const typename Recording<T>::Running running(recording, "grad()");
    std::vector<Variable<T>> gradients = record_gradients<T>(recording, 0, 0, {&y, 1}, {&output_gradient, 1}, ids);
    for (std::size_t k = 0; k < gradients.size(); ++k)
      if (!gradients[k]) gradients[k] = tape.constant(Shape(*recording.slot(ids[k]).shape), T(0));
    return gradients;
  });
}

template <class T>
std::vector<Variable<T>> detail::record_vjp(const TapePosition& begin, std::span<const Variable<T>> outputs,
                                            std::span<const Variable<T>> output_gradients,
                                            std::span<const Variable<T>> inputs) {
  std::vector<SlotId> ids;
  for (const Variable<T>& x : inputs) ids.push_back(x.slot());
  return record_gradients<T>(inputs[0].tape().recording(), begin.steps, begin.slots, outputs, output_gradients, ids);
}

#define INSTANTIATE(T)                                                                                    \
  template std::vector<Variable<T>> grad(Variable<T>, std::span<const Variable<T>>);                      \
  template std::vector<Variable<T>> grad(Variable<T>, std::span<const Variable<T>>, Variable<T>);         \
  template std::vector<Variable<T>> detail::record_vjp(const TapePosition&, std::span<const Variable<T>>, \
                                                       std::span<const Variable<T>>, std::span<const Variable<T>>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
