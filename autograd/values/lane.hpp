// Lane: what an elementwise rule computes with: a SIMD register of T, or one complex number in the gradient checker.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <concepts>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#include "autograd/op.hpp"
#include "autograd/values/dependence.hpp"
#include "autograd/values/instruction_set.hpp"
#include "autograd/values/register_functions.hpp"

WENGERT_QUIET_BEGIN
namespace autograd {

/// A register. It takes the functions that the tape has, so that a rule that compiles on lanes compiles on Variables.
template <class Register>
struct Lane {
  Register value;
};

template <class T>
using Simd = Lane<xsimd::batch<T>>;
using ComplexLane = Lane<std::complex<double>>;

namespace detail {

template <class Register>
struct LaneTraits;

template <class T, class Architecture>
struct LaneTraits<xsimd::batch<T, Architecture>> {
  using Scalar = T;
  using Batch = xsimd::batch<T, Architecture>;
  [[gnu::always_inline]] static auto greater(const Batch& a, const Batch& b) { return a > b; }
  [[gnu::always_inline]] static auto equal(const Batch& a, const Batch& b) { return a == b; }
  [[gnu::always_inline]] static Batch abs(const Batch& x) { return xsimd::abs(x); }
  [[gnu::always_inline]] static Batch div(const Batch& a, const Batch& b) { return kernels::quotient(a, b); }
  /// The sign alone, also of 0, which 0 - x would lose.
  [[gnu::always_inline]] static Batch neg(const Batch& x) { return x ^ Batch(T(-0.0)); }
  template <class Mask>
  [[gnu::always_inline]] static Batch select(const Mask& mask, const Batch& a, const Batch& b) {
    return xsimd::select(mask, a, b);
  }
  /// Functions without a vector form, element by element.
  template <class F>
  static Batch each(const Batch& x, F f) {
    alignas(Batch) T values[Batch::size];
    x.store_aligned(values);
    for (T& value : values) value = f(value);
    return Batch::load_aligned(values);
  }
  template <class F>
  static Batch each(const Batch& x, const Batch& y, F f) {
    alignas(Batch) T left[Batch::size], right[Batch::size];
    x.store_aligned(left);
    y.store_aligned(right);
    for (std::size_t k = 0; k < Batch::size; ++k) left[k] = f(left[k], right[k]);
    return Batch::load_aligned(left);
  }
};

/// Comparisons use the real part: the complex step differentiates the branch that the real number takes.
template <>
struct LaneTraits<std::complex<double>> {
  using Scalar = double;
  using Batch = std::complex<double>;
  static bool greater(Batch a, Batch b) { return a.real() > b.real(); }
  static bool equal(Batch a, Batch b) { return a.real() == b.real(); }
  static Batch abs(Batch x) { return x.real() < 0 ? -x : x; }
  static Batch div(Batch a, Batch b) { return a / b; }
  static Batch neg(Batch x) { return -x; }
  static Batch select(bool mask, Batch a, Batch b) { return mask ? a : b; }
  template <class F>
  static Batch each(Batch x, F f) {
    return f(x);
  }
  template <class F>
  static Batch each(Batch x, Batch y, F f) {
    return f(x, y);
  }
};

template <>
struct LaneTraits<kernels::Dependence> {
  using Scalar = double;
  using Batch = kernels::Dependence;
  static Batch greater(Batch a, Batch b) { return join(a, b); }
  static Batch equal(Batch a, Batch b) { return join(a, b); }
  static Batch abs(Batch x) { return x; }
  static Batch div(Batch a, Batch b) { return a / b; }
  static Batch neg(Batch x) { return x; }
  static Batch select(Batch mask, Batch a, Batch b) { return join(mask, join(a, b)); }
  template <class F>
  static Batch each(Batch x, F) {
    return x;
  }
  template <class F>
  static Batch each(Batch x, Batch y, F) {
    return join(x, y);
  }
};

}  // namespace detail

namespace kernels {

/// exp(x) - 1, accurate for small x:  with x = a + ib,  expm1(a) - 2 e^a sin(b/2)^2 + i e^a sin(b).
inline std::complex<double> expm1(std::complex<double> x) {
  const double a = x.real(), b = x.imag(), half = std::sin(b / 2);
  return {std::expm1(a) - 2 * std::exp(a) * half * half, std::exp(a) * std::sin(b)};
}

/// log(1 + x), accurate for small x.
inline std::complex<double> log1p(std::complex<double> x) {
  return {std::log1p(x.real() * (2 + x.real()) + x.imag() * x.imag()) / 2, std::atan2(x.imag(), 1 + x.real())};
}

/// 1 / (1 + exp(-x)), without overflow.
inline std::complex<double> sigmoid(std::complex<double> x) {
  const std::complex<double> e = std::exp(x.real() < 0 ? x : -x);
  return x.real() < 0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
}

/// 2/sqrt(pi) exp(-x^2) sum over n of 2^n x^(2n+1) / (2n+1)!!, a series without cancellation.
inline std::complex<double> erf(std::complex<double> x) {
  if (std::abs(x.real()) > 6) return x.real() > 0 ? 1 : -1;
  std::complex<double> term = x, total = x;
  for (double n = 1; std::abs(term) > 1e-20 * std::abs(total); ++n) total += term *= 2.0 * x * x / (2 * n + 1);
  return 1.1283791670955126 * std::exp(-x * x) * total;
}
inline std::complex<double> erfc(std::complex<double> x) { return 1.0 - erf(x); }

inline std::complex<double> floor(std::complex<double> x) { return std::floor(x.real()); }

}  // namespace kernels

namespace detail {

// Element by element: vector forms are wrong in the last digits.
template <class Batch>
Batch erf_of_each(const Batch& x) {
  return LaneTraits<Batch>::each(x, [](auto element) { return std::erf(element); });
}
template <class Batch>
Batch erfc_of_each(const Batch& x) {
  return LaneTraits<Batch>::each(x, [](auto element) { return std::erfc(element); });
}

template <class S>
S power(S x, S exponent) {
  return std::pow(x, exponent);
}

/// Whole powers by multiplication: through the logarithm a negative real part would blur the imaginary one.
inline std::complex<double> power(std::complex<double> x, double exponent) {
  if (exponent != std::floor(exponent) || std::abs(exponent) > 1000) return std::pow(x, exponent);
  std::complex<double> result = 1, factor = exponent < 0 ? 1.0 / x : x;
  for (int left = static_cast<int>(std::abs(exponent)); left > 0; left /= 2, factor *= factor)
    if (left % 2) result *= factor;
  return result;
}

template <class S>
S angle(S y, S x) {
  return std::atan2(y, x);
}

/// The angle of the real parts, continued analytically.
inline std::complex<double> angle(std::complex<double> y, std::complex<double> x) {
  const std::complex<double> turn = std::abs(x.real()) > std::abs(y.real()) ? std::atan(y / x) : -std::atan(x / y);
  return {std::atan2(y.real(), x.real()), turn.imag()};
}

}  // namespace detail

/// The number p in every element.
template <class R>
WENGERT_INLINE Lane<R> broadcast_lane(typename detail::LaneTraits<R>::Scalar p) {
  return {R(p)};
}
/// The same for a lane like another. Literals and attributes become numbers of its type: `1 - y * y` stays float.
template <class R>
WENGERT_INLINE Lane<R> number_like(const Lane<R>&, double p) {
  return broadcast_lane<R>(static_cast<typename detail::LaneTraits<R>::Scalar>(p));
}

/// A rule of a program's own, in a pointwise function.
template <class Rule, class R, std::same_as<Lane<R>>... Rest>
WENGERT_INLINE auto apply(const Rule& rule, Lane<R> first, Rest... rest) {
  return rule.forward(first, rest...);
}

// What a register does by itself. All else is made of it by the rules, under the names that all kinds of values share.

template <class R>
WENGERT_INLINE Lane<R> operator+(Lane<R> a, Lane<R> b) {
  return {a.value + b.value};
}
template <class R>
WENGERT_INLINE Lane<R> operator-(Lane<R> a, Lane<R> b) {
  return {a.value - b.value};
}
template <class R>
WENGERT_INLINE Lane<R> operator*(Lane<R> a, Lane<R> b) {
  return {a.value * b.value};
}
template <class R>
WENGERT_INLINE Lane<R> operator/(Lane<R> a, Lane<R> b) {
  return {detail::LaneTraits<R>::div(a.value, b.value)};
}
template <class R>
WENGERT_INLINE Lane<R> operator-(Lane<R> a) {
  return {detail::LaneTraits<R>::neg(a.value)};
}

/// 1 where a > b, else 0.
template <class R>
WENGERT_INLINE Lane<R> greater(Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  return {Traits::select(Traits::greater(a.value, b.value), R(1), R(0))};
}
template <class R>
WENGERT_INLINE Lane<R> greater(Lane<R> a, double b) {
  return greater(a, number_like(a, b));
}

/// 1 where a equals b, else 0.
template <class R>
WENGERT_INLINE Lane<R> equal(Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  return {Traits::select(Traits::equal(a.value, b.value), R(1), R(0))};
}
template <class R>
WENGERT_INLINE Lane<R> equal(Lane<R> a, double b) {
  return equal(a, number_like(a, b));
}

/// a where the condition is not 0, b elsewhere.
template <class R>
WENGERT_INLINE Lane<R> where(Lane<R> condition, Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  return {Traits::select(Traits::equal(condition.value, R(0)), b.value, a.value)};
}

/// x where the mask is not 0, exactly 0 elsewhere, whatever x is there.
template <class R>
WENGERT_INLINE Lane<R> masked(Lane<R> x, Lane<R> mask) {
  return where(mask, x, broadcast_lane<R>(0));
}

/// The larger one; NaN if either is.
template <class R>
WENGERT_INLINE Lane<R> maximum(Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  const R larger = Traits::select(Traits::greater(a.value, b.value), a.value, b.value);
  return {Traits::select(Traits::equal(a.value, a.value), larger, a.value)};
}

/// The smaller one; NaN if either is.
template <class R>
WENGERT_INLINE Lane<R> minimum(Lane<R> a, Lane<R> b) {
  return -maximum(-a, -b);
}

template <class R>
WENGERT_INLINE Lane<R> abs(Lane<R> x) {
  return {detail::LaneTraits<R>::abs(x.value)};
}

/// The same value: a register has no gradient to cut off, and no name.
template <class R>
WENGERT_INLINE Lane<R> detach(Lane<R> x) {
  return x;
}
template <class R>
WENGERT_INLINE Lane<R> named(std::string_view, Lane<R> x) {
  return x;
}

/// A function of each element that is no rule made of others: of a register, of a complex number; and what it depends
/// on is what x depends on.
#define WENGERT_PRIMITIVE(function, of_register, of_complex)                                    \
  template <class R>                                                                            \
  WENGERT_INLINE Lane<R> function(Lane<R> x) {                                                  \
    if constexpr (std::same_as<R, kernels::Dependence>)                                         \
      return x;                                                                                 \
    else if constexpr (std::same_as<R, std::complex<double>>)                                   \
      return {of_complex(x.value)};                                                             \
    else                                                                                        \
      return {of_register(static_cast<const typename detail::LaneTraits<R>::Batch&>(x.value))}; \
  }
WENGERT_PRIMITIVE(exp, kernels::exp, std::exp)
WENGERT_PRIMITIVE(expm1, kernels::expm1, kernels::expm1)
WENGERT_PRIMITIVE(log, kernels::log, std::log)
WENGERT_PRIMITIVE(log1p, kernels::log1p, kernels::log1p)
WENGERT_PRIMITIVE(sqrt, xsimd::sqrt, std::sqrt)
WENGERT_PRIMITIVE(tanh, kernels::tanh, std::tanh)
WENGERT_PRIMITIVE(sigmoid, kernels::sigmoid, kernels::sigmoid)
WENGERT_PRIMITIVE(erf, detail::erf_of_each, kernels::erf)
WENGERT_PRIMITIVE(erfc, detail::erfc_of_each, kernels::erfc)
WENGERT_PRIMITIVE(sin, xsimd::sin, std::sin)
WENGERT_PRIMITIVE(cos, xsimd::cos, std::cos)
WENGERT_PRIMITIVE(tan, xsimd::tan, std::tan)
WENGERT_PRIMITIVE(asin, xsimd::asin, std::asin)
WENGERT_PRIMITIVE(acos, xsimd::acos, std::acos)
WENGERT_PRIMITIVE(atan, xsimd::atan, std::atan)
WENGERT_PRIMITIVE(sinh, xsimd::sinh, std::sinh)
WENGERT_PRIMITIVE(cosh, xsimd::cosh, std::cosh)
WENGERT_PRIMITIVE(floor, xsimd::floor, kernels::floor)
#undef WENGERT_PRIMITIVE

template <class R, class S>
requires std::is_arithmetic_v<S> WENGERT_INLINE Lane<R> pow(Lane<R> x, const S& exponent) {
  using Scalar = typename detail::LaneTraits<R>::Scalar;
  if (exponent == 1) return x;
  if (exponent == 2) return x * x;
  return {detail::LaneTraits<R>::each(x.value,
                                      [exponent](auto element) { return detail::power(element, Scalar(exponent)); })};
}

/// x^y, element by element.
template <class R>
WENGERT_INLINE Lane<R> pow(Lane<R> x, Lane<R> y) {
  return {detail::LaneTraits<R>::each(x.value, y.value, [](auto a, auto b) { return std::pow(a, b); })};
}

/// The angle of the point (x, y), in (-pi, pi].
template <class R>
WENGERT_INLINE Lane<R> atan2(Lane<R> y, Lane<R> x) {
  return {detail::LaneTraits<R>::each(y.value, x.value, [](auto a, auto b) { return detail::angle(a, b); })};
}

namespace detail {
inline namespace WENGERT_INSTRUCTION_SET {

template <class T>
inline constexpr std::size_t lane_width = xsimd::batch<T>::size;

template <class T>
WENGERT_INLINE Simd<T> load(const T* from) {
  return {xsimd::batch<T>::load_unaligned(from)};
}

template <class T>
WENGERT_INLINE void store(Simd<T> lane, T* to) {
  lane.value.store_unaligned(to);
}

// Half a register is moved without a mask: what was stored under one has to reach the cache before it can be loaded.

/// The first `count` elements, fewer than a full register; the rest is 1, which every rule takes quietly.
template <class T>
WENGERT_INLINE Simd<T> load(const T* from, std::size_t count) {
#ifdef __AVX512F__
  const bool half = count == lane_width<T> / 2;
  if constexpr (std::same_as<T, float>) {
    if (half)
      return {_mm512_castpd_ps(
          _mm512_insertf64x4(_mm512_castps_pd(_mm512_set1_ps(1)), _mm256_castps_pd(_mm256_loadu_ps(from)), 0))};
    return {_mm512_mask_loadu_ps(_mm512_set1_ps(1), static_cast<__mmask16>((1u << count) - 1), from)};
  } else {
    if (half) return {_mm512_insertf64x4(_mm512_set1_pd(1), _mm256_loadu_pd(from), 0)};
    return {_mm512_mask_loadu_pd(_mm512_set1_pd(1), static_cast<__mmask8>((1u << count) - 1), from)};
  }
#else
  alignas(64) T padded[lane_width<T>];
  std::fill(padded, padded + lane_width<T>, T(1));
  std::memcpy(padded, from, count * sizeof(T));
  return {xsimd::batch<T>::load_aligned(padded)};
#endif
}

template <class T>
WENGERT_INLINE void store(Simd<T> lane, T* to, std::size_t count) {
#ifdef __AVX512F__
  const bool half = count == lane_width<T> / 2;
  if constexpr (std::same_as<T, float>) {
    if (half)
      _mm256_storeu_ps(to, _mm512_castps512_ps256(lane.value));
    else
      _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), lane.value);
  } else if (half) {
    _mm256_storeu_pd(to, _mm512_castpd512_pd256(lane.value));
  } else {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), lane.value);
  }
#else
  alignas(64) T padded[lane_width<T>];
  lane.value.store_aligned(padded);
  std::memcpy(to, padded, count * sizeof(T));
#endif
}

/// The first `count` elements, at most a full register.
template <class T>
WENGERT_INLINE Simd<T> load_some(const T* from, std::size_t count) {
  return count == lane_width<T> ? load(from) : load(from, count);
}
template <class T>
WENGERT_INLINE void store_some(Simd<T> lane, T* to, std::size_t count) {
  if (count == lane_width<T>)
    store(lane, to);
  else
    store(lane, to, count);
}

}  // namespace WENGERT_INSTRUCTION_SET
}  // namespace detail
}  // namespace autograd
WENGERT_QUIET_END
