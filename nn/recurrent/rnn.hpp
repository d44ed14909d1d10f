// RNNCell: the recurrent cell without gates.
#pragma once

#include "nn/description.hpp"
#include "nn/recurrent/layers.hpp"
#include "nn/recurrent/recurrent_weights.hpp"

namespace nn {

/// Elman's cell (1990), with PyTorch's parameters:
///
///   h = φ(x W_ihᵀ + b_ih + h' W_hhᵀ + b_hh),  φ tanh if not another
template <class T>
struct RNNCell : RecurrentWeights<T> {
  /// Has neither proj_size, forget_bias nor nonlinearities but the hidden one, which is φ. Throws ValueError as
  /// RecurrentWeights.
  RNNCell(const CellOptions& options, Generator& generator)
      : RecurrentWeights<T>({.name = "rnn", .gates = 1, .gate = false, .candidate = false, .hidden = true}, options,
                            generator) {}

  /// The next state (batch, H), from a projected input (batch, H), which is donated.
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    const Variable<T> z = named("z", linear(h, this->weight_hh, donate(projected)));
    return named("h", activate(this->nonlinearities.hidden, z));
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(this->project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const {
    return {"RNNCell",
            {{"input_size", this->input_size()},
             {"hidden_size", this->hidden_size()},
             {"nonlinearity", name(this->nonlinearities.hidden)}}};
  }
};

/// Layers of RNN cells, with the names and results of PyTorch's.
template <class T>
class RNN : public HiddenLayers<T, RNNCell<T>> {
 public:
  /// Drawn in the order of visit(). Throws ValueError for a size or a number of layers of 0, or a dropout outside
  /// [0, 1); ShapeError for a residual connection between different numbers of features.
  RNN(const LayersOptions& options, Generator& generator);

  Description describe() const {
    const LayersOptions& o = this->options();
    return {"RNN",
            {{"input_size", o.input_size},
             {"hidden_size", o.hidden_size},
             {"num_layers", o.num_layers},
             {"bidirectional", o.bidirectional},
             {"residual", o.residual},
             {"nonlinearity", name(o.nonlinearities.hidden)}}};
  }
};

extern template class HiddenLayers<float, RNNCell<float>>;
extern template class HiddenLayers<double, RNNCell<double>>;
extern template class RNN<float>;
extern template class RNN<double>;

}  // namespace nn
