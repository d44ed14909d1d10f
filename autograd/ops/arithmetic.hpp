// Arithmetic: + - * / and powers, element by element.
#pragma once

#include "autograd/all_or_nothing.hpp"
#include "autograd/op.hpp"
#include "autograd/values/value.hpp"
#include "autograd/variable.hpp"

namespace autograd {

namespace ops {

// y = a + b,   da = g,  db = g
struct Add {
  static constexpr OpInfo info{.name = "add", .inputs = 2, .vjp_reads = Reads::neither};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return a + b; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto&, const auto&) { return gradients(g, g); }
};

// y = a - b,   da = g,  db = -g
struct Sub {
  static constexpr OpInfo info{.name = "sub", .inputs = 2, .vjp_reads = Reads::neither};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return a - b; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto&, const auto&) { return gradients(g, -g); }
};

// y = a b,   da = g b,  db = g a
struct Mul {
  static constexpr OpInfo info{.name = "mul", .inputs = 2, .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return a * b; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& a, const auto& b) {
    return gradients(g * b, g * a);
  }
};

// y = a / b,   da = g / b,  db = -g y / b
struct Div {
  static constexpr OpInfo info{.name = "div", .inputs = 2, .domain = {0.5, 2}};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return a / b; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&, const auto& b) {
    const auto da = g / b;
    return gradients(da, -(da * y));
  }
};

// y = -x,   dx = -g
struct Neg {
  static constexpr OpInfo info{.name = "neg", .vjp_reads = Reads::neither};
  WENGERT_INLINE static auto forward(const auto& x) { return -x; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto&) { return gradients(-g); }
};

// y = scale x + shift,   dx = scale g
struct Affine {
  static constexpr OpInfo info{.name = "affine", .vjp_reads = Reads::neither};
  double scale = 1;
  double shift = -0.0;  ///< adds nothing, not even to the sign of 0
  WENGERT_INLINE auto forward(const auto& x) const { return x * scale + shift; }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto&) const { return gradients(g * scale); }
  static void visit(auto& self, auto&& visitor) {
    visitor("scale", self.scale);
    visitor("shift", self.shift);
  }
};

// y = x / p,   dx = g / p
struct DividedBy {
  static constexpr OpInfo info{.name = "divided_by", .vjp_reads = Reads::neither};
  double divisor;
  WENGERT_INLINE auto forward(const auto& x) const { return x / divisor; }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto&) const { return gradients(g / divisor); }
  static void visit(auto& self, auto&& visitor) { visitor("divisor", self.divisor); }
};

// y = p / x,   dx = -g y / x
struct DividedInto {
  static constexpr OpInfo info{.name = "divided_into", .domain = {0.5, 2}};
  double dividend;
  WENGERT_INLINE auto forward(const auto& x) const { return dividend / x; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto& x) { return gradients(-(g * y / x)); }
  static void visit(auto& self, auto&& visitor) { visitor("dividend", self.dividend); }
};

// y = x^p,   dx = g p x^(p-1), 0 for p = 0, and at x = 0 where the slope is infinite but y is not (0 < p < 1)
struct Pow {
  static constexpr OpInfo info{.name = "pow", .vjp_reads = Reads::inputs, .domain = {0.3, 2}, .expensive = true};
  double exponent;
  WENGERT_INLINE auto forward(const auto& x) const { return pow(x, exponent); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    if (exponent == 0) return gradients(masked(g, greater(x, x)));
    if (exponent < 0 || exponent >= 1) return gradients(g * (pow(x, exponent - 1) * exponent));
    return gradients(masked(g * (pow(x + equal(x, 0), exponent - 1) * exponent), x));
  }
  static void visit(auto& self, auto&& visitor) { visitor("exponent", self.exponent); }
};

// y = a^b,   da = g b a^(b-1),  db = g y log(a). At a = 0: da is 0 where the slope is infinite or 0/0 but y is not
// (0 <= b < 1), db is 0, and so is the derivative of either by the other operand.
struct Power {
  static constexpr OpInfo info{.name = "power", .inputs = 2, .domain = {0.3, 2}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return pow(a, b); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto& a, const auto& b) {
    const auto edge = steep(a, b), power = where(a, b, detach(b));
    return gradients(masked(g * (power * pow(a + edge, power - 1)), equal(edge, 0)),
                     masked(g * (y * log(a + equal(a, 0))), a));
  }
  /// 1 where a is 0 and b from 0 to below 1.
  WENGERT_INLINE static auto steep(const auto& a, const auto& b) {
    return equal(a, 0) * greater(-b, -1) * equal(greater(-b, 0), 0);
  }
};

// y = x^2,   dx = 2 x g
struct Square {
  static constexpr OpInfo info{.name = "square", .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& x) { return x * x; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(2 * x * g); }
};

// y = 1 / x,   dx = -g y^2
struct Reciprocal {
  static constexpr OpInfo info{.name = "reciprocal", .vjp_reads = Reads::output, .domain = {0.5, 2}};
  WENGERT_INLINE static auto forward(const auto& x) { return 1 / x; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(-(g * y * y)); }
};

}  // namespace ops

// Operands of different shapes are broadcast as in NumPy. Throws ShapeError when they can not be.

