// CompiledFunction: a pointwise function as it was compiled, with its formula, by which it is found again where only
// the formula is left: in a Graph, and in a file.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "autograd/kernels/pointwise_loop.hpp"
#include "autograd/values/equation.hpp"
#include "autograd/values/stream_register.hpp"

namespace autograd {

template <class T>
struct CompiledFunction {
  std::size_t arguments;
  std::vector<Equation> results;  ///< of the arguments as operands 0, 1, ...
  std::vector<std::byte> captured;
  /// out... = f(in...), `size` elements each. A result may lie where an argument does.
  void (*run)(const void* captured, const T* const* in, T* const* out, std::size_t size);
};

WENGERT_QUIET_BEGIN
namespace detail {
inline namespace WENGERT_INSTRUCTION_SET {

/// out... = f(in...) over flat spans, register by register.
template <class T, std::size_t N, std::size_t M, class F>
WENGERT_FLATTEN void run_function(const F& f, const T* const* in, T* const* out, std::size_t size) {
  using R = StreamRegister<T>;
  constexpr std::size_t width = lane_width<T>;
  const auto block = [&](std::size_t at, auto... rest) {
    std::array<Lane<R>, N> x;
    each<N>([&](auto k) { x[k] = {load<T>(in[k] + at, rest...).value}; });
    const auto result = std::apply(f, x);
    using Results = kernels::Results<std::remove_cvref_t<decltype(result)>>;
    each<M>([&](auto m) { store<T>({Results::template get<m>(result).value}, out[m] + at, rest...); });
  };
  std::size_t at = 0;
  for (; at + width <= size; at += width) block(at);
  if (at < size) block(at, size - at);
}

}  // namespace WENGERT_INSTRUCTION_SET
}  // namespace detail
WENGERT_QUIET_END

/// f, a function of N lanes that captures numbers only.
template <class T, std::size_t N, class F>
CompiledFunction<T> compile_function(const F& f) {
  std::array<Formula, N> x;
  for (std::size_t k = 0; k < N; ++k) x[k] = {Equation::operand(k)};
  const auto result = std::apply(f, x);
  using Results = kernels::Results<std::remove_cvref_t<decltype(result)>>;
  CompiledFunction<T> function{N, {}, std::vector<std::byte>(sizeof(F)), nullptr};
  std::memcpy(function.captured.data(), static_cast<const void*>(&f), sizeof(F));
  function.run = [](const void* captured, const T* const* in, T* const* out, std::size_t size) {
    detail::run_function<T, N, Results::count>(*static_cast<const F*>(captured), in, out, size);
  };
  detail::each<Results::count>([&](auto m) { function.results.push_back(Results::template get<m>(result).value); });
  return function;
}

}  // namespace autograd
