// Value: what the elementwise functions take, whatever it is made of: recorded, a register, or a register with slopes.
#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

#include "autograd/op.hpp"

namespace autograd {

template <class T>
class Variable;
template <class Register>
struct Lane;
template <class Register, std::uint32_t Active>
struct Dual;

namespace detail {

template <class X>
inline constexpr bool is_variable = false;
template <class T>
inline constexpr bool is_variable<Variable<T>> = true;

template <class X>
inline constexpr bool is_lane = false;
template <class R>
inline constexpr bool is_lane<Lane<R>> = true;

template <class X>
inline constexpr bool is_dual = false;
template <class R, std::uint32_t A>
inline constexpr bool is_dual<Dual<R, A>> = true;

/// What the values of a call have to share: the element type, or the register.
template <class X>
struct ElementOf;
template <class T>
struct ElementOf<Variable<T>> {
  using Type = Variable<T>;
};
template <class R>
struct ElementOf<Lane<R>> {
  using Type = Lane<R>;
};
template <class R, std::uint32_t A>
struct ElementOf<Dual<R, A>> {
  using Type = Dual<R, 0>;
};

}  // namespace detail

/// A step of a tape yields it.
template <class X>
concept Recorded = detail::is_variable<X>;

template <class X>
concept Value = Recorded<X> || detail::is_lane<X> || detail::is_dual<X>;

/// A value of the same kind and element type as X.
template <class Y, class X>
concept Like = Value<X> && Value<Y> && std::is_same_v < typename detail::ElementOf<X>::Type,
typename detail::ElementOf<Y>::Type > ;

namespace detail {

/// The step of an elementwise rule, compiled once for float and double: each rule of the library is instantiated in the
/// source file of its family, by `template struct detail::OnTape<ops::Tanh>;` (see ops/on_tape.hpp).
template <class Rule, int Inputs = Rule::info.inputs>
struct OnTape;
template <class Rule>
struct OnTape<Rule, 1> {
  static Variable<float> record(const Rule& rule, Variable<float> x);
  static Variable<double> record(const Rule& rule, Variable<double> x);
};
template <class Rule>
struct OnTape<Rule, 2> {
  static Variable<float> record(const Rule& rule, Variable<float> a, Variable<float> b);
  static Variable<double> record(const Rule& rule, Variable<double> a, Variable<double> b);
};
template <class Rule>
struct OnTape<Rule, 3> {
  static Variable<float> record(const Rule& rule, Variable<float> a, Variable<float> b, Variable<float> c);
  static Variable<double> record(const Rule& rule, Variable<double> a, Variable<double> b, Variable<double> c);
};

/// In values/dual.hpp.
template <class Rule, class R, std::uint32_t... X>
WENGERT_INLINE auto chain(const Rule& rule, const Dual<R, X>&... x);

/// A rule of the library applied to values: recorded on their tape, computed, or computed with slopes.
template <class Rule, Value First, Like<First>... Rest>
WENGERT_INLINE auto call(const Rule& rule, const First& first, const Rest&... rest) {
  if constexpr (Recorded<First>)
    return OnTape<Rule>::record(rule, first, rest...);
  else if constexpr (is_dual<First>)
    return chain(rule, first, rest...);
  else
    return rule.forward(first, rest...);
}

}  // namespace detail
}  // namespace autograd
