#include "nn/audit/audit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "nn/audit/compare.hpp"
#include "nn/audit/coverage.hpp"
#include "nn/audit/explanation.hpp"
#include "nn/audit/stock.hpp"

namespace nn::audit {

namespace {

using detail::agree;
using detail::compare;
using detail::Compared;

constexpr double eps = std::numeric_limits<double>::epsilon();

// What rounding explains is confirmed where 6 digits are equal all the same. Of a value that cancels to next to nothing
// they need not be: 12 digits of the largest derivative of the run are as good.
constexpr double coarsest = 1e-6, coarsest_of_largest = 1e-12;

constexpr const char* given_wrong_values = "its formula is right, and is given wrong values";

double digits_of(double error, double size) {
  if (!std::isfinite(error) || !std::isfinite(size)) return 0;
  if (error == 0) return 16;
  if (size == 0) return 0;
  return std::clamp(std::log10(size / error), 0.0, 16.0);
}

/// The factor of the true values that the hand's are, if they are one.
std::optional<double> common_factor(const Compared& compared) {
  double across = 0, along = 0;
  for (std::size_t k = 0; k < compared.hand.size(); ++k) {
    if (!compared.hand[k].same_shape(compared.truth[k])) return {};
    across += inner(compared.hand[k], compared.truth[k]);
    along += inner(compared.truth[k], compared.truth[k]);
  }
  const double factor = across / along;
  if (!std::isfinite(factor) || factor == 0) return {};
  for (std::size_t k = 0; k < compared.hand.size(); ++k) {
    const Matrix scaled = compared.truth[k] * Matrix(factor);
    if (!agree(compared.hand[k], scaled)) return {};
  }
  return factor;
}

/// Mistakes are tried one after the other, each at the cost of a formula: of a long run of a stock cell a short one, in
/// which the same mistakes are made, tells as much.
std::optional<Truth> small_truth(const Truth& truth) {
  const auto steps = static_cast<std::size_t>(truth.values.steps);
  if (!is_stock(truth.cell) || steps * truth.hidden * truth.hidden <= 1000) return {};
  return stock_truth(truth.cell, {.steps = 5, .batch = 2, .input = 2, .hidden = 3});
}

/// The gate that a name ends in, as dzi, dWxi and dbi do.
std::string gate_of(const std::string& name, const Truth& truth) {
  if (truth.gates.find(name.back()) == std::string::npos || name == "dh" || name == "dc" || name == "dx") return "";
  std::string other = name;
  for (const char gate : truth.gates) {
    other.back() = gate;
    if (!truth.values.find(other)) return "";
  }
  return std::string(1, name.back());
}

/// The gate whose block is furthest off, of an array that holds all gates.
std::string worst_gate(const std::string& name, const Matrix& hand, const Truth& truth) {
  double worst = 0;
  std::string result;
  for (const auto& [gate, block] : detail::gate_blocks(name, hand, truth)) {
    const double off = distance(block, truth.values.find(name + gate)->whole());
    if (off > worst) {
      worst = off;
      result = std::string(1, gate);
    }
  }
  return result;
}

/// "infinite", "not a number"; "" of values that are finite.
std::string not_finite(const Matrix& a) {
  std::string kind;
  for (const double v : a.values)
    if (std::isnan(v))
      return "not a number";
    else if (std::isinf(v))
      kind = "infinite";
  return kind;
}

/// Of a value with rounding so coarse that only so many digits can be compared.
std::string too_coarse(const std::string& name, const Matrix& hand, double digits) {
  const auto left = static_cast<int>(digits);
  const std::string large = autograd::number_text(*std::max_element(hand.magnitudes.begin(), hand.magnitudes.end()), 2);
  return (std::isfinite(norm(hand.magnitudes)) ? "its terms are as large as " + large + " and cancel"
                                               : "values on the way to it are infinite, or next to it") +
         ", so " + (left == 0 ? "nothing of " : std::to_string(left) + " of the 15 digits of ") + name +
         (left < 2 ? " is" : " are") + " left to compare; write it without them";
}

std::string digits_text(double digits) { return std::to_string(static_cast<int>(digits)) + " digits"; }

std::string first_sentence(const Term& term, int steps) {
  std::string text = term.term + (term.decided ? " is wrong" : " can not be decided");
  if (!term.causes.empty())
    text += ": " + term.causes[0];
  else if (term.factor)
    text += ": it is " + autograd::number_text(*term.factor) + " times the true one";
  else
    text += ", and no known mistake explains it";
  if (!term.first_t) return text;
  if (const std::string at = " at t=" + std::to_string(*term.first_t); !text.ends_with(at)) text += "; first seen" + at;
  const int next = *term.first_t + 1;
  const auto index = static_cast<std::size_t>(next - term.first_step);
  if (next <= steps && index < term.step_digits.size())
    text += ", everything at t=" + std::to_string(next) + " agrees to " + digits_text(term.step_digits[index]);
  return text;
}

Compared compared_of(Evaluation& evaluation, const Equation& equation, const Values& truth) {
  Compared result;
  const Quantity& exact = *truth.find(equation.name);
  if (!exact.steps) {
    result.steps = {0};
    result.hand = {evaluation.value(equation, 0)};
    result.truth = {exact.whole()};
    return result;
  }
  const auto [first, last] = evaluation.steps_of(equation);
  for (int t = first; t <= last; ++t) {
    if (!exact.has(t)) continue;
    result.steps.push_back(t);
    result.hand.push_back(evaluation.value(equation, t));
    result.truth.push_back(exact[t]);
  }
  return result;
}

/// Whether an equation is compared at any step.
void check_steps(const Equation& equation, std::pair<int, int> range, const Quantity& exact, int steps) {
  if (!exact.steps || (range.first <= range.second && range.second >= exact.first)) return;
  throw autograd::FormatError((equation.line ? "line " + std::to_string(equation.line) + ": " : "") + equation.left() +
                              " is compared with nothing: " + equation.name + " has steps " +
                              std::to_string(exact.first) + " to " + std::to_string(steps));
}

}  // namespace

namespace detail {

std::vector<std::pair<char, Matrix>> gate_blocks(const std::string& name, const Matrix& array, const Truth& truth) {
  std::vector<std::pair<char, Matrix>> result;
  std::size_t row = 0, column = 0;
  for (const char gate : truth.gates) {
    const Quantity* const block = truth.values.find(name + gate);
    if (!block || block->steps) return {};
    const Matrix& like = block->whole();
    if (like.rows != array.rows) {
      result.emplace_back(gate, rows_of(array, row, row + like.rows));
      row += like.rows;
    } else {
      result.emplace_back(gate, columns_of(array, column, column + like.columns));
      column += like.columns;
    }
  }
  return result;
}

double rounding(const Matrix& hand, const Matrix& truth) {
  return 64 * eps * norm(hand.magnitudes) + 16 * eps * norm(truth.values) + 1e-290;
}

bool agree(const Matrix& hand, const Matrix& truth) {
  if (!hand.same_shape(truth)) return false;
  const double allowed = rounding(hand, truth);
  return std::isfinite(allowed) && distance(hand, truth) <= allowed;
}

double largest_derivative(const Values& values) {
  double largest = 0;
  for (const auto& [name, quantity] : values.named)
    if (name[0] == 'd' && name != "direct_h")
      for (const Matrix& at : quantity.at)
        if (const double size = norm(at.values); std::isfinite(size)) largest = std::max(largest, size);
  return largest;
}

Term compare(const std::string& name, const Compared& compared, const Truth& truth, bool steps, double largest,
             double carried) {
  Term term;
  std::vector<double> errors(compared.hand.size()), sizes = errors;
  term.step_digits = errors;
  double allowed = carried, detectable = std::numeric_limits<double>::infinity();
  std::optional<std::size_t> hidden_at;                   // the first whose rounding hides what it is compared with
  bool clearly_wrong = false;                             // at another step
  for (std::size_t k = compared.hand.size(); k-- > 0;) {  // backwards in time, as rounding is carried
    const Matrix &hand = compared.hand[k], &exact = compared.truth[k];
    const bool fits = hand.same_shape(exact);
    const double size = norm(exact.values), error = fits ? distance(hand, exact) : size;
    const double here = rounding(fits ? hand : exact, exact);
    allowed = carried > 0 ? std::max(allowed, truth.values.steps * here) : here;
    errors[k] = error;
    sizes[k] = size;
    const bool close = fits && error <= allowed;
    const double told_apart = std::max(coarsest * size, coarsest_of_largest * largest) + 1e-280;
    const bool fine = std::isfinite(here) && error <= told_apart;
    term.step_digits[k] = close && size == 0 ? 16 : digits_of(error, size);
    if (size > 0) detectable = std::min(detectable, 2 * allowed / size);
    if (close && fine) continue;
    term.agrees = false;
    const std::string at = steps ? " at t=" + std::to_string(compared.steps[k]) : "";
    if (const std::string kind = not_finite(exact); !kind.empty()) {
      term.decided = false;
      term.causes = {"the true one is " + kind + at + "; audit it at smaller weights or inputs"};
    } else if (const std::string own = not_finite(hand); !own.empty()) {
      if (term.causes.empty()) term.causes = {"it is " + own + at};
    } else if (close || (fits && !std::isfinite(here))) {
      term.step_digits[k] = std::min(term.step_digits[k], digits_of(here, size));
      hidden_at = hidden_at.value_or(k);
    } else {
      clearly_wrong = true;
    }
    if (steps) term.first_t = std::max(term.first_t.value_or(0), compared.steps[k]);
  }
  term.detectable = std::isfinite(detectable) ? detectable : 0;
  term.digits = term.agrees && norm(sizes) == 0 ? 16 : digits_of(norm(errors), norm(sizes));
  if (!term.agrees && term.digits > 15.9) term.digits = 15.9;
  if (hidden_at && !clearly_wrong && term.causes.empty()) {
    const std::size_t k = *hidden_at;
    term.decided = false;
    term.digits = std::min(term.digits, term.step_digits[k]);
    term.causes = {too_coarse(name, compared.hand[k], term.step_digits[k]) +
                   (steps ? "; seen at t=" + std::to_string(compared.steps[k]) : "")};
  }
  term.gate = gate_of(name, truth);
  if (!term.agrees && term.decided) term.factor = common_factor(compared);
  if (!compared.steps.empty() && steps) term.first_step = compared.steps[0];
  return term;
}

void conclude(Report& report, const Truth& truth) {
  std::vector<const Term*> wrong;
  double least = 16, detectable = 0;
  for (const Term& term : report.terms) {
    if (!term.agrees) wrong.push_back(&term);
    if (term.agrees) least = std::min(least, term.digits);
    detectable = std::max(detectable, term.detectable);
  }
  report.cell = truth.cell;
  report.agrees = wrong.empty();
  report.detectable_factor = 1 + detectable;
  report.complex_error = truth.complex_error;
  report.blind_spots = blind_spots(truth);
  const std::string count = std::to_string(report.terms.size()) + (report.terms.size() == 1 ? " term" : " terms");
  if (wrong.empty()) {
    report.verdict = "everything agrees: " + count + ", to " + digits_text(least) + " and better";
    for (std::size_t k = 0; k < report.not_given.size(); ++k)
      report.verdict += (k ? ", " : "; not given: ") + report.not_given[k];
    return;
  }
  // Those that are wrong by themselves before those that are given wrong values.
  std::stable_partition(wrong.begin(), wrong.end(),
                        [](const Term* term) { return term->causes.empty() || term->causes[0] != given_wrong_values; });
  const auto open = std::stable_partition(wrong.begin(), wrong.end(), [](const Term* term) { return term->decided; });
  report.verdict = first_sentence(*wrong[0], truth.values.steps);
  const auto also = [&](const char* what, auto begin, auto end) {
    for (auto term = begin; term != end; ++term) report.verdict += (term == begin ? what : ", ") + (*term)->term;
  };
  const auto rest = wrong.begin() + 1;
  also("; wrong as well: ", rest, std::max(rest, open));
  also("; can not be decided either: ", std::max(rest, open), wrong.end());
}

}  // namespace detail

std::vector<std::string> blind_spots(const Truth& truth) {
  std::vector<std::string> result;
  const Values& values = truth.values;
  const int steps = values.steps;
  const auto all_zero = [](const Matrix& m) {
    return std::all_of(m.values.begin(), m.values.end(), [](double v) { return v == 0; });
  };
  bool zero_state = true;
  for (const auto& [name, quantity] : values.named)
    if (quantity.steps && quantity.first == 0 && name[0] != 'd') zero_state &= all_zero(quantity[0]);
  if (steps < 3)
    result.push_back("T = " + std::to_string(steps) + (zero_state && steps == 1 ? " from a zero state" : "") +
                     ": mistakes that need three steps to show, such as a shift in time, can not be seen");
  if (zero_state)
    result.push_back(std::string("the initial state is zero") + (steps <= 2 ? ", with few steps" : "") +
                     ": what multiplies it at the first step can not be seen");
  if (truth.hidden == 1) result.push_back("H = 1: a transpose of a weight can not be seen");
  const Quantity& direct = *values.find("direct_h");
  bool only_last = true, uniform = true;
  for (int t = 1; t <= steps; ++t) {
    if (t < steps) only_last &= all_zero(direct[t]);
    for (const double v : direct[t].values) uniform &= v == direct[t].values[0] && v == direct[steps].values[0];
  }
  if (all_zero(direct[steps]) && only_last)
    result.push_back("the loss reads no output: every derivative is 0, and no mistake can be seen");
  else if (only_last && steps > 1)
    result.push_back("the loss reads the last step alone: a missing direct term can not be seen");
  if (uniform && direct[steps].size() > 1)
    result.push_back(
        "the loss has the same derivative everywhere: exchanged units, sequences or steps can not be seen");
  for (const char gate : truth.gates) {
    const Quantity* const value = values.find(std::string(1, gate));
    if (!value || !value->steps) continue;
    std::size_t saturated = 0, all = 0;
    for (const Matrix& at : value->at)
      for (const double v : at.values) {
        saturated += 1 - std::abs(v) < 1e-6 || (v > 0 && v < 1e-6);
        ++all;
      }
    if (saturated * 10 > all * 9)
      result.push_back(std::string("gate ") + gate +
                       " is saturated: its slope is next to 0, and mistakes behind it are small");
  }
  const double largest = detail::largest_derivative(values);
  for (const auto& [name, quantity] : values.named) {
    if (name[0] != 'd' || name == "direct_h" || quantity.steps || largest == 0) continue;
    if (norm(quantity.whole().values) < 1e-13 * largest)
      result.push_back(name + " is below the noise of the others: nothing can be said about it");
  }
  return result;
}

Report audit(const Derivation& derivation, const Truth& truth, Mode mode) {
  Report report;
  report.mode = mode;
  Evaluation isolated(derivation, truth.values, Mode::isolated), own(derivation, truth.values, Mode::cumulative);
  const std::optional<Truth> smaller = small_truth(truth);
  const Truth& tried = smaller ? *smaller : truth;
  detail::Explanation explanation(derivation, tried);
  Evaluation small(derivation, tried.values, Mode::isolated);
  const double largest = detail::largest_derivative(truth.values);
  // What formulas in C++ read is known when they have been called.
  const bool in_cpp = std::any_of(derivation.equations.begin(), derivation.equations.end(),
                                  [](const Equation& equation) { return !equation.formula; });
  for (const Equation& equation : derivation.equations)
    if (const Quantity* const exact = truth.values.find(equation.name))
      check_steps(equation, own.steps_of(equation), *exact, truth.values.steps);
  if (!in_cpp) check_left_sides(derivation, truth.cell, truth.values, {});
  own.all();  // says what is missing or circular, whatever the mode
  if (in_cpp) check_left_sides(derivation, truth.cell, truth.values, own.reads());
  Given given;
  for (const Equation& equation : derivation.equations) {
    const Quantity* const exact = truth.values.find(equation.name);
    if (!exact) continue;
    const Compared alone = compared_of(isolated, equation, truth.values);
    given[equation.name].insert(alone.steps.begin(), alone.steps.end());
    const Compared along = compared_of(own, equation, truth.values);
    const Term by_itself = compare(equation.name, alone, truth, exact->steps, largest);
    Term term = mode == Mode::isolated
                    ? by_itself
                    : compare(equation.name, along, truth, exact->steps, largest, 64 * eps * largest);
    term.step_digits = by_itself.step_digits;
    term.cumulative_digits = compare(equation.name, along, truth, exact->steps, largest).step_digits;
    term.term = equation.text.substr(0, equation.text.find_last_not_of(" \t", equation.text.find('=') - 1) + 1);
    term.line = equation.line;
    term.text = equation.text;
    if (!term.agrees && by_itself.agrees) {
      term.decided = true;
      term.causes = {given_wrong_values};
    } else if (!term.agrees) {
      term.decided = by_itself.decided;
      term.causes = by_itself.causes;
      try {
        if (term.causes.empty())
          term.causes = explanation.of(equation, smaller ? compared_of(small, equation, tried.values) : alone);
      } catch (const autograd::FormatError&) {  // a step that a shorter run has not
      }
      for (std::size_t k = 0; k < alone.hand.size() && term.causes.empty(); ++k)
        if (!alone.hand[k].same_shape(alone.truth[k]))
          term.causes = {"its shape is " + shape_text(alone.hand[k]) + ", and that of the true one " +
                         shape_text(alone.truth[k])};
      if (term.gate.empty() && !exact->steps && alone.hand[0].same_shape(alone.truth[0]))
        term.gate = worst_gate(equation.name, alone.hand[0], truth);
    }
    report.terms.push_back(std::move(term));
  }
  report.not_given = not_given(given, truth.values);
  report.tried = explanation.tried();
  report.all_tried = explanation.all_tried();
  detail::conclude(report, truth);
  return report;
}

MutationScore mutation_score(const Derivation& derivation, const Truth& truth) {
  MutationScore score;
  Evaluation isolated(derivation, truth.values, Mode::isolated);
  for (const Equation& equation : derivation.equations) {
    if (!equation.formula || !truth.values.find(equation.name)) continue;
    const Compared compared = compared_of(isolated, equation, truth.values);
    each_mistake(equation, {truth.values, truth.gates, &derivation}, false, [&](const Mistake& mistake) {
      ++score.made;
      if (detail::gives(isolated, equation, mistake.formula, compared, compared.hand))
        score.unnoticed.push_back(equation.left() + ": " + mistake.text);
      else
        ++score.noticed;
      return true;
    });
  }
  return score;
}

}  // namespace nn::audit
