// Dual: a lane with its slopes by the inputs of a pointwise function, so that values and slopes come from one formula.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "autograd/values/lane.hpp"
#include "autograd/values/value.hpp"

namespace autograd {

namespace kernels {

/// In so many operands' memory at most.
inline constexpr std::size_t most_memo_rows = 8;

/// Values that are expensive to compute, kept in the order of the calls by the pass forwards, and read in that order by
/// the pass backwards. C++ leaves the order of operands open, so both passes have to run the same instantiation.
///
/// The first ones lie in the memory of operands that nobody reads any more, where the register that is computed came
/// from; the others one after the other in a room of their own, or, without one, are computed again.
template <class R>
struct Memo {
  using Scalar = typename autograd::detail::LaneTraits<R>::Scalar;
  enum class Mode { store, load };

  Mode mode;
  Scalar* room;
  std::array<Scalar*, most_memo_rows> rows{};  ///< of the operands
  std::size_t row_count = 0;
  std::size_t column = 0;  ///< of the register
  std::size_t count = 0;   ///< of its elements
  std::size_t calls = 0;

  /// The next register.
  WENGERT_INLINE void begin(std::size_t first_column, std::size_t elements) {
    column = first_column;
    count = elements;
    calls = 0;
  }

  template <class F>
  WENGERT_INLINE Lane<R> value(F compute) {
    using namespace autograd::detail;
    const std::size_t call = calls++;
    const bool in_row = call < most_memo_rows && call < row_count;
    if (mode == Mode::load) {
      if (in_row) return load_some<Scalar>(rows[call] + column, count);
      if (!room) return compute();
      room += lane_width<Scalar>;
      return load<Scalar>(room - lane_width<Scalar>);
    }
    const Lane<R> computed = compute();
    if (in_row) {
      store_some<Scalar>(computed, rows[call] + column, count);
    } else if (room) {
      store<Scalar>(computed, room);
      room += lane_width<Scalar>;
    }
    return computed;
  }
};

/// Counts the values. The first ones are kept, and depend on nothing any more.
template <>
struct Memo<Dependence> {
  std::size_t kept;
  std::size_t calls = 0;

  template <class F>
  WENGERT_INLINE Lane<Dependence> value(F compute) {
    return calls++ < kept ? Lane<Dependence>{} : compute();
  }
};

}  // namespace kernels

/// The bits of Active say which inputs it depends on; only their slopes exist.
template <class R, std::uint32_t Active>
struct Dual {
  static constexpr std::uint32_t active = Active;
  static constexpr std::size_t slope_count = static_cast<std::size_t>(std::popcount(Active));

  Lane<R> value;
  std::array<Lane<R>, slope_count> slopes;
  kernels::Memo<R>* memo;

  [[gnu::always_inline]] Dual(Lane<R> of, kernels::Memo<R>* known) : value(of), memo(known) {}
  [[gnu::always_inline]] Dual(Lane<R> of, Lane<R> slope, kernels::Memo<R>* known) requires(slope_count == 1)
      : value(of), slopes{slope}, memo(known) {}
  /// Member by member: a compiler that copies the whole thing leaves it in memory.
  [[gnu::always_inline]] Dual(const Dual& other) : value(other.value), memo(other.memo) {
    for (std::size_t k = 0; k < slope_count; ++k) slopes[k] = other.slopes[k];
  }
  Dual& operator=(const Dual&) = default;

  /// Where the slope by input k is.
  static constexpr std::size_t place(std::size_t k) {
    return static_cast<std::size_t>(std::popcount(Active & ((std::uint32_t(1) << k) - 1)));
  }
  static constexpr bool depends_on(std::size_t k) { return Active >> k & 1; }

