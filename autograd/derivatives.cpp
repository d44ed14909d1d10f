#include "autograd/derivatives.hpp"

#include <algorithm>
#include <string>

#include "autograd/all_or_nothing.hpp"
#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/reduction.hpp"

namespace autograd {

namespace {

/// Throws ShapeError unless there is a direction of the shape of each input.
template <class T>
void check_directions(const char* what, std::span<const Variable<T>> inputs, std::span<const Variable<T>> directions) {
  if (inputs.size() != directions.size())
    throw ShapeError(std::string(what) + ": " + std::to_string(directions.size()) + " directions for " +
                     std::to_string(inputs.size()) + " inputs; give one for each");
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (!(inputs[k].shape() == directions[k].shape()))
      throw ShapeError(std::string(what) + ": direction " + std::to_string(k) + " has shape " +
                       to_string(directions[k].shape()) + ", the input " + to_string(inputs[k].shape()) +
                       "; they must be equal");
}

/// The sum over all k of <a_k, b_k>.
template <class T>
Variable<T> inner(Tape<T>& tape, std::span<const Variable<T>> a, std::span<const Variable<T>> b) {
  Variable<T> total = tape.constant(Shape{}, T(0));
  for (std::size_t k = 0; k < a.size(); ++k) total = total + sum(a[k] * b[k]);
  return total;
}

template <class T>
std::vector<Variable<T>> record(Tape<T>& tape, const std::vector<Array<T>>& inputs) {
  std::vector<Variable<T>> variables;
  for (const Array<T>& input : inputs) variables.push_back(tape.variable(input));
  return variables;
}

/// dy/dx for each x, of y's shape followed by x's.
template <class T>
std::vector<Array<T>> rows(Variable<T> y, std::span<const Variable<T>> inputs) {
  Tape<T>& tape = y.tape();
  const Shape shape = y.shape();
  std::vector<Array<T>> result;
  for (const Variable<T>& x : inputs) {
    Shape whole = shape;
    for (const std::size_t extent : x.shape()) whole.push_back(extent);
    result.push_back(zeros<T>(whole));
  }
  if (!y.needs_gradient()) return result;
  Array<T> one = zeros<T>(shape);
  for (std::size_t row = 0; row < one.size(); ++row) {
    one.data()[row] = T(1);
    tape.backward(y, one);
    one.data()[row] = T(0);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Array<T> gradient = tape.gradient(inputs[k]);
      std::copy_n(gradient.data(), gradient.size(), result[k].data() + row * gradient.size());
    }
  }
  return result;
}

}  // namespace

template <class T>
std::vector<Variable<T>> hessian_vector_product(Variable<T> y, std::span<const Variable<T>> inputs,
                                                std::span<const Variable<T>> directions) {
  Tape<T>& tape = tape_of("hessian_vector_product", y);
  check_directions("hessian_vector_product", inputs, directions);
  return all_or_nothing(tape, [&] {
    const std::vector<Variable<T>> gradient = grad(y, inputs);
    return grad(inner<T>(tape, gradient, directions), inputs);
  });
}

template <class T>
Variable<T> jacobian_vector_product(Variable<T> y, std::span<const Variable<T>> inputs,
                                    std::span<const Variable<T>> directions) {
  Tape<T>& tape = tape_of("jacobian_vector_product", y);
  check_directions("jacobian_vector_product", inputs, directions);
  return all_or_nothing(tape, [&] {
    const Variable<T> u = tape.variable(zeros<T>(y.shape()));
    const std::vector<Variable<T>> transposed = grad(y, inputs, u);
    return grad(inner<T>(tape, transposed, directions), {u})[0];
  });
}

template <class T>
ValueAndGradient<T> value_and_grad(const FunctionOf<T>& f, const std::vector<Array<T>>& inputs) {
  Tape<T> tape;
  const std::vector<Variable<T>> x = record(tape, inputs);
  const Variable<T> y = f(x);
  ValueAndGradient<T> result{y.item(), {}};
  const bool depends = y.needs_gradient();
  if (depends) tape.backward(y);
  for (const Variable<T>& each : x) result.gradient.push_back(depends ? tape.gradient(each) : zeros<T>(each.shape()));
  return result;
}

template <class T>
std::vector<Array<T>> jacobian(const FunctionOf<T>& f, const std::vector<Array<T>>& inputs) {
  Tape<T> tape;
  const std::vector<Variable<T>> x = record(tape, inputs);
  return rows<T>(f(x), x);
}

template <class T>
std::vector<std::vector<Array<T>>> hessian(const FunctionOf<T>& f, const std::vector<Array<T>>& inputs) {
  Tape<T> tape;
  const std::vector<Variable<T>> x = record(tape, inputs);
  std::vector<std::vector<Array<T>>> result;
  for (const Variable<T>& gradient : grad<T>(f(x), x)) result.push_back(rows<T>(gradient, x));
  return result;
}

#define INSTANTIATE(T)                                                                                \
  template std::vector<Variable<T>> hessian_vector_product(Variable<T>, std::span<const Variable<T>>, \
                                                           std::span<const Variable<T>>);             \
  template Variable<T> jacobian_vector_product(Variable<T>, std::span<const Variable<T>>,             \
                                               std::span<const Variable<T>>);                         \
  template ValueAndGradient<T> value_and_grad(const FunctionOf<T>&, const std::vector<Array<T>>&);    \
  template std::vector<Array<T>> jacobian(const FunctionOf<T>&, const std::vector<Array<T>>&);        \
  template std::vector<std::vector<Array<T>>> hessian(const FunctionOf<T>&, const std::vector<Array<T>>&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
