// Recurrent: runs a cell, any cell, over the steps of a sequence.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/random.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/cell.hpp"
#include "nn/description.hpp"

namespace nn {

using autograd::Generator;
using autograd::Index;
using autograd::Shape;

namespace detail {

/// Throws ShapeError unless the shape is (time, batch, feature) with at least one step.
void check_sequence(const std::string& name, const Shape& shape);

/// Throws ShapeError unless there is one length for each sequence, ValueError for one longer than the input.
void check_lengths(const std::string& name, std::span<const std::size_t> lengths, std::size_t steps, std::size_t batch);

/// Throws ShapeError for a mask of another shape than (first, second), that is `axes`; ValueError where there are
/// lengths as well.
void check_mask(const std::string& name, const Shape& mask, std::span<const std::size_t> lengths, std::size_t first,
                std::size_t second, const char* axes = "(time, batch)");

/// Throws ValueError unless 0 <= probability < 1.
void check_dropout(const std::string& name, const char* which, double probability);

/// Throws ShapeError unless a residual connection's input and output have as many features.
void check_residual(const std::string& name, std::size_t input, std::size_t output);

/// Which sequences have which steps.
template <class T>
class Presence {
 public:
  /// Of lengths, or a mask (time, batch), or neither, when all have all.
  Presence(Tape<T>& tape, std::span<const std::size_t> lengths, Variable<T> mask, std::size_t steps)
      : tape_(tape),
        lengths_(lengths),
        mask_(mask),
        whole_(mask              ? 0
               : lengths.empty() ? steps
                                 : *std::min_element(lengths.begin(), lengths.end())) {}

  /// Whether all sequences have step t.
  bool all(std::size_t t) const { return t < whole_; }

  /// 1 for each sequence that has step t, else 0: (batch, 1, ..., 1), to be broadcast against `rank` axes.
  Variable<T> at(std::size_t t, std::size_t rank) const {
    Shape shape{mask_ ? mask_.shape()[1] : lengths_.size()};
    while (shape.rank() < rank) shape.push_back(1);
    if (mask_) return reshape(select(mask_, 0, static_cast<Index>(t)), shape);
    const Variable<T> present = tape_.constant(shape, T(0));
    T* const values = tape_.value(present.slot());
    for (std::size_t b = 0; b < lengths_.size(); ++b) values[b] = t < lengths_[b] ? T(1) : T(0);
    return present;
  }

  /// x (time, batch, feature), but 0 where a sequence has no step: whatever stands there, NaN as well, reaches neither
  /// a product nor its gradient.
  Variable<T> without_padding(Variable<T> x) const {
    const std::size_t steps = x.shape()[0], batch = x.shape()[1];
    if (whole_ == steps) return x;
    if (mask_) return masked(x, reshape(mask_, {steps, batch, 1}));
    const Variable<T> present = tape_.constant({steps, batch, 1}, T(0));
    T* values = tape_.value(present.slot());
    for (std::size_t t = 0; t < steps; ++t)
      for (std::size_t b = 0; b < batch; ++b) *values++ = t < lengths_[b] ? T(1) : T(0);
    return masked(x, present);
  }

  /// y + x, but 0 where a sequence has no step; x and y are (time, batch, feature), and y is 0 there.
  Variable<T> residual(const std::string& name, Variable<T> y, Variable<T> x) const {
    check_residual(name, x.shape()[2], y.shape()[2]);
    return y + without_padding(x);
  }

 private:
  Tape<T>& tape_;
  std::span<const std::size_t> lengths_;
  Variable<T> mask_;
  std::size_t whole_;
};

}  // namespace detail

struct RecurrentOptions {
  bool reverse = false;          ///< from the last step to the first
  bool residual = false;         ///< the input is added to the output
  double input_dropout = 0;      ///< of what the cell reads, in training
  double recurrent_dropout = 0;  ///< of what it carries from step to step in the part that output() is, in training
};

/// How to run one batch.
template <class T, class State>
struct SequenceOptions {
  std::optional<State> initial = {};          ///< the cell's own if not given
  std::span<const std::size_t> lengths = {};  ///< of each sequence; all steps if not given
  Variable<T> mask = {};         ///< instead of lengths: (time, batch), 1 where a sequence has a step, else 0
  Generator* dropout = nullptr;  ///< given in training: draws the dropout
};

template <class T, class State>
struct SequenceResult {
  Variable<T> output;  ///< (time, batch, R)
  State state;         ///< after the last step; in reverse, after the first
};

/// Runs a cell over x (time, batch, feature). The part of a ProjectingCell that depends on the input alone is computed
/// in one product for the whole sequence.
///
/// Sequences may have lengths of their own, or a mask of steps to leave out. With m = 1 where a sequence has step t,
/// else 0, and s~ what the cell gives:
///
///   s = m s~ + (1 - m) s'      y = m output(s~), with a residual connection m (output(s~) + x)
///
/// so a sequence keeps its state in its padding, which it reads first in reverse, and its output there is 0. The
/// padding itself may hold anything, NaN as well; its gradient is 0. A length of 0 is a sequence whose final state is
/// its initial one.
///
/// Dropout is variational (Gal and Ghahramani 2016): one mask for all steps of a sequence, of x and of output(s').
template <class C>
struct Recurrent {
  C cell;
  RecurrentOptions options;

