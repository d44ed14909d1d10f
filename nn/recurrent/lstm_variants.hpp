// Cells near the LSTM: with peepholes, and with coupled gates.
#pragma once

#include "nn/recurrent/lstm_cell.hpp"

namespace nn {

inline constexpr GatedUpdate peephole_lstm_update([](auto gate, auto candidate, auto hidden) {
  return [=](auto zi, auto zf, auto zg, auto zo, auto c_previous, auto peephole_i, auto peephole_f, auto peephole_o) {
    const auto i = named("i", gate(named("zi", zi + peephole_i * c_previous)));
    const auto f = named("f", gate(named("zf", zf + peephole_f * c_previous)));
    const auto g = named("g", candidate(named("zg", zg)));
    const auto c = named("c", f * c_previous + i * g);
    const auto o = named("o", gate(named("zo", zo + peephole_o * c)));
    const auto h = named("h", o * hidden(c));
    return std::tuple{h, c};
  };
});

/// The LSTM whose gates see the cell state (Gers and Schmidhuber 2000): the LSTMCell's equations, row blocks
/// i, f, g, o, with
///
///   i = σ(zi + p_i c'),  f = σ(zf + p_f c'),  o = σ(zo + p_o c)
template <class T>
struct PeepholeLSTMCell : LSTMWeights<T> {
  Parameter<T> peephole_i, peephole_f, peephole_o;  ///< (H)

  /// The peepholes start as the weights do. Has every option but proj_size. Throws ValueError as RecurrentWeights.
  PeepholeLSTMCell(const CellOptions& options, Generator& generator)
      : LSTMWeights<T>({.name = "peephole_lstm", .gates = 4, .forget_gate = 1, .hidden = true}, options, generator) {
    const std::size_t hidden = options.hidden_size;
    for (Parameter<T>* peephole : {&peephole_i, &peephole_f, &peephole_o})
      *peephole = Parameter<T>(uniform_fan<T>({hidden}, hidden, generator));
  }

  /// The next state, from a projected input (batch, 4H), which is donated.
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state) {
    const auto z = linear(state.h, this->weight_hh, donate(projected));
    const auto [zi, zf, zg, zo] = autograd::blocks<4>(donate(z));
    const auto [h, c] =
        peephole_lstm_update(this->nonlinearities, zi, zf, zg, zo, state.c, peephole_i, peephole_f, peephole_o);
    return {h, c};
  }
  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(this->project(x), state); }

  Description describe() const { return this->described("PeepholeLSTMCell", "ifgo"); }

  static void visit(auto& self, auto&& visitor) {
    RecurrentWeights<T>::visit(self, visitor);
    visitor("peephole_i", self.peephole_i);
    visitor("peephole_f", self.peephole_f);
    visitor("peephole_o", self.peephole_o);
  }
};

inline constexpr GatedUpdate coupled_lstm_update([](auto gate, auto candidate, auto hidden) {
  return [=](auto zi, auto zg, auto zo, auto c_previous) {
    const auto i = named("i", gate(named("zi", zi)));
    const auto g = named("g", candidate(named("zg", zg)));
    const auto o = named("o", gate(named("zo", zo)));
    const auto c = named("c", (1 - i) * c_previous + i * g);
    const auto h = named("h", o * hidden(c));
    return std::tuple{h, c};
  };
});

/// The LSTM that forgets as much as it takes in (Greff et al. 2017): the LSTMCell's equations, row blocks i, g, o, with
///
///   f = 1 - i
template <class T>
struct CoupledLSTMCell : LSTMWeights<T> {
  /// Has neither proj_size nor forget_bias. Throws ValueError as RecurrentWeights.
  CoupledLSTMCell(const CellOptions& options, Generator& generator)
      : LSTMWeights<T>({.name = "coupled_lstm", .gates = 3, .hidden = true}, options, generator) {}

  /// The next state, from a projected input (batch, 3H), which is donated.
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state) {
    const auto z = linear(state.h, this->weight_hh, donate(projected));
    const auto [zi, zg, zo] = autograd::blocks<3>(donate(z));
    const auto [h, c] = coupled_lstm_update(this->nonlinearities, zi, zg, zo, state.c);
    return {h, c};
  }
  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(this->project(x), state); }

  Description describe() const { return this->described("CoupledLSTMCell", "igo"); }
};

}  // namespace nn
