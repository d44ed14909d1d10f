#include "autograd/ops/loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/all_or_nothing.hpp"
#include "autograd/apply.hpp"
#include "autograd/kernels/contiguous_sum.hpp"
#include "autograd/kernels/log_sum_exp.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/indexing.hpp"
#include "autograd/ops/mean.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

using kernels::exp_sum;
using kernels::ExpSum;
using kernels::Line;

namespace ops {

/// g slope(x...), the gradient of an element; 0 where g is 0 and the slope is not finite, as it is in padding that a
/// mask leaves out: there the slope is that of 0. Everything else, and every derivative of it, is that of the product.
template <class Slope>
auto chained(const auto& g, const Slope& slope, const auto&... x) {
  const auto at_x = slope(x...);
  const auto counts = equal(at_x - at_x, 0) + (1 - equal(g, 0));
  return g * slope(masked(x, counts)...);
}

// y = d^2,   dd = 2 g d
struct ElementSquaredError {
  static constexpr OpInfo info{.name = "squared_error", .vjp_reads = Reads::inputs};
  static auto forward(const auto& d) { return d * d; }
  static auto vjp(const auto& g, const auto&, const auto& d) {
    return gradients(chained(
        g, [](const auto& d) { return 2 * d; }, d));
  }
};

// y = |d|,   dd = g sign(d); 0 at 0
struct AbsoluteError {
  static constexpr OpInfo info{.name = "absolute_error", .vjp_reads = Reads::inputs};
  static auto forward(const auto& d) { return abs(d); }
  static auto vjp(const auto& g, const auto&, const auto& d) {
    return gradients(chained(
        g, [](const auto& d) { return sign(d); }, d));
  }
};

// y = d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere,   dd = g d within [-delta, delta]
struct Huber {
  static constexpr OpInfo info{.name = "huber", .vjp_reads = Reads::inputs};
  double delta;
  auto forward(const auto& d) const {
    const auto size = abs(d);
    return where(greater(size, delta), (size - delta / 2) * delta, d * d * 0.5);
  }
  auto vjp(const auto& g, const auto&, const auto& d) const {
    return gradients(chained(
        g, [this](const auto& d) { return clip(d, -delta, delta); }, d));
  }
  static void visit(auto& self, auto&& visitor) { visitor("delta", self.delta); }
};

// y = -t max(log(p), -100) - (1 - t) max(log(1 - p), -100),   dp = g (p - t) / max(p (1 - p), 1e-12),
// dt = g (max(log(1 - p), -100) - max(log(p), -100))
struct BinaryCrossEntropy {
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr OpInfo info{
      .name = "binary_cross_entropy", .inputs = 2, .vjp_reads = Reads::inputs, .domain = {0.1, 0.9}};
  static auto limited_log(const auto& p) { return clip(log(p), -100, infinity); }
  static auto forward(const auto& p, const auto& t) { return -(t * limited_log(p) + (1 - t) * limited_log(1 - p)); }
  static auto vjp(const auto& g, const auto&, const auto& p, const auto& t) {
    const auto of_p = [](const auto& p, const auto& t) { return (p - t) / clip(p * (1 - p), 1e-12, infinity); };
    const auto of_t = [](const auto& p) { return limited_log(1 - p) - limited_log(p); };
    return gradients(chained(g, of_p, p, t), chained(g, of_t, p));
  }
};

// y = t log(1 + exp(-x)), 0 where t is 0,   dx = -g t sigmoid(-x),  dt = g log(1 + exp(-x))
struct PositiveLogisticLoss {
  static constexpr OpInfo info{
      .name = "positive_logistic_loss", .inputs = 2, .vjp_reads = Reads::inputs, .expensive = true};
  static auto below(const auto& x) { return maximum(-x, 0) + log1p(exp(-abs(x))); }
  static auto forward(const auto& x, const auto& t) { return masked(t * below(x), t); }
  static auto vjp(const auto& g, const auto&, const auto& x, const auto& t) {
    const auto of_x = [](const auto& x, const auto& t) { return -(t * sigmoid(-x)); };
    return gradients(chained(g, of_x, x, t), chained(
                                                 g, [](const auto& x) { return below(x); }, x));
  }
};

// y = t (log(t) - p) where t > 0, 0 elsewhere,   dp = -g t,  dt = g (log(t) - p + 1) there, 0 elsewhere
struct KullbackLeibler {
  static constexpr OpInfo info{.name = "kl_div", .inputs = 2, .vjp_reads = Reads::inputs, .domain = {0.1, 2}};
  /// log(t), with 1 in the place of a t that is not positive.
  static auto safe_log(const auto& t) {
    const auto positive = masked(t, greater(t, 0));
    return log(positive + equal(positive, 0));
  }
  static auto forward(const auto& p, const auto& t) { return masked(t * (safe_log(t) - p), greater(t, 0)); }
  static auto vjp(const auto& g, const auto&, const auto& p, const auto& t) {
    const auto of_p = [](const auto& t) { return -masked(t, greater(t, 0)); };
    const auto of_t = [](const auto& p, const auto& t) { return masked(safe_log(t) - p + 1, greater(t, 0)); };
    return gradients(chained(g, of_p, t), chained(g, of_t, p, t));
  }
};

// y = log(1 + exp(-t x)),   dx = -g t sigmoid(-t x),  dt = -g x sigmoid(-t x)
struct SoftMargin {
  static constexpr OpInfo info{.name = "soft_margin_loss", .inputs = 2, .vjp_reads = Reads::inputs, .expensive = true};
  static auto forward(const auto& x, const auto& t) {
    const auto u = t * x;
    return maximum(-u, 0) + log1p(exp(-abs(u)));
  }
  static auto vjp(const auto& g, const auto&, const auto& x, const auto& t) {
    const auto slope = [](const auto& by, const auto& other) { return -(other * sigmoid(-(by * other))); };
    return gradients(chained(g, slope, x, t), chained(g, slope, t, x));
  }
};

// y = q l, 0 where q is 0 (also for an infinite l),   dq = g l,  dl = g q
struct Weighted {
  static constexpr OpInfo info{.name = "weighted", .inputs = 2, .vjp_reads = Reads::inputs};
  static auto forward(const auto& q, const auto& l) { return masked(q * l, q); }
  static auto vjp(const auto& g, const auto&, const auto& q, const auto& l) {
    const auto other = [](const auto& factor) { return factor; };
    return gradients(chained(g, other, l), chained(g, other, q));
  }
};

// y = (1 - t) x + log(1 + exp(-x)) = ([x > 0] - t) x + log(1 + exp(-|x|)),   dx = g (sigmoid(x) - t),  dt = -g x.
// An infinite x costs nothing where it agrees with the target.
struct LogisticLoss {
  static constexpr OpInfo info{.name = "logistic_loss", .inputs = 2, .vjp_reads = Reads::inputs};
  static auto forward(const auto& x, const auto& t) {
    const auto off = greater(x, 0) - t;
    return masked(off * x, off) + log1p(exp(-abs(x)));
  }
  static auto vjp(const auto& g, const auto&, const auto& x, const auto& t) {
    const auto of_x = [](const auto& x, const auto& t) { return sigmoid(x) - t; };
    return gradients(chained(g, of_x, x, t), chained(
                                                 g, [](const auto& x) { return -x; }, x));
  }
};

// y = sum((p - t)^2) / n,   dp = 2 g (p - t) / n,  dt = -dp
struct SquaredError {
  static constexpr OpInfo info{.name = "mse_loss", .inputs = 2, .vjp_reads = Reads::inputs};
  double n;

