// GatedUpdate: a gated cell's equations, written once for any nonlinearities.
#pragma once

#include <array>
#include <tuple>

#include "autograd/ops/elementary.hpp"
#include "autograd/pointwise.hpp"
#include "nn/nonlinearity.hpp"

namespace nn {

/// The equations of a gated cell, for any nonlinearities: one kernel with the usual ones, op by op with others.
///
/// equations(gate, candidate, hidden) is the function of the operands, on lanes and Variables alike.
template <class Equations>
class GatedUpdate {
  struct Sigmoid {
    WENGERT_INLINE auto operator()(const auto& x) const { return sigmoid(x); }
  };
  struct Tanh {
    WENGERT_INLINE auto operator()(const auto& x) const { return tanh(x); }
  };
  struct Chosen {
    Nonlinearity f;
    auto operator()(const auto& x) const { return activate(f, x); }
  };

 public:
  constexpr explicit GatedUpdate(Equations equations)
      : equations_(equations), fused_(autograd::pointwise(equations(Sigmoid{}, Tanh{}, Tanh{}))) {}

  /// What the equations give: a Variable, or an array of them. Operands may be Blocks, all but the first Parameters.
  template <class First, class... Rest>
  auto operator()(const Nonlinearities& f, const First& first, Rest&&... rest) const {
    using T = typename First::value_type;
    using Result = decltype(fused_(first, rest...));
    if (f == Nonlinearities{}) return fused_(first, rest...);
    const autograd::Block<T> block(first);
    const auto result = equations_(Chosen{f.gate}, Chosen{f.candidate}, Chosen{f.hidden})(
        Variable<T>(first), Variable<T>(autograd::detail::operand_beside(block, rest))...);
    if constexpr (std::is_same_v<Result, Variable<T>>)
      return result;
    else
      return std::apply([](auto... each) { return Result{each...}; }, result);
  }

  /// What a Stream runs in the place of the equations' steps, with the usual nonlinearities, for N operands.
  template <class T, std::size_t N>
  autograd::CompiledFunction<T> compiled() const {
    return autograd::compile_function<T, N>(fused_.f);
  }

 private:
  Equations equations_;
  decltype(autograd::pointwise(std::declval<Equations>()(Sigmoid{}, Tanh{}, Tanh{}))) fused_;
};

}  // namespace nn
