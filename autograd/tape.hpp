// Tape: a computation is recorded on it as it runs, and turned into gradients.
#pragma once

#include <concepts>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/parameter.hpp"
#include "autograd/sweep.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// The explicit list of everything computed. One per thread; it does not move.
///
/// Handles of an earlier generation throw TapeError, and so does a handle of another tape; after any throw the tape is
/// usable as before the call. clear() and rewind() keep all memory: a second training step allocates nothing.
///
/// Hooks and rules run in the middle of a sweep. They may record and read values; what would sweep, replay, assign or
/// clear the same tape throws TapeError. Where asserts are on, using a tape after its end or from two threads at once,
/// which is undefined, throws TapeError as well.
template <class T>
class Tape : private Sweep<T> {
 public:
  // Leaves.

  /// A leaf whose gradient is wanted; the array is copied.
  Variable<T> variable(const Array<T>& value) { return leaf(value.data(), shape_of(value), true); }
  /// A leaf without a gradient; the array is copied.
  Variable<T> constant(const Array<T>& value) { return leaf(value.data(), shape_of(value), false); }
  /// A leaf without a gradient of equal elements.
  Variable<T> constant(const Shape& shape, T value);
  /// A leaf without a gradient whose elements `fill` sets: it is called once with all of them, zeros in row-major
  /// order. If it throws, the tape is as before; recording on this tape in it throws TapeError.
  template <std::invocable<std::span<T>> Fill>
  Variable<T> constant(const Shape& shape, Fill&& fill) {
    const Mark before = mark();
    return filled("constant", before, constant(shape, T(0)), fill);
  }
  /// The same, filled with random numbers: a tape that has one can not be replayed.
  template <std::invocable<std::span<T>> Fill>
  Variable<T> drawn(const Shape& shape, Fill&& fill) {
    const Mark before = mark();
    return filled("drawn", before, drawn(shape), fill);
  }
  /// The parameter's own memory as a leaf, the same handle for every call until clear(). backward() adds to its grad().
  /// The parameter must outlive the tape's generation, or backward() throws.
  Variable<T> parameter(Parameter<T>& parameter) { return this->bind(parameter.own()); }
  /// The handle that parameter() gave since the last clear(), for the parameter as it is now; else one that refers to
  /// nothing.
  Variable<T> held(Parameter<T>& parameter) { return this->bound(parameter.own()); }

  // Gradients.

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

  /// dL/dx of the last backward(), zeros if x did not take part. Throws TapeError where the tape was rewound to before
  /// the loss, and in a hook, where it is not known yet; for an alias whose memory is shared with other readers of its
  /// source, and for a stack() that shares its memory with what it is made of, such as the outputs of a Recurrent:
  /// watch() it before the sweep.
  Array<T> gradient(Variable<T> x) const;
  /// Gives x a gradient buffer of its own in later sweeps.
  void watch(Variable<T> x);
  /// Watches all values that will be given this name, and calls record_op_by_op(), so that what pointwise functions
  /// name inside can be found. The text is not copied.
  void watch(std::string_view name);

  // Running a recording again.

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

  // Forgetting.

  using typename Recording<T>::Mark;
  /// `Mark mark() const`: where the tape is now.
  using Recording<T>::mark;
  /// `void rewind(const Mark& mark)`: forgets everything recorded after the mark; handles from before it stay valid.
  /// Throws TapeError for a mark that the tape was rewound past, for another tape's, and in a hook or a rule for one
  /// from before the sweep.
  using Recording<T>::rewind;
  void clear() { rewind(Mark{}); }
  /// Rewinds the tape to where it was, at the end of a block; nothing happens if it was rewound further meanwhile.
  class Scope : Recording<T>::Scope {
   public:
    explicit Scope(Tape& tape) : Recording<T>::Scope(tape.recording()) {}
  };

  // Looking at it.

  /// The numbered list: `%7 = tanh(%6)  (32, 256)`.
  void print(std::ostream& out) const;
  std::string print() const;
  /// The same as a Graphviz graph.
  void write_dot(std::ostream& out) const;
  /// Calls the value `name` in print() and in errors. The text is not copied: a literal, or as long-lived as one.
  void name(Variable<T> x, std::string_view name);
  /// All values of that name, in the order they were named: find("zi")[t] for a cell that names its pre-activations.
  std::vector<Variable<T>> find(std::string_view name);
  /// From now on pointwise functions are recorded as the ops that they are made of, and nothing is written over values
  /// that were donated: everything that is named is there to be found, at the cost of speed and memory.
  void record_op_by_op() { op_by_op_ = true; }
  /// From now on keeps where in the program each step is recorded, for first_anomaly() to say: about a microsecond and
  /// 200 bytes a step.
  void keep_call_sites() { keeps_call_sites_ = true; }
  /// Number of recorded steps.
  std::size_t size() const { return this->step_count(); }
  /// Bytes held for values and gradients, in use or kept for reuse.
  std::size_t memory() const;
  /// Advanced by every rewind() and clear().
  std::uint32_t generation() const { return generation_; }

  // What it is made of, for the author of an op.

  Recording<T>& recording() { return *this; }
  const Recording<T>& recording() const { return *this; }
  Sweep<T>& sweep() { return *this; }
  const Sweep<T>& sweep() const { return *this; }

 private:
  friend class Recording<T>;
  using typename Sweep<T>::Binding;
  using typename Sweep<T>::Closed;
  using typename Sweep<T>::Running;
  using typename Sweep<T>::Use;
  using Sweep<T>::apart_;
  using Sweep<T>::generation_;
  using Sweep<T>::keeps_call_sites_;
  using Sweep<T>::made_;
  using Sweep<T>::names_;
  using Sweep<T>::op_by_op_;
  using Sweep<T>::overwritten_;
  using Sweep<T>::packed_;
  using Sweep<T>::parameters_;
  using Sweep<T>::repacked_;
  using Sweep<T>::slots_;
  using Sweep<T>::stale_;
  using Sweep<T>::steps_;
  using Sweep<T>::watched_names_;

  Variable<T> leaf(const T* data, const Shape& shape, bool needs_gradient);
  Variable<T> drawn(const Shape& shape);
  Variable<T> equal_leaf(const char* name, const OpTable<T>* op, const Shape& shape, T value);
  template <class Fill>
  Variable<T> filled(const char* op, const Mark& before, Variable<T> leaf, Fill& fill) {
    try {
      const Closing filling{op, "what fills a leaf may not record on its tape; record before, and fill with numbers"};
      const Closed closed(*this, filling);
      fill(std::span<T>(slots_[leaf.slot()].value, slots_[leaf.slot()].size));
    } catch (...) {
      rewind(before);
      throw;
    }
    return leaf;
  }
  void check_replay() const;
};

extern template class Tape<float>;
extern template class Tape<double>;

/// The tape of an op's first operand. Throws TapeError for a handle that refers to nothing.
template <class T>
Tape<T>& tape_of(const char* op, Variable<T> x) {
  if (!x) throw_empty_handle(op);
  return x.tape();
}
/// Its recording.
template <class T>
Recording<T>& recording_of(const char* op, Variable<T> x) {
  return tape_of(op, x).recording();
}

template <class T>
Variable<T> beside(Variable<T> x, Parameter<T>& parameter, const char* op) {
  return tape_of(op, x).parameter(parameter);
}

template <class T>
const Shape& Variable<T>::shape() const {
  const Recording<T>& recording = recording_of("shape", *this);
  return *recording.slot(recording.check("shape", *this)).shape;
}

}  // namespace autograd
