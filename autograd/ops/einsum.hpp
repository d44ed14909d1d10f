// Products of several axes, all of them matrix products underneath: einsum and what is said with it.
#pragma once

#include <span>
#include <string_view>

#include "autograd/ops/axes.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// Einstein's summation: `einsum("bij,bjk->bik", {a, b})`. Every letter is an axis; letters that the result does not
/// name are summed over, and a letter twice in one operand takes its diagonal. Without `->` the result has the letters
/// that occur once, in alphabetical order. More than two operands are multiplied from left to right.
/// Throws ValueError for an equation that can not be read, ShapeError where it does not fit the operands.
template <class T>
Variable<T> einsum(std::string_view equation, std::span<const Variable<T>> operands);
template <class T>
Variable<T> einsum(std::string_view equation, std::initializer_list<Variable<T>> operands) {
  return einsum(equation, std::span<const Variable<T>>(operands.begin(), operands.size()));
}

/// The sum over pairs of axes, one of a and one of b each; the result has the other axes of a, then those of b.
/// Throws ShapeError unless the pairs have equal extents.
template <class T>
Variable<T> tensordot(Variable<T> a, Variable<T> b, const Axes& axes_a, const Axes& axes_b);

/// y[i][j] = a[i] b[j]. Throws ShapeError unless both have one axis.
template <class T>
Variable<T> outer(Variable<T> a, Variable<T> b);
/// The sum of a[i] b[i]. Throws ShapeError unless both have one axis of the same extent.
template <class T>
Variable<T> dot(Variable<T> a, Variable<T> b);
/// beta c + alpha a b, with c broadcast.
template <class T>
Variable<T> addmm(Variable<T> c, Variable<T> a, Variable<T> b, double beta = 1, double alpha = 1);

}  // namespace autograd
