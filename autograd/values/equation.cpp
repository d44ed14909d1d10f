#include "autograd/values/equation.hpp"

#include <bit>
#include <cstdint>
#include <utility>

namespace autograd {

namespace {

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }
bool is_number(const Equation& x) { return x.kind() == Equation::Kind::number; }

}  // namespace

Equation::Equation(double number) : Equation(std::make_shared<const Node>(Node{Kind::number, number})) {}

Equation Equation::operand(std::size_t index) {
  return Equation(std::make_shared<const Node>(Node{Kind::operand, 0, index}));
}

Equation Equation::call(std::string_view function, std::vector<Equation> arguments) {
  return Equation(std::make_shared<const Node>(Node{Kind::call, 0, 0, std::string(function), std::move(arguments)}));
}

bool Equation::is(double number) const { return is_number(*this) && same_bits(node_->number, number); }

// Each form below has the bits of the one that it replaces: only a number is moved, or a sign.

Equation operator+(const Equation& a, const Equation& b) {
  if (b.is(-0.0)) return a;
  if (a.is(-0.0)) return b;
  if (a.is("neg")) return b - a.arguments()[0];
  if (b.is("neg")) return a - b.arguments()[0];
  if (is_number(b) && b.number() < 0) return a - Equation(-b.number());
  if (is_number(a)) return Equation::call("add", {b, a});
  return Equation::call("add", {a, b});
}

Equation operator-(const Equation& a, const Equation& b) {
  if (b.is(0.0)) return a;
  if (b.is("neg")) return a + b.arguments()[0];
  return Equation::call("sub", {a, b});
}

Equation operator*(const Equation& a, const Equation& b) {
  if (is_number(b) && !is_number(a)) return b * a;
  if (a.is(1.0)) return b;
  if (a.is(-1.0)) return -b;
  return Equation::call("mul", {a, b});
}

Equation operator/(const Equation& a, const Equation& b) {
  if (b.is(1.0)) return a;
  return Equation::call("div", {a, b});
}

Equation operator-(const Equation& x) {
  if (is_number(x)) return Equation(-x.number());
  if (x.is("neg")) return x.arguments()[0];
  return Equation::call("neg", {x});
}

}  // namespace autograd
