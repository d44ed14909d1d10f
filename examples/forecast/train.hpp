// Trains the network on random windows, and keeps the weights that forecast the validation part best.
#pragma once

#include <functional>
#include <vector>

#include "forecast/data.hpp"
#include "forecast/model.hpp"

namespace forecast {

struct TrainOptions {
  std::size_t epochs = 20;
  std::size_t batch = 64;
  double learning_rate = 3e-3;  ///< of the first step; a half cosine takes it to 0
  double noise = 0.4;           ///< deviation of what is added to the histories, where that of the series is 1
  double clip = 1;              ///< largest norm of a gradient
};

/// Means over the batches of an epoch.
struct Epoch {
  double loss = 0;
  double validation = 0;
  double gradient_norm = 0;  ///< before clipping
};

/// Where training is: after so many batches of epoch epochs.size(), or at its end, when its validation is known.
struct Moment {
  const std::vector<Epoch>& epochs;
  const Epoch& current;
  std::size_t batches_done, batches;
};

struct Training {
  std::vector<Epoch> epochs;
  std::size_t best = 0;  ///< the epoch, from 0 on, whose weights the model has
};

/// The mean squared error, of scaled values, over the rollouts that follow the histories (time, batch, 1) of origins.
template <class T>
Variable<T> rollout_loss(autograd::Tape<T>& tape, Forecaster<T>& model, const Data& data, const Array<T>& histories,
                         std::span<const std::size_t> origins) {
  const auto forecast = model(tape.constant(histories), data.rollout);
  return nn::mse(forecast, tape.constant(data.futures<T>(origins, data.rollout)));
}

/// `watch` is called after every batch, and may throw to stop. Throws autograd::ValueError if the loss is not finite.
Training train(Forecaster<float>& model, const Data& data, const TrainOptions& options, nn::Generator& generator,
               const std::function<void(const Moment&)>& watch);

}  // namespace forecast
