// InputGatedCell: a memory cell whose gates see the input alone.
#pragma once

#include "nn/recurrent/lstm_cell.hpp"

namespace nn {

struct InputGatedCellOptions {
  std::size_t input_size;
  std::size_t hidden_size;
};

inline constexpr auto input_gated_update = autograd::pointwise([](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
  const auto i = named("i", sigmoid(named("zi", zi)));
  const auto f = named("f", sigmoid(named("zf", zf)));
  const auto g = named("g", tanh(named("zg", zg)));
  const auto o = named("o", sigmoid(named("zo", zo)));
  const auto c = named("c", f * c_previous + i * g);
  const auto h = named("h", o * tanh(sigmoid(c)));
  return std::tuple{h, c};
});

/// An LSTM without recurrence in h, as a published derivation has it, row blocks i, f, g, o:
///
///   [zi | zf | zg | zo] = x W_ihᵀ + b,  c = σ(zf) c' + σ(zi) tanh(zg),  h = σ(zo) tanh(σ(c))
template <class T>
struct InputGatedCell {
  Parameter<T> weight_ih;  ///< (4H, I)
  Parameter<T> bias;       ///< (4H)

  /// Uniform within ± 1 / sqrt(H).
  InputGatedCell(const InputGatedCellOptions& options, Generator& generator)
      : weight_ih(uniform_fan<T>({rows(options), options.input_size}, options.hidden_size, generator)),
        bias(uniform_fan<T>({rows(options)}, options.hidden_size, generator)) {}

  std::size_t hidden_size() const { return bias.size() / 4; }

  Variable<T> project(Variable<T> x) { return linear(x, weight_ih, bias); }
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state) {
    const auto [zi, zf, zg, zo] = autograd::blocks<4>(donate(projected));
    const auto [h, c] = input_gated_update(zi, zf, zg, zo, state.c);
    return {h, c};
  }
  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(project(x), state); }
  LSTMState<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return LSTMState<T>::zeros(tape, batch, hidden_size(), hidden_size());
  }

  Description describe() const {
    return {"InputGatedCell",
            {{"input_size", weight_ih.value().shape(1)}, {"hidden_size", hidden_size()}, {"gate_order", "ifgo"}}};
  }

  static std::size_t rows(const InputGatedCellOptions& options) {
    return autograd::extent_product("input_gated_cell", 4, options.hidden_size);
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("bias", self.bias);
  }
};

}  // namespace nn
