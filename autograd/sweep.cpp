#include "autograd/sweep.hpp"

#include <algorithm>
#include <bit>

#include "autograd/error.hpp"
#include "autograd/kernels/run.hpp"
#include "autograd/recorder.hpp"
#include "autograd/tape.hpp"

namespace autograd {

namespace {

template <class T>
void fill_zero(T* data, std::size_t size) {
  std::fill(data, data + size, T(0));
}

/// Whether all elements are +0, so that what is stored over them can be taken back.
template <class T>
bool is_zero(const T* data, std::size_t size) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr std::size_t block = 64;
  for (std::size_t begin = 0; begin < size; begin += block) {
    Bits any = 0;
    for (std::size_t k = begin; k < std::min(size, begin + block); ++k) any |= std::bit_cast<Bits>(data[k]);
    if (any) return false;
  }
  return true;
}

}  // namespace

template <class T>
void Sweep<T>::check_parameters(const char* op) const {
  for (const Binding& binding : parameters_) {
    this->check_binding(op, binding);
    const ParameterState<T>& parameter = *binding.parameter;
    if (parameter.sweeping && !apart_)
      throw TapeError(std::string(op) +
                      ": a backward() of another tape that adds to the same parameters is under way; " +
                      "call this before or after that, not in a hook");
    if (parameter.grad.size() != slots_[binding.slot].size ||
        !std::equal(parameter.grad.shape().begin(), parameter.grad.shape().end(), slots_[binding.slot].shape->begin(),
                    slots_[binding.slot].shape->end()))
      throw ShapeError(std::string(op) + ": the grad() of a parameter of shape " +
                       to_string(*slots_[binding.slot].shape) + " was given shape " +
                       to_string(shape_of(parameter.grad)) + "; they must be equal");
  }
}

template <class T>
void Sweep<T>::add_gradients() {
  for (const Binding& binding : parameters_) {
    Slot<T>& slot = slots_[binding.slot];
    T* to = binding.parameter->grad.data();
    if (slot.allocated != sweep_ || slot.gradient == to) continue;
    kernels::copy_or_add(static_cast<const T*>(slot.gradient), to, slot.size, true);
    slot.gradient = to;
  }
}

template <class T>
Sweep<T>::Sweeping::Sweeping(Sweep& sweep) : sweep(sweep), begin(sweep.mark()), running(sweep, "backward()") {
  sweep.sweeping_ = true;
  ++sweep.sweep_;
  if (!sweep.apart_)
    for (const Binding& binding : sweep.parameters_) binding.parameter->sweeping = true;
}

template <class T>
Sweep<T>::Sweeping::~Sweeping() {
  sweep.sweeping_ = false;
  if (sweep.slots_.size() > begin.slots) sweep.rewind(begin);
  if (!sweep.apart_)
    for (const Binding& binding : sweep.parameters_) {
      binding.parameter->sweeping = false;
      const Slot<T>& slot = sweep.slots_[binding.slot];
      T* const grad = binding.parameter->grad.data();
      if (!finished && slot.allocated == sweep.sweep_ && slot.gradient == grad) fill_zero(grad, slot.size);
    }
  if (!finished) ++sweep.sweep_;
}

/// Adds to the parameters what was not stored there at once: nothing can go wrong any more.
template <class T>
void Sweep<T>::Sweeping::finish() {
  if (sweep.slots_.size() > begin.slots) sweep.rewind(begin);
  for (const Binding& binding : sweep.parameters_) sweep.check_binding("backward", binding);
  if (!sweep.apart_) sweep.add_gradients();
  finished = true;
}

template <class T>
void Sweep<T>::run(SlotId output, const T* output_gradient) {
  const Use use(*this, "backward");
  this->check_idle("backward");
  this->check_computed("backward");
  if (!slots_[output].needs_gradient)
    throw TapeError(
        "backward: the output depends on no variable and no parameter; record its inputs with tape.variable() or "
        "tape.parameter()");
  check_parameters("backward");
  Sweeping sweeping(*this);
  swept_ = true;
  swept_at_ = time_;
  swept_output_ = output;
  if (overwritten_) this->compute_donated();
  products_.forget();
  gradients_.rewind({});
  const std::size_t size = slots_[output].size;
  const Destination<T> seed = gradient_into(output);
  for (std::size_t k = 0; k < size; ++k) seed.data[k] = output_gradient[k] + (seed.accumulate ? seed.data[k] : T(0));

  const auto end = std::upper_bound(steps_.begin(), steps_.end(), output,
                                    [](SlotId id, const Step<T>& step) { return id < step.first_output; });
  for (std::size_t index = static_cast<std::size_t>(end - steps_.begin()); index-- > 0;) {
    const Step<T>& recorded = steps_[index];
    const SlotId first = recorded.first_output;
    if (slots_[first].source != Slot<T>::no_source) {
      sweep_aliases(recorded);
      continue;
    }
    bool reached = has_gradient(first);
    for (std::uint32_t k = 1; k < recorded.output_count; ++k) reached |= has_gradient(first + k);
    if (!reached || recorded.input_count == 0) continue;
    const Step<T> step = recorded;  // a vjp run on numbers records above the end, which may move the steps
    Backward<T> call(*this, step);
    step.op->backward(step.rule, call);
  }
  products_.flush([this](std::size_t matrix) { return gradient_into(static_cast<SlotId>(matrix)); });
  sweeping.finish();
}

