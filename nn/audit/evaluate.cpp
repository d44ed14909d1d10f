#include "nn/audit/evaluate.hpp"

#include <algorithm>

#include "autograd/error.hpp"

namespace nn::audit {

using autograd::FormatError;
using Kind = Expression::Kind;

namespace {

// As many values may wait for one another on the stack: of a sanitizer's frames it takes 3 MiB.
constexpr std::size_t most_nested = 64;

}  // namespace

bool is_derivative(const std::string& name, const Values& truth) {
  return name.size() > 1 && name[0] == 'd' && truth.find(name.substr(1)) != nullptr;
}

Evaluation::Evaluation(const Derivation& derivation, const Values& truth, Mode mode, Override override)
    : truth_(truth), mode_(mode), override_(std::move(override)) {
  const auto complain = [](const Equation& equation, const std::string& what) {
    throw FormatError("line " + std::to_string(equation.line) + ": " + what);
  };
  for (const Equation& equation : derivation.equations) {
    Defined& defined = defined_[equation.name];
    const bool steps = equation.time.base != Time::Base::none;
    const Quantity* const known = truth.find(equation.name);
    if (known && known->steps && !steps)
      complain(equation, equation.name + " has a value at every step; write " + equation.name + "[t] = ...");
    if (known && !known->steps && steps)
      complain(equation, equation.name + " has one value for all steps; write " + equation.name + " = ...");
    if (!known && is_derivative(equation.name, truth))
      complain(equation, "the derivative " + equation.name + " is not compared: the loss does not depend on " +
                             equation.name.substr(1) + " through the cell");
    if (!defined.equations.empty() && defined.steps != steps)
      complain(equation, equation.name + " is written with and without a step");
    for (const Equation* other : defined.equations)
      if (steps && other->time.base == Time::Base::t && equation.time.base == Time::Base::t)
        complain(equation, equation.left() + " and " + other->left() + " in line " + std::to_string(other->line) +
                               " say the same step twice");
    defined.steps = steps;
    defined.equations.push_back(&equation);
  }
  for (const Equation& equation : derivation.equations)
    if (equation.formula) check_names(equation.formula);
}

void Evaluation::fail(const Expression* at, const std::string& what) const {
  throw FormatError((at && at->line
                         ? "line " + std::to_string(at->line) + ", column " + std::to_string(at->column) + ": "
                         : std::string()) +
                    what);
}

void Evaluation::check_names(const Formula& formula) const {
  for (const Formula& part : formula->parts) check_names(part);
  if (formula->kind != Kind::name) return;
  const std::string& name = formula->text;
  const Quantity* const known = truth_.find(name);
  const auto own = defined_.find(name);
  if (!known && own == defined_.end()) fail(formula.get(), "there is no " + name + "; " + truth_.near(name));
  const bool steps = known ? known->steps : own->second.steps;
  if (steps && formula->time.base == Time::Base::none)
    fail(formula.get(), name + " has a value at every step; write " + name + "[t]");
  if (!steps && formula->time.base != Time::Base::none)
    fail(formula.get(), name + " has one value for all steps; write " + name);
}

std::pair<int, int> Evaluation::steps_of(const Equation& equation) const {
  const int steps = truth_.steps;
  switch (equation.time.base) {
    case Time::Base::none:
      return {0, 0};
    case Time::Base::t:
      return {std::max(0, 1 + equation.time.offset), std::min(steps, steps + equation.time.offset)};
    default: {
      const int t = equation.time.at(0, steps);
      if (t < 0 || t > steps)
        throw FormatError("line " + std::to_string(equation.line) + ": " + equation.left() + " is step " +
                          std::to_string(t) + " of " + std::to_string(steps));
      return {t, t};
    }
  }
}

const Equation* Evaluation::equation_for(const std::string& name, int t) const {
  const auto found = defined_.find(name);
  if (found == defined_.end()) return nullptr;
  const Equation* general = nullptr;
  for (const Equation* equation : found->second.equations) {
    if (equation->time.base == Time::Base::none) return equation;
    const auto [first, last] = steps_of(*equation);
    if (t < first || t > last) continue;
    if (equation->time.base != Time::Base::t) return equation;  // for that step alone
    general = equation;
  }
  return general;
}

Matrix Evaluation::value(const Equation& equation, int t) { return value(equation, equation.formula, t); }

Matrix Evaluation::value(const Equation& equation, const Formula& formula, int t) {
  const int at = equation.time.base == Time::Base::t ? t - equation.time.offset : t;
  if (formula) return evaluate(formula, at);
  struct Here final : Moment {
    Evaluation& evaluation;
    int t;
    Here(Evaluation& evaluation, int t) : evaluation(evaluation), t(t) {}
    Matrix value(const std::string& name, int offset) const override { return evaluation.value(name, t + offset); }
  };
  return equation.callable(Here(*this, at));
}

const Matrix& Evaluation::value(const std::string& name, int t, const Expression* at) {
  if (!under_way_.empty()) return nested_value(name, t, at);
  std::vector<Key> waiting{{name, t}};
  for (;;) {
    try {
      const Matrix& result = nested_value(waiting.back().first, waiting.back().second, at);
      waiting.pop_back();
      if (waiting.empty()) return result;
    } catch (const Deeper& deeper) {
      under_way_.clear();
      if (std::find(waiting.begin(), waiting.end(), deeper.key) != waiting.end())
        fail(at,
             deeper.key.first + " is defined by itself, through more than " + std::to_string(most_nested) + " others");
      waiting.push_back(deeper.key);
    } catch (...) {
      under_way_.clear();
      throw;
    }
  }
}

const Matrix& Evaluation::nested_value(const std::string& name, int t, const Expression* at) {
  const Quantity* const truth = truth_.find(name);
  const auto own = defined_.find(name);
  const bool defined = own != defined_.end();
  if (!truth && !defined) fail(at, "there is no " + name + "; " + truth_.near(name));
  const bool steps = truth ? truth->steps : own->second.steps;
  if (!steps) t = 0;
  const auto remember = [&](Matrix value) -> const Matrix& {
    return known_.insert_or_assign({name, t}, std::move(value)).first->second;
  };
  if (const auto found = known_.find({name, t}); found != known_.end()) return found->second;
  if (override_)
    if (auto other = override_(name, t)) return remember(std::move(*other));
  if (steps && t > truth_.steps)
    return remember(truth ? zeros(truth->at.back().rows, truth->at.back().columns) : Matrix());
  if (truth && (mode_ == Mode::isolated || !defined)) {
    if (steps && !truth->has(t)) {
      std::string states;
      for (const auto& [other, quantity] : truth_.named)
        if (quantity.steps && quantity.first == 0) states += (states.empty() ? "" : ", ") + other;
      fail(at, name + "[" + std::to_string(t) + "] does not exist; before the first step there are only the states " +
                   states + " at step 0");
    }
    return steps ? (*truth)[t] : truth->whole();
  }

  const Equation* const equation = equation_for(name, t);
  if (!equation) {
    const Equation& first = *own->second.equations[0];
    const auto [from, to] = steps_of(first);
    if (truth && truth->has(t) && t == 0) return (*truth)[t];
    fail(at, name + "[" + std::to_string(t) + "] is needed, but line " + std::to_string(first.line) + " gives " + name +
                 " at steps " + std::to_string(from) + " to " + std::to_string(to) + " of " +
                 std::to_string(truth_.steps) + " alone; add a line " + name + "[" +
                 (t == truth_.steps ? "T" : std::to_string(t)) + "] = ...");
  }
  const Key key{name, t};
  if (std::find(under_way_.rbegin(), under_way_.rend(), key) != under_way_.rend()) {
    std::string circle;
    for (auto k = std::find(under_way_.begin(), under_way_.end(), key); k != under_way_.end(); ++k)
      circle += k->first + (defined_[k->first].steps ? "[" + std::to_string(k->second) + "]" : "") + " -> ";
    fail(at, "these are defined by one another: " + circle + name + (steps ? "[" + std::to_string(t) + "]" : ""));
  }
  if (under_way_.size() == most_nested) throw Deeper{key};
  under_way_.push_back(key);
  Matrix result = value(*equation, t);
  under_way_.pop_back();
  return remember(std::move(result));
}

Matrix Evaluation::evaluate(const Formula& formula, int t) {
  const auto part = [&](std::size_t k) { return evaluate(formula->parts[k], t); };
  try {
    switch (formula->kind) {
      case Kind::number:
        return Matrix(formula->number);
      case Kind::name: {
        const Matrix& known = value(formula->text, formula->time.at(t, truth_.steps), formula.get());
        // Of what the truth knows only the rounding of the formula itself counts: over many steps the bounds of bounds
        // would grow without end.
        return truth_.find(formula->text) ? Matrix(known.rows, known.columns, known.values) : known;
      }
      case Kind::add:
        return part(0) + part(1);
      case Kind::subtract:
        return part(0) - part(1);
      case Kind::multiply:
        return part(0) * part(1);
      case Kind::divide:
        return part(0) / part(1);
      case Kind::product:
        return product(part(0), part(1));
      case Kind::power:
        return power(part(0), formula->number);
      case Kind::negate:
        return -part(0);
      case Kind::transpose:
        return transposed(part(0));
      case Kind::list: {
        std::vector<Matrix> parts;
        for (std::size_t k = 0; k < formula->parts.size(); ++k) parts.push_back(part(k));
        return side_by_side(parts);
      }
      case Kind::call: {
        const std::string& function = formula->text;
        if (function == "sum_t") {
          Matrix sum;
          for (int step = 1; step <= truth_.steps; ++step) {
            Matrix addend = evaluate(formula->parts[0], step);
            sum = step == 1 ? std::move(addend) : sum + addend;
          }
          return sum;
        }
        if (function == "sum_batch") return sum_rows(part(0));
        if (function == "mean") return mean_columns(part(0));
        if (function == "tanh") return tanh(part(0));
        if (function == "sigmoid") return sigmoid(part(0));
        if (function == "exp") return exp(part(0));
        if (function == "log") return log(part(0));
        return sqrt(part(0));
      }
    }
  } catch (const autograd::ShapeError& error) {
    fail(formula.get(), error.what());
  }
  return {};
}

Values Evaluation::all() {
  Values result{truth_.steps, {}};
  for (const auto& [name, defined] : defined_) {
    if (!defined.steps) {
      result.set(name, value(*defined.equations[0], 0));
      continue;
    }
    int first = truth_.steps, last = 0;
    for (const Equation* equation : defined.equations) {
      first = std::min(first, steps_of(*equation).first);
      last = std::max(last, steps_of(*equation).second);
    }
    std::vector<Matrix> at(static_cast<std::size_t>(std::max(0, last - first + 1)));
    for (int t = last; t >= first; --t) at[static_cast<std::size_t>(t - first)] = value(name, t);
    result.set(name, first, std::move(at));
  }
  return result;
}

}  // namespace nn::audit
