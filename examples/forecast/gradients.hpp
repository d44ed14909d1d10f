// Autograd against the hand-derived backward pass, on the loss that the network was trained with.
#pragma once

#include <string>
#include <vector>

#include "forecast/data.hpp"
#include "forecast/model.hpp"

namespace forecast {

struct Agreement {
  std::string parameter;
  double digits;  ///< -log10(largest difference / norm), at most 16
};

/// Differentiates the rollout loss of one batch twice, in double, with the weights of the model: by the tape, and by
/// the equations of nn::manual, with the loop from forecast to input closed by hand. One entry for each parameter.
std::vector<Agreement> compare_gradients(const Forecaster<float>& model, const Data& data,
                                         std::span<const std::size_t> origins);

}  // namespace forecast
