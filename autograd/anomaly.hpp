// first_anomaly(): which step of a tape was the first to make NaN or infinity?
#pragma once

#include <optional>
#include <string>

#include "autograd/tape.hpp"

namespace autograd {

struct Anomaly {
  std::size_t step;  ///< in the order in which they were recorded; print() lists it at this line, counted from 0
  bool backward;     ///< in a gradient of the last sweep, rather than in a value
  std::string text;  ///< names the op, its inputs by the names they were given, the element, and what it is; after
                     ///< tape.keep_call_sites() also the function that recorded the step
};

/// The first step whose value holds NaN though no input does, or infinity though all inputs are finite; else, of the
/// last backward(), the first step to give an input a gradient like that from gradients that are none. The tape keeps
/// all values, so nothing has to be switched on beforehand, and a run that goes well costs nothing.
template <class T>
std::optional<Anomaly> first_anomaly(const Tape<T>& tape);

}  // namespace autograd
