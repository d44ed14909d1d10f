// Recursive forecasts from every origin of the held-out part, and their errors beside those of two simple methods.
#pragma once

#include <array>
#include <vector>

#include "forecast/data.hpp"
#include "forecast/model.hpp"

namespace forecast {

inline constexpr std::array<std::size_t, 3> horizons = {1, 12, 24};
inline constexpr std::size_t longest_horizon = horizons.back();

/// What is forecast from one origin, in the units of the series; up to the end of the series.
struct Forecast {
  std::size_t origin;
  std::vector<double> values;  ///< of origin + 1, origin + 2, ...
};

/// Root mean squared errors over all origins whose target is held out.
struct Score {
  std::size_t horizon;
  std::size_t origins;
  double model;
  double persistence;     ///< y_{t+h} = y_t
  double seasonal_naive;  ///< y_{t+h} = y_{t+h-ks}, where s is the season and k the smallest that is known at t
};

/// From every origin, the last value before the held-out part being the first one.
std::vector<Forecast> forecast_tail(Forecaster<float>& model, const Data& data);

/// One for each horizon. The season must not be longer than what comes before the held-out part.
std::vector<Score> evaluate(const std::vector<Forecast>& forecasts, const std::vector<double>& series,
                            std::size_t season);

}  // namespace forecast
