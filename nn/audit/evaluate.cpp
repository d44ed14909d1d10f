#include "nn/audit/evaluate.hpp"

#include <algorithm>

#include "autograd/error.hpp"

namespace nn::audit {

using autograd::FormatError;
using Kind = Expression::Kind;

namespace {

// As many values may wait for one another on the stack: of a sanitizer's frames it takes 3 MiB. Likewise of formulas
// within formulas.
constexpr std::size_t most_nested = 64;
constexpr std::size_t most_formulas = 200;

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
    const bool general = !steps || equation.time.base == Time::Base::t;
    if (steps && general && defined.general)
      complain(equation, equation.left() + " and " + defined.general->left() + " in line " +
                             std::to_string(defined.general->line) + " say the same step twice");
    defined.steps = steps;
    defined.equations.push_back(&equation);
    if (!general)
      defined.at_step.emplace(equation.time.at(0, truth.steps), &equation);
    else if (!defined.general)
      defined.general = &equation;
  }
  for (const auto& [name, defined] : defined_)
    for (const std::string& origin : truth.origins(name)) parts_[origin].push_back(name);
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
    case Time::Base::t: {
      const Quantity* const known = truth_.find(equation.name);
      const int first = known && known->steps ? known->first : 0;
      return {std::max(first, 1 + equation.time.offset), std::min(steps, steps + equation.time.offset)};
    }
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
  const Defined& defined = found->second;
  if (const auto special = defined.at_step.find(t); special != defined.at_step.end()) {
    steps_of(*special->second);  // says so of a step that there is not
    return special->second;
  }
  if (!defined.general || !defined.steps) return defined.general;
  const auto [first, last] = steps_of(*defined.general);
  return t >= first && t <= last ? defined.general : nullptr;
}

Matrix Evaluation::value(const Equation& equation, int t) { return value(equation, equation.formula, t); }

Matrix Evaluation::value(const Equation& equation, const Formula& formula, int t) {
  const int at = equation.time.base == Time::Base::t ? t - equation.time.offset : t;
  if (formula) return evaluate(*formula, at);
  struct Here final : Moment {
    Evaluation& evaluation;
    int t;
    std::set<std::string>& reads;
    Here(Evaluation& evaluation, int t, std::set<std::string>& reads) : evaluation(evaluation), t(t), reads(reads) {}
    Matrix value(const std::string& name, int offset) const override {
      reads.insert(name);
      return evaluation.value(name, t + offset);
    }
  };
  return equation.callable(Here(*this, at, reads_[equation.name]));
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
    if (mode_ == Mode::cumulative)
      if (const Matrix* const other = given_elsewhere(name, t, at)) return remember(*other);
    return steps ? (*truth)[t] : truth->whole();
  }

  const Equation* const equation = equation_for(name, t);
  if (!equation) {
    const Equation& first = *own->second.equations[0];
    const auto [from, to] = steps_of(first);
    if (truth && truth->has(t) && t == 0) {
      const Matrix* const other = given_elsewhere(name, t, at);
      return other ? remember(*other) : (*truth)[t];
    }
    fail(at, name + "[" + std::to_string(t) + "] is needed, but line " + std::to_string(first.line) + " gives " + name +
                 " at steps " + std::to_string(from) + " to " + std::to_string(to) + " of " +
                 std::to_string(truth_.steps) + " alone; add a line " + name + "[" +
                 (t == truth_.steps ? "T" : std::to_string(t)) + "] = ...");
  }
  const Key key{name, t};
  if (std::find(under_way_.rbegin(), under_way_.rend(), key) != under_way_.rend()) fail_circular(key, at);
  // What waits is computed by itself then; should it be the first of all, what it waits for.
  if (under_way_.size() == most_nested || depth_ > most_formulas)
    throw Deeper{under_way_.size() > 1 ? under_way_.back() : key};
  under_way_.push_back(key);
  Matrix result = value(*equation, t);
  under_way_.pop_back();
  return remember(std::move(result));
}

bool Evaluation::has_steps(const std::string& name) const {
  const Quantity* const truth = truth_.find(name);
  return truth ? truth->steps : defined_.at(name).steps;
}

void Evaluation::fail_circular(const Key& key, const Expression* at) const {
  const auto text = [&](const Key& k) {
    return k.first + (has_steps(k.first) ? "[" + std::to_string(k.second) + "]" : "");
  };
  std::string circle;
  for (auto k = std::find(under_way_.begin(), under_way_.end(), key); k != under_way_.end(); ++k)
    circle += text(*k) + " -> ";
  fail(at, "these are defined by one another: " + circle + text(key));
}