  Shape infer(Shapes) const { return {}; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const V* const p = call.input(0).data;
    const V* const t = call.input(1).data;
    const V total =
        kernels::contiguous_sum<V>(call.input().size(), [=](std::size_t k) { return (p[k] - t[k]) * (p[k] - t[k]); });
    using Real = decltype(std::real(V()));
    *call.output().data = total / static_cast<Real>(n);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const std::size_t size = call.input().size();
    const T factor = 2 * *call.gradient().data / static_cast<T>(n);
    const T* const p = call.input(0).data;
    const T* const t = call.input(1).data;
    for (std::size_t k = 0; k < 2; ++k) {
      if (!call.wants(k)) continue;
      const T signed_factor = k == 0 ? factor : -factor;
      const Destination<T> into = call.into(k);
      for (std::size_t e = 0; e < size; ++e) {
        const T part = signed_factor * (p[e] - t[e]);
        into.data[e] = into.accumulate ? into.data[e] + part : part;
      }
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> dp = (2 * call.gradient() / n) * (call.input(0) - call.input(1));
    if (call.wants(0)) call.add(0, dp);
    if (call.wants(1)) call.add(1, -dp);
  }
  static void visit(auto& self, auto&& visitor) { visitor("n", self.n); }
};

// y = sum over rows of w (log(sum(exp(d))) - d[target]) / n with d = x - max(x),
// dx = g w / n (exp(d) / sum(exp(d)) - onehot(target))
struct CrossEntropy {
  static constexpr OpInfo info{.name = "cross_entropy", .vjp_reads = Reads::inputs};
  std::span<const std::size_t> targets;
  std::span<const double> weights;  ///< w of each row, 0 for one that is ignored; none where all are 1
  double n;

