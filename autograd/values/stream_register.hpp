// StreamRegister: a SIMD register whose tanh and sigmoid take half the time and are a little less exact: what steps of
// a stream are computed with, where nobody takes a gradient.
#pragma once

#include "autograd/values/lane.hpp"

WENGERT_QUIET_BEGIN
namespace autograd {

/// All else is as in a register. The instruction set is in its name.
template <class T, class Architecture = xsimd::default_arch>
struct StreamRegister : xsimd::batch<T, Architecture> {
  using Base = xsimd::batch<T, Architecture>;
  StreamRegister() = default;
  WENGERT_INLINE explicit StreamRegister(T x) : Base(x) {}
  WENGERT_INLINE StreamRegister(const Base& x) : Base(x) {}  // NOLINT: it is one
};

namespace detail {

template <class T, class Architecture>
struct LaneTraits<StreamRegister<T, Architecture>> : LaneTraits<xsimd::batch<T, Architecture>> {};

}  // namespace detail

namespace kernels {

/// 1 / (1 + e^-x), from e^-x = 2^n e^-s with s = x + n ln 2, |s| <= ln(2) / 2: within 4 units in the last place for x
/// above -87, and never below 2^-126. The polynomial's error relative to e^-s is 9.2e-8.
template <class B>
WENGERT_INLINE B quick_sigmoid(const B& x) {
  using C = ExpConstants<float>;
  const B u = at_least(at_most(x, 87), -87);
  const B shifted = in_this_order(xsimd::fnma(u, B(std::numbers::log2e_v<float>), B(rounder<float>)));
  const B n = in_this_order(shifted - B(rounder<float>));
  const B s = xsimd::fma(n, B(C::ln2_low), in_this_order(xsimd::fma(n, B(C::ln2_high), u)));
  const B s2 = s * s;
  const B low = xsimd::fma(s, B(-0x1.fffff6p-1f), B(1.0f)),
          middle = xsimd::fma(s, B(-0x1.555a7p-3f), B(0x1.fffdc2p-2f));
  const B high = xsimd::fma(s, B(-0x1.0fa764p-7f), B(0x1.573b4ep-5f));
  const B p = xsimd::fma(s2, xsimd::fma(s2, high, middle), low);
  return quotient(B(1.0f), xsimd::fma(p, power_of_two(shifted), B(1.0f)));
}

/// x P(x^2) / Q(x^2), and 1 for x beyond 9, where tanh rounds to it. The quotient's error relative to tanh is 2.1e-8;
/// with rounding it is within 6 units in the last place.
template <class B>
WENGERT_INLINE B quick_tanh(const B& x) {
  const B u = at_least(at_most(x, 9), -9);
  const B z = u * u;
  B p = xsimd::fma(z, B(0x1.ca903ap-27f), B(0x1.59a51ap-16f));
  B q = xsimd::fma(z, B(0x1.a14c2ep-21f), B(0x1.587276p-12f));
  p = xsimd::fma(z, p, B(0x1.ca1cf8p-9f));
  q = xsimd::fma(z, q, B(0x1.a7f068p-6f));
  p = xsimd::fma(z, p, B(0x1.120902p-3f));
  q = xsimd::fma(z, q, B(0x1.de59cap-2f));
  p = xsimd::fma(z, p, B(1.0f));
  q = xsimd::fma(z, q, B(1.0f));
  return at_least(at_most(quotient<B>(u * p, q), 1), -1);
}

}  // namespace kernels

template <class Architecture>
WENGERT_INLINE Lane<StreamRegister<float, Architecture>> sigmoid(Lane<StreamRegister<float, Architecture>> x) {
  using Base = xsimd::batch<float, Architecture>;
  return {kernels::quick_sigmoid(static_cast<const Base&>(x.value))};
}
template <class Architecture>
WENGERT_INLINE Lane<StreamRegister<float, Architecture>> tanh(Lane<StreamRegister<float, Architecture>> x) {
  using Base = xsimd::batch<float, Architecture>;
  return {kernels::quick_tanh(static_cast<const Base&>(x.value))};
}

}  // namespace autograd
WENGERT_QUIET_END
