#include "autograd/gradient_check.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <optional>
#include <ostream>
#include <string_view>

#include "autograd/apply.hpp"
#include "autograd/gradient.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/random.hpp"
#include "autograd/ops/reduction.hpp"

namespace autograd {

namespace {

using Complex = std::complex<double>;

/// A recording run over complex numbers: the steps that lead from one perturbed value to the loss.
class ComplexRun {
 public:
  ComplexRun(Variable<double> loss, Variable<double> x)
      : recording_(loss.tape().recording()), loss_(loss.slot()), x_(x.slot()), values_(recording_.slot_count()) {
    recording_.restore();
    std::vector<bool> depends(recording_.slot_count(), false);
    depends[x_] = true;
    for (std::size_t index = 0; index < recording_.step_count(); ++index) {
      const Step<double>& step = recording_.step(index);
      if (step.first_output > loss_) break;
      bool reached = false;
      for (std::uint32_t k = 0; k < step.input_count; ++k) reached |= depends[recording_.input(step, k)];
      for (std::uint32_t k = 0; k < step.output_count; ++k) {
        const SlotId id = step.first_output + k;
        const Slot<double>& slot = recording_.slot(id);
        values_[id].assign(slot.value, slot.value + slot.size);
        if (reached) depends[id] = true;
      }
      if (reached) steps_.push_back(step);
    }
    std::vector<bool> leads(recording_.slot_count(), false);
    leads[loss_] = true;
    std::vector<Step<double>> leading;
    for (; !steps_.empty(); steps_.pop_back()) {
      const Step<double>& step = steps_.back();
      bool used = false;
      for (std::uint32_t k = 0; k < step.output_count; ++k) used |= leads[step.first_output + k];
      if (!used) continue;
      for (std::uint32_t k = 0; k < step.input_count; ++k) leads[recording_.input(step, k)] = true;
      leading.push_back(step);
    }
    steps_.assign(leading.rbegin(), leading.rend());
  }

  Array<double> gradient() {
    constexpr double h = 1e-30;
    Array<double> result = zeros<double>(*recording_.slot(x_).shape);
    if (x_ > loss_) return result;
    for (std::size_t k = 0; k < result.size(); ++k) {
      const Complex before = values_[x_][k];
      values_[x_][k] += Complex(0, h);
      for (const Step<double>& step : steps_) run(step);
      result.data()[k] = values_[loss_][0].imag() / h;
      values_[x_][k] = before;
    }
    return result;
  }

 private:
  void run(const Step<double>& step) {
    if (!step.op->forward_complex || !step.op->info->analytic)
      throw ValueError(std::string("complex step: ") + step.op->info->name +
                       " has no complex form; use gradient_check(), which falls back on differences");
    inputs_.clear();
    outputs_.clear();
    for (std::uint32_t k = 0; k < step.input_count; ++k) {
      const SlotId id = recording_.input(step, k);
      inputs_.push_back({values_[id].data(), recording_.slot(id).shape});
    }
    // A step that made x leaves it perturbed.
    for (std::uint32_t k = 0; k < step.output_count; ++k) {
      const SlotId id = step.first_output + k;
      outputs_.push_back({values_[id].data(), recording_.slot(id).shape});
    }
    step.op->forward_complex(step.rule, {inputs_, outputs_});
  }

