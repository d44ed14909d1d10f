#include "autograd/tape.hpp"

#include <algorithm>
#include <bit>

#include "autograd/apply.hpp"
#include "autograd/error.hpp"
#include "autograd/kernels/packed_product.hpp"
#include "autograd/kernels/run.hpp"
#include "autograd/ops/shape.hpp"

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

/// Why nothing is recorded after assign().
constexpr Closing assigned{
    "record",
    "leaves were assigned after others had been computed from them, and these have the values of before; call replay() "
    "first, or clear the tape and record again"};

/// No tape is ever in it.
constexpr std::uint32_t taken_generation = 0;

constexpr OpInfo variable_info{.name = "variable", .inputs = 0};
constexpr OpInfo constant_info{.name = "constant", .inputs = 0};
constexpr OpInfo parameter_info{.name = "parameter", .inputs = 0};
constexpr OpInfo drawn_info{.name = "drawn", .inputs = 0, .replayable = false};

template <class T>
void keep_value(const void*, const ForwardCall<T>&) {}

/// Leaves have nothing to run.
template <class T, const OpInfo& info>
constexpr OpTable<T> leaf_table{&info,   info.replayable ? &keep_value<T> : nullptr, nullptr, nullptr,
                                nullptr, [](const void*) { return std::string(); }};

}  // namespace

void throw_empty_handle(const char* op) {
  throw TapeError(std::string(op) + ": a default-constructed variable refers to nothing; record it on a tape first");
}

void throw_closed(const Closing& closing) { throw TapeError(std::string(closing.who) + ": " + closing.why); }

namespace detail {
void throw_gradient_shape(const char* op, std::size_t input, const Shape& gradient, const Shape& expected) {
  throw ShapeError(std::string(op) + ": the vjp gave input " + std::to_string(input) + " a gradient of shape " +
                   to_string(gradient) + ", the input has " + to_string(expected) + "; they must be equal");
}
}  // namespace detail

template <class T>
Tape<T>::Tape() {
  rewound_.reserve(2);  // for a clear() without marks
}

