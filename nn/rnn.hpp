// RNNCell: the recurrent cell without gates.
#pragma once

#include "autograd/ops/elementary.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/description.hpp"
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

}  // namespace nn