  Recording<double>& recording_;
  SlotId loss_;
  SlotId x_;
  std::vector<std::vector<Complex>> values_;
  std::vector<Step<double>> steps_;
  std::vector<Operand<const Complex>> inputs_;
  std::vector<Operand<Complex>> outputs_;
};

/// Standard normal numbers (Box and Muller).
Array<double> random_array(const Shape& shape, Generator& generator) {
  Array<double> result = make_array<double>(shape);
  for (std::size_t k = 0; k < result.size(); ++k)
    result.data()[k] =
        std::sqrt(-2 * std::log(1 - uniform(generator))) * std::cos(6.283185307179586 * uniform(generator));
  return result;
}

std::vector<Variable<double>> record(Tape<double>& tape, const std::vector<Array<double>>& inputs) {
  std::vector<Variable<double>> variables;
  for (const Array<double>& input : inputs) variables.push_back(tape.variable(input));
  return variables;
}

/// <weights, y> as a scalar on the tape.
Variable<double> project(Variable<double> y, const Array<double>& weights) {
  return sum(y * y.tape().constant(weights));
}

double norm(const Array<double>& values) {
  double total = 0;
  for (std::size_t k = 0; k < values.size(); ++k) total += values.data()[k] * values.data()[k];
  return std::sqrt(total);
}

/// One scalar function of the inputs and its derivative, both recorded.
struct Trial {
  Tape<double> tape;
  std::vector<Variable<double>> inputs;
  Variable<double> loss;
  std::vector<Variable<double>> gradient;
};

/// <w, f(x)> or, in second order, <v, gradient of it>.
class Probe {
 public:
  Probe(const Function& f, const std::vector<Array<double>>& inputs, const GradientCheckOptions& options)
      : f_(f), inputs_(inputs) {
    Generator generator(options.seed);
    Tape<double> tape;
    output_weights_ = random_array(f(record(tape, inputs)).shape(), generator);
    for (const Array<double>& input : inputs) directions_.push_back(random_array(shape_of(input), generator));
  }

  void record_at(const std::vector<Array<double>>& inputs, int order, Trial& to) const {
    to.inputs = record(to.tape, inputs);
    const Variable<double> y = f_(to.inputs);
    to.tape.recording().check("gradient_check", y);
    to.loss = project(y, output_weights_);
    if (order == 2) {
      const auto gradient = grad(to.loss, std::span<const Variable<double>>(to.inputs));
      Variable<double> total = to.tape.constant(Shape{}, 0);
      for (std::size_t k = 0; k < gradient.size(); ++k) total = total + project(gradient[k], directions_[k]);
      to.loss = total;
    }
  }

  /// What the complex step can not see: a recorded gradient that takes for constant what is not. So the second order is
  /// also made of complex steps of the first, by differences along the direction. Returns it if f is smooth here and
  /// `reference` is something else.
  std::optional<Array<double>> lost_second_order(std::size_t input, const Array<double>& reference) const {
    constexpr double h = 1e-5;
    const auto gradient_at = [&](double distance) {
      std::vector<Array<double>> moved = inputs_;
      for (std::size_t k = 0; k < moved.size(); ++k)
        for (std::size_t at = 0; at < moved[k].size(); ++at)
          moved[k].data()[at] += distance * h * directions_[k].data()[at];
      Trial trial;
      record_at(moved, 1, trial);
      return complex_step_gradient(trial.loss, trial.inputs[input]);
    };
    const Array<double> near = (gradient_at(1) - gradient_at(-1)) / (2 * h);
    const Array<double> far = (gradient_at(2) - gradient_at(-2)) / (4 * h);
    const Array<double> whole = (4 * near - far) / 3;
    const double noise = 1e-8 * norm(gradient_at(0));
    const double lost = norm(Array<double>(whole - reference));
    const bool smooth = norm(Array<double>(near - far)) <= 1e-4 * norm(near);
    return smooth && lost > 1e-4 * norm(whole) && lost > noise ? std::optional(whole) : std::nullopt;
  }

  Array<double> differences(std::size_t input, int order) const {
    std::vector<Array<double>> moved = inputs_;
    Array<double> result = make_array<double>(shape_of(inputs_[input]));
    constexpr double h = 1e-3;
    constexpr double weights[] = {45, -9, 1};
    for (std::size_t k = 0; k < result.size(); ++k) {
      const double at = inputs_[input].data()[k];
      double total = 0;
      for (int distance = 1; distance <= 3; ++distance)
        for (const int side : {1, -1}) {
          moved[input].data()[k] = at + side * distance * h;
          Trial trial;
          record_at(moved, order, trial);
          total += side * weights[distance - 1] * trial.loss.item();
        }
      result.data()[k] = total / (60 * h);
      moved[input].data()[k] = at;
    }
    return result;
  }

