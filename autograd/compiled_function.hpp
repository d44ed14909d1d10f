// CompiledFunction: a pointwise function as it was compiled, with its formula, by which it is found again where only
// the formula is left: in a Graph, and in a file.
#pragma once

#include <cstring>
#include <vector>

#include "autograd/kernels/pointwise_loop.hpp"
#include "autograd/values/equation.hpp"

namespace autograd {

template <class T>
struct CompiledFunction {
  std::size_t arguments;
  std::vector<Equation> results;  ///< of the arguments as operands 0, 1, ...
  std::vector<std::byte> captured;
  /// out... = f(in...), over rows that lie as the layouts say.
  void (*run)(const void* captured, const T* const* in, const kernels::Layout* layouts, T* const* out,
              kernels::Extent extent);
};

/// f, a function of N lanes that captures numbers only.
template <class T, std::size_t N, class F>
CompiledFunction<T> compile_function(const F& f) {
  using R = kernels::Results<kernels::ResultOfLanes<F, T, N>>;
  CompiledFunction<T> function{N, {}, std::vector<std::byte>(sizeof(F)), nullptr};
  std::memcpy(function.captured.data(), static_cast<const void*>(&f), sizeof(F));
  function.run = [](const void* captured, const T* const* in, const kernels::Layout* layouts, T* const* out,
                    kernels::Extent extent) {
    std::array<const T*, N> from;
    std::array<kernels::Layout, N> lie;
    std::array<T*, R::count> to;
    std::copy_n(in, N, from.begin());
    std::copy_n(layouts, N, lie.begin());
    std::copy_n(out, R::count, to.begin());
    kernels::pointwise_forward<false>(*static_cast<const F*>(captured), from, lie, to, extent,
                                      kernels::MemoPlaces<T, N>());
  };
  std::array<Formula, N> x;
  for (std::size_t k = 0; k < N; ++k) x[k] = {Equation::operand(k)};
  const auto result = std::apply(f, x);
  using E = kernels::Results<std::remove_cvref_t<decltype(result)>>;
  detail::each<R::count>([&](auto m) { function.results.push_back(E::template get<m>(result).value); });
  return function;
}

}  // namespace autograd
