// GRUCell: the gated recurrent unit.
#pragma once

#include "autograd/pointwise.hpp"
#include "nn/description.hpp"
#include "nn/layers.hpp"
#include "nn/recurrent_weights.hpp"

namespace nn {

inline constexpr auto gru_update =
    autograd::pointwise([](auto xr, auto xz, auto xn, auto hr, auto hz, auto hn, auto h_previous) {
      const auto r = named("r", sigmoid(named("zr", xr + hr)));
      const auto z = named("z", sigmoid(named("zz", xz + hz)));
      const auto n = named("n", tanh(named("zn", xn + r * hn)));
      return named("h", (1 - z) * n + z * h_previous);
    });

/// The gated recurrent unit (Cho et al. 2014), which resets after the product, as PyTorch and cuDNN do; row blocks
/// r, z, n:
///
///   [xr | xz | xn] = x W_ihᵀ + b_ih,  [hr | hz | hn] = h' W_hhᵀ + b_hh
///   r = σ(xr + hr),  z = σ(xz + hz),  n = tanh(xn + r hn)
///   h = (1 - z) n + z h'
template <class T>
struct GRUCell : RecurrentWeights<T> {
  /// Throws ValueError for a size of 0.
  GRUCell(const CellOptions& options, Generator& generator) : RecurrentWeights<T>("gru", 3, options, generator) {}

  /// x W_ihᵀ + b_ih, for a step (batch, I) or a whole sequence (time, batch, I).
  Variable<T> project(Variable<T> x) { return product(x, this->weight_ih, this->bias_ih); }

  /// The next state (batch, H), from a projected input (batch, 3H).
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    const auto [xr, xz, xn] = autograd::blocks<3>(projected);
    const auto [hr, hz, hn] = autograd::blocks<3>(product(h, this->weight_hh, this->bias_hh));
    return gru_update(xr, xz, xn, hr, hz, hn, h);
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const {
    return {"GRUCell",
            {{"input_size", this->input_size()},
             {"hidden_size", this->hidden_size()},
             {"gate_order", "rzn"},
             {"reset_after", true}}};
  }

 private:
  static Variable<T> product(Variable<T> x, Parameter<T>& weight, std::optional<Parameter<T>>& bias) {
    Tape<T>& tape = autograd::tape_of("gru_cell", x);
    return bias ? linear(x, tape.parameter(weight), tape.parameter(*bias)) : linear(x, tape.parameter(weight));
  }
};

/// The same with the reset before the product, as first published:  n = tanh(xn + (r h') U_nᵀ + b_n)  with U_n and b_n
/// the last blocks of weight_hh and bias_hh.
template <class T>
struct GRUResetBeforeCell : RecurrentWeights<T> {
  /// Throws ValueError for a size of 0.
  GRUResetBeforeCell(const CellOptions& options, Generator& generator)
      : RecurrentWeights<T>("gru", 3, options, generator) {}

  /// The next state (batch, H), from a projected input (batch, 3H), which has both biases.
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    Tape<T>& tape = autograd::tape_of("gru_cell", projected);
    const Variable<T> weight = tape.parameter(this->weight_hh);
    const Index hidden = static_cast<Index>(this->hidden_size());
    const auto [xr, xz, xn] = autograd::blocks<3>(projected);
    const auto [hr, hz] = autograd::blocks<2>(linear(h, slice(weight, 0, 0, 2 * hidden)));
    const auto [rh, z] = reset(xr, xz, hr, hz, h);
    return mix(xn, linear(rh, slice(weight, 0, 2 * hidden, 3 * hidden)), z, h);
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(this->project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const {
    return {"GRUCell",
            {{"input_size", this->input_size()},
             {"hidden_size", this->hidden_size()},
             {"gate_order", "rzn"},
             {"reset_after", false}}};
  }

 private:
  static constexpr auto reset = autograd::pointwise([](auto xr, auto xz, auto hr, auto hz, auto h_previous) {
    const auto r = named("r", sigmoid(named("zr", xr + hr)));
    const auto z = named("z", sigmoid(named("zz", xz + hz)));
    return std::tuple{r * h_previous, z};
  });
  static constexpr auto mix = autograd::pointwise([](auto xn, auto hn, auto z, auto h_previous) {
    const auto n = named("n", tanh(named("zn", xn + hn)));
    return named("h", (1 - z) * n + z * h_previous);
  });
};

/// Layers of GRU cells, with the names and results of PyTorch's.
template <class T>
class GRU {
 public:
  /// Drawn in the order of visit(). Throws ValueError for a size or a number of layers of 0, or a dropout outside [0,
  /// 1).
  GRU(const LayersOptions& options, Generator& generator);

  const LayersOptions& options() const { return layers_.options(); }

  /// Throws ShapeError where x or the initial state does not fit, ValueError for a length beyond the steps of x.
  HiddenResult<T> operator()(Variable<T> x, const HiddenCall<T>& call = {});

  Description describe() const {
    const LayersOptions& o = options();
    return {"GRU",
            {{"input_size", o.input_size},
             {"hidden_size", o.hidden_size},
             {"num_layers", o.num_layers},
             {"bidirectional", o.bidirectional},
             {"gate_order", "rzn"},
             {"reset_after", true}}};
  }

  /// `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, and so on with `_l0_reverse`, `_l1`.
  static void visit(auto& self, auto&& visitor) { self.layers_.visit(self.layers_, visitor); }

 private:
  RecurrentLayers<T, GRUCell<T>> layers_;
};

extern template class GRU<float>;
extern template class GRU<double>;

}  // namespace nn
