// Matrix products.
#pragma once

#include <optional>

#include "autograd/all_or_nothing.hpp"

namespace autograd {

/// A B. The last two axes are matrices, the leading ones are broadcast; a 1-d operand is a row on the left and a column
/// on the right, as in NumPy. Throws ShapeError when inner or leading extents differ.
template <class T>
Variable<T> matmul(Variable<T> a, Variable<T> b);

/// x Wᵀ, for x (..., in) and weight (out, in): (..., out).
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight);
/// x Wᵀ + b. The bias is (out), added to every row, or has the shape of the result.
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Variable<T> bias);
/// The same; a bias of the result's shape gives its memory to the result.
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Donated<T> bias);

// A Parameter is on the tape of the other operand.

template <class T>
Variable<T> matmul(Variable<T> a, Parameter<T>& b) {
  return with_parameters(
      "matmul", a, [&](Variable<T> p) { return matmul(a, p); }, b);
}
template <class T>
Variable<T> matmul(Parameter<T>& a, Variable<T> b) {
  return with_parameters(
      "matmul", b, [&](Variable<T> p) { return matmul(p, b); }, a);
}
template <class T>
Variable<T> linear(Variable<T> x, Parameter<T>& weight) {
  return with_parameters(
      "linear", x, [&](Variable<T> w) { return linear(x, w); }, weight);
}
template <class T>
Variable<T> linear(Variable<T> x, Parameter<T>& weight, Variable<T> bias) {
  return with_parameters(
      "linear", x, [&](Variable<T> w) { return linear(x, w, bias); }, weight);
}
template <class T>
Variable<T> linear(Variable<T> x, Parameter<T>& weight, Donated<T> bias) {
  return with_parameters(
      "linear", x, [&](Variable<T> w) { return linear(x, w, bias); }, weight);
}
template <class T>
Variable<T> linear(Variable<T> x, Parameter<T>& weight, Parameter<T>& bias) {
  return with_parameters(
      "linear", x, [&](Variable<T> w, Variable<T> b) { return linear(x, w, b); }, weight, bias);
}
/// With or without a bias.
template <class T>
Variable<T> linear(Variable<T> x, Parameter<T>& weight, std::optional<Parameter<T>>& bias) {
  return bias ? linear(x, weight, *bias) : linear(x, weight);
}

}  // namespace autograd
