// audit_arrays(): which mistake in the right derivation gives just these arrays?
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "autograd/error.hpp"
#include "nn/audit/audit.hpp"
#include "nn/audit/compare.hpp"
#include "nn/audit/coverage.hpp"
#include "nn/audit/mistakes.hpp"
#include "nn/audit/stock.hpp"

namespace nn::audit {

namespace {

/// Whether a derivation gives this array. Mistakes that are told apart differ by much more; what rounding does to
/// arrays of unknown origin is less.
bool gives(const Matrix& derived, const Matrix& array) {
  return derived.same_shape(array) && distance(derived, array) <= 1e-9 * norm(array.values) + 1e-290;
}

/// One change of a derivation: a formula in the place of another.
struct Change {
  std::size_t equation;
  Formula formula;
  std::string text;  ///< "dc[t]: it lacks the term ..."
};

/// Finds the changes of the right derivation that give the arrays.
class Search {
 public:
  Search(const std::map<std::string, Matrix>& arrays, const Truth& truth)
      : arrays_(arrays), truth_(truth), right_(stock_derivation(truth.cell)) {
    for (std::size_t k = 0; k < right_.equations.size(); ++k) {
      const Equation& equation = right_.equations[k];
      const bool wanted = blocks_of(equation.name) != nullptr;
      const bool read = is_read(equation.name);
      if (!wanted && !read) continue;
      for (const Mistake& mistake : mistakes(equation, {truth.values, truth.gates, &right_}))
        (read ? inner_ : outer_).push_back({k, mistake.formula, equation.left() + ": " + mistake.text});
    }
  }

  /// Every explanation by one mistake, else the first by two.
  std::vector<std::string> causes() {
    std::vector<std::string> result = with({}, 1);
    for (const Change& change : inner_)
      if (explains({&change})) result.push_back(change.text);
    if (!result.empty()) return result;
    result = with({}, 2);
    if (!result.empty() || !small()) return result;
    for (const Change& change : inner_)
      if (auto found = with({&change}, 1); !found.empty()) return found;
    for (std::size_t k = 0; k < inner_.size(); ++k)
      for (std::size_t j = k + 1; j < inner_.size(); ++j)
        if (inner_[k].equation != inner_[j].equation && explains({&inner_[k], &inner_[j]}))
          return {inner_[k].text + "; and " + inner_[j].text};
    return {};
  }

 private:
  /// Whether pairs can be tried one by one: thousands of runs.
  bool small() const { return static_cast<std::size_t>(truth_.values.steps) * truth_.hidden * truth_.hidden <= 2000; }

  /// The array that an equation is (a part of), or null.
  const Matrix* blocks_of(const std::string& name) const {
    const auto found = arrays_.find(name);
    return found == arrays_.end() ? nullptr : &found->second;
  }

  bool is_read(const std::string& name) const {
    const std::function<bool(const Formula&)> reads = [&](const Formula& e) {
      return (e->kind == Expression::Kind::name && e->text == name) ||
             std::any_of(e->parts.begin(), e->parts.end(), reads);
    };
    return std::any_of(right_.equations.begin(), right_.equations.end(), [&](const Equation& other) {
      return other.name != name && (blocks_of(other.name) || other.time.base != Time::Base::none) &&
             reads(other.formula);
    });
  }

  Derivation changed(const std::vector<const Change*>& changes) const {
    Derivation derivation = right_;
    for (const Change* change : changes) derivation.equations[change->equation].formula = change->formula;
    return derivation;
  }

  /// The value of an equation as a whole: the steps of one with steps below one another.
  static Matrix whole(Evaluation& evaluation, const Equation& equation) {
    if (equation.time.base == Time::Base::none) return evaluation.value(equation.name, 0);
    const auto [first, last] = evaluation.steps_of(equation);
    std::vector<Matrix> steps;
    for (int t = first; t <= last; ++t) steps.push_back(evaluation.value(equation.name, t));
    return stacked(steps);
  }

  /// The equations whose arrays the derivation does not give; stops at more than `most`, and then has one more.
  std::vector<std::size_t> mismatched(const Derivation& derivation, std::size_t most) const {
    std::vector<std::size_t> result;
    try {
      Evaluation evaluation(derivation, truth_.values, Mode::cumulative);
      for (std::size_t k = 0; k < derivation.equations.size() && result.size() <= most; ++k) {
        const Matrix* const array = blocks_of(derivation.equations[k].name);
        if (array && !gives(whole(evaluation, derivation.equations[k]), *array)) result.push_back(k);
      }
    } catch (const autograd::FormatError&) {  // shapes that do not fit: nobody can have run this
      result.assign(most + 1, 0);
    }
    return result;
  }

  bool explains(const std::vector<const Change*>& changes) const { return mismatched(changed(changes), 0).empty(); }

