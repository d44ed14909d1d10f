// Trigonometric and hyperbolic functions, element by element.
#pragma once

#include <limits>

#include "autograd/op.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/selection.hpp"

namespace autograd {

namespace ops {

// y = sin(x),   dx = g cos(x)
struct Sin {
  static constexpr OpInfo info{.name = "sin", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return sin(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * cos(x)); }
};

// y = cos(x),   dx = -g sin(x)
struct Cos {
  static constexpr OpInfo info{.name = "cos", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return cos(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(-(g * sin(x))); }
};

// y = tan(x),   dx = g (1 + y^2)
struct Tan {
  static constexpr OpInfo info{.name = "tan", .vjp_reads = Reads::output, .domain = {-1.2, 1.2}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return tan(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto& y, const auto&) { return gradients(g * (1 + y * y)); }
};

// y = asin(x),   dx = g / sqrt(1 - x^2)
struct Asin {
  static constexpr OpInfo info{.name = "asin", .vjp_reads = Reads::inputs, .domain = {-0.9, 0.9}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return asin(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * rsqrt(1 - x * x)); }
};

// y = acos(x),   dx = -g / sqrt(1 - x^2)
struct Acos {
  static constexpr OpInfo info{.name = "acos", .vjp_reads = Reads::inputs, .domain = {-0.9, 0.9}, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return acos(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) {
    return gradients(-(g * rsqrt(1 - x * x)));
  }
};

// y = atan(x),   dx = g / (1 + x^2)
struct Atan {
  static constexpr OpInfo info{.name = "atan", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return atan(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g / (1 + x * x)); }
};

// y = sinh(x),   dx = g cosh(x)
struct Sinh {
  static constexpr OpInfo info{.name = "sinh", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return sinh(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * cosh(x)); }
};

// y = cosh(x),   dx = g sinh(x)
struct Cosh {
  static constexpr OpInfo info{.name = "cosh", .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& x) { return cosh(x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * sinh(x)); }
};

// t = the angle of the point (x, y),   dy = g x / (x^2 + y^2),  dx = -g y / (x^2 + y^2), 0 at the origin and where an
// operand is infinite. The squares are those of x / m and y / m, so that they neither overflow nor vanish.
struct Atan2 {
  static constexpr OpInfo info{.name = "atan2", .inputs = 2, .vjp_reads = Reads::inputs, .expensive = true};
  WENGERT_INLINE static auto forward(const auto& y, const auto& x) { return atan2(y, x); }
  WENGERT_INLINE static auto vjp(const auto& g, const auto&, const auto& y, const auto& x) {
    const auto m = detach(maximum(abs(y), abs(x)));
    const auto usual = equal(singular(m), 0), size = m + equal(m, 0);
    const auto u = masked(x, usual) / size, v = masked(y, usual) / size;
    const auto scaled = g / (size * (u * u + v * v + singular(m)));
    return gradients(scaled * u, -(scaled * v));
  }
  /// 1 where the larger operand is 0 or infinite.
  WENGERT_INLINE static auto singular(const auto& m) {
    return equal(m, 0) + equal(m, std::numeric_limits<double>::infinity());
  }
};

}  // namespace ops

WENGERT_INLINE auto sin(const Value auto& x) { return detail::call(ops::Sin{}, x); }
WENGERT_INLINE auto cos(const Value auto& x) { return detail::call(ops::Cos{}, x); }
WENGERT_INLINE auto tan(const Value auto& x) { return detail::call(ops::Tan{}, x); }
WENGERT_INLINE auto asin(const Value auto& x) { return detail::call(ops::Asin{}, x); }
WENGERT_INLINE auto acos(const Value auto& x) { return detail::call(ops::Acos{}, x); }
WENGERT_INLINE auto atan(const Value auto& x) { return detail::call(ops::Atan{}, x); }
WENGERT_INLINE auto sinh(const Value auto& x) { return detail::call(ops::Sinh{}, x); }
WENGERT_INLINE auto cosh(const Value auto& x) { return detail::call(ops::Cosh{}, x); }
/// The angle of the point (x, y), in (-pi, pi]. Its gradient at the origin is 0. Throws ShapeError when the shapes do
/// not broadcast.
template <Value A, Like<A> B>
WENGERT_INLINE auto atan2(const A& y, const B& x) {
  return detail::call(ops::Atan2{}, y, x);
}

}  // namespace autograd
