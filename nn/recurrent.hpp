// Recurrent: runs a cell, any cell, over the steps of a sequence.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "autograd/error.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/cell.hpp"
#include "nn/description.hpp"

namespace nn {

using autograd::Index;
using autograd::Shape;

namespace detail {

/// Throws ShapeError unless the shape is (time, batch, feature) with at least one step.
void check_sequence(const std::string& name, const Shape& shape);

/// Throws ShapeError unless there is one length for each sequence, ValueError for one longer than the input.
void check_lengths(const std::string& name, std::span<const std::size_t> lengths, std::size_t steps, std::size_t batch);

/// 1 for each sequence that has step t, else 0: (batch, 1, ..., 1), to be broadcast against `rank` axes.
template <class T>
Variable<T> reaches(Tape<T>& tape, std::span<const std::size_t> lengths, std::size_t t, std::size_t rank) {
  Shape shape{lengths.size()};
  while (shape.rank() < rank) shape.push_back(1);
  const Variable<T> mask = tape.constant(shape, T(0));
  T* const values = tape.value(mask.slot());
  for (std::size_t b = 0; b < lengths.size(); ++b) values[b] = t < lengths[b] ? T(1) : T(0);
  return mask;
}

}  // namespace detail

struct RecurrentOptions {
  bool reverse = false;  ///< from the last step to the first
};

/// How to run one batch.
template <class State>
struct SequenceOptions {
  std::optional<State> initial = {};          ///< zeros if not given
  std::span<const std::size_t> lengths = {};  ///< of each sequence; all steps if not given
};

template <class T, class State>
struct SequenceResult {
  Variable<T> output;  ///< (time, batch, R)
  State state;         ///< after the last step; in reverse, after the first
};

/// Runs a cell over x (time, batch, feature). The part of a ProjectingCell that depends on the input alone is computed
/// in one product for the whole sequence.
///
/// Sequences may have lengths of their own. With m = 1 where a sequence has step t, else 0, and s~ what the cell gives:
///
///   s = m s~ + (1 - m) s'      y = m output(s~)
///
/// so a sequence keeps its state in its padding, which it reads first in reverse, and its output there is 0. A length
/// of 0 is a sequence whose final state is its initial one.
template <class C>
struct Recurrent {
  C cell;
  bool reverse = false;

  explicit Recurrent(C cell, const RecurrentOptions& options = {}) : cell(std::move(cell)), reverse(options.reverse) {}

  /// Throws ShapeError for an x of other than three axes or without steps, and unless there is one length for each
  /// sequence; ValueError for a length beyond the steps of x; and what the cell throws.
  template <class T>
  requires Cell<C, T> SequenceResult<T, StateOf<C, T>>
  operator()(Variable<T> x, const SequenceOptions<StateOf<C, T>>& options = {}) {
    using State = StateOf<C, T>;
    Tape<T>& tape = autograd::tape_of("recurrent", x);
    const Shape shape = x.shape();
    detail::check_sequence("recurrent", shape);
    const std::size_t steps = shape[0], batch = shape[1];
    const auto lengths = options.lengths;
    if (!lengths.empty()) detail::check_lengths("recurrent", lengths, steps, batch);
    const std::size_t shortest = lengths.empty() ? steps : *std::min_element(lengths.begin(), lengths.end());

    State state = options.initial ? *options.initial : cell.zero_state(tape, batch);
    const std::span<Variable<T>> inputs = tape.template list<Variable<T>>(steps);
    autograd::unbind(hoist(x), inputs);
    const std::span<Variable<T>> outputs = tape.template list<Variable<T>>(steps);
    typename Tape<T>::Repeat repeat(tape, steps);
    for (std::size_t k = 0; k < steps; ++k) {
      const std::size_t t = reverse ? steps - 1 - k : k;
      repeat.begin(t);
      const State next = advance(inputs[t], state);
      outputs[t] = read(next);
      if (t < shortest) {
        state = next;
      } else {
        outputs[t] = masked(outputs[t], detail::reaches(tape, lengths, t, outputs[t].shape().rank()));
        state = freeze(tape, lengths, t, next, state);
      }
    }
    repeat.end();
    return {autograd::stack<T>(outputs, 0), state};
  }

  Description describe() const { return {"Recurrent", {{"reverse", reverse}}}; }

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

  template <class State>
  static auto read(const State& state) {
    return output(state);
  }

  template <class T, class State>
  static State freeze(Tape<T>& tape, std::span<const std::size_t> lengths, std::size_t t, const State& next,
                      const State& previous) {
    const auto choose = [&](Variable<T> a, Variable<T> b) {
      return where(detail::reaches(tape, lengths, t, a.shape().rank()), a, b);
    };
    if constexpr (requires { map_state(choose, next, previous); })
      return map_state(choose, next, previous);
    else
      throw autograd::ValueError("recurrent: sequences of different lengths need a cell whose state has a map()");
  }
};

}  // namespace nn
