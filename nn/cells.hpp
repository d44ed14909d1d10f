// The stock cells, written in the ops that any cell can use.
#pragma once

#include "nn/description.hpp"
#include "nn/nonlinearity.hpp"
#include "nn/recurrent_weights.hpp"

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

struct LSTMCellOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  bool bias = true;
  std::size_t proj_size = 0;  ///< P, 0 for none
  double forget_bias = 0;     ///< added to the initial bias_ih of the forget gate; needs a bias
  GateNonlinearities nonlinearities = {};
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
struct LSTMCell : RecurrentWeights<T> {
  std::optional<Parameter<T>> weight_hr;  ///< (P, H)
  GateNonlinearities nonlinearities;

  /// PyTorch's default: everything uniform within ± 1 / sqrt(H).
  /// Throws ValueError for a size of 0, a projection not smaller than H, or a forget bias without a bias.
  LSTMCell(const LSTMCellOptions& options, Generator& generator);

  std::size_t hidden_size() const { return this->weight_ih.value().shape(0) / 4; }
  /// R, the width of h: P with a projection, otherwise H.
  std::size_t output_size() const { return this->weight_hh.value().shape(1); }

  /// The next state, from a projected input (batch, 4H), which is donated.
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state) {
    Tape<T>& tape = autograd::tape_of("lstm_cell", projected);
    const auto z = linear(state.h, tape.parameter(this->weight_hh), donate(projected));
    const auto [zi, zf, zg, zo] = autograd::blocks<4>(donate(z));
    const auto [h, c] = lstm_update(nonlinearities, zi, zf, zg, zo, state.c);
    return {weight_hr ? linear(h, tape.parameter(*weight_hr)) : h, c};
  }

  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(this->project(x), state); }

  LSTMState<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return LSTMState<T>::zeros(tape, batch, output_size(), hidden_size());
  }

  Description describe() const {
    Description description{
        "LSTMCell", {{"input_size", this->input_size()}, {"hidden_size", hidden_size()}, {"gate_order", "ifgo"}}};
    add_to(description, nonlinearities);
    return description;
  }

  static void visit(auto& self, auto&& visitor) {
    RecurrentWeights<T>::visit(self, visitor);
    if (self.weight_hr) visitor("weight_hr", *self.weight_hr);
  }
};

extern template struct LSTMCell<float>;
extern template struct LSTMCell<double>;

}  // namespace nn
