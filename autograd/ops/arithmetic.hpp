// Arithmetic: + - * / and powers, element by element.
#pragma once

#include "autograd/op.hpp"
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
  WENGERT_INLINE auto forward(const auto& x) const { return affine(x, scale, shift); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto&) const { return gradients(g * scale); }
  std::string attributes() const;
};

// y = x / p,   dx = g / p
struct DividedBy {
  static constexpr OpInfo info{.name = "divided_by", .vjp_reads = Reads::neither};
  double divisor;
  WENGERT_INLINE auto forward(const auto& x) const { return x / divisor; }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto&) const { return gradients(g / divisor); }
  std::string attributes() const;
};

// y = p / x,   dx = -g y / x
struct DividedInto {
  static constexpr OpInfo info{.name = "divided_into", .domain = {0.5, 2}};
  double dividend;
  WENGERT_INLINE auto forward(const auto& x) const { return dividend / x; }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto& x) { return gradients(-(g * y / x)); }
  std::string attributes() const;
};

// y = x^p,   dx = g p x^(p-1), 0 for p = 0, and at x = 0 where the slope is infinite but y is not (0 < p < 1)
struct Pow {
  static constexpr OpInfo info{.name = "pow", .vjp_reads = Reads::inputs, .domain = {0.3, 2}, .dear = true};
  double exponent;
  WENGERT_INLINE auto forward(const auto& x) const { return pow(x, exponent); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    if (exponent == 0) return gradients(masked(g, greater(x, x)));
    if (exponent < 0 || exponent >= 1) return gradients(g * (pow(x, exponent - 1) * exponent));
    return gradients(masked(g * (pow(x + equal(x, 0), exponent - 1) * exponent), x));
  }
  std::string attributes() const;
};

// y = a^b,   da = g b a^(b-1),  db = g y log(a). At a = 0: da is 0 where the slope is infinite or 0/0 but y is not
// (0 <= b < 1), db is 0, and so is the derivative of either by the other operand.
struct Power {
  static constexpr OpInfo info{.name = "power", .inputs = 2, .domain = {0.3, 2}, .dear = true};
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

template <class T>
Variable<T> add(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> sub(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> mul(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> div(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> neg(Variable<T> x);

/// scale x + shift.
template <class T>
Variable<T> affine(Variable<T> x, double scale, double shift);

/// x to a constant power. The gradient at exponent 0 is 0, and at x = 0 for exponents between 0 and 1, as that of sqrt.
template <class T>
Variable<T> pow(Variable<T> x, double exponent);
/// a to the power b. Where a is 0, the gradient by b is 0, and by a for b from 0 to 1. Throws ShapeError when the
/// shapes do not broadcast.
template <class T>
Variable<T> pow(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> square(Variable<T> x);
/// 1 / x.
template <class T>
Variable<T> reciprocal(Variable<T> x);
/// x / p and p / x, each rounded once.
template <class T>
Variable<T> div(Variable<T> x, double p);
template <class T>
Variable<T> div(double p, Variable<T> x);

template <class T>
Variable<T> operator+(Variable<T> a, Variable<T> b) {
  return add(a, b);
}
template <class T>
Variable<T> operator-(Variable<T> a, Variable<T> b) {
  return sub(a, b);
}
template <class T>
Variable<T> operator*(Variable<T> a, Variable<T> b) {
  return mul(a, b);
}
template <class T>
Variable<T> operator/(Variable<T> a, Variable<T> b) {
  return div(a, b);
}
template <class T>
Variable<T> operator-(Variable<T> x) {
  return neg(x);
}

// Scalars travel as attributes, not as arrays.

template <class T>
Variable<T> operator+(Variable<T> x, double p) {
  return affine(x, 1, p);
}
template <class T>
Variable<T> operator+(double p, Variable<T> x) {
  return affine(x, 1, p);
}
template <class T>
Variable<T> operator-(Variable<T> x, double p) {
  return affine(x, 1, -p);
}
template <class T>
Variable<T> operator-(double p, Variable<T> x) {
  return affine(x, -1, p);
}
template <class T>
Variable<T> operator*(Variable<T> x, double p) {
  return affine(x, p, -0.0);
}
template <class T>
Variable<T> operator*(double p, Variable<T> x) {
  return affine(x, p, -0.0);
}
template <class T>
Variable<T> operator/(Variable<T> x, double p) {
  return div(x, p);
}
template <class T>
Variable<T> operator/(double p, Variable<T> x) {
  return div(p, x);
}

}  // namespace autograd
