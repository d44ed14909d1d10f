// Means over axes, and what is left without them.
#pragma once

#include "autograd/ops/axes.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// x - mean(x) over axes, of x's shape: within about one unit in the last place of the difference, also of numbers that
/// lie close together far from 0; exactly 0 for equal ones. Throws ShapeError for an axis without elements.
template <class T>
Variable<T> centered(Variable<T> x, const Axes& axes);

/// The mean of x where the mask is not 0, and 0 if it is nowhere. The mask has as many axes as x, with its leading
/// extents and 1 for the others, and passes no gradient; what it leaves out may hold anything. Throws ShapeError for
/// any other mask.
template <class T>
Variable<T> masked_mean(Variable<T> x, Variable<T> mask);

}  // namespace autograd
