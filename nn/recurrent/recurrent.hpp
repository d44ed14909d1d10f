// Recurrent: runs a cell, any cell, over the steps of a sequence.
#pragma once

#include <span>
#include <utility>

#include "autograd/error.hpp"
#include "autograd/repeat.hpp"
#include "nn/description.hpp"
#include "nn/recurrent/cell.hpp"
#include "nn/recurrent/sequence.hpp"

namespace nn {

struct RecurrentOptions {
  bool reverse = false;          ///< from the last step to the first
  bool residual = false;         ///< the input is added to the output
  double input_dropout = 0;      ///< of what the cell reads, in training
  double recurrent_dropout = 0;  ///< of what it carries from step to step in the part that output() is, in training
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
  operator()(Variable<T> x, const SequenceCall<T, StateOf<C, T>>& call = {}) {
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

    const std::span<Variable<T>> inputs = tape.recording().template list<Variable<T>>(steps);
    autograd::unbind(hoist(read), inputs);
    const std::span<Variable<T>> outputs = tape.recording().template list<Variable<T>>(steps);
    autograd::Repeat<T> repeat(tape, steps);
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
