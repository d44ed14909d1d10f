#include "forecast/train.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "autograd/error.hpp"

namespace forecast {

namespace {

using Origins = std::vector<std::size_t>;

/// Fisher and Yates: std::shuffle leaves open which numbers it draws.
void shuffle(Origins& origins, nn::Generator& generator) {
  for (std::size_t k = origins.size(); k > 1; --k) std::swap(origins[k - 1], origins[generator() % k]);
}

/// Each month scatters about the course that is to be learnt: other scatter, same course.
Array<float> noisy(const Array<float>& values, double deviation, nn::Generator& generator) {
  return values + nn::normal<float>(autograd::shape_of(values), 0, deviation, generator);
}

double validate(autograd::Tape<float>& tape, Forecaster<float>& model, const Data& data, const Origins& origins,
                std::size_t batch) {
  double sum = 0;
  for (std::size_t first = 0; first < origins.size(); first += batch) {
    const auto part = std::span(origins).subspan(first, std::min(batch, origins.size() - first));
    tape.clear();
    sum += rollout_loss(tape, model, data, data.histories<float>(part), part).item() * static_cast<double>(part.size());
  }
  return sum / static_cast<double>(origins.size());
}

void check_finite(double value, std::size_t epoch) {
  if (!std::isfinite(value))
    throw autograd::ValueError(fmt::format(
        "training diverged in epoch {}: the loss or its gradient is not finite; try a smaller --learning-rate",
        epoch + 1));
}

}  // namespace

Training train(Forecaster<float>& model, const Data& data, const TrainOptions& options, nn::Generator& generator,
               const std::function<void(const Moment&)>& watch) {
  Origins origins = data.origins(0, data.validation_begin, data.rollout);
  const Origins validation = data.origins(data.validation_begin - 1, data.test_begin, data.rollout);
  const std::size_t batch = std::min(options.batch, origins.size()), batches = origins.size() / batch;
  const double steps = static_cast<double>(options.epochs * batches);

  autograd::Tape<float> tape;
  nn::Adam<float> optimizer(model, {.learning_rate = options.learning_rate});
  Training result;
  Forecaster<float> best = model;
  for (std::size_t e = 0; e < options.epochs; ++e) {
    shuffle(origins, generator);
    Epoch epoch;
    double loss_sum = 0, norm_sum = 0;
    for (std::size_t b = 0; b < batches; ++b) {
      const double progress = static_cast<double>(e * batches + b) / steps;
      optimizer.set_learning_rate(options.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * progress)));

      tape.clear();
      const auto part = std::span(origins).subspan(b * batch, batch);
      const auto loss =
          rollout_loss(tape, model, data, noisy(data.histories<float>(part), options.noise, generator), part);
      optimizer.zero_grad();
      tape.backward(loss);
      norm_sum += nn::clip_grad_norm(model, options.clip);
      loss_sum += loss.item();
      check_finite(loss_sum + norm_sum, e);
      optimizer.step();

      epoch.loss = loss_sum / static_cast<double>(b + 1);
      epoch.gradient_norm = norm_sum / static_cast<double>(b + 1);
      if (b + 1 < batches) watch({result.epochs, epoch, b + 1, batches});
    }
    epoch.validation = validate(tape, model, data, validation, batch);
    check_finite(epoch.validation, e);
    result.epochs.push_back(epoch);
    if (epoch.validation <= result.epochs[result.best].validation) {
      result.best = e;
      best = model;
    }
    watch({result.epochs, epoch, batches, batches});
  }
  model = best;
  return result;
}

}  // namespace forecast
