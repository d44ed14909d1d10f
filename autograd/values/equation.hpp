// Equation: in the place of a register, the formula of what is computed. A rule that is called with lanes of it says
// what it computes, for whoever writes it down in another language, or compares it with another rule.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/values/lane.hpp"

namespace autograd {

/// An expression of elementwise functions over numbers and numbered operands; it does not change. What is the same
/// number for every operand is left out, and each sum, difference and product has one form: x * -1 + 1 is 1 - x,
/// x * 2 is 2 * x.
class Equation {
 public:
  enum class Kind { number, operand, call };

  /// The number 0.
  Equation() : Equation(0) {}
  explicit Equation(double number);
  /// The operand number `index`.
  static Equation operand(std::size_t index);
  /// One of the functions below, by name.
  static Equation call(std::string_view function, std::vector<Equation> arguments);

  Kind kind() const { return node_->kind; }
  /// Of a number.
  double number() const { return node_->number; }
  /// Of an operand.
  std::size_t index() const { return node_->index; }
  /// Of a call: "add", "sub", "mul", "div", "neg", "greater", "equal", "where", "maximum", "minimum", "pow", "atan2",
  /// and the functions of one operand under their own names.
  const std::string& function() const { return node_->function; }
  const std::vector<Equation>& arguments() const { return node_->arguments; }
  bool is(double number) const;
  bool is(std::string_view function) const { return kind() == Kind::call && node_->function == function; }
  /// The same for all copies of one expression, so that what is used twice can be written once.
  const void* identity() const { return node_.get(); }

 private:
  struct Node {
    Kind kind;
    double number = 0;
    std::size_t index = 0;
    std::string function = {};
    std::vector<Equation> arguments = {};
  };
  explicit Equation(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

  std::shared_ptr<const Node> node_;
};

Equation operator+(const Equation& a, const Equation& b);
Equation operator-(const Equation& a, const Equation& b);
Equation operator*(const Equation& a, const Equation& b);
Equation operator/(const Equation& a, const Equation& b);
Equation operator-(const Equation& x);

/// What a rule is called with to become text.
using Formula = Lane<Equation>;

namespace detail {

template <>
struct LaneTraits<Equation> {
  using Scalar = double;
  using Batch = Equation;
  static Equation neg(const Equation& x) { return -x; }
  static Equation div(const Equation& a, const Equation& b) { return a / b; }
};

inline Formula formula_of(std::string_view function, std::vector<Equation> arguments) {
  return {Equation::call(function, std::move(arguments))};
}

}  // namespace detail

// The functions that a register has by itself; the others are made of these by the rules.

#define WENGERT_FORMULA(function) \
  inline Formula function(Formula x) { return detail::formula_of(#function, {x.value}); }
WENGERT_FORMULA(exp)
WENGERT_FORMULA(expm1)
WENGERT_FORMULA(log)
WENGERT_FORMULA(log1p)
WENGERT_FORMULA(sqrt)
WENGERT_FORMULA(tanh)
WENGERT_FORMULA(sigmoid)
WENGERT_FORMULA(erf)
WENGERT_FORMULA(erfc)
WENGERT_FORMULA(sin)
WENGERT_FORMULA(cos)
WENGERT_FORMULA(tan)
WENGERT_FORMULA(asin)
WENGERT_FORMULA(acos)
WENGERT_FORMULA(atan)
WENGERT_FORMULA(sinh)
WENGERT_FORMULA(cosh)
WENGERT_FORMULA(floor)
WENGERT_FORMULA(abs)
#undef WENGERT_FORMULA
#define WENGERT_FORMULA(function) \
  inline Formula function(Formula a, Formula b) { return detail::formula_of(#function, {a.value, b.value}); }
WENGERT_FORMULA(greater)
WENGERT_FORMULA(equal)
WENGERT_FORMULA(maximum)
WENGERT_FORMULA(minimum)
WENGERT_FORMULA(atan2)
#undef WENGERT_FORMULA
inline Formula where(Formula condition, Formula a, Formula b) {
  return detail::formula_of("where", {condition.value, a.value, b.value});
}
inline Formula pow(Formula x, Formula y) { return detail::formula_of("pow", {x.value, y.value}); }
template <class S>
requires std::is_arithmetic_v<S> Formula pow(Formula x, const S& exponent) {
  const double p = static_cast<double>(exponent);
  return p == 1 ? x : p == 2 ? x * x : pow(x, Formula{Equation(p)});
}

}  // namespace autograd
