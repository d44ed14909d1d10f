#include "nn/audit/explanation.hpp"

#include <cmath>
#include <limits>

#include "autograd/error.hpp"
#include "nn/audit/stock.hpp"

namespace nn::audit::detail {

namespace {

// The operations of all formulas that are tried in search of causes, in an audit and for an equation: seconds.
constexpr std::size_t most_work = 8'000'000;
constexpr std::size_t most_work_at_once = 2'000'000;

const Derivation* right_derivation(const Truth& truth) {
  return is_stock(truth.cell) ? &stock_derivation(truth.cell) : nullptr;
}

const Equation* right_equation(const Derivation* right, const std::string& name) {
  if (right)
    for (const Equation& equation : right->equations)
      if (equation.name == name) return &equation;
  return nullptr;
}

}  // namespace

bool gives(Evaluation& evaluation, const Equation& equation, const Formula& formula, const Compared& compared,
           const std::vector<Matrix>& wanted) {
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    Matrix value;
    try {
      value = evaluation.value(equation, formula, compared.steps[k]);
    } catch (const autograd::FormatError&) {
      return false;  // shapes that do not fit, a step that there is not
    }
    if (!value.same_shape(wanted[k])) return false;
    const double allowed =
        rounding(value, wanted[k]) + 64 * std::numeric_limits<double>::epsilon() * norm(wanted[k].magnitudes);
    if (!std::isfinite(allowed) || !(distance(value, wanted[k]) <= allowed)) return false;
  }
  return true;
}

Explanation::Explanation(const Derivation& derivation, const Truth& truth)
    : truth_(truth),
      right_(right_derivation(truth)),
      isolated_(right_ ? *right_ : derivation, truth.values, Mode::isolated),
      derivation_(derivation),
      repairs_(derivation, truth.values, Mode::isolated) {}

std::vector<std::string> Explanation::of(const Equation& equation, const Compared& compared) {
  std::vector<std::string> causes;
  here_ = 0;
  if (const Equation* const right = right_equation(right_, equation.name)) {
    Equation same = *right;  // at the steps that the hand's is written for
    same.time = equation.time;
    if (equation.time.base != Time::Base::none) same.formula = at_step(right->formula, equation.time);
    causes = from_right(same, compared);
  }
  if (causes.empty() && equation.formula) causes = by_repair(equation, compared);
  return causes;
}

/// Mistakes in a formula, until one suffices or as much has been worked out as may be.
void Explanation::each(const Equation& equation, const Vocabulary& vocabulary, bool wide,
                       const std::function<bool(const Mistake&)>& visit) {
  each_mistake(equation, vocabulary, wide, [&](const Mistake& mistake) {
    spent_ += mistake.formula->size;
    here_ += mistake.formula->size;
    if (spent_ > most_work || here_ > most_work_at_once) {
      all_tried_ = false;
      return false;
    }
    ++tried_;
    return visit(mistake);
  });
}

std::vector<std::string> Explanation::from_right(const Equation& right, const Compared& compared) {
  std::vector<std::string> causes;
  for (const bool wide : {false, true}) {
    each(right, vocabulary(), wide, [&](const Mistake& mistake) {
      if (gives(isolated_, right, mistake.formula, compared, compared.hand)) causes.push_back(mistake.text);
      return causes.size() < 3;
    });
    if (!causes.empty()) return causes;
  }
  each(right, vocabulary(), false, [&](const Mistake& one) {
    Equation changed = right;
    changed.formula = one.formula;
    each(changed, vocabulary(), false, [&](const Mistake& other) {
      if (gives(isolated_, right, other.formula, compared, compared.hand))
        causes.push_back(one.text + ", and " + other.text);
      return causes.empty();
    });
    return causes.empty();
  });
  return causes;
}

/// A change of the hand's own formula that makes it right: for cells whose derivation is not known.
std::vector<std::string> Explanation::by_repair(const Equation& equation, const Compared& compared) {
  std::vector<std::string> causes;
  each(equation, {truth_.values, truth_.gates, nullptr}, true, [&](const Mistake& change) {
    if (gives(repairs_, equation, change.formula, compared, compared.truth) && derives(equation, change.formula))
      causes.push_back("it would be right as " + equation.left() + " = " + to_string(change.formula));
    return causes.empty();
  });
  return causes;
}

/// Whether a formula stands on its own: it does not take, through whatever it takes, what it is to give.
bool Explanation::derives(const Equation& equation, const Formula& formula) const {
  Derivation changed = derivation_;
  for (Equation& other : changed.equations)
    if (other.name == equation.name && other.time == equation.time) other.formula = formula;
  try {
    Evaluation(changed, truth_.values, Mode::cumulative).all();
    return true;
  } catch (const autograd::FormatError&) {
    return false;
  }
}

}  // namespace nn::audit::detail