  /// Those of `given` and exactly `more` mistakes in equations that nothing else reads, one in each of what is left.
  std::vector<std::string> with(const std::vector<const Change*>& given, std::size_t more) const {
    const Derivation base = changed(given);
    const std::vector<std::size_t> left = mismatched(base, more);
    if (left.size() != more) return {};
    std::string prefix;
    for (const Change* change : given) prefix += change->text + "; and ";
    std::vector<std::string> found;
    for (std::size_t k = 0; k < left.size(); ++k) {
      std::vector<std::string> here;
      Evaluation evaluation(base, truth_.values, Mode::cumulative);
      for (const Change& change : outer_) {
        if (change.equation != left[k]) continue;
        Derivation other = base;
        other.equations[left[k]].formula = change.formula;
        Evaluation changed_evaluation(other, truth_.values, Mode::cumulative);
        try {
          if (gives(whole(changed_evaluation, other.equations[left[k]]), *blocks_of(other.equations[left[k]].name)))
            here.push_back(change.text);
        } catch (const autograd::FormatError&) {
        }
      }
      if (here.empty()) return {};
      if (k == 0) {
        for (const std::string& text : here) found.push_back(prefix + text);
      } else {
        for (std::string& text : found) text += "; and " + here[0];
      }
    }
    return found;
  }

  const std::map<std::string, Matrix>& arrays_;
  const Truth& truth_;
  const Derivation& right_;
  std::vector<Change> inner_, outer_;  ///< of what others read, and of what they do not
};

/// The norm of what an array is added up from, in the right derivation: how rounding can have moved it, wherever it
/// comes from. 0 where no derivation is known.
double addends(const std::string& name, const Truth& truth) {
  if (!is_stock(truth.cell)) return 0;
  const Derivation& right = stock_derivation(truth.cell);
  Evaluation evaluation(right, truth.values, Mode::isolated);
  std::vector<double> norms;
  for (const Equation& equation : right.equations) {
    const bool part = equation.name.size() == name.size() + 1 && equation.name.starts_with(name) &&
                      truth.gates.find(equation.name.back()) != std::string::npos;
    if (equation.name != name && !part) continue;
    const auto [first, last] = evaluation.steps_of(equation);
    for (int t = first; t <= last; ++t) norms.push_back(norm(evaluation.value(equation, t).magnitudes));
  }
  return norm(norms);
}

}  // namespace

Report audit_arrays(const std::map<std::string, Matrix>& arrays, const Truth& truth) {
  const Values& values = truth.values;
  std::map<std::string, Matrix> parts;  // by gate, where the right derivation has them by gate
  if (arrays.empty()) throw autograd::ValueError("audit: there is no array to compare; give dWx, dWh, db and so on");
  const double largest = detail::largest_derivative(values);
  Report report;
  Given given;
  for (const auto& [name, array] : arrays) {
    const Quantity* const exact = values.find(name);
    if (!exact || name.size() < 2 || name[0] != 'd' || !values.find(name.substr(1)))
      throw autograd::ValueError("audit: there is no derivative " + name + "; " + values.near(name));
    const std::size_t before = exact->steps && exact->first == 0;  // the state that there is before step 1
    const Matrix whole = stacked({exact->at.begin() + static_cast<std::ptrdiff_t>(before), exact->at.end()});
    if (!array.same_shape(whole))
      throw autograd::ShapeError("audit: " + name + " has shape " + shape_text(array) + ", expected " +
                                 shape_text(whole));
    if (exact->steps)
      for (int t = exact->first; t <= values.steps; ++t) given[name].insert(t);
    else
      given[name] = {0};
    Matrix hand(array.rows, array.columns, array.values);  // what they were added up from is not known
    const double even = addends(name, truth) / std::sqrt(static_cast<double>(hand.size()));
    for (double& magnitude : hand.magnitudes) magnitude = std::max(magnitude, even);
    Term term = detail::compare(name, {{0}, {hand}, {whole}}, truth, false, largest);
    term.term = name;
    report.terms.push_back(term);
    if (!term.causes.empty()) continue;  // no mistake gives what is not finite
    const auto blocks = detail::gate_blocks(name, array, truth);
    for (const auto& [gate, block] : blocks) parts[name + gate] = block;
    if (blocks.empty()) parts[name] = array;
  }
  const bool wrong = std::any_of(report.terms.begin(), report.terms.end(),
                                 [](const Term& t) { return !t.agrees && t.causes.empty(); });
  if (wrong && is_stock(truth.cell)) {
    const std::vector<std::string> causes = Search(parts, truth).causes();
    for (Term& term : report.terms)
      if (!term.agrees && term.causes.empty()) term.causes = causes;
  }
  report.not_given = not_given(given, values);
  detail::conclude(report, truth);
  return report;
}

}  // namespace nn::audit