  double weight(std::size_t row) const { return weights.empty() ? 1 : weights[row]; }

  Shape infer(Shapes) const { return {}; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    using Real = decltype(std::real(V()));
    const std::size_t classes = call.input().shape->back();
    const V total = kernels::contiguous_sum<V>(targets.size(), [&](std::size_t row) {
      if (weight(row) == 0) return V(0);
      const Line<const V> x{call.input().data + row * classes, classes, 1};
      const auto [largest, sum] = exp_sum(x);
      using std::log;
      return (log(sum) - (x[targets[row]] - largest)) * static_cast<Real>(weight(row));
    });
    *call.output().data = total / static_cast<Real>(n);
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const std::size_t classes = call.input().shape->back();
    const T scale = *call.gradient().data / static_cast<T>(n);
    const Destination<T> dx = call.into();
    for (std::size_t row = 0; row < targets.size(); ++row) {
      const Line<const T> x{call.input().data + row * classes, classes, 1};
      const T weighted = scale * static_cast<T>(weight(row));
      const auto [largest, sum] = weighted == 0 ? ExpSum<T>{} : exp_sum(x);
      for (std::size_t k = 0; k < classes; ++k) {
        const T part = weighted == 0 ? T(0) : weighted * (std::exp(x[k] - largest) / sum - T(k == targets[row]));
        T& to = dx.data[row * classes + k];
        to = dx.accumulate ? to + part : part;
      }
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = call.input();
    const Shape shape = x.shape();
    Shape per_row = shape;
    per_row.back() = 1;
    Array<T> onehot = zeros<T>(shape), scale = make_array<T>(per_row);
    for (std::size_t row = 0; row < targets.size(); ++row) {
      onehot.data()[row * shape.back() + targets[row]] = 1;
      scale.data()[row] = static_cast<T>(weight(row) / n);
    }
    Tape<T>& tape = x.tape();
    const Variable<T> weights_of_rows = tape.constant(scale);
    // Rows without weight are those of 0, so that no NaN of theirs gets into a second derivative.
    const Variable<T> off = softmax(masked(x, weights_of_rows)) - tape.constant(onehot);
    call.add(0, call.gradient() * (weights_of_rows * off));
  }
};

}  // namespace ops

template <class T>
Variable<T> reduce(Variable<T> losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::sum ? sum(losses) : mean(losses);
}

template <class T>
Variable<T> reduce(Variable<T> losses, Variable<T> mask, Reduction reduction) {
  Tape<T>& tape = common_tape("reduce", losses, mask);
  const Shape shape = losses.shape(), leading = mask.shape();
  if (leading.rank() > shape.rank() || !(Shape(shape.begin(), shape.begin() + leading.rank()) == leading))
    throw ShapeError("reduce: a mask of shape " + to_string(leading) + " for losses of shape " + to_string(shape) +
                     "; it must have their leading axes");
  return all_or_nothing(tape, [&] {
    Shape aligned = leading;
    while (aligned.rank() < shape.rank()) aligned.push_back(1);
    const Variable<T> chosen = reshape(mask, aligned);
    if (reduction == Reduction::mean) return masked_mean(losses, chosen);
    const Variable<T> kept = masked(losses, chosen);
    return reduction == Reduction::sum ? sum(kept) : kept;
  });
}

namespace {

/// Of two arrays of one shape: reduce(f()).
template <class T, class F>
Variable<T> elementwise_loss(const char* op, Variable<T> prediction, Variable<T> target, Reduction reduction, F f) {
  Tape<T>& tape = common_tape(op, prediction, target);
  if (!(prediction.shape() == target.shape()))
    throw ShapeError(std::string(op) + ": the prediction has shape " + to_string(prediction.shape()) + ", the target " +
                     to_string(target.shape()) + "; they must be equal");
  return all_or_nothing(tape, [&] { return reduce(f(), reduction); });
}

/// The targets of rows, checked and counted from 0, and what each row counts for.
struct Rows {
  std::span<std::size_t> targets;
  std::span<double> weights;  ///< none where all are 1
  double total;               ///< of the weights
};

template <class T>
Rows rows_of(const char* op, Variable<T> logits, const Array<Index>& targets, const ClassLossOptions& options) {
  const Shape& shape = logits.shape();
  if (shape.rank() == 0 || !(shape_of(targets) == Shape(shape.begin(), shape.end() - 1)) || targets.size() == 0 ||
      shape.back() == 0)
    throw ShapeError(std::string(op) + ": logits " + to_string(shape) + " and targets " + to_string(shape_of(targets)) +
                     "; expected (..., classes) and (...) with at least one row and one class");
  if (!options.weight.empty() && options.weight.size() != shape.back())
    throw ValueError(std::string(op) + ": " + std::to_string(options.weight.size()) + " class weights for " +
                     std::to_string(shape.back()) + " classes; give one for each");
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    throw ValueError(std::string(op) + ": label_smoothing must be in [0, 1], got " +
                     fixed_text(options.label_smoothing));
  Tape<T>& tape = logits.tape();
  const Index* const given = targets.data();
  const bool plain = options.weight.empty() &&
                     std::find(given, given + targets.size(), options.ignore_index) == given + targets.size();
  Rows rows{tape.recording().template list<std::size_t>(targets.size()),
            tape.recording().template list<double>(plain ? 0 : targets.size()), 0};
  for (std::size_t row = 0; row < rows.targets.size(); ++row) {
    const bool ignored = given[row] == options.ignore_index;
    if (!ignored && (given[row] < 0 || given[row] >= static_cast<Index>(shape.back())))
      throw ValueError(std::string(op) + ": target " + std::to_string(given[row]) + " (row " + std::to_string(row) +
                       ") is not one of the " + std::to_string(shape.back()) + " classes of logits " +
                       to_string(shape));
    rows.targets[row] = ignored ? 0 : static_cast<std::size_t>(given[row]);
    const double weight = ignored ? 0 : options.weight.empty() ? 1 : options.weight[rows.targets[row]];
    if (!plain) rows.weights[row] = weight;
    rows.total += weight;
  }
  return rows;
}

/// Numbers as a constant of a shape.
template <class T>
Variable<T> constant_of(Tape<T>& tape, std::span<const double> numbers, const Shape& shape) {
  if (numbers.empty()) return tape.constant(shape, T(1));
  return tape.constant(shape, [&](std::span<T> values) {
    std::transform(numbers.begin(), numbers.end(), values.begin(),
                   [](double number) { return static_cast<T>(number); });
  });
}

/// Losses of rows by the options; the mean of nothing is 0.
template <class T>
Variable<T> reduce_rows(Variable<T> losses, const Rows& rows, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::sum ? sum(losses) : sum(losses) / (rows.total == 0 ? 1 : rows.total);
}

/// -w_y log_p[y] of each row.
template <class T>
Variable<T> picked(Variable<T> log_p, const Array<Index>& targets, const Rows& rows) {
  const Shape row_shape = shape_of(targets);
  const std::size_t classes = log_p.shape().back();
  const std::span<std::size_t> places = log_p.tape().recording().template list<std::size_t>(rows.targets.size());
  for (std::size_t row = 0; row < places.size(); ++row) places[row] = row * classes + rows.targets[row];
  const Variable<T> taken = reshape(detail::take_elements<T>(log_p, places), row_shape);
  if (rows.weights.empty()) return -taken;
  const Variable<T> weights = constant_of(log_p.tape(), rows.weights, row_shape);
  return -(weights * masked(taken, weights));
}

}  // namespace

template <class T>
Variable<T> mse_loss(Variable<T> prediction, Variable<T> target, Reduction reduction) {
  return elementwise_loss("mse_loss", prediction, target, Reduction::none, [&] {
    if (reduction == Reduction::none) return apply(ops::ElementSquaredError{}, prediction - target);
    const std::size_t size = prediction.shape().elements();
    const double n = reduction == Reduction::sum || size == 0 ? 1 : static_cast<double>(size);
    return apply(ops::SquaredError{n}, prediction, target);
  });
}

template <class T>
Variable<T> l1_loss(Variable<T> prediction, Variable<T> target, Reduction reduction) {
  return elementwise_loss("l1_loss", prediction, target, reduction,
                          [&] { return apply(ops::AbsoluteError{}, prediction - target); });
}

template <class T>
Variable<T> huber_loss(Variable<T> prediction, Variable<T> target, double delta, Reduction reduction) {
  if (!(delta > 0)) throw ValueError("huber_loss: delta must be positive, got " + fixed_text(delta));
  return elementwise_loss("huber_loss", prediction, target, reduction,
                          [&] { return apply(ops::Huber{delta}, prediction - target); });
}

template <class T>
Variable<T> smooth_l1_loss(Variable<T> prediction, Variable<T> target, double beta, Reduction reduction) {
  if (!(beta >= 0)) throw ValueError("smooth_l1_loss: beta must not be negative, got " + fixed_text(beta));
  return elementwise_loss("smooth_l1_loss", prediction, target, reduction, [&] {
    const Variable<T> d = prediction - target;
    return beta == 0 ? apply(ops::AbsoluteError{}, d) : apply(ops::Huber{beta}, d) / beta;
  });
}

template <class T>
Variable<T> binary_cross_entropy(Variable<T> probability, Variable<T> target, Reduction reduction, Optional<T> weight) {
  if (weight) common_tape("binary_cross_entropy", probability, *weight);
  return elementwise_loss("binary_cross_entropy", probability, target, reduction, [&] {
    const Variable<T> loss = apply(ops::BinaryCrossEntropy{}, probability, target);
    return weight ? *weight * loss : loss;
  });
}

template <class T>
Variable<T> binary_cross_entropy_with_logits(Variable<T> x, Variable<T> target, Reduction reduction, Optional<T> weight,
                                             Optional<T> positive) {
  for (const auto& given : {weight, positive})
    if (given) common_tape("binary_cross_entropy_with_logits", x, *given);
  return elementwise_loss("binary_cross_entropy_with_logits", x, target, reduction, [&] {
    Variable<T> loss = apply(ops::LogisticLoss{}, x, target);
    if (positive) loss = loss + (*positive - 1) * apply(ops::PositiveLogisticLoss{}, x, target);
    return weight ? *weight * loss : loss;
  });
}

template <class T>
Variable<T> kl_div(Variable<T> log_p, Variable<T> target, Reduction reduction) {
  return elementwise_loss("kl_div", log_p, target, reduction,
                          [&] { return apply(ops::KullbackLeibler{}, log_p, target); });
}

template <class T>
Variable<T> soft_margin_loss(Variable<T> x, Variable<T> target, Reduction reduction) {
  return elementwise_loss("soft_margin_loss", x, target, reduction,
                          [&] { return apply(ops::SoftMargin{}, x, target); });
}

template <class T>
Variable<T> nll_loss(Variable<T> log_p, const Array<Index>& targets, const ClassLossOptions& options) {
  const Rows rows = rows_of("nll_loss", log_p, targets, options);
  return reduce_rows(picked(log_p, targets, rows), rows, options.reduction);
}

template <class T>
Variable<T> cross_entropy(Variable<T> logits, const Array<Index>& targets, const ClassLossOptions& options) {
  const Rows rows = rows_of("cross_entropy", logits, targets, options);
  const double smoothing = options.label_smoothing;
  if (smoothing == 0 && options.reduction != Reduction::none) {
    const double n = options.reduction == Reduction::sum || rows.total == 0 ? 1 : rows.total;
    return apply(ops::CrossEntropy{rows.targets, rows.weights, n}, logits);
  }
  Tape<T>& tape = logits.tape();
  const Shape row_shape = shape_of(targets);
  const std::size_t classes = logits.shape().back();
  const Variable<T> counts = tape.constant(row_shape, [&](std::span<T> values) {
    for (std::size_t row = 0; row < values.size(); ++row)
      values[row] = targets.data()[row] == options.ignore_index ? T(0) : T(1);
  });
  Shape column = row_shape;
  column.push_back(1);
  const Variable<T> log_p = log_softmax(masked(logits, reshape(counts, column)));
  Variable<T> losses = picked(log_p, targets, rows);
  if (smoothing > 0) {
    const Variable<T> everywhere =
        masked(sum(apply(ops::Weighted{}, constant_of(tape, options.weight, {classes}), log_p), -1), counts);
    losses = (1 - smoothing) * losses - smoothing / static_cast<double>(classes) * everywhere;
  }
  return reduce_rows(losses, rows, options.reduction);
}

template <class T>
Variable<T> cross_entropy(Variable<T> logits, Variable<T> targets, const ClassLossOptions& options) {
  Tape<T>& tape = common_tape("cross_entropy", logits, targets);
  const Shape shape = logits.shape();
  if (shape.rank() == 0 || !(shape == targets.shape()))
    throw ShapeError("cross_entropy: logits " + to_string(shape) + " and targets " + to_string(targets.shape()) +
                     "; probabilities have the shape of the logits, (..., classes)");
  const std::size_t classes = shape.back();
  if (!options.weight.empty() && options.weight.size() != classes)
    throw ValueError("cross_entropy: " + std::to_string(options.weight.size()) + " class weights for " +
                     std::to_string(classes) + " classes; give one for each");
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    throw ValueError("cross_entropy: label_smoothing must be in [0, 1], got " + fixed_text(options.label_smoothing));
  return all_or_nothing(tape, [&] {
    Variable<T> q = targets;
    const double smoothing = options.label_smoothing;
    if (smoothing > 0) q = affine(q, 1 - smoothing, smoothing / static_cast<double>(classes));
    if (!options.weight.empty()) q = q * constant_of(tape, options.weight, {classes});
    return reduce(-sum(apply(ops::Weighted{}, q, log_softmax(logits)), -1), options.reduction);
  });
}

#define INSTANTIATE(T)                                                                                    \
  template Variable<T> reduce(Variable<T>, Reduction);                                                    \
  template Variable<T> reduce(Variable<T>, Variable<T>, Reduction);                                       \
  template Variable<T> mse_loss(Variable<T>, Variable<T>, Reduction);                                     \
  template Variable<T> l1_loss(Variable<T>, Variable<T>, Reduction);                                      \
  template Variable<T> huber_loss(Variable<T>, Variable<T>, double, Reduction);                           \
  template Variable<T> smooth_l1_loss(Variable<T>, Variable<T>, double, Reduction);                       \
  template Variable<T> binary_cross_entropy(Variable<T>, Variable<T>, Reduction, Optional<T>);            \
  template Variable<T> binary_cross_entropy_with_logits(Variable<T>, Variable<T>, Reduction, Optional<T>, \
                                                        Optional<T>);                                     \
  template Variable<T> kl_div(Variable<T>, Variable<T>, Reduction);                                       \
  template Variable<T> soft_margin_loss(Variable<T>, Variable<T>, Reduction);                             \
  template Variable<T> nll_loss(Variable<T>, const Array<Index>&, const ClassLossOptions&);               \
  template Variable<T> cross_entropy(Variable<T>, const Array<Index>&, const ClassLossOptions&);          \
  template Variable<T> cross_entropy(Variable<T>, Variable<T>, const ClassLossOptions&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
