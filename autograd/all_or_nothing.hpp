// all_or_nothing(): what is made of several steps leaves none of them on the tape when one fails.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <tuple>

#include "autograd/tape.hpp"
#include "autograd/values/value.hpp"

namespace autograd {

/// The tape of the operands. Throws TapeError for a stale handle, or operands on different tapes.
template <class T, std::same_as<Variable<T>>... Rest>
Tape<T>& common_tape(const char* op, Variable<T> first, Rest... rest) {
  Tape<T>& tape = tape_of(op, first);
  tape.recording().check(op, first);
  (tape.recording().check(op, rest), ...);
  return tape;
}

/// f(). If it throws, the tape is as before.
template <class T, class F>
auto all_or_nothing(Tape<T>& tape, F f) {
  const auto mark = tape.mark();
  try {
    return f();
  } catch (...) {
    tape.rewind(mark);
    throw;
  }
}

/// f(handles) of Parameters on the tape of x. If it throws, the tape is as before: none is a leaf that was not one.
/// Throws TapeError, naming `op`, for an x that refers to nothing.
template <class T, class F, std::same_as<Parameter<T>>... P>
auto with_parameters(const char* op, Variable<T> x, F f, P&... parameters) {
  Tape<T>& tape = tape_of(op, x);
  const std::array held{tape.held(parameters)...};
  if (std::all_of(held.begin(), held.end(), [](Variable<T> each) { return static_cast<bool>(each); }))
    return std::apply(f, held);
  return all_or_nothing(tape, [&] { return std::apply(f, std::array{tape.parameter(parameters)...}); });
}

/// f(), which is made of several steps of the operands' tape, or of none: then they are registers.
template <class F, Value... X>
WENGERT_INLINE auto together(const char* op, F f, const X&... operands) {
  if constexpr ((Recorded<X> && ...))
    return all_or_nothing(common_tape(op, operands...), f);
  else
    return f();
}

}  // namespace autograd
