// Random numbers from an explicit generator, and dropout.
#pragma once

#include <cstdint>
#include <random>

#include "autograd/variable.hpp"

namespace autograd {

/// Fully specified by the C++ standard, so a seed gives the same bits everywhere.
using Generator = std::mt19937_64;

/// The next number of [0, 1), a multiple of 2^-53.
inline double uniform(Generator& generator) { return static_cast<double>(generator() >> 11) * 0x1p-53; }

/// Each element is 0 with the given probability, otherwise multiplied by 1 / (1 - probability).
/// Throws ValueError unless 0 <= probability < 1.
template <class T>
Variable<T> dropout(Variable<T> x, double probability, Generator& generator);

}  // namespace autograd
