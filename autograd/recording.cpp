#include "autograd/recording.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/leaf.hpp"
#include "autograd/tape.hpp"

namespace autograd {

void throw_closed(const Closing& closing) { throw TapeError(std::string(closing.who) + ": " + closing.why); }

template <class T>
Variable<T> Recording<T>::bind(const std::shared_ptr<ParameterState<T>>& parameter) {
  const Use use(*this, "parameter");
  if (const Variable<T> known = bound(parameter)) return known;
  const Shape* shape = keep(shape_of(parameter->value));
  const SlotId id = push_slot(parameter->value.data(), shape, shape->elements(), true, Slot<T>::no_source);
  slots_[id].parameter = true;
  parameters_.push_back({parameter, id, parameter->version});
  push_step(&detail::leaf_table<T, detail::parameter_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Recording<T>::bound(const std::shared_ptr<ParameterState<T>>& parameter) {
  const std::size_t found =
      parameters_.find(reinterpret_cast<std::size_t>(parameter.get()),
                       [version = parameter->version](const Binding& binding) { return binding.version == version; });
  return found == parameters_.none ? Variable<T>() : handle(parameters_[found].slot);
}

template <class T>
auto Recording<T>::binding_of(SlotId id) const -> const Binding* {
  return std::lower_bound(parameters_.begin(), parameters_.end(), id,
                          [](const Binding& binding, SlotId slot) { return binding.slot < slot; });
}

template <class T>
void Recording<T>::keep_call_site() {
  call_sites_.resize(steps_.size());  // those of steps that were rewound are forgotten
  call_sites_.resize(steps_.size() + 1);
  call_sites_.back() = autograd::call_site();
}

template <class T>
std::string_view Recording<T>::name_of(SlotId id) const {
  const std::size_t found = names_.find(id, [](const Name&) { return true; });
  return found == names_.none ? std::string_view() : names_[found].text;
}

template <class T>
T* Recording<T>::joined(std::span<const SlotId> ids) const {
  const Slot<T>& first = slots_[ids[0]];
  for (std::size_t k = 0; k < ids.size(); ++k)
    if (slots_[ids[k]].value != first.value + k * first.size || slots_[ids[k]].size != first.size) return nullptr;
  return first.value;
}

// Marks.

template <class T>
auto Recording<T>::mark() const -> Mark {
  // Rewinding takes no memory, which might not be there.
  if (rewound_.capacity() < rewound_.size() + 2) rewound_.reserve(2 * rewound_.size() + 8);
  return {steps_.size(), slots_.size(),  inputs_.size(),     parameters_.size(), covers_.size(), series_.size(),
          names_.size(), packed_.size(), values_.position(), small_.position(),  this,           time_};
}

template <class T>
bool Recording<T>::holds(std::size_t slots, std::uint64_t since) const {
  const auto first = std::lower_bound(rewound_.begin(), rewound_.end(), since,
                                      [](const Rewound& r, std::uint64_t time) { return r.time < time; });
  return first == rewound_.end() || slots <= first->slots;
}

template <class T>
bool Recording<T>::may_rewind(const Mark& mark) const {
  return mark.slots >= floor() && holds(mark.slots, mark.time);
}

template <class T>
void Recording<T>::rewind(const Mark& mark) {
  const Use use(*this, "rewind");
  if (mark.recording && mark.recording != this)
    throw TapeError("rewind: the mark was set on another tape; rewind that one to it");
  if (mark.slots < floor()) throw_running("rewind");
  if (!holds(mark.slots, mark.time))
    throw TapeError("rewind: the mark was set further on than the tape has reached; it was rewound past it before");
  // A source that stays has lost some of its aliases: from now on it starts from zeros.
  if (mark.slots > 0)
    for (std::size_t id = mark.slots; id < slots_.size(); ++id) {
      const SlotId source = slots_[id].source;
      if (source < mark.slots) {
        slots_[source].consumed = true;
        if (slots_[source].aliases > mark.aliases) slots_[source].aliases = 0;
      }
    }
  for (; !made_.empty() && packed_[made_.back()].made_at >= mark.slots; made_.pop_back())
    packed_[made_.back()].values = nullptr;
  steps_.cut(mark.steps);
  slots_.cut(mark.slots);
  inputs_.cut(mark.inputs);
  parameters_.cut(mark.parameters);
  covers_.cut(mark.aliases);
  series_.cut(mark.series);
  repeat_ = nullptr;
  names_.cut(mark.names);
  packed_.cut(mark.packed);
  recent_shapes_.fill(nullptr);
  values_.rewind(mark.values);
  small_.rewind(mark.small);
  if (mark.slots == 0) {
    restored_.rewind({});
    donated_ = overwritten_ = false;
  }
  if (stale() && mark.slots <= stale_) {
    stale_ = Slot<T>::no_source;
    slots_.close(nullptr);
  }
  // Marks beyond this one are no good any more. Which were, earlier, need not be known where this says more.
  while (!rewound_.empty() && rewound_.back().slots >= mark.slots) rewound_.pop_back();
  rewound_.push_back({time_++, mark.slots});
  ++generation_;
}

// Checks.

template <class T>
void Recording<T>::check_binding(const char* op, const Binding& binding) const {
  const ParameterState<T>& parameter = *binding.parameter;
  const auto named = [&] {
    const std::string_view name = name_of(binding.slot);
    return std::string(op) + ": parameter " + (name.empty() ? std::string() : "\"" + std::string(name) + "\" ") +
           "of shape " + to_string(*slots_[binding.slot].shape);
  };
  if (!parameter.owned)
    throw TapeError(named() + " was destroyed, or an array of another shape assigned to it, after it was recorded; " +
                    "keep it as long as the tape is in use, or record again");
  if (binding.version != parameter.version)
    throw TapeError(named() + " was updated after it was recorded (version " + std::to_string(binding.version) +
                    ", now " + std::to_string(parameter.version) +
                    "); call backward() before the update, or record again");
}

template <class T>
void Recording<T>::throw_handle(const char* op, Variable<T> x) const {
  if (!x) throw_empty_handle(op);
  if (&x.tape().recording() != this)
    throw TapeError(std::string(op) + ": the operands are on different tapes; record all of them on one tape");
  if (x.slot() < slots_.size() && slots_[x.slot()].generation == taken_generation)
    throw TapeError(std::string(op) +
                    ": the variable was donated, and an op wrote over its memory; keep its value with " +
                    ".copy(), or do not donate() it");
  throw TapeError("variable used after its tape was cleared (recorded in generation " + std::to_string(x.generation()) +
                  ", tape is at " + std::to_string(generation_) + "); keep values with .copy(), or record again");
}

template <class T>
void Recording<T>::throw_running(const char* op) const {
  const std::string what = running_ ? running_ : std::string("the forward of ") + slots_.closing()->who;
  throw TapeError(std::string(op) + ": " + what +
                  " is under way on this tape; hooks and rules may record and read values, but not sweep, replay, " +
                  "assign, watch, read gradients, or rewind to before they were called: do that when it is over");
}

// What is undefined, where asserts are on.

template <class T>
void Recording<T>::check_alive(const char* op) const {
  if (alive_ != life)
    throw TapeError(std::string(op) + ": the tape of this variable is gone; keep values with .copy(), or the tape");
}

/// Whether the tape becomes this thread's; false where it is already.
template <class T>
bool Recording<T>::enter(const char* op) const {
  static thread_local const char here = 0;
  const void* user = nullptr;
  if (user_.compare_exchange_strong(user, &here)) return true;
  if (user != &here)
    throw TapeError(std::string(op) + ": the tape is in use by another thread; give each thread a tape of its own");
  return false;
}

template class Recording<float>;
template class Recording<double>;

}  // namespace autograd
