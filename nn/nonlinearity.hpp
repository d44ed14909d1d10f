// Nonlinearity: what a cell applies to the elements of its gates and states, by name.
#pragma once

#include <array>
#include <tuple>

#include "autograd/ops/elementary.hpp"
#include "autograd/pointwise.hpp"
#include "nn/description.hpp"

namespace nn {

using autograd::Variable;

enum class Nonlinearity { identity, tanh, relu, sigmoid, hard_sigmoid, hard_tanh, leaky_relu, elu, softplus, softsign };

/// "tanh".
const char* name(Nonlinearity f);

/// f of each element; parameters are the defaults of the op of that name.
template <class T>
Variable<T> activate(Nonlinearity f, Variable<T> x);

/// Those of a gated cell.
struct GateNonlinearities {
  Nonlinearity gate = Nonlinearity::sigmoid;
  Nonlinearity candidate = Nonlinearity::tanh;  ///< of what may enter the state: g of an LSTM, n of a GRU
  Nonlinearity hidden = Nonlinearity::tanh;     ///< of the cell state, on its way to h; a GRU has none

  friend bool operator==(const GateNonlinearities&, const GateNonlinearities&) = default;
};

/// Adds `gate_nonlinearity` and so on.
void add_to(Description& description, const GateNonlinearities& f);

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

  /// What the equations give: a Variable, or an array of them. Operands may be Blocks.
  template <class First, class... Rest>
  auto operator()(const GateNonlinearities& f, const First& first, const Rest&... rest) const {
    using T = typename First::value_type;
    using Result = decltype(fused_(first, rest...));
    if (f == GateNonlinearities{}) return fused_(first, rest...);
    const auto result =
        equations_(Chosen{f.gate}, Chosen{f.candidate}, Chosen{f.hidden})(Variable<T>(first), Variable<T>(rest)...);
    if constexpr (std::is_same_v<Result, Variable<T>>)
      return result;
    else
      return std::apply([](auto... each) { return Result{each...}; }, result);
  }

 private:
  Equations equations_;
  decltype(autograd::pointwise(std::declval<Equations>()(Sigmoid{}, Tanh{}, Tanh{}))) fused_;
};

}  // namespace nn
