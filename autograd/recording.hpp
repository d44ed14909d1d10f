// Recording: the slots and steps of a tape, as the author of an op sees them. Users of the library need none of it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "autograd/arena.hpp"
#include "autograd/call_site.hpp"
#include "autograd/keyed_list.hpp"
#include "autograd/log.hpp"
#include "autograd/op.hpp"
#include "autograd/parameter.hpp"
#include "autograd/variable.hpp"

namespace autograd {

template <class T>
class Repeat;
template <class T>
struct CompiledFunction;

/// One value. Its storage is its own, or part of the storage of `source` (reshape, leading-axis slices).
template <class T>
struct Slot {
  static constexpr SlotId no_source = ~SlotId(0);

  T* value;
  T* gradient;
  const Shape* shape;
  std::size_t size;
  std::uint32_t generation;
  SlotId source;
  std::uint32_t allocated;  ///< the last sweep in which `gradient` had memory
  std::uint32_t defined;    ///< the last sweep in which that memory held a gradient
  std::uint32_t aliases;    ///< index of its AliasCover plus one, 0 without aliases
  std::uint32_t series;     ///< index of its Series plus one, 0 outside of repetitions
  std::uint32_t borrowed;   ///< the last sweep in which `gradient` was that of another value, equal so far
  std::uint32_t handed;     ///< the last sweep in which `gradient` became those of its parts
  bool needs_gradient;
  bool consumed;   ///< read by something else than an alias
  bool parameter;  ///< its value is a Parameter's
  bool watched;    ///< its gradient has memory of its own
  bool foreign;    ///< its memory is kept by somebody else
  bool donated;    ///< its value was written over, and so will be its gradient
};

/// One application of an op.
template <class T>
struct Step {
  const OpTable<T>* op;
  const void* rule;
  std::uint32_t first_input;
  std::uint32_t input_count;
  SlotId first_output;
  std::uint32_t output_count;
};

/// Why a tape is closed while an op computes.
inline constexpr const char* in_forward =
    "an op may not record on its tape in its own forward; compute numbers there, and record what it is made of where "
    "it is called";

/// The values of a tape and the steps that made them, in creation order; `tape.recording()`. To record an op is to
/// check its operands, take a place for each result, compute there, and push slots and a step:
///
///     const typename Recording<T>::Place place = recording.place(size);
///     compute(recording.slot(input).value, place.value);
///     const SlotId output = recording.new_slot(place, shape, size, needs_gradient);
///     recording.push_step(&table, recording.keep(rule), {&input, 1}, output);
///     return recording.handle(output);
///
/// apply() does this for any rule.
template <class T>
class Recording {
 public:
  struct Mark {
    std::size_t steps, slots, inputs, parameters, aliases, series, names, packed;
    ValueArena::Position values;
    SmallArena::Position small;
    const Recording* recording;
    std::uint64_t time;  ///< how often the tape had been rewound
  };