/// What the derivation says of the same numbers under another name: of dh[0] as dh0, of dWxi as a part of dWx. That
/// must not take `name` in turn, as it would be held to the truth that it was taken from. Null where it says nothing,
/// or of more or fewer numbers.
const Matrix* Evaluation::given_elsewhere(const std::string& name, int t, const Expression* at) {
  std::vector<std::string> others;
  const Quantity& exact = *truth_.find(name);
  if (!exact.part_of.empty() || !exact.holds.empty())
    for (const std::string& origin : truth_.origins(name))
      if (defined_.contains(origin)) others.push_back(origin);
  if (others.empty())
    if (const auto parts = parts_.find(name); parts != parts_.end()) others = parts->second;
  const Matrix* result = nullptr;
  for (const std::string& other : others) {
    // A state and its first value have step 0 alone in common.
    if (exact.steps && t != 0) continue;
    if (!exact.steps && has_steps(other) && !equation_for(other, 0)) continue;
    const Key key{name, t};
    if (std::find(under_way_.rbegin(), under_way_.rend(), key) != under_way_.rend()) fail_circular(key, at);
    under_way_.push_back(key);
    const Matrix& own = nested_value(other, 0, at);
    under_way_.pop_back();
    if (own.same_shape(exact.steps ? exact[0] : exact.whole())) result = &own;
  }
  return result;
}

namespace {

/// Whether a formula's value is made from that of its first part at the same step.
bool has_operand(const Expression& e) {
  return e.kind != Kind::number && e.kind != Kind::name && e.kind != Kind::list &&
         !(e.kind == Kind::call && e.text == "sum_t");
}

bool has_second(const Expression& e) { return has_operand(e) && e.parts.size() == 2; }

}  // namespace

/// Down the first operands and up again, as a sum of many terms is deep on that side. Second operands come first, so
/// that what is complained of is the same everywhere.
Matrix Evaluation::evaluate(const Expression& e, int t) {
  struct Nesting {
    std::size_t& depth;
    explicit Nesting(std::size_t& of) : depth(of) { ++depth; }
    ~Nesting() { --depth; }
  } const nesting(depth_);
  std::vector<std::pair<const Expression*, Matrix>> above;
  const Expression* at = &e;
  for (; has_operand(*at); at = at->parts[0].get())
    above.emplace_back(at, has_second(*at) ? evaluate(*at->parts[1], t) : Matrix());
  Matrix value = evaluate_leaf(*at, t);
  for (; !above.empty(); above.pop_back()) value = applied(*above.back().first, std::move(value), above.back().second);
  return value;
}

Matrix Evaluation::evaluate_leaf(const Expression& e, int t) {
  if (e.kind == Kind::number) return Matrix(e.number);
  if (e.kind == Kind::name) {
    const Matrix& known = value(e.text, e.time.at(t, truth_.steps), &e);
    // Of what the truth knows only the rounding of the formula itself counts: over many steps the bounds of bounds
    // would grow without end.
    return truth_.find(e.text) ? Matrix(known.rows, known.columns, known.values) : known;
  }
  try {
    if (e.kind == Kind::list) {
      std::vector<Matrix> parts;
      for (const Formula& part : e.parts) parts.push_back(evaluate(*part, t));
      return side_by_side(parts);
    }
    Matrix sum = evaluate(*e.parts[0], 1);
    for (int step = 2; step <= truth_.steps; ++step) sum = sum + evaluate(*e.parts[0], step);
    return sum;
  } catch (const autograd::ShapeError& error) {
    fail(&e, error.what());
  }
}

/// The value of an operation, given those of its operands.
Matrix Evaluation::applied(const Expression& e, Matrix first, const Matrix& second) const {
  try {
    switch (e.kind) {
      case Kind::add:
        return first + second;
      case Kind::subtract:
        return first - second;
      case Kind::multiply:
        return first * second;
      case Kind::divide:
        return first / second;
      case Kind::product:
        return product(first, second);
      case Kind::power:
        return power(std::move(first), e.number);
      case Kind::negate:
        return -std::move(first);
      case Kind::transpose:
        return transposed(first);
      default:
        break;
    }
    if (e.text == "sum_batch") return sum_rows(first);
    if (e.text == "mean") return mean_columns(first);
    if (e.text == "tanh") return tanh(std::move(first));
    if (e.text == "sigmoid") return sigmoid(std::move(first));
    if (e.text == "exp") return exp(std::move(first));
    if (e.text == "log") return log(std::move(first));
    return sqrt(std::move(first));
  } catch (const autograd::ShapeError& error) {
    fail(&e, error.what());
  }
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
