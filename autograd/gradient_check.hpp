// gradient_check(): are the gradients of a function right, to the last digits, in first and second order?
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "autograd/variable.hpp"

namespace autograd {

/// dloss/dx by the complex step: Im(loss(x + ih)) / h with h = 1e-30, which has no truncation and no cancellation.
/// The recorded steps after x are run again over complex numbers, once for each element of x; x may be any value on
/// the tape. See Squire and Trapp, SIAM Review 40(1), 1998.
/// Throws ShapeError unless the loss has one element, ValueError for a step that has no complex form.
Array<double> complex_step_gradient(Variable<double> loss, Variable<double> x);

/// A function from arrays to an array, recorded on the tape of its arguments.
using Function = std::function<Variable<double>(std::span<const Variable<double>>)>;

struct GradientCheckOptions {
  bool second_order = true;
  std::uint64_t seed = 1;  ///< of the output gradient and of the direction of the second order
};

/// The comparison of one derivative of one input.
struct GradientComparison {
  std::string derivative;  ///< "gradient" or "Hessian times direction"
  std::string method;      ///< "complex step", "6-point differences" or "differences of the complex step"
  std::size_t input = 0;
  std::vector<std::size_t> index;  ///< of the worst element
  double recorded = 0;             ///< the derivative under test, there
  double reference = 0;
  double error = 0;  ///< |recorded - reference| there, relative to the norm of all of that input's derivative
};

struct GradientReport {
  std::vector<GradientComparison> comparisons;  ///< one for each input and derivative

  const GradientComparison& worst() const;
  bool agrees(double tolerance) const { return worst().error <= tolerance; }
};

/// The worst element in a sentence.
std::ostream& operator<<(std::ostream& out, const GradientReport& report);

/// Compares the gradients of `f` at `inputs`, against a random output gradient, with the complex step if every op of f
/// has a complex form, otherwise with 6-point central differences (spacing 1e-3, error O(h^6)). The gradient under
/// test is both that of backward() and that of grad(): the worse one counts. The second order compares the gradient
/// of <direction, gradient> for a random direction; where a recorded gradient holds constant what is not, which the
/// complex step then does too, it is compared with differences of the complex steps of the first order instead.
/// An error is relative to the norm of the tensor, so it does not depend on its scale; a reference of zero norm is
/// measured against the scale of the function itself.
GradientReport gradient_check(const Function& f, const std::vector<Array<double>>& inputs,
                              const GradientCheckOptions& options = {});

}  // namespace autograd
