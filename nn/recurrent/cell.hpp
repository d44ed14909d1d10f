// Cell: anything that maps (input, state) to the next state, and what is asked of the state.
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include "autograd/ops/shape.hpp"
#include "autograd/tape.hpp"

namespace nn {

using autograd::Tape;
using autograd::Variable;

// A state is a Variable whose first axis is the batch, or a type of one's own that holds several. What is asked of the
// latter:
//
//   output(state)  what the next layer reads. Found by default where the state has a member h; any other state brings
//                  an overload in its own namespace.
//   with_output(state, h)  only for dropout of what is carried: the state with another such part. Found like output().
//   State::map     for sequences of different lengths, initial states that are learnt, detached() and copied(): f of
//                  each component, taken from several states at once,
//
//                      static State map(auto&& f, const auto&... states) { return {f(states.h...), f(states.c...)}; }

/// The part of a state that the next layer reads.
template <class T>
Variable<T> output(Variable<T> state) {
  return state;
}
template <class State>
requires requires(const State& state) { state.h; }
auto output(const State& state) { return state.h; }

/// The state with h in that part.
template <class T>
Variable<T> with_output(Variable<T>, Variable<T> h) {
  return h;
}
template <class State>
requires requires(const State& state) { state.h; }
State with_output(State state, decltype(state.h) h) {
  state.h = h;
  return state;
}

/// f of each component of the states, which are of one type.
template <class F, class T, std::same_as<Variable<T>>... Rest>
Variable<T> map_state(F&& f, Variable<T> state, Rest... rest) {
  return f(state, rest...);
}
template <class F, class State, std::same_as<State>... Rest>
requires requires(F& f, const State& state) { State::map(f, state); }
State map_state(F&& f, const State& state, const Rest&... rest) { return State::map(f, state, rest...); }

/// The state, cut off from what it was computed from: backpropagation through time ends there.
template <class State>
State detached(const State& state) {
  return map_state([](auto component) { return detach(component); }, state);
}

/// A state's values, to be carried over tape.clear().
template <class State, class T>
class CopiedState {
 public:
  CopiedState(State state, std::vector<autograd::Array<T>> values)
      : state_(std::move(state)), values_(std::move(values)) {}

  /// The state as constants of a tape.
  State on(Tape<T>& tape) const {
    std::size_t k = 0;
    return map_state([&](Variable<T>) { return tape.constant(values_[k++]); }, state_);
  }

 private:
  State state_;  ///< whose handles are not used
  std::vector<autograd::Array<T>> values_;
};

/// Copies a state of any cell. Throws TapeError for a stale one.
template <class State>
auto copied(const State& state) {
  using T = typename decltype(output(state))::value_type;
  std::vector<autograd::Array<T>> values;
  map_state(
      [&](Variable<T> component) {
        values.push_back(component.copy());
        return component;
      },
      state);
  return CopiedState<State, T>(state, std::move(values));
}

/// What a cell carries from step to step.
template <class C, class T>
using StateOf = decltype(std::declval<C&>().zero_state(std::declval<Tape<T>&>(), std::size_t{}));

/// cell(x, state) is the next state, for x (batch, features); cell.zero_state(tape, batch) is the first one.
template <class C, class T>
concept Cell = requires(C& cell, Variable<T> x, const StateOf<C, T>& state) {
  { cell(x, state) } -> std::same_as<StateOf<C, T>>;
  { output(state) } -> std::same_as<Variable<T>>;
};

/// A cell that can compute what depends on the input alone ahead of time, for a whole sequence in one product:
/// cell(x, state) equals cell.step(cell.project(x), state), and project() takes (time, batch, features) as well. step()
/// may donate what was projected.
template <class C, class T>
concept ProjectingCell = Cell<C, T> && requires(C& cell, Variable<T> x, const StateOf<C, T>& state) {
  { cell.project(x) } -> std::same_as<Variable<T>>;
  { cell.step(x, state) } -> std::same_as<StateOf<C, T>>;
};

}  // namespace nn
