#include "autograd/tape.hpp"

#include <algorithm>

#include "autograd/apply.hpp"
#include "autograd/error.hpp"
#include "autograd/kernels/packed_product.hpp"
#include "autograd/kernels/run.hpp"

namespace autograd {

namespace {

template <class T>
void fill_zero(T* data, std::size_t size) {
  std::fill(data, data + size, T(0));
}

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

namespace detail {
void throw_gradient_shape(const char* op, std::size_t input, const Shape& gradient, const Shape& expected) {
  throw ShapeError(std::string(op) + ": the vjp gave input " + std::to_string(input) + " a gradient of shape " +
                   to_string(gradient) + ", the input has " + to_string(expected) + "; they must be equal");
}
}  // namespace detail

template <class T>
Tape<T>::Tape() = default;

template <class T>
Variable<T> Tape<T>::leaf(const T* data, const Shape& shape, bool needs_gradient) {
  const SlotId id = new_slot(keep(shape), shape.elements(), needs_gradient);
  std::copy(data, data + shape.elements(), slots_[id].value);
  push_step(needs_gradient ? &leaf_table<T, variable_info> : &leaf_table<T, constant_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Tape<T>::constant(const Shape& shape, T value) {
  const SlotId id = new_slot(keep(shape), shape.elements(), false);
  std::fill_n(slots_[id].value, slots_[id].size, value);
  push_step(&leaf_table<T, constant_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Tape<T>::drawn(const Shape& shape) {
  const SlotId id = new_slot(keep(shape), shape.elements(), false);
  push_step(&leaf_table<T, drawn_info>, nullptr, {}, id);
  return handle(id);
}

template <class T>
Variable<T> Tape<T>::parameter(Parameter<T>& parameter) {
  for (const Binding& binding : parameters_)
    if (binding.parameter == &parameter && binding.version == parameter.version()) return handle(binding.slot);
  const Shape* shape = keep(parameter.shape());
  const SlotId id =
      push_slot(const_cast<T*>(parameter.value().data()), shape, shape->elements(), true, Slot<T>::no_source);
  slots_[id].parameter = true;
  parameters_.push_back({&parameter, id, parameter.version()});
  push_step(&leaf_table<T, parameter_info>, nullptr, {}, id);
  return handle(id);
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
  auto entry = std::find_if(packed_.begin(), packed_.end(), [&](const Packed& p) {
    const Slot<T>& other = slots_[p.slot];
    return p.source == source && p.transpose == transpose &&
           (p.slot == id || (other.value == matrix.value && *other.shape == *matrix.shape));
  });
  if (entry == packed_.end()) {
    entry = packed_.insert(entry, {id, source, transpose, nullptr, 0});
    if (!now && !repeat_) return nullptr;
  }
  if (!entry->values) {
    entry->values = values_.template allocate<T>(kernels::packed_size<T>(k, n));
    entry->made_at = slots_.size();
    pack(*entry);
  }
  return entry->values;
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
  return {steps_.size(), slots_.size(),  inputs_.size(), parameters_.size(), covers_.size(),   series_.size(),
          names_.size(), packed_.size(), generation_,    values_.position(), small_.position()};
}

/// Whether everything recorded before the mark is still there.
template <class T>
bool Tape<T>::holds(const Mark& mark) const {
  return mark.slots <= slots_.size() && mark.steps <= steps_.size() &&
         (mark.slots == 0 || slots_[mark.slots - 1].generation <= mark.generation);
}

template <class T>
void Tape<T>::rewind(const Mark& mark) {
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
  steps_.cut(mark.steps);
  slots_.cut(mark.slots);
  inputs_.cut(mark.inputs);
  parameters_.resize(mark.parameters);
  covers_.cut(mark.aliases);
  series_.cut(mark.series);
  repeat_ = nullptr;
  names_.cut(mark.names);
  packed_.resize(mark.packed);
  for (Packed& entry : packed_)
    if (entry.made_at >= mark.slots) entry.values = nullptr;
  recent_shapes_.fill(nullptr);
  values_.rewind(mark.values);
  small_.rewind(mark.small);
  if (mark.slots == 0) {
    restored_.rewind({});
    donated_ = overwritten_ = false;
  }
  ++generation_;
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
  for (const Name& name : names_)
    if (name.slot == id) return name.text;
  return {};
}

/// The first time round allocates for all times, unless their values go over the slices of one value; later ones find
/// their places in the same order.
template <class T>
SlotId Tape<T>::new_repeated(const Shape* shape, std::size_t size, bool needs_gradient, const Slot<T>* over) {
  Repeat& repeat = *repeat_;
  const std::size_t index = repeat.first_ + repeat.next_++, offset = repeat.time_ * size;
  if (repeat.begun_ == 1 && index == series_.size()) {
    T* values = nullptr;
    if (!over) {
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
  const SlotId id = push_slot(value, shape, size, needs_gradient, Slot<T>::no_source);
  if (in_series) slots_[id].series = static_cast<std::uint32_t>(index + 1);
  return id;
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
  if (!slot.needs_gradient || slot.consumed || slot.watched || slot.aliases || sweeping_ || watches_names())
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
  if (!donated_) return;
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
    const Slot<T>& slot = slots_[binding.slot];
    const bool shaped = binding.parameter->shape() == *slot.shape;
    if (!shaped || binding.parameter->value().data() != slot.value)
      throw TapeError("replay: a parameter of shape " + to_string(*slot.shape) + " is another array now" +
                      (shaped ? std::string() : ", of shape " + to_string(binding.parameter->shape())) +
                      "; write to it through update(), or record again");
  }
}

template <class T>
void Tape<T>::replay() {
  check_replay();
  for (Binding& binding : parameters_) binding.version = binding.parameter->version();
  for (const Step<T>& step : steps_) {
    if (slots_[step.first_output].source != Slot<T>::no_source) continue;
    if (step.input_count > 0) compute(step);
    for (const Packed& entry : packed_)
      if (entry.values && entry.source - step.first_output < step.output_count) pack(entry);
  }
  overwritten_ = false;
}

template <class T>
void Tape<T>::compute(const Step<T>& step) {
  auto& operands = scratch(step.input_count).operands;
  results_.resize(step.output_count);
  for (std::size_t k = 0; k < step.input_count; ++k) {
    const Slot<T>& slot = slots_[input(step, k)];
    operands[k] = {slot.value, slot.shape};
  }
  for (std::uint32_t k = 0; k < step.output_count; ++k) {
    const Slot<T>& slot = slots_[step.first_output + k];
    results_[k] = {slot.value, slot.shape};
  }
  step.op->forward(step.rule, ForwardCall<T>{operands, results_});
}

// The sweep.

template <class T>
void Tape<T>::check_parameters() const {
  for (const Binding& binding : parameters_)
    if (binding.version != binding.parameter->version()) {
      const std::string_view name = name_of(binding.slot);
      throw TapeError("backward: parameter " + (name.empty() ? std::string() : "\"" + std::string(name) + "\" ") +
                      "of shape " + to_string(*slots_[binding.slot].shape) +
                      " was updated after it was recorded (version " + std::to_string(binding.version) + ", now " +
                      std::to_string(binding.parameter->version()) +
                      "); call backward() before the update, or record again");
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
  for (const Binding& binding : parameters_) {
    Slot<T>& slot = slots_[binding.slot];
    T* to = binding.parameter->grad().data();
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
void Tape<T>::sweep(SlotId output, const T* output_gradient) {
  if (!slots_[output].needs_gradient)
    throw TapeError(
        "backward: the output depends on no variable and no parameter; record its inputs with tape.variable() or "
        "tape.parameter()");
  check_parameters();
  if (overwritten_) compute_donated();
  ++sweep_;
  swept_output_ = output;
  products_.forget();
  gradients_.rewind({});
  Sweeping sweeping(*this);
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
  sweeping.finished = true;
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
  if (slot.parameter && !apart_) {
    const auto is_own = [id](const Binding& binding) { return binding.slot == id; };
    slot.gradient = std::find_if(parameters_.begin(), parameters_.end(), is_own)->parameter->grad().data();
    slot.defined = sweep_;
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
  const Slot<T>& slot = slots_[id];
  if (sweep_ == 1) throw TapeError("gradient: no backward() yet; sweep first, or use grad() for a recorded gradient");
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
template class Tape<float>;
template class Tape<double>;

}  // namespace autograd