/// An alias that shared its source's memory has delivered already. One that nobody wrote leaves a hole there.
template <class T>
void Sweep<T>::sweep_aliases(const Step<T>& step) {
  for (std::uint32_t k = 0; k < step.output_count; ++k) {
    const SlotId id = step.first_output + k;
    const Slot<T>& alias = slots_[id];
    if (!alias.needs_gradient) continue;
    if (alias.allocated != sweep_) return_gradient(alias.source);
    const Slot<T>& source = slots_[alias.source];
    const std::size_t offset = static_cast<std::size_t>(alias.value - source.value);
    if (alias.watched) {
      if (alias.allocated != sweep_) continue;
      const Destination<T> whole = gradient_into(alias.source);
      for (std::size_t at = 0; at < alias.size; ++at) whole.data[offset + at] += alias.gradient[at];
    } else if (alias.allocated != sweep_) {
      if (source.allocated == sweep_ && source.defined != sweep_)
        fill_zero(source.gradient + offset, alias.size);
      else if (source.aliases)
        covers_[source.aliases - 1].zeroed = sweep_;
    }
  }
}

// Where gradients lie.

/// Whether the aliases of a slot are its only readers, disjoint, and together all of it.
template <class T>
bool Sweep<T>::covered(const Slot<T>& slot) const {
  const AliasCover& cover = covers_[slot.aliases - 1];
  return !slot.consumed && cover.disjoint && cover.elements == slot.size && cover.last <= swept_output_ &&
         cover.zeroed != sweep_;
}

/// Whether the gradient of an alias of this slot may have more in it than what the readers of that alias contributed.
template <class T>
bool Sweep<T>::shared(const Slot<T>& slot) const {
  return slot.parameter || slot.consumed || slot.handed == sweep_ || !covers_[slot.aliases - 1].disjoint;
}

/// Gives a slot, and before it every slot whose memory it shares, gradient memory.
template <class T>
void Sweep<T>::prepare(SlotId id) {
  for (SlotId up = id; slots_[up].allocated != sweep_; up = slots_[up].source) {
    pending_.push_back(up);
    if (slots_[up].source == Slot<T>::no_source || slots_[up].watched) break;
  }
  for (; !pending_.empty(); pending_.pop_back()) allocate_gradient(pending_.back());
}

/// Zeroed if contributions to its parts may overlap or leave holes.
template <class T>
void Sweep<T>::allocate_gradient(SlotId id) {
  Slot<T>& slot = slots_[id];
  if (slot.parameter) {
    // To zeros it is added at once: if the sweep fails, they were zeros.
    T* const grad = apart_ ? nullptr : this->binding_of(id)->parameter->grad.data();
    const bool at_once = grad && is_zero(grad, slot.size);
    slot.gradient = at_once ? grad : gradients_.template allocate<T>(slot.size);
    if (at_once) slot.defined = sweep_;
  } else if (slot.series && !slot.watched) {
    Series& series = series_[slot.series - 1];
    if (series.allocated != sweep_) allocate_gradients(series);
    slot.gradient = series.gradients + (slot.value - series.values);
  } else if (slot.source == Slot<T>::no_source || slot.watched) {
    // Over the value where nobody will read that: neither another alias nor, for want of a gradient, a hole.
    const bool over = slot.aliases && covers_[slot.aliases - 1].donated == slot.size && covered(slot);
    slot.gradient = over ? slot.value : gradients_.template allocate<T>(slot.size);
    overwritten_ |= over;
  } else {
    const Slot<T>& source = slots_[slot.source];
    slot.gradient = source.gradient + (slot.value - source.value);
    slot.defined = source.defined;
  }
  slot.allocated = sweep_;
  if (slot.aliases && slot.defined != sweep_ && !covered(slot)) {
    fill_zero(slot.gradient, slot.size);
    slot.defined = sweep_;
  }
}

template <class T>
void Sweep<T>::allocate_gradients(Series& series) {
  const bool over = series.donated == series.count;
  series.gradients = over ? series.values : gradients_.template allocate<T>(series.size * series.count);
  series.allocated = sweep_;
  overwritten_ |= over;
}

/// The way to gradients whose memory belongs to more than one slot, or not to the tape.
template <class T>
Destination<T> Sweep<T>::shared_gradient(SlotId id) {
  Slot<T>& slot = slots_[id];
  if (slot.source != Slot<T>::no_source) return_gradient(slot.source);
  if (slot.aliases) return_gradient(id);
  if (slot.allocated != sweep_) {
    if (slot.source != Slot<T>::no_source && slots_[slot.source].allocated == sweep_)
      allocate_gradient(id);
    else
      prepare(id);
  }
  if (slot.defined == sweep_) return {slot.gradient, true};
  slot.defined = sweep_;
  return {slot.gradient, false};
}

