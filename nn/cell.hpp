// Cell: anything that maps (input, state) to the next state, and what is asked of the state.
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

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
//   State::map     only for sequences of different lengths, and for initial states that are learnt: f of each
//   component,
//                  taken from several states at once,
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
