// The stock cells, written in the ops that any cell can use.
#pragma once

#include <optional>

#include "autograd/ops/linear_algebra.hpp"
#include "autograd/pointwise.hpp"
#include "nn/cell.hpp"
#include "nn/description.hpp"
#include "nn/initialize.hpp"
#include "nn/module.hpp"

namespace nn {

template <class T>
struct LSTMState {
  Variable<T> h;  ///< (batch, H), or (batch, P) with a projection
  Variable<T> c;  ///< (batch, H)

  static LSTMState map(auto&& f, const auto&... states) { return {f(states.h...), f(states.c...)}; }
};

struct LSTMCellOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  bool bias = true;
  std::size_t proj_size = 0;  ///< P, 0 for none
  double forget_bias = 0;     ///< added to the initial bias_ih of the forget gate; needs a bias
};

inline constexpr auto lstm_update = autograd::pointwise([](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
  const auto i = named("i", sigmoid(named("zi", zi)));
  const auto f = named("f", sigmoid(named("zf", zf)));
  const auto g = named("g", tanh(named("zg", zg)));
  const auto o = named("o", sigmoid(named("zo", zo)));
  const auto c = named("c", f * c_previous + i * g);
  const auto h = named("h", o * tanh(c));
  return std::tuple{h, c};
});

/// Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000):
///
///   z = x W_ihᵀ + b_ih + h' W_hhᵀ + b_hh = [zi | zf | zg | zo]
///   i = σ(zi),  f = σ(zf),  g = tanh(zg),  o = σ(zo)
///   c = f c' + i g
///   h = o tanh(c),  and with a projection  h = (o tanh(c)) W_hrᵀ
template <class T>
struct LSTMCell {
  Parameter<T> weight_ih;                        ///< (4H, I); row blocks i, f, g, o
  Parameter<T> weight_hh;                        ///< (4H, H), or (4H, P) with a projection
  std::optional<Parameter<T>> bias_ih, bias_hh;  ///< (4H); only their sum matters, as in PyTorch
  std::optional<Parameter<T>> weight_hr;         ///< (P, H)

  /// PyTorch's default: everything uniform within ± 1 / sqrt(H).
  /// Throws ValueError for a size of 0, a projection not smaller than H, or a forget bias without a bias.
  LSTMCell(const LSTMCellOptions& options, Generator& generator);

  std::size_t input_size() const { return weight_ih.value().shape(1); }
  std::size_t hidden_size() const { return weight_ih.value().shape(0) / 4; }
  /// The width of h: P with a projection, otherwise H.
  std::size_t output_size() const { return weight_hh.value().shape(1); }

  /// x W_ihᵀ + b_ih + b_hh, for a step (batch, I) or a whole sequence (time, batch, I).
  Variable<T> project(Variable<T> x) {
    Tape<T>& tape = autograd::tape_of("lstm_cell", x);
    if (!bias_ih) return linear(x, tape.parameter(weight_ih));
    return linear(x, tape.parameter(weight_ih), tape.parameter(*bias_ih) + tape.parameter(*bias_hh));
  }

  /// The next state, from a projected input (batch, 4H).
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state) {
    Tape<T>& tape = autograd::tape_of("lstm_cell", projected);
    const auto z = linear(state.h, tape.parameter(weight_hh), projected);
    const auto [zi, zf, zg, zo] = autograd::blocks<4>(z);
    const auto [h, c] = lstm_update(zi, zf, zg, zo, state.c);
    return {weight_hr ? linear(h, tape.parameter(*weight_hr)) : h, c};
  }

  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(project(x), state); }

  LSTMState<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return {tape.constant({batch, output_size()}, T(0)), tape.constant({batch, hidden_size()}, T(0))};
  }

  Description describe() const {
    return {"LSTMCell", {{"input_size", input_size()}, {"hidden_size", hidden_size()}, {"gate_order", "ifgo"}}};
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("weight_hh", self.weight_hh);
    if (self.bias_ih) visitor("bias_ih", *self.bias_ih);
    if (self.bias_hh) visitor("bias_hh", *self.bias_hh);
    if (self.weight_hr) visitor("weight_hr", *self.weight_hr);
  }
};

extern template struct LSTMCell<float>;
extern template struct LSTMCell<double>;

}  // namespace nn
