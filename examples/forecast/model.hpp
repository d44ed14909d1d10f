// The network: an LSTM that reads a history, and a linear layer that turns its output into the change to the next
// value.
#pragma once

#include "nn/nn.hpp"

namespace forecast {

using autograd::Variable;

/// x_{t+1} = x_t + head(h_t), where h_t is the output of the LSTM after x_1, ..., x_t.
template <class T>
struct Forecaster {
  nn::LSTM<T> lstm;
  nn::Linear<T> head;

  Forecaster(std::size_t hidden, std::size_t layers, nn::Generator& generator)
      : lstm({.input_size = 1, .hidden_size = hidden, .num_layers = layers, .forget_bias = 1}, generator),
        head(hidden, 1, generator) {}

  /// The `steps` values after a history (time, batch, 1), as (steps, batch, 1). The forecast is recursive: each value
  /// is fed back as the input of the next.
  Variable<T> operator()(Variable<T> history, std::size_t steps) {
    const autograd::Shape shape = history.shape();
    const std::span<Variable<T>> forecasts = history.tape().recording().template list<Variable<T>>(steps);
    auto result = lstm(history);
    Variable<T> value = select(history, 0, -1);
    for (std::size_t k = 0; k < steps; ++k) {
      if (k > 0) result = lstm(reshape(value, {1, shape[1], 1}), {.initial = result.state});
      value = value + head(select(result.output, 0, -1));
      forecasts[k] = value;
    }
    return autograd::stack<T>(forecasts, 0);
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

}  // namespace forecast
