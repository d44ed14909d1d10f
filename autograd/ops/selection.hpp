// Comparisons, which yield constant 0/1 masks, and what chooses by them.
#pragma once

#include "autograd/all_or_nothing.hpp"
#include "autograd/op.hpp"
#include "autograd/ops/arithmetic.hpp"

namespace autograd {

namespace ops {

// y = [a > b], a constant
struct Greater {
  static constexpr OpInfo info{.name = "greater", .inputs = 2, .vjp_reads = Reads::neither, .differentiable = false};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return greater(a, b); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&, const auto&) {
    return gradients(Absent{}, Absent{});
  }
};

// y = [x > p], a constant
struct GreaterThan {
  static constexpr OpInfo info{.name = "greater_than", .vjp_reads = Reads::neither, .differentiable = false};
  double threshold;
  WENGERT_INLINE auto forward(const auto& x) const { return greater(x, threshold); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&) { return gradients(Absent{}); }
  static void visit(auto& self, auto&& visitor) { visitor("threshold", self.threshold); }
};

// y = [a = b], a constant
struct Equal {
  static constexpr OpInfo info{.name = "equal", .inputs = 2, .vjp_reads = Reads::neither, .differentiable = false};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return equal(a, b); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&, const auto&) {
    return gradients(Absent{}, Absent{});
  }
};

// y = [x = p], a constant
struct EqualTo {
  static constexpr OpInfo info{.name = "equal_to", .vjp_reads = Reads::neither, .differentiable = false};
  double value;
  WENGERT_INLINE auto forward(const auto& x) const { return equal(x, value); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&) { return gradients(Absent{}); }
  static void visit(auto& self, auto&& visitor) { visitor("value", self.value); }
};

// y = -1, 0 or 1, a constant
struct Sign {
  static constexpr OpInfo info{.name = "sign", .vjp_reads = Reads::neither, .differentiable = false};
  WENGERT_INLINE static auto forward(const auto& x) { return greater(x, 0) - greater(-x, 0); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&) { return gradients(Absent{}); }
};

// y = x where m is not 0, 0 elsewhere,   dx = the same of g
struct Masked {
  static constexpr OpInfo info{.name = "masked", .inputs = 2, .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& x, const auto& m) { return masked(x, m); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto&, const auto& m) {
    return gradients(masked(g, m), Absent{});
  }
};

// y = a where c is not 0, b elsewhere,   da = g there, db = g elsewhere; the other branch contributes exactly 0
struct Where {
  static constexpr OpInfo info{.name = "where", .inputs = 3, .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& c, const auto& a, const auto& b) { return where(c, a, b); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& c, const auto&, const auto&) {
    return gradients(Absent{}, masked(g, c), masked(g, equal(c, 0)));
  }
};

// y = max(a, b),   da = g ([a > b] + [a = b] / 2),  db = g ([b > a] + [a = b] / 2): ties share
struct Maximum {
  static constexpr OpInfo info{.name = "maximum", .inputs = 2, .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return maximum(a, b); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& a, const auto& b) {
    const auto tie = masked(g * 0.5, equal(a, b));
    return gradients(masked(g, greater(a, b)) + tie, masked(g, greater(b, a)) + tie);
  }
};

// y = min(a, b),   da = g ([b > a] + [a = b] / 2),  db = g ([a > b] + [a = b] / 2): ties share
struct Minimum {
  static constexpr OpInfo info{.name = "minimum", .inputs = 2, .vjp_reads = Reads::inputs};
  WENGERT_INLINE static auto forward(const auto& a, const auto& b) { return minimum(a, b); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& a, const auto& b) {
    const auto tie = masked(g * 0.5, equal(a, b));
    return gradients(masked(g, greater(b, a)) + tie, masked(g, greater(a, b)) + tie);
  }
};

// y = x within [low, high],   dx = g where low <= x <= high, 0 elsewhere
struct Clip {
  static constexpr OpInfo info{.name = "clip", .vjp_reads = Reads::inputs};
  double low, high;
  WENGERT_INLINE auto forward(const auto& x) const { return minimum(maximum(x, low), high); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(masked(g, equal(greater(x, high) + greater(-x, -low), 0)));
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("low", self.low);
    visitor("high", self.high);
  }
};

// y = the largest whole number not above x, a constant
struct Floor {
  static constexpr OpInfo info{.name = "floor", .vjp_reads = Reads::neither, .differentiable = false};
  WENGERT_INLINE static auto forward(const auto& x) { return floor(x); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&) { return gradients(Absent{}); }
};

}  // namespace ops

namespace detail {

// A mask passes no gradient, whatever it was made of.
template <class T>
Variable<T> record_masked(Variable<T> x, Variable<T> mask);
template <class T>
Variable<T> record_where(Variable<T> condition, Variable<T> a, Variable<T> b);

/// A number in every element: a constant of the tape, as all operands are arrays there.
template <class T>
Variable<T> number_like(const char* op, Variable<T> x, double p) {
  return common_tape(op, x).constant(Shape{}, static_cast<T>(p));
}
WENGERT_INLINE auto number_like(const char*, const Value auto& x, double p) { return number_like(x, p); }

}  // namespace detail

// Shapes are broadcast as in NumPy; masks are arrays of 0 and 1 that pass no gradient.