  /// Throws ValueError for a dropout outside [0, 1).
  explicit Recurrent(C of, const RecurrentOptions& how = {}) : cell(std::move(of)), options(how) {
    detail::check_dropout("recurrent", "input_dropout", options.input_dropout);
    detail::check_dropout("recurrent", "recurrent_dropout", options.recurrent_dropout);
  }

  /// Throws ShapeError for an x of other than three axes or without steps, unless there is one length for each
  /// sequence, for a mask that does not fit, and for a residual connection between different numbers of features;
  /// ValueError for a length beyond the steps of x, and lengths and a mask at once; and what the cell throws.
  template <class T>
  requires Cell<C, T> SequenceResult<T, StateOf<C, T>>
  operator()(Variable<T> x, const SequenceOptions<T, StateOf<C, T>>& call = {}) {
    using State = StateOf<C, T>;
    Tape<T>& tape = autograd::tape_of("recurrent", x);
    const Shape shape = x.shape();
    detail::check_sequence("recurrent", shape);
    const std::size_t steps = shape[0], batch = shape[1];
    if (!call.lengths.empty()) detail::check_lengths("recurrent", call.lengths, steps, batch);
    if (call.mask) detail::check_mask("recurrent", call.mask.shape(), call.lengths, steps, batch);
    const detail::Presence<T> present(tape, call.lengths, call.mask, steps);

    State state = call.initial ? *call.initial : cell.zero_state(tape, batch);
    Variable<T> read = present.without_padding(x);
    if (call.dropout && options.input_dropout > 0)
      read = read * drawn_mask(tape, {batch, shape[2]}, options.input_dropout, *call.dropout);
    Variable<T> carried;
    if (call.dropout && options.recurrent_dropout > 0)
      carried = drawn_mask(tape, output(state).shape(), options.recurrent_dropout, *call.dropout);

    const std::span<Variable<T>> inputs = tape.template list<Variable<T>>(steps);
    autograd::unbind(hoist(read), inputs);
    const std::span<Variable<T>> outputs = tape.template list<Variable<T>>(steps);
    typename Tape<T>::Repeat repeat(tape, steps);
    for (std::size_t k = 0; k < steps; ++k) {
      const std::size_t t = options.reverse ? steps - 1 - k : k;
      repeat.begin(t);
      const State next = advance(inputs[t], carried ? dropped(state, carried) : state);
      outputs[t] = output(next);
      if (present.all(t)) {
        state = next;
      } else {
        outputs[t] = masked(outputs[t], present.at(t, outputs[t].shape().rank()));
        state = freeze(present, t, next, state);
      }
    }
    repeat.end();
    const Variable<T> y = autograd::stack<T>(outputs, 0);
    return {options.residual ? present.residual("recurrent", y, x) : y, state};
  }

  Description describe() const { return {"Recurrent", {{"reverse", options.reverse}, {"residual", options.residual}}}; }

  static void visit(auto& self, auto&& visitor) { visitor("cell", self.cell); }

 private:
  template <class T>
  Variable<T> hoist(Variable<T> x) {
    if constexpr (ProjectingCell<C, T>)
      return cell.project(x);
    else
      return x;
  }

  template <class T, class State>
  State advance(Variable<T> input, const State& state) {
    if constexpr (ProjectingCell<C, T>)
      return cell.step(input, state);
    else
      return cell(input, state);
  }

  template <class T>
  static Variable<T> drawn_mask(Tape<T>& tape, const Shape& shape, double probability, Generator& generator) {
    return autograd::dropout(tape.constant(shape, T(1)), probability, generator);
  }

  template <class State, class T>
  static State dropped(const State& state, Variable<T> mask) {
    if constexpr (requires { with_output(state, mask); })
      return with_output(state, output(state) * mask);
    else
      throw autograd::ValueError("recurrent: recurrent_dropout needs a cell whose state has a with_output()");
  }

  template <class T, class State>
  static State freeze(const detail::Presence<T>& present, std::size_t t, const State& next, const State& previous) {
    const auto choose = [&](Variable<T> a, Variable<T> b) { return where(present.at(t, a.shape().rank()), a, b); };
    if constexpr (requires { map_state(choose, next, previous); })
      return map_state(choose, next, previous);
    else
      throw autograd::ValueError("recurrent: sequences of different lengths need a cell whose state has a map()");
  }
};

}  // namespace nn