template <class T>
void Sweep<T>::pass_gradient(SlotId from, SlotId to) {
  if (borrow_gradient(slots_[from], slots_[to])) return;
  const Destination<T> target = gradient_into(to);
  kernels::copy_or_add(static_cast<const T*>(slots_[from].gradient), target.data, slots_[from].size, target.accumulate);
}

/// Instead of copies: the parts of a value that feed the members of a series, each one, have the same gradient as
/// these, so the whole of it is that of the series. The parts hold it until somebody else contributes.
template <class T>
bool Sweep<T>::borrow_gradient(const Slot<T>& from, Slot<T>& to) {
  if (to.source == Slot<T>::no_source || to.watched || to.allocated == sweep_ || !from.series || from.watched)
    return false;
  Slot<T>& whole = slots_[to.source];
  const Series& series = series_[from.series - 1];
  if (whole.source != Slot<T>::no_source || whole.watched || whole.parameter || whole.series ||
      whole.size != series.size * series.count || to.size != from.size ||
      to.value - whole.value != from.value - series.values)
    return false;
  if (whole.allocated != sweep_) {
    if (!covered(whole)) return false;
    whole.gradient = series.gradients;
    whole.allocated = whole.borrowed = sweep_;
  }
  if (whole.borrowed != sweep_ || whole.gradient != series.gradients) return false;
  to.gradient = from.gradient;
  to.allocated = to.defined = sweep_;
  return true;
}

/// Gives a value that borrowed its gradient, and its parts, memory of their own.
template <class T>
void Sweep<T>::return_gradient(SlotId source) {
  Slot<T>& whole = slots_[source];
  if (whole.borrowed != sweep_) return;
  whole.borrowed = 0;
  T* own = gradients_.template allocate<T>(whole.size);
  std::copy_n(whole.gradient, whole.size, own);
  whole.gradient = own;
  for (SlotId id = source + 1; id <= covers_[whole.aliases - 1].last; ++id)
    if (slots_[id].source == source && slots_[id].allocated == sweep_)
      slots_[id].gradient = own + (slots_[id].value - whole.value);
}

template <class T>
bool Sweep<T>::hand_gradient_down(const Step<T>& step) {
  Slot<T>& whole = slots_[step.first_output];
  const std::uint32_t index = slots_[this->input(step, 0)].series;
  if (index == 0 || !whole.foreign || whole.watched || whole.borrowed == sweep_ || this->keeps_call_sites_)
    return false;
  Series& series = series_[index - 1];
  if (series.allocated == sweep_ || series.donated > 0 || series.values != whole.value ||
      step.input_count != series.count || whole.size != series.size * series.count)
    return false;
  for (std::size_t k = 0; k < series.count; ++k) {
    const Slot<T>& part = slots_[this->input(step, k)];
    if (part.series != index || part.watched || !part.needs_gradient) return false;
  }
  for (std::size_t k = 0; k < series.count; ++k) {
    Slot<T>& part = slots_[this->input(step, k)];
    part.gradient = whole.gradient + (part.value - series.values);
    part.allocated = part.defined = sweep_;
  }
  series.gradients = whole.gradient;
  series.allocated = whole.handed = sweep_;
  return true;
}

template <class T>
Array<T> Sweep<T>::gradient_of(SlotId id) const {
  const Slot<T>& slot = slots_[id];
  if (!swept_) throw TapeError("gradient: no backward() yet; sweep first, or use grad() for a recorded gradient");
  if (!this->holds(swept_output_ + std::size_t(1), swept_at_))
    throw TapeError("gradient: the tape was rewound to before the loss of the last backward(); sweep again");
  if (slot.parameter)
    throw TapeError(
        "gradient: this variable is a Parameter, whose gradient accumulates in the Parameter; read grad() there");
  Array<T> result = zeros<T>(*slot.shape);
  if (slot.allocated != sweep_) return result;
  if (slot.handed == sweep_ && !slot.watched)
    throw TapeError(
        "gradient: the memory of this stack is shared with the values it is made of, which have other readers; call "
        "tape.watch() on it before backward()");
  if (slot.source != Slot<T>::no_source && !slot.watched)
    for (SlotId alias = id; slots_[alias].source != Slot<T>::no_source && !slots_[alias].watched;
         alias = slots_[alias].source)
      if (shared(slots_[slots_[alias].source]))
        throw TapeError(
            "gradient: the memory of this slice or reshape is shared with other readers of its source; call "
            "tape.watch() on it before backward()");
  std::copy(slot.gradient, slot.gradient + slot.size, result.data());
  return result;
}

template class Sweep<float>;
template class Sweep<double>;

}  // namespace autograd
