// Losses, under PyTorch's names. Classes are the last axis.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "autograd/array.hpp"
#include "autograd/ops/softmax.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// An array that may be left out; T is deduced from the other arguments.
template <class T>
using Optional = std::type_identity_t<std::optional<Variable<T>>>;

/// What becomes of the losses of single elements or rows.
enum class Reduction { none, mean, sum };

template <class T>
Variable<T> reduce(Variable<T> losses, Reduction reduction);
/// Over the elements where the mask is not 0, the others are 0; a mean of nothing is 0. The mask has the leading axes
/// of the losses, (time, batch) say, or all of them. Throws ShapeError for any other.
template <class T>
Variable<T> reduce(Variable<T> losses, Variable<T> mask, Reduction reduction);

// Element by element: the shapes must be equal, or ShapeError is thrown. d = prediction - target.

/// d^2.
template <class T>
Variable<T> mse_loss(Variable<T> prediction, Variable<T> target, Reduction reduction = Reduction::mean);
/// mse_loss() by its short name.
template <class T>
Variable<T> mse(Variable<T> prediction, Variable<T> target) {
  return mse_loss(prediction, target);
}
/// |d|; its gradient at 0 is 0.
template <class T>
Variable<T> l1_loss(Variable<T> prediction, Variable<T> target, Reduction reduction = Reduction::mean);
/// d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere (Huber 1964). Throws ValueError unless delta > 0.
template <class T>
Variable<T> huber_loss(Variable<T> prediction, Variable<T> target, double delta = 1,
                       Reduction reduction = Reduction::mean);
/// huber_loss() over beta: d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere; l1_loss() for a beta of 0.
/// Throws ValueError for a negative beta.
template <class T>
Variable<T> smooth_l1_loss(Variable<T> prediction, Variable<T> target, double beta = 1,
                           Reduction reduction = Reduction::mean);

/// weight (-t log(p) - (1 - t) log(1 - p)) for probabilities p; a logarithm counts as at least -100. The weight is
/// broadcast; 1 if not given.
template <class T>
Variable<T> binary_cross_entropy(Variable<T> probability, Variable<T> target, Reduction reduction = Reduction::mean,
                                 Optional<T> weight = {});
/// The same of p = sigmoid(x), without overflow: weight ((1 - t) x + (1 + (positive - 1) t) softplus(-x)). `positive`
/// weighs the targets of 1, and is broadcast.
template <class T>
Variable<T> binary_cross_entropy_with_logits(Variable<T> x, Variable<T> target, Reduction reduction = Reduction::mean,
                                             Optional<T> weight = {}, Optional<T> positive = {});
/// t (log(t) - log_p), 0 where t is 0 or less.
template <class T>
Variable<T> kl_div(Variable<T> log_p, Variable<T> target, Reduction reduction = Reduction::mean);
/// log(1 + exp(-t x)) for targets of 1 and -1.
template <class T>
Variable<T> soft_margin_loss(Variable<T> x, Variable<T> target, Reduction reduction = Reduction::mean);

struct ClassLossOptions {
  Reduction reduction = Reduction::mean;  ///< the mean is over the weights of the targets
  std::vector<double> weight = {};        ///< of each class; all 1 if not given
  double label_smoothing = 0;             ///< the share of the target that is spread over all classes
  Index ignore_index = -100;              ///< rows with this target count for nothing
};

/// For each row of logits (..., classes) with target y: -sum over c of q_c log(softmax(logits)_c), where
/// q_c = (1 - e) w_y [c = y] + e / classes w_c, for class weights w and label smoothing e. The mean of nothing is 0.
/// Throws ShapeError unless the targets are (...) with at least one row and one class; ValueError for a target that is
/// no class, a smoothing outside [0, 1], or another number of weights than classes.
template <class T>
Variable<T> cross_entropy(Variable<T> logits, const Array<Index>& targets, const ClassLossOptions& options = {});
/// The same for targets that are probabilities (..., classes): q_c = w_c ((1 - e) t_c + e / classes). The mean is over
/// rows, and nothing is ignored. A class of logit -infinity costs nothing where q_c is 0.
template <class T>
Variable<T> cross_entropy(Variable<T> logits, Variable<T> targets, const ClassLossOptions& options = {});
/// -w_y log_p[y] for each row of log-probabilities. Throws as cross_entropy().
template <class T>
Variable<T> nll_loss(Variable<T> log_p, const Array<Index>& targets, const ClassLossOptions& options = {});

}  // namespace autograd
