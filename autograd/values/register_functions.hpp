// exp, expm1, log, log1p, tanh and sigmoid of SIMD registers, within 4 units in the last place for every argument.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>
#include <xsimd/xsimd.hpp>

#include "autograd/op.hpp"

// Such flags let a compiler cancel what these functions (and xsimd's) add only to subtract it again, take a division
// for a product, and drop NaN and the sign of 0: results are then wrong without a word.
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(_M_FP_FAST)
#error \
    "Wengert: compile what includes this without -ffast-math, -Ofast and the flags they stand for (-fassociative-math, \
-freciprocal-math, -fno-signed-zeros, -ffinite-math-only); set_source_files_properties() sets flags for single files."
#endif

WENGERT_QUIET_BEGIN
namespace autograd::kernels {

// All of them rest on one reduction:  x = n ln 2 + r,  |r| <= ln(2) / 2,  e^x = 2^n e^r.

template <class T>
struct ExpConstants;

// expm1(r) = r + r^2 P(r). The polynomials were fitted by Sollya's fpminimax; their error relative to expm1(r) is below
// 2.2e-8 (float) and 3.6e-17 (double). ln2_high has so few bits that n ln2_high is exact.
template <>
struct ExpConstants<float> {
  using Bits = std::int32_t;
  static constexpr float ln2_high = 0x1.63p-1f, ln2_low = -0x1.bd0106p-13f;
  static constexpr float lowest = -104, highest = 89;  // exp() is 0 and infinite beyond
  static constexpr float log_of_tiny = -18;            // expm1() is -1 beyond
  static constexpr std::array p{0x1p-1f, 0x1.5554dcp-3f, 0x1.5554eap-5f, 0x1.120c04p-7f, 0x1.6d4bfcp-10f};
};
template <>
struct ExpConstants<double> {
  using Bits = std::int64_t;
  static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double lowest = -746, highest = 710;
  static constexpr double log_of_tiny = -38;
  static constexpr std::array p{0x1.0000000000001p-1,  0x1.5555555555558p-3,  0x1.5555555553cd9p-5,
                                0x1.111111110f8dbp-7,  0x1.6c16c178ab683p-10, 0x1.a01a01afb725ep-13,
                                0x1.a019b8b7963dcp-16, 0x1.71ddf787534fap-19, 0x1.2891d2af5d43bp-22,
                                0x1.af61c09cbbc75p-26};
};

/// p[0] + p[1] r + p[2] r^2 + ..., halves first: a short chain of dependent operations.
template <std::size_t First, std::size_t Count, class B, class T, std::size_t N>
WENGERT_INLINE B polynomial(const std::array<T, N>& p, const B& r, const B& r2, const B& r4, const B& r8) {
  if constexpr (Count == 1) {
    return B(p[First]);
  } else {
    constexpr std::size_t half = Count > 8 ? 8 : Count > 4 ? 4 : Count > 2 ? 2 : 1;
    const B& power = half == 8 ? r8 : half == 4 ? r4 : half == 2 ? r2 : r;
    return xsimd::fma(power, polynomial<First + half, Count - half>(p, r, r2, r4, r8),
                      polynomial<First, half>(p, r, r2, r4, r8));
  }
}

/// x, computed before anything is done with it: Clang does not tell of -fassociative-math without the rest.
template <class B>
WENGERT_INLINE B in_this_order(B x) {
#if defined(__clang__) && defined(__x86_64__)
  asm("" : "+v"(x.data));
#endif
  return x;
}

/// Adding this number rounds to a whole one, and leaves it in the lowest bits.
template <class T>
inline constexpr T rounder = T(1.5) / std::numeric_limits<T>::epsilon();

/// 2^n for a whole n within the range of normal numbers, from n + rounder.
template <class B>
WENGERT_INLINE B power_of_two(const B& shifted) {
  using T = typename B::value_type;
  using Bits = xsimd::batch<typename ExpConstants<T>::Bits, typename B::arch_type>;
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  return std::bit_cast<B>((std::bit_cast<Bits>(shifted) << mantissa) + std::bit_cast<Bits>(B(1)));
}

/// p 2^n for a whole n, rounded once: down to denormal numbers and 0, up to infinity.
template <class B>
WENGERT_INLINE B scale(const B& p, const B& n) {
  using T = typename B::value_type;
#ifdef __AVX512F__
  if constexpr (std::is_same_v<B, xsimd::batch<float>>) return _mm512_scalef_ps(p, n);
  if constexpr (std::is_same_v<B, xsimd::batch<double>>) return _mm512_scalef_pd(p, n);
#endif
  const B half = in_this_order(xsimd::fma(n, B(T(0.5)), B(rounder<T>)));
  const B rest = n - in_this_order(half - B(rounder<T>));
  return p * power_of_two(half) * power_of_two(in_this_order(rest + B(rounder<T>)));
}

template <class B>
struct Reduced {
  B shifted;  ///< n + rounder
  B n;
  B expm1;  ///< of r
};

template <class B>
WENGERT_INLINE Reduced<B> reduce(const B& x) {
  using T = typename B::value_type;
  using C = ExpConstants<T>;
  const B shifted = in_this_order(xsimd::fma(x, B(std::numbers::log2e_v<T>), B(rounder<T>)));
  const B n = in_this_order(shifted - B(rounder<T>));
  const B r = xsimd::fnma(n, B(C::ln2_low), in_this_order(xsimd::fnma(n, B(C::ln2_high), x)));
  const B r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
  return {shifted, n, xsimd::fma(r2, polynomial<0, C::p.size()>(C::p, r, r2, r4, r8), r)};
}

// The processor's own: b where one of them is NaN. What min() and max() of xsimd make of it differs between releases.
#ifdef __SSE2__
WENGERT_INLINE __m128 lesser(__m128 a, __m128 b) { return _mm_min_ps(a, b); }
WENGERT_INLINE __m128d lesser(__m128d a, __m128d b) { return _mm_min_pd(a, b); }
WENGERT_INLINE __m128 greater(__m128 a, __m128 b) { return _mm_max_ps(a, b); }
WENGERT_INLINE __m128d greater(__m128d a, __m128d b) { return _mm_max_pd(a, b); }
#endif
#ifdef __AVX__
WENGERT_INLINE __m256 lesser(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }
WENGERT_INLINE __m256d lesser(__m256d a, __m256d b) { return _mm256_min_pd(a, b); }
WENGERT_INLINE __m256 greater(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
WENGERT_INLINE __m256d greater(__m256d a, __m256d b) { return _mm256_max_pd(a, b); }
#endif
#ifdef __AVX512F__
WENGERT_INLINE __m512 lesser(__m512 a, __m512 b) { return _mm512_min_ps(a, b); }
WENGERT_INLINE __m512d lesser(__m512d a, __m512d b) { return _mm512_min_pd(a, b); }
WENGERT_INLINE __m512 greater(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
WENGERT_INLINE __m512d greater(__m512d a, __m512d b) { return _mm512_max_pd(a, b); }
#endif

/// x up to the limit; NaN stays.
template <class B>
WENGERT_INLINE B at_most(const B& x, typename B::value_type limit) {
#ifdef __SSE2__
  return B(lesser(B(limit).data, x.data));
#else
  return xsimd::select(x > B(limit), B(limit), x);
#endif
}
template <class B>
WENGERT_INLINE B at_least(const B& x, typename B::value_type limit) {
#ifdef __SSE2__
  return B(greater(B(limit).data, x.data));
#else
  return xsimd::select(x < B(limit), B(limit), x);
#endif
}

/// a / b, rounded once: that of floats in xsimd 8 on aarch64 is an estimate, of which half differ in the last bit.
template <class B>
WENGERT_INLINE B quotient(const B& a, const B& b) {
#ifdef __aarch64__
  if constexpr (std::is_same_v<typename B::value_type, float>) return B(vdivq_f32(a.data, b.data));
#endif
  return a / b;
}

template <class B>
WENGERT_INLINE B exp(const B& x) {
  using T = typename B::value_type;
  using C = ExpConstants<T>;
  const Reduced<B> e = reduce(at_least(at_most(x, C::highest), C::lowest));
  return scale(e.expm1 + B(1), e.n);
}

/// e^x - 1, accurate for small x:  2^n expm1(r) + (2^n - 1), at half the size so that 2^n does not overflow.
template <class B>
WENGERT_INLINE B expm1(const B& x) {
  using T = typename B::value_type;
  using C = ExpConstants<T>;
  const Reduced<B> e = reduce(at_least(at_most(x, C::highest), C::log_of_tiny));
  const B half = power_of_two(e.shifted - B(1));
  const B y = xsimd::fma(half, e.expm1, half - B(T(0.5)));
  // e^x - 1 = x for the smallest x; among them -0 and the denormal numbers, which have no half.
  return xsimd::select(xsimd::abs(x) < B(std::numeric_limits<T>::epsilon() / 4), x, y + y);
}

/// With m = expm1(2 |x|):  m / (m + 2) near 0,  1 - 2 / (m + 2) elsewhere, and the sign of x. The latter leaves one
/// rounding near 1, where the slope 1 - tanh(x)^2 magnifies every error of tanh(x).
template <class B>
WENGERT_INLINE B tanh(const B& x) {
  using T = typename B::value_type;
  using C = ExpConstants<T>;
  const B sign = x & B(T(-0.0));
  const B u = xsimd::abs(x);
  const Reduced<B> e = reduce(at_most(u + u, -2 * C::log_of_tiny));
  const B power = power_of_two(e.shifted);
  const B m = xsimd::fma(power, e.expm1, power - B(1));
  const auto small = m < B(2);
  return (xsimd::select(small, B(T(0)), B(1)) + quotient<B>(xsimd::select(small, m, B(-2)), m + B(2))) | sign;
}

/// 1 / (1 + e^-x) = e^x / (1 + e^x), of which the one with the falling exponential.
template <class B>
WENGERT_INLINE B sigmoid(const B& x) {
  using T = typename B::value_type;
  using C = ExpConstants<T>;
  const Reduced<B> e = reduce(at_least(-xsimd::abs(x), C::lowest));
  const B falling = scale(e.expm1 + B(1), e.n);
  return quotient<B>(xsimd::select(x < B(T(0)), falling, B(1)), falling + B(1));
}

/// xsimd's, but for the denormal numbers, which it gets wrong in double: these are scaled up first.
template <class B>
WENGERT_INLINE B log(const B& x) {
  using T = typename B::value_type;
  constexpr T up = T(std::uint64_t(1) << 54), log_of_up = 54 * std::numbers::ln2_v<T>;
  const auto denormal = x < B(std::numeric_limits<T>::min());
  return xsimd::log(xsimd::select(denormal, x * B(up), x)) - xsimd::select(denormal, B(log_of_up), B(T(0)));
}

/// xsimd's, but for the sign of -0.
template <class B>
WENGERT_INLINE B log1p(const B& x) {
  using T = typename B::value_type;
  return xsimd::select(x == B(T(0)), x, xsimd::log1p(x));
}

}  // namespace autograd::kernels
WENGERT_QUIET_END
