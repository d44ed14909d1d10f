// The exceptions of the library. Every text says what failed, the shapes, the axis, and what to do.
#pragma once

#include <stdexcept>

namespace autograd {

/// Base of every exception thrown on purpose by autograd:: and nn::.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Operands whose shapes, ranks or axes do not fit the op.
struct ShapeError : Error {
  using Error::Error;
};

/// A handle that outlived its values, a foreign tape, a parameter changed between forward and backward.
struct TapeError : Error {
  using Error::Error;
};

/// An argument outside its domain: a negative rate, an index out of range, an unknown option.
struct ValueError : Error {
  using Error::Error;
};

/// A file or a text that can not be read as what it claims to be.
struct FormatError : Error {
  using Error::Error;
};

}  // namespace autograd
