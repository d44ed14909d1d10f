// Derivatives beyond the gradient: Jacobians, Hessians and their products with vectors.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "autograd/gradient.hpp"
#include "autograd/variable.hpp"

namespace autograd {

// On the tape, as more tape: what comes out can be differentiated again.

/// The gradient of <v, dy/dx> for every x, where y is a scalar and v has one direction for each x, of its shape: the
/// joint Hessian times v, at about twice the cost of a gradient.
/// Throws ShapeError unless y has one element and the directions fit.
template <class T>
std::vector<Variable<T>> hessian_vector_product(Variable<T> y, std::span<const Variable<T>> inputs,
                                                std::span<const Variable<T>> directions);
template <class T>
std::vector<Variable<T>> hessian_vector_product(Variable<T> y, std::initializer_list<Variable<T>> inputs,
                                                std::initializer_list<Variable<T>> directions) {
  return hessian_vector_product(y, std::span<const Variable<T>>(inputs.begin(), inputs.size()),
                                std::span<const Variable<T>>(directions.begin(), directions.size()));
}

/// The sum over all x of dy/dx v, of y's shape: how y changes along v. Two reverse sweeps: the product with the
/// transpose, uᵀ dy/dx, is linear in u, and its derivative by u is what is asked for.
/// Throws ShapeError unless the directions fit.
template <class T>
Variable<T> jacobian_vector_product(Variable<T> y, std::span<const Variable<T>> inputs,
                                    std::span<const Variable<T>> directions);
template <class T>
Variable<T> jacobian_vector_product(Variable<T> y, std::initializer_list<Variable<T>> inputs,
                                    std::initializer_list<Variable<T>> directions) {
  return jacobian_vector_product(y, std::span<const Variable<T>>(inputs.begin(), inputs.size()),
                                 std::span<const Variable<T>>(directions.begin(), directions.size()));
}

// Of a function of arrays.

/// A function from arrays to an array, recorded on the tape of its arguments.
template <class T>
using FunctionOf = std::function<Variable<T>(std::span<const Variable<T>>)>;

template <class T>
struct ValueAndGradient {
  T value;
  std::vector<Array<T>> gradient;  ///< by each input, of its shape
};

/// f and its gradient. Throws ShapeError unless f has one element.
template <class T>
ValueAndGradient<T> value_and_grad(const FunctionOf<T>& f, const std::vector<Array<T>>& inputs);

/// df/dx for each x, of f's shape followed by x's: one sweep for each element of f.
template <class T>
std::vector<Array<T>> jacobian(const FunctionOf<T>& f, const std::vector<Array<T>>& inputs);

/// The second derivatives of a scalar f: [i][j] is d²f/dx_i dx_j, of x_i's shape followed by x_j's.
/// Throws ShapeError unless f has one element.
template <class T>
std::vector<std::vector<Array<T>>> hessian(const FunctionOf<T>& f, const std::vector<Array<T>>& inputs);

}  // namespace autograd
