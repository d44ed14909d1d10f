// Tape: the list of steps over slots, in creation order, and the sweep that turns it into gradients.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "autograd/arena.hpp"
#include "autograd/call_site.hpp"
#include "autograd/kernels/product_sums.hpp"
#include "autograd/keyed_list.hpp"
#include "autograd/log.hpp"
#include "autograd/op.hpp"
#include "autograd/parameter.hpp"
#include "autograd/variable.hpp"

namespace autograd {

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

/// Why a tape is closed while an op computes.
inline constexpr const char* in_forward =
    "an op may not record on its tape in its own forward; compute numbers there, and record what it is made of where "
    "it "
    "is called";

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

/// The explicit list of everything computed. One per thread; it does not move.
///
/// Handles of an earlier generation throw TapeError, and so does a handle of another tape; after any throw the tape is
/// usable as before the call. clear() and rewind() keep all memory: a second training step allocates nothing.
///
/// Hooks and rules run in the middle of a sweep. They may record and read values; what would sweep, replay, assign or
/// clear the same tape throws TapeError. Where asserts are on, using a tape after its end or from two threads at once,
/// which is undefined, throws TapeError as well.
template <class T>
class Tape {
 public:
  struct Mark {
    std::size_t steps, slots, inputs, parameters, aliases, series, names, packed;
    ValueArena::Position values;
    SmallArena::Position small;
    const Tape* tape;
    std::uint64_t time;  ///< how often the tape had been rewound
  };