 private:
  const Function& f_;
  const std::vector<Array<double>>& inputs_;
  Array<double> output_weights_;
  std::vector<Array<double>> directions_;
};

void compare(const Array<double>& recorded, const Array<double>& reference, double scale, GradientComparison& result) {
  const double size = norm(reference);
  const double unit = size > 0 ? size : scale;
  for (std::size_t k = 0; k < reference.size(); ++k) {
    const double difference = std::abs(recorded.data()[k] - reference.data()[k]);
    const double error = difference == 0 ? 0 : difference / unit;
    if (error <= result.error) continue;  // NaN is an error larger than any
    result.error = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
    result.recorded = recorded.data()[k];
    result.reference = reference.data()[k];
    result.index.clear();
    const Shape shape = shape_of(reference);
    for (std::size_t axis = shape.rank(), rest = k; axis-- > 0; rest /= shape[axis])
      result.index.insert(result.index.begin(), rest % shape[axis]);
  }
}

}  // namespace

Array<double> complex_step_gradient(Variable<double> loss, Variable<double> x) {
  const Recording<double>& recording = recording_of("complex step", loss);
  const SlotId id = recording.check("complex step", loss);
  recording.check("complex step", x);
  recording.check_computed("complex step");
  if (recording.slot(id).size != 1)
    throw ShapeError("complex step: the loss must be a scalar, got shape " + to_string(*recording.slot(id).shape) +
                     "; reduce it with sum() or mean()");
  return ComplexRun(loss, x).gradient();
}

const GradientComparison& GradientReport::worst() const {
  return *std::max_element(comparisons.begin(), comparisons.end(),
                           [](const auto& a, const auto& b) { return a.error < b.error; });
}

std::ostream& operator<<(std::ostream& out, const GradientReport& report) {
  const GradientComparison& worst = report.worst();
  out << worst.derivative << " of input " << std::to_string(worst.input) << ": worst error " << number_text(worst.error)
      << " of its norm, at element (";
  for (std::size_t k = 0; k < worst.index.size(); ++k) out << (k ? ", " : "") << std::to_string(worst.index[k]);
  out << "): recorded " << number_text(worst.recorded, 17) << ", " << worst.method << " "
      << number_text(worst.reference, 17);
  return out;
}

GradientReport gradient_check(const Function& f, const std::vector<Array<double>>& inputs,
                              const GradientCheckOptions& options) {
  if (inputs.empty()) throw ValueError("gradient_check: no inputs; pass the arrays to differentiate by");
  const Probe probe(f, inputs, options);
  GradientReport report;
  bool detaches = false;
  for (int order = 1; order <= (options.second_order ? 2 : 1); ++order) {
    Trial trial;
    probe.record_at(inputs, order, trial);
    const double scale = std::max(1.0, std::abs(trial.loss.item()));
    bool analytic = true;
    for (std::size_t index = 0; index < trial.tape.size(); ++index) {
      const Step<double>& step = trial.tape.recording().step(index);
      if (step.input_count > 0 && (!step.op->forward_complex || !step.op->info->analytic)) analytic = false;
      // What f itself detaches is a constant on purpose.
      if (order == 1 && std::string_view(step.op->info->name) == "detach") detaches = true;
    }
    const bool swept = trial.loss.needs_gradient();
    // Twice: the second sweep starts on used memory, which shows a rule that adds where it should store.
    for (int sweep = 0; swept && sweep < 2; ++sweep) trial.tape.backward(trial.loss);
    std::vector<Array<double>> numbers;
    for (const Variable<double>& x : trial.inputs)
      numbers.push_back(swept ? trial.tape.gradient(x) : zeros<double>(x.shape()));
    const auto recorded = grad(trial.loss, std::span<const Variable<double>>(trial.inputs));
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      GradientComparison comparison{order == 1 ? "gradient" : "Hessian times direction",
                                    analytic ? "complex step" : "6-point differences",
                                    k,
                                    {},
                                    0,
                                    0,
                                    0};
      Array<double> reference =
          analytic ? complex_step_gradient(trial.loss, trial.inputs[k]) : probe.differences(k, order);
      if (order == 2 && analytic && !detaches)
        if (const auto whole = probe.lost_second_order(k, reference)) {
          reference = *whole;
          comparison.method = "differences of the complex step";
        }
      compare(numbers[k], reference, scale, comparison);
      compare(recorded[k].copy(), reference, scale, comparison);
      report.comparisons.push_back(std::move(comparison));
    }
  }
  return report;
}

}  // namespace autograd