/// 1 where a > b, else 0.
template <Value A, Like<A> B>
WENGERT_INLINE auto greater(const A& a, const B& b) {
  return detail::call(ops::Greater{}, a, b);
}
WENGERT_INLINE auto greater(const Value auto& x, double threshold) {
  return detail::call(ops::GreaterThan{threshold}, x);
}
/// 1 where a equals b, else 0.
template <Value A, Like<A> B>
WENGERT_INLINE auto equal(const A& a, const B& b) {
  return detail::call(ops::Equal{}, a, b);
}
WENGERT_INLINE auto equal(const Value auto& x, double value) { return detail::call(ops::EqualTo{value}, x); }
// The same masks as operators; NaN compares false. (a == b would read as a question about handles: equal() it is.)

template <Value A, Like<A> B>
WENGERT_INLINE auto operator>(const A& a, const B& b) {
  return greater(a, b);
}
WENGERT_INLINE auto operator>(const Value auto& x, double p) { return greater(x, p); }
WENGERT_INLINE auto operator>(double p, const Value auto& x) { return greater(-x, -p); }
template <Value A, Like<A> B>
WENGERT_INLINE auto operator<(const A& a, const B& b) {
  return b > a;
}
WENGERT_INLINE auto operator<(const Value auto& x, double p) { return p > x; }
WENGERT_INLINE auto operator<(double p, const Value auto& x) { return x > p; }
template <Value A, Like<A> B>
WENGERT_INLINE auto operator>=(const A& a, const B& b) {
  return together(
      ">=",
      [&] {
        const auto more = greater(a, b);  // before the other, whatever the compiler
        return more + equal(a, b);
      },
      a, b);
}
WENGERT_INLINE auto operator>=(const Value auto& x, double p) {
  const auto more = greater(x, p);
  return more + equal(x, p);
}
WENGERT_INLINE auto operator>=(double p, const Value auto& x) {
  const auto more = greater(-x, -p);
  return more + equal(x, p);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto operator<=(const A& a, const B& b) {
  return b >= a;
}
WENGERT_INLINE auto operator<=(const Value auto& x, double p) { return p >= x; }
WENGERT_INLINE auto operator<=(double p, const Value auto& x) { return x >= p; }

/// -1, 0 or 1.
WENGERT_INLINE auto sign(const Value auto& x) { return detail::call(ops::Sign{}, x); }
/// x where the mask is not 0, exactly 0 elsewhere, even where x is infinite or NaN.
template <Value X, Like<X> M>
WENGERT_INLINE auto masked(const X& x, const M& mask) {
  if constexpr (Recorded<X>)
    return detail::record_masked(x, mask);
  else
    return detail::call(ops::Masked{}, x, mask);
}
/// a where the condition is not 0, b elsewhere. The gradient of the branch not taken is exactly 0.
template <Value C, Like<C> A, Like<C> B>
WENGERT_INLINE auto where(const C& condition, const A& a, const B& b) {
  if constexpr (Recorded<C>)
    return detail::record_where(condition, a, b);
  else
    return detail::call(ops::Where{}, condition, a, b);
}
template <Value C, Like<C> A>
WENGERT_INLINE auto where(const C& condition, const A& a, double b) {
  return together(
      "where", [&] { return where(condition, a, detail::number_like("where", a, b)); }, condition, a);
}
template <Value C, Like<C> B>
WENGERT_INLINE auto where(const C& condition, double a, const B& b) {
  return together(
      "where", [&] { return where(condition, detail::number_like("where", b, a), b); }, condition, b);
}
/// The larger one, NaN if either is; equal elements share the gradient in halves.
template <Value A, Like<A> B>
WENGERT_INLINE auto maximum(const A& a, const B& b) {
  return detail::call(ops::Maximum{}, a, b);
}
template <Value A, Like<A> B>
WENGERT_INLINE auto minimum(const A& a, const B& b) {
  return detail::call(ops::Minimum{}, a, b);
}
WENGERT_INLINE auto maximum(const Value auto& x, double bound) {
  return maximum(x, detail::number_like("maximum", x, bound));
}
WENGERT_INLINE auto minimum(const Value auto& x, double bound) {
  return minimum(x, detail::number_like("minimum", x, bound));
}
/// x within [low, high], either of which may be infinite (PyTorch's clamp); the gradient passes on the bounds, and
/// not beyond them.
WENGERT_INLINE auto clip(const Value auto& x, double low, double high) { return detail::call(ops::Clip{low, high}, x); }
/// The largest whole number not above x, a constant.
WENGERT_INLINE auto floor(const Value auto& x) { return detail::call(ops::Floor{}, x); }
/// x where the mask is 0, the number elsewhere.
template <Value X, Like<X> M>
WENGERT_INLINE auto masked_fill(const X& x, const M& mask, double value) {
  return together(
      "masked_fill", [&] { return where(mask, detail::number_like("masked_fill", x, value), x); }, x, mask);
}
/// f(x) where the condition is not 0, `otherwise` elsewhere, with values and gradients of any order that know nothing
/// of f elsewhere: there f is given `safe` in the place of x, and should be smooth at it. In where(greater(x, 0),
/// log(x), y) the gradient at x = 0 is NaN, since 0 times the infinite slope of log is. f is called once; the condition
/// is 0 or 1 for each element, and is broadcast. Also within pointwise functions.
WENGERT_INLINE auto safe_where(const auto& condition, const auto& x, auto f, double otherwise = 0, double safe = 1) {
  return together(
      "safe_where",
      [&] {
        const auto hidden = equal(condition, 0);
        return masked_fill(f(masked_fill(x, hidden, safe)), hidden, otherwise);
      },
      condition, x);
}
/// a + weight (b - a).
template <Value A, Like<A> B, Like<A> W>
WENGERT_INLINE auto lerp(const A& a, const B& b, const W& weight) {
  return together(
      "lerp", [&] { return a + weight * (b - a); }, a, b, weight);
}

}  // namespace autograd