  /// Rewinds to where the tape was, at the end of a block; nothing happens if it was rewound further meanwhile.
  class Scope {
   public:
    explicit Scope(Recording& recording) : recording_(recording), mark_(recording.mark()) {}
    ~Scope() {
      if (recording_.may_rewind(mark_)) recording_.rewind(mark_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Recording& recording_;
    Mark mark_;
  };

  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  Mark mark() const;
  void rewind(const Mark& mark);

  // Checks.

  /// The slot of a handle. Throws TapeError, naming `op`, for a stale or foreign handle.
  [[gnu::always_inline]] SlotId check(const char* op, Variable<T> x) const {
#ifndef NDEBUG
    if (x) x.tape().recording().check_alive(op);
#endif
    if (x && &x.tape().recording() == this && x.slot() < slots_.size() && slots_[x.slot()].generation == x.generation())
        [[likely]]
      return x.slot();
    throw_handle(op, x);
  }
  /// Throws TapeError while a sweep or a replay is under way, or an op computes.
  void check_idle(const char* op) const {
    if (running_ || (slots_.closing() && !stale())) throw_running(op);
  }
  /// Throws TapeError if leaves were assigned that others were computed from, without a replay().
  void check_computed(const char* op) const {
    if (stale()) throw_closed({op, slots_.closing()->why});
  }
  /// Throws TapeError for a Parameter, or a part of one, that was updated since it was recorded: what was packed of it,
  /// say, is no longer its value.
  void check_current(const char* op, SlotId id) const {
    while (slots_[id].source != Slot<T>::no_source) id = slots_[id].source;
    if (slots_[id].parameter) check_binding(op, *binding_of(id));
  }

  /// While one lives, sweeps, replays and rewinding below what there was at its beginning are refused.
  class Running {
   public:
    Running(Recording& recording, const char* what)
        : recording_(recording), before_(recording.running_), floor_(recording.floor_) {
      recording.running_ = what;
      recording.floor_ = recording.slots_.size();
    }
    ~Running() {
      recording_.running_ = before_;
      recording_.floor_ = floor_;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Recording& recording_;
    const char* before_;
    std::size_t floor_;
  };
  /// While one lives, nothing can be recorded.
  class Closed {
   public:
    /// `closing` has to be there as long.
    Closed(Recording& recording, const Closing& closing) : slots_(recording.slots_), before_(slots_.closing()) {
      slots_.close(&closing);
    }
    ~Closed() { slots_.close(before_); }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;

   private:
    Log<Slot<T>>& slots_;
    const Closing* before_;
  };
  /// Where asserts are on: while one lives, the tape is this thread's. Throws TapeError if it is another one's.
  class Use {
   public:
    // Inlined, so that a program may have asserts where the library has none.
#ifdef NDEBUG
    [[gnu::always_inline]] Use(const Recording&, const char*) {}
#else
    [[gnu::always_inline]] Use(const Recording& recording, const char* op)
        : recording_(recording.enter(op) ? &recording : nullptr) {}
    [[gnu::always_inline]] ~Use() {
      if (recording_) recording_->user_ = nullptr;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const Recording* recording_;
#endif
  };

  // What there is.

  const Slot<T>& slot(SlotId id) const { return slots_[id]; }
  std::size_t slot_count() const { return slots_.size(); }
  const Step<T>& step(std::size_t index) const { return steps_[index]; }
  std::size_t step_count() const { return steps_.size(); }
  SlotId input(const Step<T>& step, std::size_t k) const { return inputs_[step.first_input + k]; }
  Variable<T> handle(SlotId id) { return {static_cast<Tape<T>*>(this), id, slots_[id].generation}; }
  /// The last step of an op, among the last few recorded, for which `same(step)`; null if there is none. What a step
  /// of a sequence had to find out about shapes, the one of the time before has found out.
  template <class Same>
  [[gnu::always_inline]] const Step<T>* recent(const OpTable<T>* op, Same same) const {
    constexpr std::size_t few = 16;
    const Step<T>* step = steps_.end();
    const Step<T>* const first = step - std::min(few, steps_.size());
    while (step != first)
      if ((--step)->op == op && same(*step)) return step;
    return nullptr;
  }
  /// The name given to a slot, or an empty string.
  std::string_view name_of(SlotId id) const;
  /// Where step(index) was recorded; null where it was not kept.
  const CallSite* call_site(std::size_t index) const {
    return index < call_sites_.size() && call_sites_[index][0] ? &call_sites_[index] : nullptr;
  }
  /// Whether what is made of several ops has to be recorded as such, one by one.
  bool op_by_op() const { return op_by_op_; }
  /// Where pointwise functions that are recorded so leave what was compiled of them; null if nobody asks for it.
  std::vector<CompiledFunction<T>>* compiled_functions() const { return compiled_functions_; }
  void collect_compiled_functions(std::vector<CompiledFunction<T>>* to) { compiled_functions_ = to; }
  /// The parameters recorded so far, in their order.
  std::size_t parameter_count() const { return parameters_.size(); }
  SlotId parameter_slot(std::size_t index) const { return parameters_[index].slot; }
  /// The index-th parameter of another tape, as a leaf of this one.
  Variable<T> parameter_of(const Recording& other, std::size_t index) {
    return bind(other.parameters_[index].parameter);
  }
  /// Whether a slot is that parameter.
  bool is_parameter_of(SlotId id, const Recording& other, std::size_t index) const {
    return index < other.parameters_.size() && slots_[id].parameter &&
           binding_of(id)->parameter == other.parameters_[index].parameter;
  }

  // What a step keeps.

  /// A rule, shape or list of a step, copied to where it lives as long as the step.
  template <class U>
  const U* keep(const U& object) {
    static_assert(std::is_trivially_destructible_v<U>,
                  "a rule must be trivially destructible: keep its arrays with recording().keep(std::span)");
    return new (small_.template allocate<U>(1)) U(object);
  }
  template <class U>
  std::span<const U> keep(std::span<const U> values) {
    U* copy = small_.template allocate<U>(values.size());
    std::copy(values.begin(), values.end(), copy);
    return {copy, values.size()};
  }
  /// A shape, shared with others kept lately: most steps repeat one.
  const Shape* keep(const Shape& shape) {
    for (const Shape* recent : recent_shapes_)
      if (recent && *recent == shape) return recent;
    const Shape* kept = new (small_.template allocate<Shape>(1)) Shape(shape);
    recent_shapes_[next_recent_++ % recent_shapes_.size()] = kept;
    return kept;
  }
  /// A rule made where it is kept, to be completed.
  template <class U, class... Members>
  U& emplace(const Members&... members) {
    static_assert(std::is_trivially_destructible_v<U>);
    return *new (small_.template allocate<U>(1)) U{members...};
  }
  /// An uninitialised list that lives as long as what is recorded next.
  template <class U>
  std::span<U> list(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<U>);
    return {small_.template allocate<U>(count), count};
  }
  /// Uninitialised memory that a rule keeps between forward and backward.
  T* room(std::size_t count) { return values_.template allocate<T>(count); }
  /// A matrix value, or its transpose, packed for kernels::packed_product(); made `now`, in a repetition, or at the
  /// second request, null at the first: it pays where it is read again and again.
  const T* packed(SlotId id, bool transpose, bool now);

  struct Scratch {
    std::vector<SlotId> ids;
    std::vector<const Shape*> shapes;
    std::vector<Operand<const T>> operands;
  };
  /// Room for `count` inputs of the op being recorded.
  Scratch& scratch(std::size_t count) {
    if (slots_.closing()) throw_closed(*slots_.closing());  // the op that computes is reading it
    scratch_.ids.resize(count);
    scratch_.shapes.resize(count);
    scratch_.operands.resize(count);
    return scratch_;
  }

  // New values.

  /// Uninitialised memory for a value.
  struct Place {
    T* value;
    std::uint32_t series;  ///< as in Slot
  };
  Place place(std::size_t size) {
    if (repeat_) return repeated_place(size, nullptr);
    return {values_.template allocate<T>(size), 0};
  }
  /// A slot there.
  SlotId new_slot(Place at, const Shape* shape, std::size_t size, bool needs_gradient) {
    return push_slot(at.value, shape, size, needs_gradient, Slot<T>::no_source, at.series);
  }
  /// A slot with uninitialised memory of its own.
  SlotId new_slot(const Shape* shape, std::size_t size, bool needs_gradient) {
    return new_slot(place(size), shape, size, needs_gradient);
  }
  /// A slot inside the memory of `source`, from element `offset` on.
  SlotId new_alias(SlotId source, std::size_t offset, const Shape* shape, std::size_t size) {
    T* begin = slots_[source].value + offset;
    T* end = begin + size;
    if (sweeping_) return push_slot(begin, shape, size, false, Slot<T>::no_source);
    const SlotId id = push_slot(begin, shape, size, slots_[source].needs_gradient, source);
    Slot<T>& from = slots_[source];
    if (from.needs_gradient) {
      if (from.aliases == 0) {
        covers_.push_back({begin, begin, 0, 0, true, 0, 0});
        from.aliases = static_cast<std::uint32_t>(covers_.size());
      }
      AliasCover& cover = covers_[from.aliases - 1];
      cover.disjoint &= begin >= cover.end || end <= cover.begin;
      cover.begin = std::min(cover.begin, begin);
      cover.end = std::max(cover.end, end);
      cover.elements += size;
      cover.last = id;
    }
    return id;
  }
  /// A slot on the memory of `source` that passes no gradient.
  SlotId new_detached(SlotId source) {
    const Slot<T>& from = slots_[source];
    return push_foreign(from.value, from.shape, from.size, false);
  }
  /// The memory in which these values lie one after the other, none if they do not.
  T* joined(std::span<const SlotId> ids) const;
  /// A slot on memory that other slots of this tape keep.
  SlotId new_joined(T* values, const Shape* shape, std::size_t size, bool needs_gradient) {
    return push_foreign(values, shape, size, needs_gradient);
  }
  /// A constant on memory that somebody else keeps alive.
  Variable<T> borrow(Operand<const T> operand) {
    return handle(push_foreign(const_cast<T*>(operand.data), operand.shape, operand.size(), false));
  }
  void push_step(const OpTable<T>* op, const void* rule, std::span<const SlotId> inputs, SlotId first_output,
                 std::uint32_t output_count = 1) {
    const bool reads = slots_[first_output].source == Slot<T>::no_source && !sweeping_;
    const std::uint32_t first_input = static_cast<std::uint32_t>(inputs_.size());
    for (const SlotId id : inputs) {
      slots_[id].consumed |= reads;
      inputs_.push_back(id);
    }
    if (keeps_call_sites_) keep_call_site();
    steps_.push_back({op, rule, first_input, static_cast<std::uint32_t>(inputs.size()), first_output, output_count});
  }

  // Donated values.

  /// Takes away the value of one operand, see donate(): what asks may write over its memory. False, and nothing
  /// happens, if somebody else may read that, or another operand lies there.
  bool take(SlotId id, std::span<const SlotId> operands);
  /// A slot on the memory that was taken from another, and needs a gradient as that did.
  SlotId new_over(SlotId taken, const Shape* shape, std::size_t size) {
    slots_[taken].foreign = true;
    if (slots_[taken].source != Slot<T>::no_source)
      covers_[slots_[slots_[taken].source].aliases - 1].donated -= size;  // its gradient can not lie there, too
    if (repeat_) return new_slot(repeated_place(size, &slots_[taken]), shape, size, true);
    return push_slot(slots_[taken].value, shape, size, true, Slot<T>::no_source);
  }
  /// Computes what was taken once more, each value in memory of its own, so that rules may read all of them.
  void restore();

 protected:
  struct Binding {
    std::shared_ptr<ParameterState<T>> parameter;
    SlotId slot;
    std::uint64_t version;
    std::size_t key() const { return reinterpret_cast<std::size_t>(parameter.get()); }
  };
  /// What of a slot its aliases cover, and whether they may store instead of add.
  struct AliasCover {
    T* begin;
    T* end;
    std::size_t elements;
    SlotId last;
    bool disjoint;
    std::uint32_t zeroed;  ///< the sweep in which the source has to start from zeros
    std::size_t donated;   ///< elements of aliases that were
  };
  /// The memory of counterparts: `count` values of `size` elements, one after the other.
  struct Series {
    T* values;
    T* gradients;
    std::size_t size;
    std::size_t count;
    std::uint32_t repeat;     ///< which repetition it belongs to
    std::uint32_t allocated;  ///< the last sweep in which `gradients` had memory
    std::size_t donated;      ///< how many of the values were
    bool over;                ///< whether they lie in memory of values that were
  };
  struct Packed {
    SlotId slot;    ///< the first of those with this memory and shape
    SlotId source;  ///< whose memory it is
    bool transpose;
    T* values;
    std::size_t made_at;  ///< number of slots then
    const T* memory;      ///< of the first of those, then
    std::size_t key() const { return reinterpret_cast<std::size_t>(memory); }
  };
  struct Name {
    SlotId slot;
    std::string_view text;
    std::size_t key() const { return slot; }
  };
  /// The tape was rewound to so many slots when it had been so often before.
  struct Rewound {
    std::uint64_t time;
    std::size_t slots;
  };

  Recording() { rewound_.reserve(2); }  // for a clear() without marks
  ~Recording() { alive_ = 0; }

  SlotId push_slot(T* value, const Shape* shape, std::size_t size, bool needs_gradient, SlotId source,
                   std::uint32_t series = 0) {
    slots_.push_back({value, nullptr, shape, size, generation_, source, 0, 0, 0, series, 0, 0, needs_gradient, false,
                      false, false, false, false});
    return static_cast<SlotId>(slots_.size() - 1);
  }
  SlotId push_foreign(T* value, const Shape* shape, std::size_t size, bool needs_gradient) {
    const SlotId id = push_slot(value, shape, size, needs_gradient, Slot<T>::no_source);
    slots_[id].foreign = true;
    return id;
  }
  [[gnu::noinline]] Place repeated_place(std::size_t size, const Slot<T>* over);
  Variable<T> bind(const std::shared_ptr<ParameterState<T>>& parameter);
  Variable<T> bound(const std::shared_ptr<ParameterState<T>>& parameter);
  const Binding* binding_of(SlotId id) const;
  void check_binding(const char* op, const Binding& binding) const;
  void keep_call_site();
  bool stale() const { return stale_ != Slot<T>::no_source; }
  /// Whether the first `slots` are those that were there when the tape had been rewound `since` times.
  bool holds(std::size_t slots, std::uint64_t since) const;
  bool may_rewind(const Mark& mark) const;
  std::size_t floor() const { return slots_.closing() && !stale() ? slots_.size() : floor_; }
  [[noreturn]] void throw_handle(const char* op, Variable<T> x) const;
  [[noreturn]] void throw_running(const char* op) const;
  void check_alive(const char* op) const;
  bool enter(const char* op) const;
  /// Runs a step's forward again, on what its inputs are now.
  void compute(const Step<T>& step);
  bool computed(SlotId id) const;
  void compute_donated();
  void pack(const Packed& entry);

  static constexpr std::uint32_t taken_generation = 0;  ///< of slots that were donated; no tape is ever in it

  Log<Slot<T>> slots_;
  Log<Step<T>> steps_;
  Log<SlotId> inputs_;
  KeyedList<Binding> parameters_;  ///< in the order of their slots
  Log<AliasCover> covers_;
  Log<Series> series_;
  Repeat<T>* repeat_ = nullptr;
  std::uint32_t repeats_ = 0;
  KeyedList<Name> names_;
  std::vector<std::string_view> watched_names_;
  bool op_by_op_ = false;
  std::vector<CompiledFunction<T>>* compiled_functions_ = nullptr;
  KeyedList<Packed> packed_;
  std::vector<std::size_t> repacked_;  ///< the same in the order in which a replay does
  std::vector<std::size_t> made_;      ///< those of them that have values, in the order in which they got them
  bool keeps_call_sites_ = false;
  std::vector<CallSite> call_sites_;
  std::array<const Shape*, 8> recent_shapes_{};
  std::size_t next_recent_ = 0;
  ValueArena values_;
  ValueArena restored_;       ///< values that were donated and had to be read all the same
  bool donated_ = false;      ///< whether any value was
  bool overwritten_ = false;  ///< whether the last sweep wrote gradients where what was kept for them lay
  SmallArena small_;          ///< rules, shapes and lists
  Scratch scratch_;
  std::vector<Operand<T>> results_;  ///< of the step being replayed
  std::uint32_t generation_ = 1;
  std::uint64_t time_ = 0;                ///< how often it was rewound
  mutable std::vector<Rewound> rewound_;  ///< each to more slots than those before it
  bool sweeping_ = false;
  const char* running_ = nullptr;      ///< the sweep or replay that is under way
  std::size_t floor_ = 0;              ///< slots that have to stay until it is over
  SlotId stale_ = Slot<T>::no_source;  ///< the first that may be out of date, since a leaf was assigned

 private:
  friend class Repeat<T>;

  volatile std::uint32_t alive_ = life;
  mutable std::atomic<const void*> user_ = nullptr;  ///< the thread in it, where asserts are on
  static constexpr std::uint32_t life = 0x57654e67;
};

extern template class Recording<float>;
extern template class Recording<double>;

}  // namespace autograd