  /// Rewinds the tape to where it was, at the end of a block; nothing happens if it was rewound further meanwhile.
  class Scope {
   public:
    explicit Scope(Tape& tape) : tape_(tape), mark_(tape.mark()) {}
    ~Scope() {
      if (tape_.may_rewind(mark_)) tape_.rewind(mark_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Tape& tape_;
    Mark mark_;
  };

  /// Places what is recorded alike `count` times, such as the steps of a sequence, so that each value lies next to its
  /// counterparts of the other times, and so does its gradient: products over all times then are one product.
  ///
  ///     typename Tape<T>::Repeat repeat(tape, steps);
  ///     for (std::size_t t = 0; t < steps; ++t) {
  ///       repeat.begin(t);
  ///       state = cell(select(x, 0, t), state);
  ///     }
  ///
  /// Where the times differ, or the tape is rewound in between, values lie as they would without it.
  class Repeat {
   public:
    /// Throws ValueError for more times than a tape has values.
    Repeat(Tape& tape, std::size_t count);
    ~Repeat() { end(); }
    Repeat(const Repeat&) = delete;
    Repeat& operator=(const Repeat&) = delete;

    /// What follows is for time t, each of 0 ... count - 1 once. Throws ValueError for any other, and for a second
    /// time.
    void begin(std::size_t t);
    void end();

   private:
    friend class Tape;
    Tape& tape_;
    Repeat* outer_;
    std::uint32_t id_;
    std::size_t count_;
    std::size_t first_;  ///< of its series
    std::size_t time_ = 0;
    std::size_t next_ = 0;
    std::size_t begun_ = 0;
    std::span<std::uint64_t> times_;  ///< a bit for each that was
  };

  Tape();
  ~Tape() { alive_ = 0; }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// A leaf whose gradient is wanted; the array is copied.
  Variable<T> variable(const Array<T>& value) { return leaf(value.data(), shape_of(value), true); }
  /// A leaf without a gradient; the array is copied.
  Variable<T> constant(const Array<T>& value) { return leaf(value.data(), shape_of(value), false); }
  /// A leaf without a gradient of equal elements.
  Variable<T> constant(const Shape& shape, T value);
  /// A leaf without a gradient, to be filled with random numbers: a tape that has one can not be replayed.
  Variable<T> drawn(const Shape& shape);
  /// The parameter's own memory as a leaf, the same handle for every call until clear(). backward() adds to its grad().
  /// The parameter must outlive the tape's generation, or backward() throws.
  Variable<T> parameter(Parameter<T>& parameter) { return bind(parameter.own()); }

  /// Sweeps numbers: adds dloss/dp to the grad() of every Parameter, and leaves dloss/dx of every other value readable
  /// through gradient() until the next sweep, or a rewind() to before the loss. Nothing is recorded. If it throws, or a
  /// rule or a hook does, nothing has been added.
  /// Throws ShapeError unless the loss has one element, TapeError if a parameter was updated or destroyed since it was
  /// recorded, or leaves were assigned without a replay().
  void backward(Variable<T> loss);
  /// The same from an output of any shape, given dL/doutput of that shape.
  void backward(Variable<T> output, const Array<T>& output_gradient);

  /// backward(), but what belongs to the parameters stays on the tape until deliver_gradients(): several tapes, swept
  /// side by side, then add to the same parameters one after the other.
  void backward_apart(Variable<T> loss);
  /// Adds the parameters' gradients of the last backward_apart() to their grad(), once.
  void deliver_gradients();

  /// Gives a variable or constant another value of the same shape, for replay(): until then what was computed has the
  /// values of before, and recording more, backward() and grad() throw TapeError.
  /// Throws ShapeError for another shape, TapeError for a value that was computed.
  void assign(Variable<T> leaf, const Array<T>& value);
  /// Computes everything recorded once more, from what the leaves and the parameters hold now: record once, run many.
  /// Shapes and control flow, indices and labels are those of the recording, and so is what looked at values while it
  /// was recorded: masked_select(), a masked mean.
  /// Throws TapeError for a step that can not be repeated, such as dropout, and for a parameter that is another array
  /// now; nothing has been computed then. If an op throws, nothing but another replay() makes the values usable again.
  void replay();

  /// dL/dx of the last backward(), zeros if x did not take part. Throws TapeError where the tape was rewound to before
  /// the loss, and in a hook, where it is not known yet; for an alias whose memory is shared with other readers of its
  /// source, and for a stack() that shares its memory with what it is made of, such as the outputs of a Recurrent:
  /// watch() it before the sweep.
  Array<T> gradient(Variable<T> x) const;
  /// Gives x a gradient buffer of its own in later sweeps.
  void watch(Variable<T> x);
  /// Watches all values that will be given this name. From now on pointwise functions are recorded op by op, so that
  /// what they name inside can be found. The text is not copied.
  void watch(std::string_view name) { watched_names_.push_back(name); }
  bool watches_names() const { return !watched_names_.empty(); }

  /// From now on keeps where in the program each step is recorded, for first_anomaly() to say: about a microsecond and
  /// 200 bytes a step.
  void keep_call_sites() { keeps_call_sites_ = true; }
  /// Of tape.step(index); null where it was not kept.
  const CallSite* call_site(std::size_t index) const {
    return index < call_sites_.size() && call_sites_[index][0] ? &call_sites_[index] : nullptr;
  }

  Mark mark() const;
  /// Forgets everything recorded after the mark; handles from before it stay valid.
  /// Throws TapeError for a mark that the tape was rewound past, for another tape's, and in a hook or a rule for one
  /// from before the sweep.
  void rewind(const Mark& mark);
  void clear() { rewind(Mark{}); }

  /// Number of recorded steps.
  std::size_t size() const { return steps_.size(); }
  /// Bytes held for values and gradients, in use or kept for reuse.
  std::size_t memory() const {
    return values_.capacity() + gradients_.capacity() + restored_.capacity() + small_.capacity();
  }
  std::uint32_t generation() const { return generation_; }

  /// The numbered list: `%7 = tanh(%6)  (32, 256)`.
  void print(std::ostream& out) const;
  std::string print() const;
  /// The same as a Graphviz graph.
  void write_dot(std::ostream& out) const;

  /// Calls the value `name` in print() and in errors. The text is not copied: a literal, or as long-lived as one.
  void name(Variable<T> x, std::string_view name) {
    names_.push_back({check("name", x), name});
    if (watches_names() && std::find(watched_names_.begin(), watched_names_.end(), name) != watched_names_.end())
      watch(x);
  }
  /// All values of that name, in the order they were named: find("zi")[t] for a cell that names its pre-activations.
  std::vector<Variable<T>> find(std::string_view name);

  // What ops are made of.

  /// The slot of a handle. Throws TapeError, naming `op`, for a stale or foreign handle.
  [[gnu::always_inline]] SlotId check(const char* op, Variable<T> x) const {
#ifndef NDEBUG
    if (x) x.tape().check_alive(op);
#endif
    if (x && &x.tape() == this && x.slot() < slots_.size() && slots_[x.slot()].generation == x.generation()) [[likely]]
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
    Running(Tape& tape, const char* what) : tape_(tape), before_(tape.running_), floor_(tape.floor_) {
      tape.running_ = what;
      tape.floor_ = tape.slots_.size();
    }
    ~Running() {
      tape_.running_ = before_;
      tape_.floor_ = floor_;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Tape& tape_;
    const char* before_;
    std::size_t floor_;
  };
  /// While one lives, nothing can be recorded.
  class Closed {
   public:
    /// `closing` has to be there as long.
    Closed(Tape& tape, const Closing& closing) : slots_(tape.slots_), before_(slots_.closing()) {
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
    [[gnu::always_inline]] Use(const Tape&, const char*) {}
#else
    [[gnu::always_inline]] Use(const Tape& tape, const char* op) : tape_(tape.enter(op) ? &tape : nullptr) {}
    [[gnu::always_inline]] ~Use() {
      if (tape_) tape_->user_ = nullptr;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const Tape* tape_;
#endif
  };
  const Slot<T>& slot(SlotId id) const { return slots_[id]; }
  const Step<T>& step(std::size_t index) const { return steps_[index]; }
  SlotId input(const Step<T>& step, std::size_t k) const { return inputs_[step.first_input + k]; }
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
  Variable<T> handle(SlotId id) { return {this, id, slots_[id].generation}; }
  /// The parameters recorded so far, in their order.
  std::size_t parameter_count() const { return parameters_.size(); }
  SlotId parameter_slot(std::size_t index) const { return parameters_[index].slot; }
  /// The index-th parameter of another tape, as a leaf of this one.
  Variable<T> parameter_of(const Tape& other, std::size_t index) { return bind(other.parameters_[index].parameter); }
  /// Whether a slot is that parameter.
  bool is_parameter_of(SlotId id, const Tape& other, std::size_t index) const {
    return index < other.parameters_.size() && slots_[id].parameter &&
           binding_of(id)->parameter == other.parameters_[index].parameter;
  }
  /// The name given to a slot, or an empty string.
  std::string_view name_of(SlotId id) const;
  std::size_t slot_count() const { return slots_.size(); }

  /// A rule, shape or list of a step, copied to where it lives as long as the step.
  template <class U>
  const U* keep(const U& object) {
    static_assert(std::is_trivially_destructible_v<U>,
                  "a rule must be trivially destructible: keep its arrays on the tape with keep(std::span)");
    return new (small_.template allocate<U>(1)) U(object);
  }
  /// The same, made there, to be completed.
  template <class U, class... Members>
  U& emplace(const Members&... members) {
    static_assert(std::is_trivially_destructible_v<U>);
    return *new (small_.template allocate<U>(1)) U{members...};
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
  /// A matrix value, or its transpose, packed for kernels::packed_product(); made `now`, in a repetition, or at the
  /// second request, null at the first: it pays where it is read again and again.
  const T* packed(SlotId id, bool transpose, bool now);

  /// An uninitialised list that lives as long as what is recorded next.
  template <class U>
  std::span<U> list(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<U>);
    return {small_.template allocate<U>(count), count};
  }
  /// A constant on memory that somebody else keeps alive.
  Variable<T> borrow(Operand<const T> operand) {
    return handle(push_foreign(const_cast<T*>(operand.data), operand.shape, operand.size(), false));
  }

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
  /// A slot on the memory of `source` that passes no gradient.
  SlotId new_detached(SlotId source) {
    const Slot<T>& from = slots_[source];
    return push_foreign(from.value, from.shape, from.size, false);
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
  T* value(SlotId id) { return slots_[id].value; }
  /// Uninitialised memory that a rule keeps between forward and backward.
  T* room(std::size_t count) { return values_.template allocate<T>(count); }

  /// Where the next contribution to the gradient of a slot goes, during a sweep.
  [[gnu::always_inline]] Destination<T> gradient_into(SlotId id) {
    Slot<T>& slot = slots_[id];
    if (slot.source != Slot<T>::no_source || slot.aliases) return shared_gradient(id);
    if (slot.defined == sweep_) return {slot.gradient, true};
    if (slot.parameter) return shared_gradient(id);
    if (!slot.series || slot.watched) {
      slot.gradient = new_gradient(slot);
    } else {
      Series& series = series_[slot.series - 1];
      if (series.allocated != sweep_) allocate_gradients(series);
      slot.gradient = series.gradients + (slot.value - series.values);
    }
    slot.allocated = slot.defined = sweep_;
    return {slot.gradient, false};
  }
  bool has_gradient(SlotId id) const { return slots_[id].allocated == sweep_; }
  /// Adds the gradient of `from` to that of `to`, of as many elements, at the end of all contributions to the former.
  void pass_gradient(SlotId from, SlotId to);
  /// Makes the gradient of the step's output, which lies over its inputs, theirs. False, and nothing happens, where it
  /// has to be a copy.
  bool hand_gradient_down(const Step<T>& step);
  bool handed_down(SlotId id) const { return slots_[id].handed == sweep_; }
  /// The memory in which these values lie one after the other, none if they do not.
  T* joined(std::span<const SlotId> ids) const;
  /// A slot on memory that other slots of this tape keep.
  SlotId new_joined(T* values, const Shape* shape, std::size_t size, bool needs_gradient) {
    return push_foreign(values, shape, size, needs_gradient);
  }
  /// Adds gᵀ x to the gradient of a matrix, for g (rows, m) and x (rows, n): for a Parameter at some time before the
  /// end of the sweep, together with others; else at once, since the matrix may have been computed.
  void add_product(SlotId matrix, std::size_t rows, std::size_t m, const T* g, std::size_t n, const T* x) {
    const auto into = [this](std::size_t id) { return gradient_into(static_cast<SlotId>(id)); };
    const kernels::RowProduct<T> product{matrix, rows, m, n, g, x};
    if (slots_[matrix].parameter)
      products_.add(product, into);
    else
      kernels::ProductSums<T>::multiply(product, into);
  }

 private:
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
  /// During a sweep: what rules record to compute numbers leaves no trace on the slots they read, and is gone at its
  /// end. Of a sweep that ends in an exception no gradient is left.
  struct Sweeping {
    Tape& tape;
    Mark begin;
    Running running;
    bool finished = false;
    explicit Sweeping(Tape& tape);
    ~Sweeping();
    void finish();
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
  /// Where the gradient of a slot goes that has no part in other memory.
  T* new_gradient(const Slot<T>& slot) {
    if (!slot.donated || slot.foreign) return gradients_.template allocate<T>(slot.size);
    overwritten_ = true;
    return slot.value;
  }
  bool computed(SlotId id) const;
  void compute_donated();
  Variable<T> leaf(const T* data, const Shape& shape, bool needs_gradient);
  [[noreturn]] void throw_handle(const char* op, Variable<T> x) const;
  [[noreturn]] void throw_running(const char* op) const;
  void check_alive(const char* op) const;
  bool enter(const char* op) const;
  bool stale() const { return stale_ != Slot<T>::no_source; }
  bool may_rewind(const Mark& mark) const;
  bool holds(const Mark& mark) const;
  std::size_t floor() const { return slots_.closing() && !stale() ? slots_.size() : floor_; }
  Variable<T> bind(const std::shared_ptr<ParameterState<T>>& parameter);
  const Binding* binding_of(SlotId id) const;
  void check_binding(const char* op, const Binding& binding) const;
  void check_parameters(const char* op) const;
  void check_replay() const;
  void compute(const Step<T>& step);
  void keep_call_site();
  void pack(const Packed& entry);
  void sweep(SlotId output, const T* output_gradient);
  void add_gradients();
  void sweep_aliases(const Step<T>& step);
  bool covered(const Slot<T>& slot) const;
  bool shared(const Slot<T>& slot) const;
  void prepare(SlotId id);
  void allocate_gradient(SlotId id);
  void allocate_gradients(Series& series);
  Destination<T> shared_gradient(SlotId id);
  bool borrow_gradient(const Slot<T>& from, Slot<T>& to);
  void return_gradient(SlotId source);

  Log<Slot<T>> slots_;
  Log<Step<T>> steps_;
  Log<SlotId> inputs_;
  KeyedList<Binding> parameters_;  ///< in the order of their slots
  Log<AliasCover> covers_;
  Log<Series> series_;
  Repeat* repeat_ = nullptr;
  std::uint32_t repeats_ = 0;
  KeyedList<Name> names_;
  std::vector<std::string_view> watched_names_;
  KeyedList<Packed> packed_;
  std::vector<std::size_t> repacked_;  ///< the same in the order in which a replay does
  std::vector<std::size_t> made_;      ///< those of them that have values, in the order in which they got them
  bool keeps_call_sites_ = false;
  std::vector<CallSite> call_sites_;
  std::array<const Shape*, 8> recent_shapes_{};
  std::size_t next_recent_ = 0;
  ValueArena values_;
  ValueArena gradients_;
  ValueArena restored_;       ///< values that were donated and had to be read all the same
  bool donated_ = false;      ///< whether any value was
  bool overwritten_ = false;  ///< whether the last sweep wrote gradients where what was kept for them lay
  SmallArena small_;          ///< rules, shapes and lists
  kernels::ProductSums<T> products_;
  Scratch scratch_;
  std::vector<Operand<T>> results_;  ///< of the step being replayed
  std::vector<SlotId> pending_;
  std::uint32_t generation_ = 1;
  std::uint64_t time_ = 0;                ///< how often it was rewound
  mutable std::vector<Rewound> rewound_;  ///< each to more slots than those before it
  std::uint32_t sweep_ = 1;
  SlotId swept_output_ = 0;
  bool sweeping_ = false;
  bool apart_ = false;                 ///< parameters' gradients stay on the tape
  const char* running_ = nullptr;      ///< the sweep or replay that is under way
  std::size_t floor_ = 0;              ///< slots that have to stay until it is over
  SlotId stale_ = Slot<T>::no_source;  ///< the first that may be out of date, since a leaf was assigned
  const char* no_gradients_ = "no backward() yet; sweep first, or use grad() for a recorded gradient";
  volatile std::uint32_t alive_ = life;
  mutable std::atomic<const void*> user_ = nullptr;  ///< the thread in it, where asserts are on
  static constexpr std::uint32_t life = 0x57654e67;
};

extern template class Tape<float>;
extern template class Tape<double>;

/// The tape of an op's first operand. Throws TapeError for a handle that refers to nothing.
template <class T>
Tape<T>& tape_of(const char* op, Variable<T> x) {
  if (!x) throw_empty_handle(op);
  return x.tape();
}

template <class T>
Variable<T> beside(Variable<T> x, Parameter<T>& parameter, const char* op) {
  return tape_of(op, x).parameter(parameter);
}

template <class T>
const Shape& Variable<T>::shape() const {
  Tape<T>& tape = tape_of("shape", *this);
  return *tape.slot(tape.check("shape", *this)).shape;
}

}  // namespace autograd
