// The one driver of all elementwise rules: forwards and backwards over flat spans, register by register.
#pragma once

#include <array>
#include <tuple>
#include <utility>

#include "autograd/op.hpp"
#include "autograd/values/lane.hpp"

namespace autograd::kernels {
inline namespace WENGERT_INSTRUCTION_SET {

template <std::size_t N, class F>
constexpr auto with_indices(F&& f) {
  return [&]<std::size_t... K>(std::index_sequence<K...>) { return f(std::integral_constant<std::size_t, K>{}...); }
  (std::make_index_sequence<N>{});
}

/// out = rule.forward(in...), `size` elements each.
template <class T, std::size_t N, class Rule>
void elementwise_forward(const Rule& rule, const std::array<const T*, N>& in, T* out, std::size_t size) {
  constexpr std::size_t width = detail::lane_width<T>;
  std::size_t at = 0;
  for (; at + width <= size; at += width)
    detail::store<T>(with_indices<N>([&](auto... k) { return rule.forward(detail::load(in[k] + at)...); }), out + at);
  if (const std::size_t rest = size - at)
    detail::store<T>(with_indices<N>([&](auto... k) { return rule.forward(detail::load(in[k] + at, rest)...); }),
                     out + at, rest);
}

/// The same over complex numbers, one by one.
template <std::size_t N, class Rule>
void elementwise_forward_complex(const Rule& rule, const ForwardCall<std::complex<double>>& call) {
  const std::size_t size = call.output().size();
  for (std::size_t at = 0; at < size; ++at)
    call.output().data[at] =
        with_indices<N>([&](auto... k) { return rule.forward(ComplexLane{call.input(k).data[at]}...); }).value;
}

template <class T, class... Rest>
WENGERT_INLINE void deliver(Simd<T> part, const Destination<T>& into, std::size_t at, Rest... rest) {
  if (!into.data) return;
  T* to = into.data + at;
  detail::store<T>(into.accumulate ? detail::load<T>(to, rest...) + part : part, to, rest...);
}
template <class T, class... Rest>
void deliver(Absent, const Destination<T>&, std::size_t, Rest...) {}

/// into[k] = or += the k-th gradient of rule.vjp(g, y, in...); an input without a destination is left out.
/// Two inputs may share a destination: within a register the contributions are added one after the other.
template <class T, std::size_t N, class Rule>
WENGERT_INLINE void elementwise_backward(const Rule& rule, const T* g, const T* y, const std::array<const T*, N>& in,
                                         const std::array<Destination<T>, N>& into, std::size_t size) {
  constexpr std::size_t width = detail::lane_width<T>;
  const auto block = [&](std::size_t at, auto... rest) {
    const auto parts = with_indices<N>([&](auto... k) {
      return rule.vjp(detail::load(g + at, rest...), detail::load(y + at, rest...),
                      detail::load(in[k] + at, rest...)...);
    });
    with_indices<N>([&](auto... k) { (deliver(std::get<k>(parts), into[k], at, rest...), ...); });
  };
  std::size_t at = 0;
  for (; at + width <= size; at += width) block(at);
  if (const std::size_t rest = size - at) block(at, rest);
}

}  // namespace WENGERT_INSTRUCTION_SET
}  // namespace autograd::kernels
