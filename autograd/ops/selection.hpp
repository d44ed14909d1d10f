// Comparisons, which yield constant 0/1 masks, and what chooses by them.
#pragma once

#include "autograd/all_or_nothing.hpp"
#include "autograd/op.hpp"
#include "autograd/variable.hpp"

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
  std::string attributes() const;
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
  std::string attributes() const;
};

// y = -1, 0 or 1, a constant
struct Sign {
  static constexpr OpInfo info{.name = "sign", .vjp_reads = Reads::neither, .differentiable = false};
  WENGERT_INLINE static auto forward(const auto& x) { return sign(x); }
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
  WENGERT_INLINE auto forward(const auto& x) const { return clip(x, low, high); }
  WENGERT_INLINE auto vjp(const auto& g, const auto&, const auto& x) const {
    return gradients(masked(g, equal(greater(x, high) + greater(-x, -low), 0)));
  }
  std::string attributes() const;
};

// y = the largest whole number not above x, a constant
struct Floor {
  static constexpr OpInfo info{.name = "floor", .vjp_reads = Reads::neither, .differentiable = false};
  WENGERT_INLINE static auto forward(const auto& x) { return floor(x); }
  WENGERT_INLINE static auto vjp(const auto&, const auto&, const auto&) { return gradients(Absent{}); }
};

}  // namespace ops

// Shapes are broadcast as in NumPy; masks are arrays of 0 and 1 that pass no gradient.

/// 1 where a > b, else 0.
template <class T>
Variable<T> greater(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> greater(Variable<T> x, double threshold);
/// 1 where a equals b, else 0.
template <class T>
Variable<T> equal(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> equal(Variable<T> x, double value);
/// -1, 0 or 1.
template <class T>
Variable<T> sign(Variable<T> x);
/// x where the mask is not 0, exactly 0 elsewhere, even where x is infinite or NaN.
template <class T>
Variable<T> masked(Variable<T> x, Variable<T> mask);
/// a where the condition is not 0, b elsewhere. The gradient of the branch not taken is exactly 0.
template <class T>
Variable<T> where(Variable<T> condition, Variable<T> a, Variable<T> b);
/// The larger one, NaN if either is; equal elements share the gradient in halves.
template <class T>
Variable<T> maximum(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> minimum(Variable<T> a, Variable<T> b);
template <class T>
Variable<T> maximum(Variable<T> x, double bound);
template <class T>
Variable<T> minimum(Variable<T> x, double bound);
/// x within [low, high], either of which may be infinite (PyTorch's clamp); the gradient passes on the bounds, and
/// not beyond them.
template <class T>
Variable<T> clip(Variable<T> x, double low, double high);
/// The largest whole number not above x, a constant.
template <class T>
Variable<T> floor(Variable<T> x);
/// x where the mask is 0, the number elsewhere.
template <class T>
Variable<T> masked_fill(Variable<T> x, Variable<T> mask, double value);
/// f(x) where the condition is not 0, `otherwise` elsewhere, with values and gradients of any order that know nothing
/// of f elsewhere: there f is given `safe` in the place of x, and should be smooth at it. In where(greater(x, 0),
/// log(x), y) the gradient at x = 0 is NaN, since 0 times the infinite slope of log is. f is called once; the condition
/// is 0 or 1 for each element, and is broadcast. Also within pointwise functions.
WENGERT_INLINE auto safe_where(const auto& condition, const auto& x, auto f, double otherwise = 0, double safe = 1) {
  const auto call = [&] {
    const auto hidden = equal(condition, 0);
    return masked_fill(f(masked_fill(x, hidden, safe)), hidden, otherwise);
  };
  if constexpr (requires { x.tape(); })
    return all_or_nothing(common_tape("safe_where", condition, x), call);
  else
    return call();
}
/// a + weight (b - a).
template <class T>
Variable<T> lerp(Variable<T> a, Variable<T> b, Variable<T> weight);

}  // namespace autograd