template <class T>
Variable<T> Tape<T>::leaf(const T* data, const Shape& shape, bool needs_gradient) {
  const Use use(*this, needs_gradient ? "variable" : "constant");
  const SlotId id = new_slot(keep(shape), shape.elements(), needs_gradient);
  std::copy(data, data + shape.elements(), slots_[id].value);
  push_step(needs_gradient ? &leaf_table<T, variable_info> : &leaf_table<T, constant_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Tape<T>::constant(const Shape& shape, T value) {
  const Use use(*this, "constant");
  const SlotId id = new_slot(keep(shape), shape.elements(), false);
  std::fill_n(slots_[id].value, slots_[id].size, value);
  push_step(&leaf_table<T, constant_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Tape<T>::drawn(const Shape& shape) {
  const Use use(*this, "drawn");
  const SlotId id = new_slot(keep(shape), shape.elements(), false);
  push_step(&leaf_table<T, drawn_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Tape<T>::bind(const std::shared_ptr<ParameterState<T>>& parameter) {
  const Use use(*this, "parameter");
  const std::size_t bound =
      parameters_.find(reinterpret_cast<std::size_t>(parameter.get()),
                       [version = parameter->version](const Binding& binding) { return binding.version == version; });
  if (bound != parameters_.none) return handle(parameters_[bound].slot);
  const Shape* shape = keep(shape_of(parameter->value));
  const SlotId id = push_slot(parameter->value.data(), shape, shape->elements(), true, Slot<T>::no_source);
  slots_[id].parameter = true;
  parameters_.push_back({parameter, id, parameter->version});
  push_step(&leaf_table<T, parameter_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
auto Tape<T>::binding_of(SlotId id) const -> const Binding* {
  return std::lower_bound(parameters_.begin(), parameters_.end(), id,
                          [](const Binding& binding, SlotId slot) { return binding.slot < slot; });
}

template <class T>
void Tape<T>::keep_call_site() {
  call_sites_.resize(steps_.size());  // those of steps that were rewound are forgotten
  call_sites_.resize(steps_.size() + 1);
  call_sites_.back() = autograd::call_site();
}

template <class T>
const T* Tape<T>::packed(SlotId id, bool transpose, bool now) {
  const Slot<T>& matrix = slots_[id];
  const std::size_t k = (*matrix.shape)[transpose ? 1 : 0], n = (*matrix.shape)[transpose ? 0 : 1];
  if (!transpose && kernels::is_packed(n, static_cast<const T*>(matrix.value))) return matrix.value;
  SlotId source = id;
  while (slots_[source].source != Slot<T>::no_source) source = slots_[source].source;
  Packed fresh{id, source, transpose, nullptr, 0, matrix.value};
  std::size_t index = packed_.find(fresh.key(), [&](const Packed& p) {
    return p.source == source && p.transpose == transpose &&
           (p.slot == id || (slots_[p.slot].value == matrix.value && *slots_[p.slot].shape == *matrix.shape));
  });
  if (index == packed_.none) {
    index = packed_.size();
    packed_.push_back(fresh);
    if (!now && !repeat_) return nullptr;
  }
  Packed& entry = packed_[index];
  if (!entry.values) {
    T* const values = values_.template allocate<T>(kernels::packed_size<T>(k, n));
    made_.push_back(index);
    entry.values = values;
    entry.made_at = slots_.size();
    pack(entry);
  }
  return entry.values;
}

template <class T>
void Tape<T>::pack(const Packed& entry) {
  const Shape& shape = *slots_[entry.slot].shape;
  const bool transpose = entry.transpose;
  kernels::pack(transpose, shape[transpose ? 1 : 0], shape[transpose ? 0 : 1],
                static_cast<const T*>(slots_[entry.slot].value), entry.values);
}

template <class T>
typename Tape<T>::Mark Tape<T>::mark() const {
  // Rewinding takes no memory, which might not be there.
  if (rewound_.capacity() < rewound_.size() + 2) rewound_.reserve(2 * rewound_.size() + 8);
  return {steps_.size(), slots_.size(),  inputs_.size(),     parameters_.size(), covers_.size(), series_.size(),
          names_.size(), packed_.size(), values_.position(), small_.position(),  this,           time_};
}

/// Whether everything recorded before the mark is still there.
template <class T>
bool Tape<T>::holds(const Mark& mark) const {
  const auto since = std::lower_bound(rewound_.begin(), rewound_.end(), mark.time,
                                      [](const Rewound& r, std::uint64_t time) { return r.time < time; });
  return since == rewound_.end() || mark.slots <= since->slots;
}

template <class T>
bool Tape<T>::may_rewind(const Mark& mark) const {
  return mark.slots >= floor() && holds(mark);
}

template <class T>
void Tape<T>::rewind(const Mark& mark) {
  const Use use(*this, "rewind");
  if (mark.tape && mark.tape != this)
    throw TapeError("rewind: the mark was set on another tape; rewind that one to it");
  if (mark.slots < floor()) throw_running("rewind");
  if (!holds(mark))
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
  if (mark.slots <= swept_output_ && !no_gradients_)
    no_gradients_ = "the tape was rewound to before the loss of the last backward(); sweep again";
  // Marks beyond this one are no good any more. Which were, earlier, need not be known where this says more.
  while (!rewound_.empty() && rewound_.back().slots >= mark.slots) rewound_.pop_back();
  rewound_.push_back({time_++, mark.slots});
  ++generation_;
}

template <class T>
void Tape<T>::throw_running(const char* op) const {
  const std::string what = running_ ? running_ : std::string("the forward of ") + slots_.closing()->who;
  throw TapeError(std::string(op) + ": " + what +
                  " is under way on this tape; hooks and rules may record and read values, but not sweep, replay, " +
                  "assign, watch, read gradients, or rewind to before they were called: do that when it is over");
}

// What is undefined, where asserts are on.

template <class T>
void Tape<T>::check_alive(const char* op) const {
  if (alive_ != life)
    throw TapeError(std::string(op) + ": the tape of this variable is gone; keep values with .copy(), or the tape");
}

/// Whether the tape becomes this thread's; false where it is already.
template <class T>
bool Tape<T>::enter(const char* op) const {
  static thread_local const char here = 0;
  const void* user = nullptr;
  if (user_.compare_exchange_strong(user, &here)) return true;
  if (user != &here)
    throw TapeError(std::string(op) + ": the tape is in use by another thread; give each thread a tape of its own");
  return false;
}

// Repetitions.

template <class T>
Tape<T>::Repeat::Repeat(Tape& tape, std::size_t count)
    : tape_(tape), outer_(tape.repeat_), id_(++tape.repeats_), count_(count), first_(tape.series_.size()) {
  if (count >= Slot<T>::no_source)
    throw ValueError("repeat: " + std::to_string(count) + " times are more than a tape has values; say how often " +
                     "begin() will be called");
  tape.repeat_ = this;
}

template <class T>
void Tape<T>::Repeat::begin(std::size_t t) {
  if (t >= count_)
    throw ValueError("repeat: begin(" + std::to_string(t) + ") of " + std::to_string(count_) +
                     " times; they are 0 ... " + std::to_string(count_) + " - 1");
  Repeat* active = tape_.repeat_;
  while (active && active != this) active = active->outer_;
  if (!active) return;
  if (times_.empty()) {
    times_ = tape_.template list<std::uint64_t>(count_ / 64 + 1);
    std::fill(times_.begin(), times_.end(), 0);
  }
  const std::uint64_t bit = std::uint64_t(1) << t % 64;
  if (times_[t / 64] & bit)
    throw ValueError("repeat: begin(" + std::to_string(t) +
                     ") for a second time, whose values would go over those of the first; each time is there once");
  times_[t / 64] |= bit;
  time_ = t;
  next_ = 0;
  ++begun_;
}

template <class T>
void Tape<T>::Repeat::end() {
  for (Repeat** link = &tape_.repeat_; *link; link = &(*link)->outer_)
    if (*link == this) {
      *link = outer_;
      return;
    }
}

template <class T>
void Tape<T>::throw_handle(const char* op, Variable<T> x) const {
  if (!x) throw_empty_handle(op);
  if (&x.tape() != this)
    throw TapeError(std::string(op) + ": the operands are on different tapes; record all of them on one tape");
  if (x.slot() < slots_.size() && slots_[x.slot()].generation == taken_generation)
    throw TapeError(std::string(op) +
                    ": the variable was donated, and an op wrote over its memory; keep its value with " +
                    ".copy(), or do not donate() it");
  throw TapeError("variable used after its tape was cleared (recorded in generation " + std::to_string(x.generation()) +
                  ", tape is at " + std::to_string(generation_) + "); keep values with .copy(), or record again");
}

template <class T>
std::vector<Variable<T>> Tape<T>::find(std::string_view name) {
  std::vector<Variable<T>> found;
  for (const Name& entry : names_)
    if (entry.text == name && slots_[entry.slot].generation != taken_generation) found.push_back(handle(entry.slot));
  return found;
}

template <class T>
std::string_view Tape<T>::name_of(SlotId id) const {
  const std::size_t found = names_.find(id, [](const Name&) { return true; });
  return found == names_.none ? std::string_view() : names_[found].text;
}

/// The first time round allocates for all times, unless their values go over the slices of one value; later ones find
/// their places in the same order.
template <class T>
auto Tape<T>::repeated_place(std::size_t size, const Slot<T>* over) -> Place {
  Repeat& repeat = *repeat_;
  const std::size_t index = repeat.first_ + repeat.next_++, offset = repeat.time_ * size;
  if (repeat.begun_ == 1 && index == series_.size()) {
    T* values = nullptr;
    if (size > ~std::size_t(0) / sizeof(T) / repeat.count_) {
      // No memory is that large.
    } else if (!over) {
      values = values_.template allocate<T>(size * repeat.count_);
    } else if (over->source != Slot<T>::no_source) {
      const Slot<T>& whole = slots_[over->source];
      if (whole.size == size * repeat.count_ && over->value == whole.value + offset) values = whole.value;
    }
    series_.push_back({values, nullptr, size, repeat.count_, repeat.id_, 0, 0, over != nullptr});
  }
  const bool in_series = repeat.begun_ > 0 && index < series_.size() && series_[index].size == size &&
                         series_[index].repeat == repeat.id_ && series_[index].values &&
                         series_[index].over == (over != nullptr) &&
                         (!over || over->value == series_[index].values + offset);
  T* const value = over ? over->value : in_series ? series_[index].values + offset : values_.template allocate<T>(size);
  return {value, in_series ? static_cast<std::uint32_t>(index + 1) : 0};
}

// Values that were donated. Their slots belong to no generation, so that no handle fits them any more.

/// Whether a value can be computed again.
template <class T>
bool Tape<T>::computed(SlotId id) const {
  const Step<T>* step = steps_.end() - 1;
  if (id < step->first_output)
    step = std::upper_bound(steps_.begin(), step, id,
                            [](SlotId slot, const Step<T>& s) { return slot < s.first_output; }) -
           1;
  return step->input_count > 0 && step->op->forward != nullptr;
}

template <class T>
bool Tape<T>::take(SlotId id, std::span<const SlotId> operands) {
  Slot<T>& slot = slots_[id];
  const SlotId root = slot.source == Slot<T>::no_source ? id : slot.source;
  Slot<T>& whole = slots_[root];
  if (!slot.needs_gradient || slot.consumed || slot.watched || slot.aliases || sweeping_ || watches_names() ||
      slots_.closing())
    return false;
  if (root != id) {
    if (whole.source != Slot<T>::no_source || whole.consumed || whole.watched || whole.aliases == 0 ||
        !covers_[whole.aliases - 1].disjoint)
      return false;
  }
  for (const SlotId other : operands)
    if (other != id && slots_[other].value < slot.value + slot.size &&
        slot.value < slots_[other].value + slots_[other].size)
      return false;
  if (!whole.donated) {
    if (whole.foreign || whole.parameter || !computed(root)) return false;
    whole.donated = true;
    whole.generation = taken_generation;
  }
  slot.donated = true;
  slot.generation = taken_generation;
  if (root != id) covers_[whole.aliases - 1].donated += slot.size;
  if (slot.series) ++series_[slot.series - 1].donated;
  donated_ = true;
  return true;
}

/// Runs the steps again that write or read memory that was donated, in their order.
template <class T>
void Tape<T>::compute_donated() {
  for (const Step<T>& step : steps_) {
    if (step.input_count == 0 || slots_[step.first_output].source != Slot<T>::no_source) continue;
    bool concerned = false;
    for (std::uint32_t k = 0; k < step.output_count; ++k) concerned |= slots_[step.first_output + k].donated;
    for (std::uint32_t k = 0; k < step.input_count; ++k) concerned |= slots_[input(step, k)].donated;
    if (concerned) compute(step);
  }
  overwritten_ = false;
}

template <class T>
void Tape<T>::restore() {
  const Use use(*this, "restore");
  if (!donated_) return;
  check_idle("grad");
  overwritten_ = true;  // until all of it is computed
  std::vector<T*> before(slots_.size()), series_before(series_.size(), nullptr);
  for (SlotId id = 0; id < slots_.size(); ++id) {
    Slot<T>& slot = slots_[id];
    before[id] = slot.value;
    if (slot.source != Slot<T>::no_source) {
      slot.value = slots_[slot.source].value + (slot.value - before[slot.source]);
    } else if (slot.donated) {
      if (slot.series && series_[slot.series - 1].donated < series_[slot.series - 1].count) slot.series = 0;
      if (slot.series == 0) {
        slot.value = restored_.template allocate<T>(slot.size);
        continue;
      }
      Series& series = series_[slot.series - 1];
      T*& from = series_before[slot.series - 1];
      if (!from) {
        from = series.values;
        series.values = restored_.template allocate<T>(series.size * series.count);
      }
      slot.value = series.values + (slot.value - from);
    }
  }
  compute_donated();
  for (SlotId id = 0; id < slots_.size(); ++id) slots_[id].donated = false;
  for (std::size_t k = 0; k < series_.size(); ++k) series_[k].donated = 0;
  for (std::size_t k = 0; k < covers_.size(); ++k) covers_[k].donated = 0;
  donated_ = false;
}

// The replay.

template <class T>
void Tape<T>::assign(Variable<T> leaf, const Array<T>& value) {
  const Use use(*this, "assign");
  check_idle("assign");
  const SlotId id = check("assign", leaf);
  const Step<T>* step = std::lower_bound(steps_.begin(), steps_.end(), id,
                                         [](const Step<T>& s, SlotId slot) { return s.first_output < slot; });
  const bool is_leaf = step != steps_.end() && step->first_output == id &&
                       (step->op == &leaf_table<T, variable_info> || step->op == &leaf_table<T, constant_info>);
  if (!is_leaf)
    throw TapeError("assign: this value was computed, or is a Parameter's; only variables and constants take another");
  if (!(shape_of(value) == *slots_[id].shape))
    throw ShapeError("assign: the value has shape " + to_string(shape_of(value)) + ", the recording " +
                     to_string(*slots_[id].shape) + "; record again for other shapes");
  std::copy_n(value.data(), value.size(), slots_[id].value);
  for (; step != steps_.end() && step->first_output < stale_; ++step)
    if (step->input_count > 0) stale_ = step->first_output;
  if (stale()) slots_.close(&assigned);
}

template <class T>
void Tape<T>::check_replay() const {
  for (const Step<T>& step : steps_)
    if (!step.op->forward)
      throw TapeError(std::string("replay: ") +
                      (step.op == &leaf_table<T, drawn_info>
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
  check_idle("replay");
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
    if (step.input_count > 0) compute(step);
    for (; next != order.end() && packed_[*next].source < step.first_output + step.output_count; ++next)
      pack(packed_[*next]);
  }
  for (Binding& binding : parameters_) binding.version = binding.parameter->version;
  overwritten_ = false;
  stale_ = Slot<T>::no_source;
  slots_.close(nullptr);
}

template <class T>
void Tape<T>::compute(const Step<T>& step) {
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

// The sweep.

template <class T>
void Tape<T>::check_binding(const char* op, const Binding& binding) const {
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
void Tape<T>::check_parameters(const char* op) const {
  for (const Binding& binding : parameters_) {
    check_binding(op, binding);
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
void Tape<T>::backward(Variable<T> loss) {
  const SlotId id = check("backward", loss);
  if (slots_[id].size != 1)
    throw ShapeError("backward: the loss must be a scalar, got shape " + to_string(*slots_[id].shape) +
                     "; reduce it with sum() or mean(), or pass an output gradient");
  const T one = 1;
  sweep(id, &one);
}

template <class T>
void Tape<T>::backward_apart(Variable<T> loss) {
  struct Apart {
    bool& on;
    explicit Apart(bool& on) : on(on) { on = true; }
    ~Apart() { on = false; }
  } apart(apart_);
  backward(loss);
}

template <class T>
void Tape<T>::deliver_gradients() {
  const Use use(*this, "deliver_gradients");
  check_idle("deliver_gradients");
  check_parameters("deliver_gradients");
  add_gradients();
}

template <class T>
void Tape<T>::add_gradients() {
  for (const Binding& binding : parameters_) {
    Slot<T>& slot = slots_[binding.slot];
    T* to = binding.parameter->grad.data();
    if (slot.allocated != sweep_ || slot.gradient == to) continue;
    kernels::copy_or_add(static_cast<const T*>(slot.gradient), to, slot.size, true);
    slot.gradient = to;
  }
}

template <class T>
void Tape<T>::backward(Variable<T> output, const Array<T>& output_gradient) {
  const SlotId id = check("backward", output);
  if (!(shape_of(output_gradient) == *slots_[id].shape))
    throw ShapeError("backward: the output gradient has shape " + to_string(shape_of(output_gradient)) +
                     ", the output " + to_string(*slots_[id].shape) + "; they must be equal");
  sweep(id, output_gradient.data());
}

template <class T>
Tape<T>::Sweeping::Sweeping(Tape& tape) : tape(tape), begin(tape.mark()), running(tape, "backward()") {
  tape.sweeping_ = true;
  ++tape.sweep_;
  tape.no_gradients_ = nullptr;
  if (!tape.apart_)
    for (const Binding& binding : tape.parameters_) binding.parameter->sweeping = true;
}

template <class T>
Tape<T>::Sweeping::~Sweeping() {
  tape.sweeping_ = false;
  if (tape.slots_.size() > begin.slots) tape.rewind(begin);
  if (!tape.apart_)
    for (const Binding& binding : tape.parameters_) {
      binding.parameter->sweeping = false;
      const Slot<T>& slot = tape.slots_[binding.slot];
      T* const grad = binding.parameter->grad.data();
      if (!finished && slot.allocated == tape.sweep_ && slot.gradient == grad) fill_zero(grad, slot.size);
    }
  if (!finished) ++tape.sweep_;
}

/// Adds to the parameters what was not stored there at once: nothing can go wrong any more.
template <class T>
void Tape<T>::Sweeping::finish() {
  if (tape.slots_.size() > begin.slots) tape.rewind(begin);
  for (const Binding& binding : tape.parameters_) tape.check_binding("backward", binding);
  if (!tape.apart_) tape.add_gradients();
  finished = true;
}

template <class T>
void Tape<T>::sweep(SlotId output, const T* output_gradient) {
  const Use use(*this, "backward");
  check_idle("backward");
  check_computed("backward");
  if (!slots_[output].needs_gradient)
    throw TapeError(
        "backward: the output depends on no variable and no parameter; record its inputs with tape.variable() or "
        "tape.parameter()");
  check_parameters("backward");
  Sweeping sweeping(*this);
  if (overwritten_) compute_donated();
  swept_output_ = output;
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
void Tape<T>::sweep_aliases(const Step<T>& step) {
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

/// Whether the aliases of a slot are its only readers, disjoint, and together all of it.
template <class T>
bool Tape<T>::covered(const Slot<T>& slot) const {
  const AliasCover& cover = covers_[slot.aliases - 1];
  return !slot.consumed && cover.disjoint && cover.elements == slot.size && cover.last <= swept_output_ &&
         cover.zeroed != sweep_;
}

/// Whether the gradient of an alias of this slot may have more in it than what the readers of that alias contributed.
template <class T>
bool Tape<T>::shared(const Slot<T>& slot) const {
  return slot.parameter || slot.consumed || slot.handed == sweep_ || !covers_[slot.aliases - 1].disjoint;
}

/// Gives a slot, and before it every slot whose memory it shares, gradient memory.
template <class T>
void Tape<T>::prepare(SlotId id) {
  for (SlotId up = id; slots_[up].allocated != sweep_; up = slots_[up].source) {
    pending_.push_back(up);
    if (slots_[up].source == Slot<T>::no_source || slots_[up].watched) break;
  }
  for (; !pending_.empty(); pending_.pop_back()) allocate_gradient(pending_.back());
}

/// Zeroed if contributions to its parts may overlap or leave holes.
template <class T>
void Tape<T>::allocate_gradient(SlotId id) {
  Slot<T>& slot = slots_[id];
  if (slot.parameter) {
    // To zeros it is added at once: if the sweep fails, they were zeros.
    T* const grad = apart_ ? nullptr : binding_of(id)->parameter->grad.data();
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
void Tape<T>::allocate_gradients(Series& series) {
  const bool over = series.donated == series.count;
  series.gradients = over ? series.values : gradients_.template allocate<T>(series.size * series.count);
  series.allocated = sweep_;
  overwritten_ |= over;
}

/// The way to gradients whose memory belongs to more than one slot, or not to the tape.
template <class T>
Destination<T> Tape<T>::shared_gradient(SlotId id) {
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
void Tape<T>::pass_gradient(SlotId from, SlotId to) {
  if (borrow_gradient(slots_[from], slots_[to])) return;
  const Destination<T> target = gradient_into(to);
  kernels::copy_or_add(static_cast<const T*>(slots_[from].gradient), target.data, slots_[from].size, target.accumulate);
}

/// Instead of copies: the parts of a value that feed the members of a series, each one, have the same gradient as
/// these, so the whole of it is that of the series. The parts hold it until somebody else contributes.
template <class T>
bool Tape<T>::borrow_gradient(const Slot<T>& from, Slot<T>& to) {
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
void Tape<T>::return_gradient(SlotId source) {
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
bool Tape<T>::hand_gradient_down(const Step<T>& step) {
  Slot<T>& whole = slots_[step.first_output];
  const std::uint32_t index = slots_[input(step, 0)].series;
  if (index == 0 || !whole.foreign || whole.watched || whole.borrowed == sweep_ || keeps_call_sites_) return false;
  Series& series = series_[index - 1];
  if (series.allocated == sweep_ || series.donated > 0 || series.values != whole.value ||
      step.input_count != series.count || whole.size != series.size * series.count)
    return false;
  for (std::size_t k = 0; k < series.count; ++k) {
    const Slot<T>& part = slots_[input(step, k)];
    if (part.series != index || part.watched || !part.needs_gradient) return false;
  }
  for (std::size_t k = 0; k < series.count; ++k) {
    Slot<T>& part = slots_[input(step, k)];
    part.gradient = whole.gradient + (part.value - series.values);
    part.allocated = part.defined = sweep_;
  }
  series.gradients = whole.gradient;
  series.allocated = whole.handed = sweep_;
  return true;
}

template <class T>
T* Tape<T>::joined(std::span<const SlotId> ids) const {
  const Slot<T>& first = slots_[ids[0]];
  for (std::size_t k = 0; k < ids.size(); ++k)
    if (slots_[ids[k]].value != first.value + k * first.size || slots_[ids[k]].size != first.size) return nullptr;
  return first.value;
}

template <class T>
Array<T> Tape<T>::gradient(Variable<T> x) const {
  const SlotId id = check("gradient", x);
  check_idle("gradient");
  const Slot<T>& slot = slots_[id];
  if (no_gradients_) throw TapeError(std::string("gradient: ") + no_gradients_);
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

template <class T>
void Tape<T>::watch(Variable<T> x) {
  const SlotId id = check("watch", x);
  if (id < floor_) throw_running("watch");
  if (slots_[id].parameter) throw TapeError("watch: a Parameter has a gradient of its own; read its grad()");
  slots_[id].watched = true;
  if (slots_[id].source != Slot<T>::no_source) slots_[slots_[id].source].consumed = true;
}

// Handles.

template <class T>
ArrayView<T> Variable<T>::value() const {
  Tape<T>& tape = tape_of("value", *this);
  const Slot<T>& slot = tape.slot(tape.check("value", *this));
  return view<T>(slot.value, *slot.shape);
}

template <class T>
Array<T> Variable<T>::copy() const {
  Tape<T>& tape = tape_of("copy", *this);
  const Slot<T>& slot = tape.slot(tape.check("copy", *this));
  Array<T> result = make_array<T>(*slot.shape);
  std::copy(slot.value, slot.value + slot.size, result.data());
  return result;
}

template <class T>
T Variable<T>::item() const {
  Tape<T>& tape = tape_of("item", *this);
  const Slot<T>& slot = tape.slot(tape.check("item", *this));
  if (slot.size != 1)
    throw ShapeError("item: the array has shape " + to_string(*slot.shape) +
                     ", not one element; use value() or copy()");
  return *slot.value;
}

template class Variable<float>;
template class Variable<double>;
template Variable<float> beside(Variable<float>, Parameter<float>&, const char*);
template Variable<double> beside(Variable<double>, Parameter<double>&, const char*);
template class Tape<float>;
template class Tape<double>;

}  // namespace autograd
