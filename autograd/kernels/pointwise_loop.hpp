// The one driver of pointwise functions: forwards and backwards over rows, register by register.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "autograd/kernels/layout.hpp"
#include "autograd/values/dual.hpp"

WENGERT_QUIET_BEGIN
namespace autograd::kernels {

/// Results of a pointwise function: a single one, or a tuple of several.
template <class Result>
struct Results {
  static constexpr std::size_t count = 1;
  template <std::size_t K>
  WENGERT_INLINE static const Result& get(const Result& result) {
    return result;
  }
};
template <class Result>
requires requires { std::tuple_size<Result>::value; }
struct Results<Result> {
  static constexpr std::size_t count = std::tuple_size_v<Result>;
  template <std::size_t K>
  WENGERT_INLINE static const auto& get(const Result& result) {
    return std::get<K>(result);
  }
};

template <class X>
inline constexpr bool is_lane = autograd::detail::is_lane<X> || autograd::detail::is_dual<X>;

template <std::size_t, class U>
using Repeated = U;
template <class F, class U, class Indices>
struct ResultOf;
template <class F, class U, std::size_t... K>
struct ResultOf<F, U, std::index_sequence<K...>> {
  using Type = std::remove_cvref_t<std::invoke_result_t<const F&, Repeated<K, U>...>>;
};
/// What f returns for N registers.
template <class F, class T, std::size_t N>
using ResultOfLanes = typename ResultOf<F, Simd<T>, std::make_index_sequence<N>>::Type;

inline namespace WENGERT_INSTRUCTION_SET {

/// A row of an operand, to be read register by register. A repeated column is one register that is read again and
/// again.
template <class T>
struct RowReader {
  static constexpr std::size_t width = autograd::detail::lane_width<T>;
  const T* begin;
  std::size_t step;

  /// `repeated` is room for one register.
  WENGERT_INLINE void start(const T* data, const Layout& layout, std::size_t row, T* repeated) {
    begin = data + layout.offset + row * layout.row_step;
    step = 1;
    if (layout.repeats_column) {
      std::fill_n(repeated, width, *begin);
      begin = repeated;
      step = 0;
    }
  }
  WENGERT_INLINE Simd<T> load(std::size_t column, std::size_t count) const {
    return autograd::detail::load_some<T>(begin + column * step, count);
  }
};

/// Adds a part of a gradient where it belongs, row after row.
template <class T>
struct RowWriter {
  static constexpr std::size_t width = autograd::detail::lane_width<T>;
  T* begin = nullptr;
  bool accumulate;
  bool sum;
  Simd<T> total;

  WENGERT_INLINE void start(const Destination<T>& into, const Layout& layout, std::size_t row) {
    if (!into.data) return;
    begin = into.data + layout.offset + row * layout.row_step;
    accumulate = into.accumulate || (row > 0 && layout.row_step == 0);
    sum = layout.repeats_column;
    if (sum) total = broadcast_lane<xsimd::batch<T>>(0);
  }
  WENGERT_INLINE void add(Simd<T> part, std::size_t column, std::size_t count) {
    using autograd::detail::load_some;
    using autograd::detail::store_some;
    if (!begin) return;
    if (sum) {
      if (count < width) {
        alignas(64) T rest[width] = {};
        store_some<T>(part, rest, count);
        part = load_some<T>(rest, width);
      }
      total = total + part;
    } else {
      T* to = begin + column;
      store_some<T>(accumulate ? load_some<T>(to, count) + part : part, to, count);
    }
  }
  WENGERT_INLINE void finish() {
    if (!begin || !sum) return;
    alignas(64) T parts[width];
    autograd::detail::store(total, parts);
    T row_sum = 0;
    for (const T part : parts) row_sum += part;
    *begin = accumulate ? *begin + row_sum : row_sum;
  }
};

template <class T>
std::size_t blocks_of(Extent extent) {
  constexpr std::size_t width = autograd::detail::lane_width<T>;
  return extent.rows * ((extent.columns + width - 1) / width);
}

template <class F, class R, class Memo, std::size_t... K>
WENGERT_INLINE auto call_dual(const F& f, Memo& memo, const std::array<Lane<R>, sizeof...(K)>& x,
                              std::index_sequence<K...>) {
  return f(Dual<R, std::uint32_t(1) << K>(x[K], broadcast_lane<R>(1), &memo)...);
}

/// What the gradient of f needs.
struct Demand {
  std::size_t expensive;  ///< values of each element that are expensive to compute
  std::uint32_t read;     ///< bit k: the values of operand k, where the first `kept` of those are kept
};

template <std::size_t N, class F>
Demand demand_of(const F& f, std::size_t kept) {
  using autograd::detail::each;
  Memo<Dependence> memo{kept};
  std::array<Lane<Dependence>, N> x;
  for (std::size_t k = 0; k < N; ++k) x[k].value = Dependence::on(std::uint32_t(1) << k);
  const auto result = call_dual<F, Dependence>(f, memo, x, std::make_index_sequence<N>{});
  using R = Results<std::remove_cvref_t<decltype(result)>>;
  std::uint32_t read = 0;
  each<R::count>([&](auto m) {
    for (const Lane<Dependence>& slope : R::template get<m>(result).slopes) read |= slope.value.inputs;
  });
  return {memo.calls, read};
}

/// Where to keep the values of each element that are expensive to compute.
struct MemoPlan {
  std::uint32_t operands;  ///< bit k: over operand k
  std::size_t others;      ///< so many in a room of their own
};

/// For those operands that are `free` to be written over.
template <std::size_t N, class F>
MemoPlan memo_plan(const F& f, std::uint32_t free) {
  const std::size_t expensive = demand_of<N>(f, 0).expensive;
  const auto fitting = [expensive](std::uint32_t operands) {
    return std::min({static_cast<std::size_t>(std::popcount(operands)), expensive, most_memo_rows});
  };
  // What has no place is computed again, unless that is most of it. It may read operands, which are no place then.
  for (std::uint32_t places = free; 2 * fitting(places) > expensive;) {
    const std::size_t kept = fitting(places);
    places &= ~demand_of<N>(f, kept).read;
    if (fitting(places) == kept) return {places, 0};
  }
  const std::uint32_t places = free & ~demand_of<N>(f, expensive).read;
  return {places, expensive - fitting(places)};
}

/// Where the values lie that the pass backwards wants again.
template <class T, std::size_t N>
struct MemoPlaces {
  T* room = nullptr;             ///< of the others; without it they are computed again
  std::array<T*, N> operands{};  ///< with the layouts of the operands; null for those that are still read
};

/// Where those of a row lie.
template <class R, class T, std::size_t N>
WENGERT_INLINE void start_row(Memo<R>& memo, const MemoPlaces<T, N>& places, const std::array<Layout, N>& layouts,
                              std::size_t row) {
  memo.row_count = 0;
  autograd::detail::each<N>([&](auto k) __attribute__((always_inline)) {
    if (places.operands[k] && memo.row_count < most_memo_rows)
      memo.rows[memo.row_count++] = places.operands[k] + layouts[k].offset + row * layouts[k].row_step;
  });
}

/// out... = f(in...). Keep: what the backward pass wants again is left in its places.
template <bool Keep, class T, std::size_t N, std::size_t M, class F>
WENGERT_FLATTEN void pointwise_forward(const F& f, const std::array<const T*, N>& in,
                                       const std::array<Layout, N>& layouts, const std::array<T*, M>& out,
                                       Extent extent, const MemoPlaces<T, N>& places) {
  using R = xsimd::batch<T>;
  using autograd::detail::each;
  constexpr std::size_t width = autograd::detail::lane_width<T>;
  std::array<RowReader<T>, N> readers;
  alignas(64) T repeated[N][width];
  Memo<R> memo{Memo<R>::Mode::store, places.room};
  for (std::size_t row = 0; row < extent.rows; ++row) {
    each<N>([&](auto k) { readers[k].start(in[k], layouts[k], row, repeated[k]); });
    if constexpr (Keep) start_row(memo, places, layouts, row);
    for (std::size_t column = 0; column < extent.columns; column += width) {
      const std::size_t count = std::min(width, extent.columns - column);
      std::array<Lane<R>, N> x;
      each<N>([&](auto k) { x[k] = readers[k].load(column, count); });
      if constexpr (Keep) memo.begin(column, count);
      const auto result = [&] {
        if constexpr (Keep)
          return call_dual<F, R>(f, memo, x, std::make_index_sequence<N>{});
        else
          return std::apply(f, x);
      }();
      using R_ = Results<std::remove_cvref_t<decltype(result)>>;
      each<M>([&](auto m) {
        const auto& y = R_::template get<m>(result);
        T* to = out[m] + row * extent.columns + column;
        if constexpr (Keep)
          autograd::detail::store_some<T>(y.value, to, count);
        else
          autograd::detail::store_some<T>(y, to, count);
      });
    }
  }
}

/// into[k] = or += sum over m of g[m] dy[m]/dx[k]. A gradient may lie where its operand does, or the memo.
template <class T, std::size_t N, std::size_t M, class F>
WENGERT_FLATTEN void pointwise_backward(const F& f, const std::array<const T*, M>& g, const std::array<const T*, N>& in,
                                        const std::array<Layout, N>& layouts, const std::array<Destination<T>, N>& into,
                                        Extent extent, const MemoPlaces<T, N>& places) {
  using R = xsimd::batch<T>;
  using autograd::detail::each;
  constexpr std::size_t width = autograd::detail::lane_width<T>;
  std::array<RowReader<T>, N> readers;
  alignas(64) T repeated[N][width];
  std::array<RowReader<T>, M> gradients;
  alignas(64) const T absent[width] = {};
  std::array<RowWriter<T>, N> writers;
  Memo<R> memo{Memo<R>::Mode::load, places.room};
  for (std::size_t row = 0; row < extent.rows; ++row) {
    each<N>([&](auto k) {
      readers[k].start(in[k], layouts[k], row, repeated[k]);
      writers[k].start(into[k], layouts[k], row);
    });
    start_row(memo, places, layouts, row);
    each<M>([&](auto m) {
      if (g[m])
        gradients[m] = {g[m] + row * extent.columns, 1};
      else
        gradients[m] = {absent, 0};
    });
    for (std::size_t column = 0; column < extent.columns; column += width) {
      const std::size_t count = std::min(width, extent.columns - column);
      std::array<Lane<R>, N> x;
      each<N>([&](auto k) { x[k] = readers[k].load(column, count); });
      memo.begin(column, count);
      const auto result = call_dual<F, R>(f, memo, x, std::make_index_sequence<N>{});
      using R_ = Results<std::remove_cvref_t<decltype(result)>>;
      std::array<Lane<R>, M> dy;
      each<M>([&](auto m) { dy[m] = gradients[m].load(column, count); });
      each<N>([&](auto k) {
        Lane<R> part = broadcast_lane<R>(0);
        bool begun = false;
        each<M>([&](auto m) {
          const auto& y = R_::template get<m>(result);
          using Y = std::remove_cvref_t<decltype(y)>;
          if constexpr (Y::depends_on(k)) {
            const Lane<R> term = dy[m] * y.slopes[Y::place(k)];
            part = begun ? part + term : term;
            begun = true;
          }
        });
        writers[k].add(part, column, count);
      });
    }
    each<N>([&](auto k) { writers[k].finish(); });
  }
}

}  // namespace WENGERT_INSTRUCTION_SET
}  // namespace autograd::kernels
WENGERT_QUIET_END
