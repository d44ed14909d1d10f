// all_or_nothing(): what is made of several steps leaves none of them on the tape when one fails.
#pragma once

#include <concepts>

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

/// f(), which is made of several steps of the operands' tape, or of none: then they are registers.
template <class F, Value... X>
WENGERT_INLINE auto together(const char* op, F f, const X&... operands) {
  if constexpr ((Recorded<X> && ...))
    return all_or_nothing(common_tape(op, operands...), f);
  else
    return f();
}

}  // namespace autograd
