// RNNCell: the recurrent cell without gates.
#pragma once

#include "autograd/ops/elementary.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/description.hpp"
#include "nn/layers.hpp"
#include "nn/recurrent_weights.hpp"

namespace nn {

enum class Nonlinearity { tanh, relu };

/// Elman's cell (1990), with PyTorch's parameters:
///
///   h = φ(x W_ihᵀ + b_ih + h' W_hhᵀ + b_hh),  φ tanh or relu
template <class T>
struct RNNCell : RecurrentWeights<T> {
  Nonlinearity nonlinearity;

  /// Throws ValueError for a size of 0.
  RNNCell(const CellOptions& options, Generator& generator, Nonlinearity nonlinearity = Nonlinearity::tanh)
      : RecurrentWeights<T>("rnn", 1, options, generator), nonlinearity(nonlinearity) {}

  /// The next state (batch, H), from a projected input (batch, H).
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    Tape<T>& tape = autograd::tape_of("rnn_cell", projected);
    const Variable<T> z = named("z", linear(h, tape.parameter(this->weight_hh), projected));
    return named("h", nonlinearity == Nonlinearity::tanh ? tanh(z) : relu(z));
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(this->project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const {
    return {"RNNCell",
            {{"input_size", this->input_size()},
             {"hidden_size", this->hidden_size()},
             {"nonlinearity", nonlinearity == Nonlinearity::tanh ? "tanh" : "relu"}}};
  }
};

/// Layers of RNN cells, with the names and results of PyTorch's.
template <class T>
class RNN {
 public:
  /// Drawn in the order of visit(). Throws ValueError for a size or a number of layers of 0, or a dropout outside [0,
  /// 1).
  RNN(const LayersOptions& options, Generator& generator, Nonlinearity nonlinearity = Nonlinearity::tanh);

  const LayersOptions& options() const { return layers_.options(); }

  /// Throws ShapeError where x or the initial state does not fit, ValueError for a length beyond the steps of x.
  HiddenResult<T> operator()(Variable<T> x, const HiddenCall<T>& call = {});

  Description describe() const {
    const LayersOptions& o = options();
    return {"RNN",
            {{"input_size", o.input_size},
             {"hidden_size", o.hidden_size},
             {"num_layers", o.num_layers},
             {"bidirectional", o.bidirectional},
             {"nonlinearity", layers_.cell(0).nonlinearity == Nonlinearity::tanh ? "tanh" : "relu"}}};
  }

  /// `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, and so on with `_l0_reverse`, `_l1`.
  static void visit(auto& self, auto&& visitor) { self.layers_.visit(self.layers_, visitor); }

 private:
  RecurrentLayers<T, RNNCell<T>> layers_;
};

extern template class RNN<float>;
extern template class RNN<double>;

}  // namespace nn
