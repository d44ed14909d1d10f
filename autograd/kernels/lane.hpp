// Lane: what an elementwise rule computes with: a SIMD register of T, or one complex number in the gradient checker.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <concepts>
#include <cstring>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#include "autograd/kernels/dependence.hpp"
#include "autograd/kernels/elementary.hpp"
#include "autograd/kernels/instruction_set.hpp"
#include "autograd/op.hpp"

WENGERT_QUIET_BEGIN
namespace autograd {

/// A register with exactly the functions the tape has, so that a rule that compiles on lanes compiles on Variables.
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

template <class S>
concept Arithmetic = std::is_arithmetic_v<S>;

/// The number p in every element.
template <class R>
WENGERT_INLINE Lane<R> broadcast_lane(typename detail::LaneTraits<R>::Scalar p) {
  return {R(p)};
}

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
  return {a.value / b.value};
}
template <class R>
WENGERT_INLINE Lane<R> operator-(Lane<R> a) {
  return {detail::LaneTraits<R>::neg(a.value)};
}

// Literals and attributes convert to the element type, so `1 - y * y` stays float on floats.
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator+(Lane<R> a, S b) {
  return a + broadcast_lane<R>(b);
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator+(S a, Lane<R> b) {
  return broadcast_lane<R>(a) + b;
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator-(Lane<R> a, S b) {
  return a - broadcast_lane<R>(b);
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator-(S a, Lane<R> b) {
  return broadcast_lane<R>(a) - b;
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator*(Lane<R> a, S b) {
  return a * broadcast_lane<R>(b);
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator*(S a, Lane<R> b) {
  return broadcast_lane<R>(a) * b;
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator/(Lane<R> a, S b) {
  return a / broadcast_lane<R>(b);
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> operator/(S a, Lane<R> b) {
  return broadcast_lane<R>(a) / b;
}

/// 1 where a > b, else 0.
template <class R>
WENGERT_INLINE Lane<R> greater(Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  return {Traits::select(Traits::greater(a.value, b.value), R(1), R(0))};
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> greater(Lane<R> a, S b) {
  return greater(a, broadcast_lane<R>(b));
}

/// 1 where a equals b, else 0.
template <class R>
WENGERT_INLINE Lane<R> equal(Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  return {Traits::select(Traits::equal(a.value, b.value), R(1), R(0))};
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> equal(Lane<R> a, S b) {
  return equal(a, broadcast_lane<R>(b));
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

/// x where the mask is 0, the number elsewhere.
template <class R>
WENGERT_INLINE Lane<R> masked_fill(Lane<R> x, Lane<R> mask, double value) {
  return where(mask, broadcast_lane<R>(static_cast<typename detail::LaneTraits<R>::Scalar>(value)), x);
}

/// The same value: a register has no gradient to cut off.
template <class R>
WENGERT_INLINE Lane<R> detach(Lane<R> x) {
  return x;
}

/// The larger one; NaN if either is.
template <class R>
WENGERT_INLINE Lane<R> maximum(Lane<R> a, Lane<R> b) {
  using Traits = detail::LaneTraits<R>;
  const R larger = Traits::select(Traits::greater(a.value, b.value), a.value, b.value);
  return {Traits::select(Traits::equal(a.value, a.value), larger, a.value)};
}
template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> maximum(Lane<R> a, S b) {
  return maximum(a, broadcast_lane<R>(b));
}

/// The smaller one; NaN if either is.
template <class R>
WENGERT_INLINE Lane<R> minimum(Lane<R> a, Lane<R> b) {
  return -maximum(-a, -b);
}

/// -1, 0 or 1.
template <class R>
WENGERT_INLINE Lane<R> sign(Lane<R> x) {
  return greater(x, 0) - greater(-x, 0);
}

template <class R>
WENGERT_INLINE Lane<R> abs(Lane<R> x) {
  return {detail::LaneTraits<R>::abs(x.value)};
}

template <class R>
inline constexpr bool is_complex = std::same_as<R, std::complex<double>>;

template <class R>
WENGERT_INLINE Lane<R> exp(Lane<R> x) {
  if constexpr (is_complex<R>)
    return {std::exp(x.value)};
  else
    return {kernels::exp(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> log(Lane<R> x) {
  if constexpr (is_complex<R>)
    return {std::log(x.value)};
  else
    return {kernels::log(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> sqrt(Lane<R> x) {
  using std::sqrt;
  return {sqrt(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> rsqrt(Lane<R> x) {
  return 1 / sqrt(x);
}
template <class R>
WENGERT_INLINE Lane<R> tanh(Lane<R> x) {
  if constexpr (is_complex<R>)
    return {std::tanh(x.value)};
  else
    return {kernels::tanh(x.value)};
}

/// exp(x) - 1, accurate for small x:  with x = a + ib,  expm1(a) - 2 e^a sin(b/2)^2 + i e^a sin(b).
template <class R>
WENGERT_INLINE Lane<R> expm1(Lane<R> x) {
  if constexpr (is_complex<R>) {
    const double a = x.value.real(), b = x.value.imag(), half = std::sin(b / 2);
    return {{std::expm1(a) - 2 * std::exp(a) * half * half, std::exp(a) * std::sin(b)}};
  } else {
    return {kernels::expm1(x.value)};
  }
}

/// log(1 + x), accurate for small x.
template <class R>
WENGERT_INLINE Lane<R> log1p(Lane<R> x) {
  if constexpr (is_complex<R>)
    return {{std::log1p(x.value.real() * (2 + x.value.real()) + x.value.imag() * x.value.imag()) / 2,
             std::atan2(x.value.imag(), 1 + x.value.real())}};
  else
    return {kernels::log1p(x.value)};
}

/// 1 / (1 + exp(-x)), without overflow.
template <class R>
WENGERT_INLINE Lane<R> sigmoid(Lane<R> x) {
  if constexpr (is_complex<R>) {
    const std::complex<double> e = std::exp(x.value.real() < 0 ? x.value : -x.value);
    return {x.value.real() < 0 ? e / (1.0 + e) : 1.0 / (1.0 + e)};
  } else {
    return {kernels::sigmoid(x.value)};
  }
}

namespace detail {

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

}  // namespace detail

template <class R, Arithmetic S>
WENGERT_INLINE Lane<R> pow(Lane<R> x, S exponent) {
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

/// x within [low, high]; NaN stays NaN.
template <class R>
WENGERT_INLINE Lane<R> clip(Lane<R> x, double low, double high) {
  return minimum(maximum(x, low), broadcast_lane<R>(static_cast<typename detail::LaneTraits<R>::Scalar>(high)));
}

template <class R>
WENGERT_INLINE Lane<R> sin(Lane<R> x) {
  using std::sin;
  return {sin(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> cos(Lane<R> x) {
  using std::cos;
  return {cos(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> tan(Lane<R> x) {
  using std::tan;
  return {tan(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> asin(Lane<R> x) {
  using std::asin;
  return {asin(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> acos(Lane<R> x) {
  using std::acos;
  return {acos(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> atan(Lane<R> x) {
  using std::atan;
  return {atan(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> sinh(Lane<R> x) {
  using std::sinh;
  return {sinh(x.value)};
}
template <class R>
WENGERT_INLINE Lane<R> cosh(Lane<R> x) {
  using std::cosh;
  return {cosh(x.value)};
}

namespace detail {

template <class S>
S angle(S y, S x) {
  return std::atan2(y, x);
}

/// The angle of the real parts, continued analytically.
inline std::complex<double> angle(std::complex<double> y, std::complex<double> x) {
  const std::complex<double> turn = std::abs(x.real()) > std::abs(y.real()) ? std::atan(y / x) : -std::atan(x / y);
  return {std::atan2(y.real(), x.real()), turn.imag()};
}

/// 2/sqrt(pi) exp(-x^2) sum over n of 2^n x^(2n+1) / (2n+1)!!, a series without cancellation.
inline std::complex<double> error_function(std::complex<double> x) {
  if (std::abs(x.real()) > 6) return x.real() > 0 ? 1 : -1;
  std::complex<double> term = x, total = x;
  for (double n = 1; std::abs(term) > 1e-20 * std::abs(total); ++n) total += term *= 2.0 * x * x / (2 * n + 1);
  return 1.1283791670955126 * std::exp(-x * x) * total;
}

}  // namespace detail

/// The angle of the point (x, y), in (-pi, pi].
template <class R>
WENGERT_INLINE Lane<R> atan2(Lane<R> y, Lane<R> x) {
  return {detail::LaneTraits<R>::each(y.value, x.value, [](auto a, auto b) { return detail::angle(a, b); })};
}

/// Element by element: vector forms are wrong in the last digits.
template <class R>
WENGERT_INLINE Lane<R> erf(Lane<R> x) {
  if constexpr (std::same_as<R, std::complex<double>>)
    return {detail::error_function(x.value)};
  else
    return {detail::LaneTraits<R>::each(x.value, [](auto element) { return std::erf(element); })};
}
/// 1 - erf(x), accurate for large x.
template <class R>
WENGERT_INLINE Lane<R> erfc(Lane<R> x) {
  if constexpr (std::same_as<R, std::complex<double>>)
    return {1.0 - detail::error_function(x.value)};
  else
    return {detail::LaneTraits<R>::each(x.value, [](auto element) { return std::erfc(element); })};
}

/// The largest whole number that is not above x.
template <class R>
WENGERT_INLINE Lane<R> floor(Lane<R> x) {
  if constexpr (std::same_as<R, std::complex<double>>)
    return {std::floor(x.value.real())};
  else if constexpr (std::same_as<R, kernels::Dependence>)
    return x;
  else
    return {xsimd::floor(x.value)};
}

template <class R>
WENGERT_INLINE Lane<R> square(Lane<R> x) {
  return x * x;
}
template <class R>
WENGERT_INLINE Lane<R> reciprocal(Lane<R> x) {
  return 1 / x;
}
template <class R>
WENGERT_INLINE Lane<R> affine(Lane<R> x, double scale, double shift) {
  return x * scale + shift;
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
