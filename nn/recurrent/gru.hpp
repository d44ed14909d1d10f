// GRUCell: the gated recurrent unit.
#pragma once

#include "nn/recurrent/gated_update.hpp"
#include "nn/recurrent/layers.hpp"
#include "nn/recurrent/recurrent_weights.hpp"

namespace nn {

inline constexpr GatedUpdate gru_update([](auto gate, auto candidate, auto) {
  return [=](auto xr, auto xz, auto xn, auto hr, auto hz, auto hn, auto h_previous) {
    const auto r = named("r", gate(named("zr", xr + hr)));
    const auto z = named("z", gate(named("zz", xz + hz)));
    const auto n = named("n", candidate(named("zn", xn + r * hn)));
    return named("h", (1 - z) * n + z * h_previous);
  };
});

/// The gated recurrent unit (Cho et al. 2014), which resets after the product, as PyTorch and cuDNN do; row blocks
/// r, z, n:
///
///   [xr | xz | xn] = x W_ihᵀ + b_ih,  [hr | hz | hn] = h' W_hhᵀ + b_hh
///   r = σ(xr + hr),  z = σ(xz + hz),  n = tanh(xn + r hn)
///   h = (1 - z) n + z h'
///
/// with other nonlinearities in the places of σ and tanh, if they are given.
template <class T>
struct GRUCell : RecurrentWeights<T> {
  /// Has neither proj_size, forget_bias nor a hidden nonlinearity. Throws ValueError as RecurrentWeights.
  GRUCell(const CellOptions& options, Generator& generator)
      : RecurrentWeights<T>({.name = "gru", .gates = 3}, options, generator) {}

  /// x W_ihᵀ + b_ih, for a step (batch, I) or a whole sequence (time, batch, I).
  Variable<T> project(Variable<T> x) { return linear(x, this->weight_ih, this->bias_ih); }

  /// The next state (batch, H), from a projected input (batch, 3H), which is donated.
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    const auto [xr, xz, xn] = autograd::blocks<3>(donate(projected));
    const auto [hr, hz, hn] = autograd::blocks<3>(donate(linear(h, this->weight_hh, this->bias_hh)));
    return gru_update(this->nonlinearities, xr, xz, xn, hr, hz, hn, h);
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const { return this->described("GRUCell", "rzn", {{"reset_after", true}}); }
};

inline constexpr GatedUpdate gru_reset([](auto gate, auto, auto) {
  return [=](auto xr, auto xz, auto hr, auto hz, auto h_previous) {
    const auto r = named("r", gate(named("zr", xr + hr)));
    const auto z = named("z", gate(named("zz", xz + hz)));
    return std::tuple{r * h_previous, z};
  };
});
inline constexpr GatedUpdate gru_mix([](auto, auto candidate, auto) {
  return [=](auto xn, auto hn, auto z, auto h_previous) {
    const auto n = named("n", candidate(named("zn", xn + hn)));
    return named("h", (1 - z) * n + z * h_previous);
  };
});

/// The same with the reset before the product, as first published:  n = tanh(xn + (r h') U_nᵀ + b_n)  with U_n and b_n
/// the last blocks of weight_hh and bias_hh.
template <class T>
struct GRUResetBeforeCell : RecurrentWeights<T> {
  /// Has neither proj_size, forget_bias nor a hidden nonlinearity. Throws ValueError as RecurrentWeights.
  GRUResetBeforeCell(const CellOptions& options, Generator& generator)
      : RecurrentWeights<T>({.name = "gru", .gates = 3}, options, generator) {}

  /// The next state (batch, H), from a projected input (batch, 3H), which has both biases.
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    const Variable<T> weight = beside(projected, this->weight_hh);
    const Index hidden = static_cast<Index>(this->hidden_size());
    const auto [xr, xz, xn] = autograd::blocks<3>(projected);
    const auto [hr, hz] = autograd::blocks<2>(linear(h, slice(weight, 0, 0, 2 * hidden)));
    const auto [rh, z] = gru_reset(this->nonlinearities, xr, xz, hr, hz, h);
    return gru_mix(this->nonlinearities, xn, linear(rh, slice(weight, 0, 2 * hidden, 3 * hidden)), z, h);
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(this->project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const { return this->described("GRUCell", "rzn", {{"reset_after", false}}); }
};

/// Layers of GRU cells, with the names and results of PyTorch's.
template <class T>
class GRU : public HiddenLayers<T, GRUCell<T>> {
 public:
  /// Drawn in the order of visit(). Throws ValueError for a size or a number of layers of 0, or a dropout outside
  /// [0, 1); ShapeError for a residual connection between different numbers of features.
  GRU(const LayersOptions& options, Generator& generator);

  Description describe() const {
    const LayersOptions& o = this->options();
    Description description{"GRU",
                            {{"input_size", o.input_size},
                             {"hidden_size", o.hidden_size},
                             {"num_layers", o.num_layers},
                             {"bidirectional", o.bidirectional},
                             {"residual", o.residual},
                             {"gate_order", "rzn"},
                             {"reset_after", true}}};
    add_to(description, o.nonlinearities);
    return description;
  }
};

extern template class HiddenLayers<float, GRUCell<float>>;
extern template class HiddenLayers<double, GRUCell<double>>;
extern template class GRU<float>;
extern template class GRU<double>;

}  // namespace nn