template <Value A, Like<A> B>
WENGERT_INLINE auto add(const A& a, const B& b) {
  return detail::call(ops::Add{}, a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto sub(const A& a, const B& b) {
  return detail::call(ops::Sub{}, a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto mul(const A& a, const B& b) {
  return detail::call(ops::Mul{}, a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto div(const A& a, const B& b) {
  return detail::call(ops::Div{}, a, b);
}
/// x / p and p / x, each rounded once.
WENGERT_INLINE auto div(const Value auto& x, double p) { return detail::call(ops::DividedBy{p}, x); }
WENGERT_INLINE auto div(double p, const Value auto& x) { return detail::call(ops::DividedInto{p}, x); }
WENGERT_INLINE auto neg(const Value auto& x) { return detail::call(ops::Neg{}, x); }

/// scale x + shift.
WENGERT_INLINE auto affine(const Value auto& x, double scale, double shift) {
  return detail::call(ops::Affine{scale, shift}, x);
}

/// x to a constant power. The gradient at exponent 0 is 0, and at x = 0 for exponents between 0 and 1, as that of sqrt.
// The exponent keeps its type: that of xsimd's pow(x, 2), which is found for registers, must be no better match.
template <Value X, class S>
requires std::is_arithmetic_v<S> WENGERT_INLINE auto pow(const X& x, const S& exponent) {
  return detail::call(ops::Pow{static_cast<double>(exponent)}, x);
}
/// a to the power b. Where a is 0, the gradient by b is 0, and by a for b from 0 to 1. Throws ShapeError when the
/// shapes do not broadcast.
template <Value A, Like<A> B>
WENGERT_INLINE auto pow(const A& a, const B& b) {
  return detail::call(ops::Power{}, a, b);
}
WENGERT_INLINE auto square(const Value auto& x) { return detail::call(ops::Square{}, x); }
/// 1 / x.
WENGERT_INLINE auto reciprocal(const Value auto& x) { return detail::call(ops::Reciprocal{}, x); }

template <Value A, Like<A> B>
WENGERT_INLINE auto operator+(const A& a, const B& b) {
  return add(a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto operator-(const A& a, const B& b) {
  return sub(a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto operator*(const A& a, const B& b) {
  return mul(a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto operator/(const A& a, const B& b) {
  return div(a, b);
}
WENGERT_INLINE auto operator-(const Value auto& x) { return neg(x); }

// A Parameter is on the tape of the other operand.

template <class T>
Variable<T> operator+(Variable<T> a, Parameter<T>& b) {
  return with_parameters(
      "add", a, [&](Variable<T> p) { return a + p; }, b);
}
template <class T>
Variable<T> operator+(Parameter<T>& a, Variable<T> b) {
  return with_parameters(
      "add", b, [&](Variable<T> p) { return p + b; }, a);
}
template <class T>
Variable<T> operator-(Variable<T> a, Parameter<T>& b) {
  return with_parameters(
      "sub", a, [&](Variable<T> p) { return a - p; }, b);
}
template <class T>
Variable<T> operator-(Parameter<T>& a, Variable<T> b) {
  return with_parameters(
      "sub", b, [&](Variable<T> p) { return p - b; }, a);
}
template <class T>
Variable<T> operator*(Variable<T> a, Parameter<T>& b) {
  return with_parameters(
      "mul", a, [&](Variable<T> p) { return a * p; }, b);
}
template <class T>
Variable<T> operator*(Parameter<T>& a, Variable<T> b) {
  return with_parameters(
      "mul", b, [&](Variable<T> p) { return p * b; }, a);
}
template <class T>
Variable<T> operator/(Variable<T> a, Parameter<T>& b) {
  return with_parameters(
      "div", a, [&](Variable<T> p) { return a / p; }, b);
}
template <class T>
Variable<T> operator/(Parameter<T>& a, Variable<T> b) {
  return with_parameters(
      "div", b, [&](Variable<T> p) { return p / b; }, a);
}

// On the tape numbers travel as attributes, not as arrays.

WENGERT_INLINE auto operator+(const Value auto& x, double p) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return affine(x, 1, p);
  else
    return x + number_like(x, p);
}
WENGERT_INLINE auto operator+(double p, const Value auto& x) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return affine(x, 1, p);
  else
    return number_like(x, p) + x;
}
WENGERT_INLINE auto operator-(const Value auto& x, double p) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return affine(x, 1, -p);
  else
    return x - number_like(x, p);
}
WENGERT_INLINE auto operator-(double p, const Value auto& x) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return affine(x, -1, p);
  else
    return number_like(x, p) - x;
}
WENGERT_INLINE auto operator*(const Value auto& x, double p) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return affine(x, p, -0.0);
  else
    return x * number_like(x, p);
}
WENGERT_INLINE auto operator*(double p, const Value auto& x) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return affine(x, p, -0.0);
  else
    return number_like(x, p) * x;
}
WENGERT_INLINE auto operator/(const Value auto& x, double p) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return div(x, p);
  else
    return x / number_like(x, p);
}
WENGERT_INLINE auto operator/(double p, const Value auto& x) {
  if constexpr (Recorded<std::remove_cvref_t<decltype(x)>>)
    return div(p, x);
  else
    return number_like(x, p) / x;
}

}  // namespace autograd
