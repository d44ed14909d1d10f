// Elementwise functions among the samples: each call is also made on the kinds of values that no tape records.
#pragma once

#include <algorithm>
#include <array>

#include "autograd/ops.hpp"
#include "autograd/pointwise.hpp"
#include "samples.hpp"

namespace autograd::testing {

/// The same call of each register of the inputs, without slopes and with them.
template <std::size_t N, class T>
InRegisters<T> in_registers(const auto& call, std::span<const Array<T>> inputs) {
  using R = xsimd::batch<T>;
  const Array<T> empty = zeros<T>(shape_of(inputs[0]));
  InRegisters<T> result{empty, empty, std::vector<Array<T>>(N, empty)};
  for (std::size_t at = 0; at < empty.size(); at += R::size) {
    const std::size_t count = std::min<std::size_t>(R::size, empty.size() - at);
    const auto store = [&](Lane<R> lane, Array<T>& to) { detail::store_some<T>(lane, to.data() + at, count); };
    std::array<Lane<R>, N> x;
    for (std::size_t k = 0; k < N; ++k) x[k] = detail::load_some<T>(inputs[k].data() + at, count);
    store(std::apply(call, x), result.lanes);
    kernels::Memo<R> memo{kernels::Memo<R>::Mode::store, nullptr};
    const auto y = kernels::call_dual(call, memo, x, std::make_index_sequence<N>{});
    store(y.value, result.duals);
    detail::each<N>([&](auto k) {
      using Y = std::remove_cvref_t<decltype(y)>;
      if constexpr (Y::depends_on(k)) store(y.slopes[Y::place(k)], result.slopes[k]);
    });
  }
  return result;
}

/// What the value of a call depends on, and each of its slopes.
template <std::size_t N>
Dependences dependences(const auto& call) {
  std::array<Lane<kernels::Dependence>, N> x;
  for (std::size_t k = 0; k < N; ++k) x[k].value = kernels::Dependence::on(std::uint32_t(1) << k);
  kernels::Memo<kernels::Dependence> memo{0};
  const auto y = kernels::call_dual(call, memo, x, std::make_index_sequence<N>{});
  Dependences result{std::apply(call, x).value.inputs, y.value.value.inputs, std::vector<std::uint32_t>(N)};
  detail::each<N>([&](auto k) {
    using Y = std::remove_cvref_t<decltype(y)>;
    if constexpr (Y::depends_on(k)) result.slopes[k] = y.slopes[Y::place(k)].value.inputs;
  });
  return result;
}

/// A function of N values as one of a span of them.
template <std::size_t N, class F>
auto of_span(F call) {
  return [call](auto x) { return kernels::with_indices<N>([&](auto... k) { return call(x[k]...); }); };
}

/// `call` takes N values of any kind and returns one.
template <std::size_t N, class F>
ElementwiseSample::ElementwiseSample(std::integral_constant<std::size_t, N>, std::string what, Interval drawn_from,
                                     F call)
    : Sample(std::move(what), std::vector<Shape>(N, Shape{7, 13}), of_span<N>(call), drawn_from),
      fused(of_span<N>(pointwise(call))),
      in_registers([call](std::span<const Array<double>> x) { return testing::in_registers<N>(call, x); }),
      in_registers_float([call](std::span<const Array<float>> x) { return testing::in_registers<N>(call, x); }),
      complex([call](std::span<const std::complex<double>> x) {
        return kernels::with_indices<N>([&](auto... k) { return call(ComplexLane{x[k]}...).value; });
      }),
      dependences(testing::dependences<N>(call)) {}

template <std::size_t N, class F>
RegisteredOp& RegisteredOp::also(const std::string& description, F call) {
  samples.emplace_back(description, std::vector<Shape>(N, Shape{3, 5}), of_span<N>(call), info->domain);
  kinds.emplace_back(std::integral_constant<std::size_t, N>{}, description, info->domain, call);
  return *this;
}

/// The text of the error for operands whose last axes differ in extent.
inline std::string does_not_broadcast(const std::string& op, std::size_t left, std::size_t right) {
  return op + ": shapes (3, " + std::to_string(left) + ") and (3, " + std::to_string(right) +
         ") do not broadcast: axis 1 has extents " + std::to_string(left) + " and " + std::to_string(right) +
         "; make them equal, or one of them 1";
}

/// An elementwise function, with samples of many shapes and, for several inputs, of shapes that broadcast. `unfit` is
/// the text of the error for extents of 4, but 5 of the second input.
template <const OpInfo& info, class F>
RegisteredOp elementwise_op(F call, const std::string& unfit = "") {
  constexpr std::size_t N = info.inputs;
  RegisteredOp op(info, {});
  const auto add = [&](std::vector<Shape> shapes) {
    op.samples.emplace_back(info.name, std::move(shapes), of_span<N>(call), info.domain);
  };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{2, 3, 19}, Shape{0}, Shape{4, 0}})
    add(std::vector<Shape>(N, shape));
  op.also<N>(info.name, call);
  if constexpr (N >= 2) {
    const std::vector<std::pair<Shape, Shape>> pairs{{{3, 4}, {4}},    {{4}, {3, 4}},       {{3, 4}, {}},
                                                     {{3, 1}, {1, 4}}, {{2, 1, 4}, {3, 1}}, {{1, 1}, {3, 4}}};
    for (const auto& [left, right] : pairs) {
      std::vector<Shape> shapes{left, right};
      shapes.resize(N, left);
      add(std::move(shapes));
    }
    std::vector<Shape> shapes(N, Shape{3, 4});
    shapes[1] = Shape{3, 5};
    op.errors.push_back({std::move(shapes), of_span<N>(call), unfit});
  }
  return op;
}

/// That of a rule. The others are other ways to call it.
template <class Rule, class F, class... Others>
RegisteredOp elementwise_op(F call, Others... others) {
  RegisteredOp op = elementwise_op<Rule::info>(call, does_not_broadcast(Rule::info.name, 4, 5));
  (op.also<Rule::info.inputs>(Rule::info.name + (" " + std::to_string(op.kinds.size() + 1)), others), ...);
  return op;
}

}  // namespace autograd::testing