  /// One element has no truth of its own in a register: use where(), masked(), maximum() or minimum().
  explicit operator bool() const = delete;
};

namespace detail {

/// f(0), f(1), ... with indices known at compile time.
template <std::size_t N, class F>
WENGERT_INLINE constexpr void each(F&& f) {
  [&]<std::size_t... K>(std::index_sequence<K...>) { (f(std::integral_constant<std::size_t, K>{}), ...); }
  (std::make_index_sequence<N>{});
}

/// A slope that is 0 by its type.
struct NoSlope {};

WENGERT_INLINE NoSlope add_slopes(NoSlope, NoSlope) { return {}; }
template <class R>
WENGERT_INLINE Lane<R> add_slopes(Lane<R> a, NoSlope) {
  return a;
}
template <class R>
WENGERT_INLINE Lane<R> add_slopes(NoSlope, Lane<R> b) {
  return b;
}
template <class R>
WENGERT_INLINE Lane<R> add_slopes(Lane<R> a, Lane<R> b) {
  return a + b;
}

/// dy/dx dx/dk, given dy/dx.
template <std::size_t K, class Slope, class R, std::uint32_t A>
WENGERT_INLINE auto chained_slope(const Slope& slope, const Dual<R, A>& x) {
  if constexpr (std::is_same_v<Slope, Absent> || !Dual<R, A>::depends_on(K))
    return NoSlope{};
  else
    return slope * x.slopes[Dual<R, A>::place(K)];
}

template <class First, class... Rest>
WENGERT_INLINE auto sum_slopes(First first, Rest... rest) {
  if constexpr (sizeof...(Rest) == 0)
    return first;
  else
    return add_slopes(first, sum_slopes(rest...));
}

template <std::size_t K, class Slopes, std::size_t... J, class R, std::uint32_t... X>
WENGERT_INLINE auto slope_by(const Slopes& slopes, std::index_sequence<J...>, const Dual<R, X>&... x) {
  return sum_slopes(chained_slope<K>(std::get<J>(slopes), x)...);
}

template <class R>
WENGERT_INLINE Lane<R> as_lane(Lane<R> slope) {
  return slope;
}
template <class R>
WENGERT_INLINE Lane<R> as_lane(NoSlope) {
  return broadcast_lane<R>(0);
}

/// rule(x...) by the chain rule:  dy/dk = sum over x of vjp(1, y, x...) dx/dk.
template <class Rule, class R, std::uint32_t... X>
WENGERT_INLINE auto chain(const Rule& rule, const Dual<R, X>&... x) {
  constexpr std::uint32_t active = Rule::info.differentiable ? (X | ...) : 0;
  kernels::Memo<R>* memo = nullptr;
  ((memo = x.memo ? x.memo : memo), ...);
  const auto forward = [&]() __attribute__((always_inline)) { return rule.forward(x.value...); };
  if constexpr (active == 0) {
    return Dual<R, 0>(forward(), memo);
  } else {
    Dual<R, active> y(Rule::info.expensive ? memo->value(forward) : forward(), memo);
    const auto slopes = rule.vjp(broadcast_lane<R>(1), y.value, x.value...);
    each<static_cast<std::size_t>(std::bit_width(active))>([&](auto k) {
      if constexpr (active >> k & 1)
        y.slopes[Dual<R, active>::place(k)] =
            as_lane<R>(slope_by<k>(slopes, std::index_sequence_for<Dual<R, X>...>{}, x...));
    });
    return y;
  }
}

}  // namespace detail

/// A rule of a program's own, in a pointwise function.
template <class Rule, class R, std::uint32_t... X>
WENGERT_INLINE auto apply(const Rule& rule, const Dual<R, X>&... x) {
  return detail::chain(rule, x...);
}

template <class R, std::uint32_t A>
WENGERT_INLINE Dual<R, 0> number_like(const Dual<R, A>& x, double p) {
  return {number_like(x.value, p), nullptr};
}

/// The same value without slopes.
template <class R, std::uint32_t A>
WENGERT_INLINE Dual<R, 0> detach(const Dual<R, A>& x) {
  return {x.value, x.memo};
}

/// Names are for the tape: in a register, x itself.
template <class R, std::uint32_t A>
WENGERT_INLINE Dual<R, A> named(std::string_view, const Dual<R, A>& x) {
  return x;
}

}  // namespace autograd
