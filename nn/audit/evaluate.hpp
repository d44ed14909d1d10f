// Evaluation: a derivation worked out, on true values or on its own.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/audit/coverage.hpp"
#include "nn/audit/derivation.hpp"
#include "nn/audit/values.hpp"

namespace nn::audit {

enum class Mode {
  isolated,    ///< every formula is given true values, so that one mistake does not spread to others
  cumulative,  ///< every formula is given what the derivation says
};

/// Evaluates the formulas of a derivation over T steps.
///
/// In formulas a name with a step beyond T is 0, as nothing flows back from there; before step 1 there are only states
/// and their derivatives.
class Evaluation {
 public:
  /// What takes the place of a value: of name at step t, or nothing.
  using Override = std::function<std::optional<Matrix>(const std::string& name, int t)>;

  /// Keeps references to all three. Throws FormatError for an unknown name, with those that are near, and for equations
  /// that do not say enough: a boundary that is missing.
  Evaluation(const Derivation& derivation, const Values& truth, Mode mode, Override override = {});

  /// The steps that an equation gives values of, first and last: 0 for none. Of a quantity of the cell only those that
  /// it has; the last is before the first where there is none.
  std::pair<int, int> steps_of(const Equation& equation) const;
  /// The value of an equation, at its step t. Throws FormatError, with line and column, for shapes that do not fit,
  /// names that are defined by each other, and steps that there are not.
  Matrix value(const Equation& equation, int t);
  /// Another formula in its place.
  Matrix value(const Equation& equation, const Formula& formula, int t);
  /// The value of a name at a step, as the formulas see it; the step does not matter where there are none.
  const Matrix& value(const std::string& name, int t, const Expression* at = nullptr);
  /// The values of every name that the derivation gives one.
  Values all();
  /// What equations in C++ have asked for so far.
  const Reads& reads() const { return reads_; }

 private:
  using Key = std::pair<std::string, int>;  ///< a name and its step
  /// A value that has to be computed first, as too many wait for it.
  struct Deeper {
    Key key;
  };
  struct Defined {
    std::vector<const Equation*> equations;
    const Equation* general = nullptr;            ///< of every step, or of none
    std::map<int, const Equation*> at_step = {};  ///< of that one alone
    bool steps = false;
  };

  [[noreturn]] void fail(const Expression* at, const std::string& what) const;
  void check_names(const Formula& formula) const;
  Matrix evaluate(const Expression& e, int t);
  Matrix evaluate_leaf(const Expression& e, int t);
  Matrix applied(const Expression& e, Matrix first, const Matrix& second) const;
  const Equation* equation_for(const std::string& name, int t) const;
  const Matrix& nested_value(const std::string& name, int t, const Expression* at);
  const Matrix* given_elsewhere(const std::string& name, int t, const Expression* at);
  bool has_steps(const std::string& name) const;
  [[noreturn]] void fail_circular(const Key& key, const Expression* at) const;

  const Values& truth_;
  Mode mode_;
  Override override_;
  std::map<std::string, Defined> defined_;
  std::map<std::string, std::vector<std::string>> parts_;  ///< of a name, the defined ones that have it as an origin
  std::map<Key, Matrix> known_;
  Reads reads_;
  std::vector<Key> under_way_;
  std::size_t depth_ = 0;  ///< evaluate() within evaluate()
};

/// Whether the name is that of a derivative that these values have, or may have: d and a name.
bool is_derivative(const std::string& name, const Values& truth);

}  // namespace nn::audit
