// Expression: a formula of a derivation, as a tree.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace nn::audit {

/// The step that a name is taken at: none of a weight, t + offset, T + offset, or a number.
struct Time {
  enum class Base { none, t, last, fixed };

  Base base = Base::none;
  int offset = 0;

  /// The step itself, at step t of `steps`.
  int at(int t, int steps) const { return (base == Base::t ? t : base == Base::last ? steps : 0) + offset; }

  friend bool operator==(const Time&, const Time&) = default;
};

/// "[t-1]"; "" for none.
std::string to_string(const Time& time);

struct Expression;
using Formula = std::shared_ptr<const Expression>;

struct Expression {
  enum class Kind { number, name, add, subtract, multiply, divide, product, power, negate, transpose, call, list };

  Kind kind;
  std::vector<Formula> parts = {};
  double number = 0;      ///< of a number; of a power the exponent
  std::string text = {};  ///< of a name or a call
  Time time = {};         ///< of a name
  std::size_t line = 0, column = 0;
  // What follows is filled in by formula().
  std::size_t depth = 1;  ///< operations within one another
  std::size_t size = 1;   ///< names, numbers and operations
  std::size_t hash = 0;   ///< of all but line and column
};

/// As deep as an expression may be: those who walk through one do so on the stack.
constexpr std::size_t deepest_expression = 1000;

/// Throws ValueError for one that is deeper than deepest_expression.
Formula formula(Expression expression);
Formula number(double value);
Formula name(std::string text, Time time = {});
Formula operation(Expression::Kind kind, std::vector<Formula> parts);
Formula call(std::string function, Formula argument);

/// As one would write it, with no more parentheses than it needs.
std::string to_string(const Formula& e);
bool equal(const Formula& a, const Formula& b);

/// The same formula at another step than t: t + 1, T, 1.
Formula at_step(const Formula& e, const Time& step);

/// The same formula with its parts exchanged.
Formula with_parts(const Formula& e, std::vector<Formula> parts);

}  // namespace nn::audit
