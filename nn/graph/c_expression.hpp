// Elementwise formulas as C, and the functions that they need.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "autograd/values/equation.hpp"

namespace nn::io::detail {

/// A number as C has it: 0.1f, INFINITY.
std::string c_number(double value, bool is_float);

/// Writes formulas for one element type, and remembers which functions they call.
class CExpressions {
 public:
  /// `prefix` begins the names of functions.
  CExpressions(std::string prefix, bool is_float) : prefix_(std::move(prefix)), is_float_(is_float) {}

  const char* type() const { return is_float_ ? "float" : "double"; }
  std::string number(double value) const { return c_number(value, is_float_); }
  /// exp(x), of the element type.
  std::string call(std::string_view function, const std::string& arguments);

  /// The formula, where `operand` gives the text of an operand. What it uses more than once becomes a variable first:
  /// declare(text) writes it down and returns its name.
  std::string text(const autograd::Equation& formula, const std::function<std::string(std::size_t)>& operand,
                   const std::function<std::string(const std::string&)>& declare);

  /// Those that have been called, in C.
  std::string functions() const;

 private:
  std::string prefix_;
  bool is_float_;
  std::set<std::string> used_;
};

}  // namespace nn::io::detail
