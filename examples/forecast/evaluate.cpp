#include "forecast/evaluate.hpp"

#include <algorithm>
#include <cmath>

namespace forecast {

namespace {

class RootMeanSquare {
 public:
  void add(double error) {
    root_ = std::hypot(root_, error);  // squares of 1e-200 or 1e200 would be 0 or infinite
    ++count_;
  }
  std::size_t count() const { return count_; }
  double operator()() const { return root_ / std::sqrt(static_cast<double>(count_)); }

 private:
  double root_ = 0;  ///< of the sum of the squares
  std::size_t count_ = 0;
};

}  // namespace

std::vector<Forecast> forecast_tail(Forecaster<float>& model, const Data& data) {
  constexpr std::size_t batch = 64;
  const std::size_t size = data.scaled.size();
  const std::vector<std::size_t> origins = data.origins(data.test_begin - 1, size, 1);
  std::vector<Forecast> result;
  autograd::Tape<float> tape;
  for (std::size_t first = 0; first < origins.size(); first += batch) {
    const auto part = std::span(origins).subspan(first, std::min(batch, origins.size() - first));
    tape.clear();
    const Array<float> values = model(tape.constant(data.histories<float>(part)), longest_horizon).copy();
    for (std::size_t b = 0; b < part.size(); ++b) {
      Forecast& forecast = result.emplace_back(Forecast{.origin = part[b], .values = {}});
      for (std::size_t k = 0; k < std::min(longest_horizon, size - 1 - part[b]); ++k)
        forecast.values.push_back(data.scaling.unscaled(values(k, b, 0)));
    }
  }
  return result;
}

std::vector<Score> evaluate(const std::vector<Forecast>& forecasts, const std::vector<double>& series,
                            std::size_t season) {
  std::vector<Score> result;
  for (const std::size_t horizon : horizons) {
    const std::size_t seasons_back = (horizon + season - 1) / season;
    RootMeanSquare model, persistence, seasonal_naive;
    for (const Forecast& forecast : forecasts) {
      if (forecast.values.size() < horizon) continue;
      const std::size_t target = forecast.origin + horizon;
      const double truth = series[target];
      model.add(forecast.values[horizon - 1] - truth);
      persistence.add(series[forecast.origin] - truth);
      seasonal_naive.add(series[target - seasons_back * season] - truth);
    }
    result.push_back({horizon, model.count(), model(), persistence(), seasonal_naive()});
  }
  return result;
}

}  // namespace forecast
