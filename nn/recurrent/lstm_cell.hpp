// LSTMCell: long short-term memory, written in the ops that any cell can use.
#pragma once

#include "nn/recurrent/gated_update.hpp"
#include "nn/recurrent/recurrent_weights.hpp"

namespace nn {

template <class T>
struct LSTMState {
  Variable<T> h;  ///< (batch, H), or (batch, P) with a projection
  Variable<T> c;  ///< (batch, H)

  /// The state before the first step; h has R features.
  static LSTMState zeros(Tape<T>& tape, std::size_t batch, std::size_t output_size, std::size_t hidden_size) {
    return {tape.constant({batch, output_size}, T(0)), tape.constant({batch, hidden_size}, T(0))};
  }

  static LSTMState map(auto&& f, const auto&... states) { return {f(states.h...), f(states.c...)}; }
};

/// The weights of a cell that carries an LSTMState.
template <class T>
struct LSTMWeights : RecurrentWeights<T> {
  using RecurrentWeights<T>::RecurrentWeights;

  LSTMState<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return LSTMState<T>::zeros(tape, batch, this->output_size(), this->hidden_size());
  }
};

inline constexpr GatedUpdate lstm_update([](auto gate, auto candidate, auto hidden) {
  return [=](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
    const auto i = named("i", gate(named("zi", zi)));
    const auto f = named("f", gate(named("zf", zf)));
    const auto g = named("g", candidate(named("zg", zg)));
    const auto o = named("o", gate(named("zo", zo)));
    const auto c = named("c", f * c_previous + i * g);
    const auto h = named("h", o * hidden(c));
    return std::tuple{h, c};
  };
});

/// Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000):
///
///   z = x W_ihᵀ + b_ih + h' W_hhᵀ + b_hh = [zi | zf | zg | zo]
///   i = σ(zi),  f = σ(zf),  g = tanh(zg),  o = σ(zo)
///   c = f c' + i g
///   h = o tanh(c),  and with a projection  h = (o tanh(c)) W_hrᵀ
///
/// with other nonlinearities in the places of σ, the first tanh and the second one, if they are given.
template <class T>
struct LSTMCell : LSTMWeights<T> {
  std::optional<Parameter<T>> weight_hr;  ///< (P, H)

  /// Has every option of a cell. Throws ValueError as RecurrentWeights.
  LSTMCell(const CellOptions& options, Generator& generator);

  /// The next state, from a projected input (batch, 4H), which is donated.
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state) {
    const auto z = linear(state.h, this->weight_hh, donate(projected));
    const auto [zi, zf, zg, zo] = autograd::blocks<4>(donate(z));
    const auto [h, c] = lstm_update(this->nonlinearities, zi, zf, zg, zo, state.c);
    return {weight_hr ? linear(h, *weight_hr) : h, c};
  }

  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(this->project(x), state); }

  Description describe() const { return this->described("LSTMCell", "ifgo"); }

  static void visit(auto& self, auto&& visitor) {
    RecurrentWeights<T>::visit(self, visitor);
    if (self.weight_hr) visitor("weight_hr", *self.weight_hr);
  }
};

extern template struct LSTMCell<float>;
extern template struct LSTMCell<double>;

}  // namespace nn
