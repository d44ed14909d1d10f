// Derivation: a hand-derived backward pass as text, one equation a line. docs/derivations.md is the reference.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/audit/expression.hpp"
#include "nn/audit/matrix.hpp"

namespace nn::audit {

/// What a formula in C++ sees at step t: value("dc", +1) is dc[t+1], value("Whi") a weight.
class Moment {
 public:
  virtual ~Moment() = default;
  virtual Matrix value(const std::string& name, int offset = 0) const = 0;
};
using Callable = std::function<Matrix(const Moment&)>;

/// name[time] = formula
struct Equation {
  std::string name;  ///< "dc", "dWxi"
  Time time;         ///< none for what all steps have together
  Formula formula;   ///< none where a Callable stands in its place
  Callable callable = {};
  std::size_t line = 0;
  std::string text = {};  ///< as it was written

  /// "dc[t]"
  std::string left() const { return name + to_string(time); }
};

struct Derivation {
  std::string cell;  ///< "lstm"; may be empty
  std::vector<Equation> equations;

  /// A formula in C++, for every step: add("dzo", f), or, with step = false, for what all steps have together.
  /// Throws ValueError for a name that has an equation.
  void add(std::string name, Callable formula, bool step = true);
};

/// Throws FormatError, which begins with `file:line:column`, for text that is not UTF-8, longer than 1 MB, or no
/// derivation: it says what was expected there; and for formulas of more than 500 operations one after another or 5000
/// names, numbers and operations. An equation without steps may take t only inside sum_t().
Derivation parse(std::string_view text, const std::string& file = "derivation");

}  // namespace nn::audit
