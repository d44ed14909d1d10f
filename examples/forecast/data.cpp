#include "forecast/data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace forecast {

namespace {

double transformed(bool square_root, double y) { return square_root ? std::sqrt(y) : y; }

Scaling fit(bool square_root, std::span<const double> training) {
  const auto n = static_cast<double>(training.size());
  double sum = 0, squares = 0;
  for (const double y : training) sum += transformed(square_root, y);
  for (const double y : training) squares += std::pow(transformed(square_root, y) - sum / n, 2);
  return {square_root, sum / n, std::sqrt(squares / n)};
}

}  // namespace

double Scaling::scaled(double y) const { return (transformed(square_root, y) - mean) / deviation; }

double Scaling::unscaled(double z) const {
  const double root = z * deviation + mean;
  return square_root ? std::pow(std::max(root, 0.0), 2) : root;
}

Data::Data(const Series& series, const DataOptions& options) : window(options.window), rollout(options.rollout) {
  if (rollout > options.validation_months)
    throw InputError(fmt::format("a rollout of {} months does not fit into {} months of validation", rollout,
                                 options.validation_months));
  const std::size_t held_out = options.validation_months + options.test_months;
  const std::size_t needed = window + rollout + held_out;
  if (series.size() < needed)
    throw InputError(
        fmt::format("{}: the series ends after {} values, but a window of {}, a rollout of {}, {} months "
                    "of validation and {} of test need at least {}",
                    series.place(series.size()), series.size(), window, rollout, options.validation_months,
                    options.test_months, needed));
  test_begin = series.size() - options.test_months;
  validation_begin = test_begin - options.validation_months;

  if (options.square_root)
    for (std::size_t k = 0; k < series.size(); ++k)
      if (series.values[k] < 0)
        throw InputError(
            fmt::format("{}: {} has no square root; pass --transform none", series.place(k), series.values[k]));
  const auto training = std::span(series.values).first(validation_begin);
  const auto fail = [&](const char* what) {
    throw InputError(fmt::format("{}: the {} values of the training part, which ends here, are {}",
                                 series.place(validation_begin - 1), validation_begin, what));
  };
  scaling = fit(options.square_root, training);
  if (std::ranges::equal(training.subspan(1), training.first(validation_begin - 1)))
    fail("all equal; there is nothing to learn");
  if (scaling.deviation < 1e-145)  // the squares of less have no digits left
    fail("too close to one another to be scaled; give them in a smaller unit");
  if (!std::isfinite(scaling.deviation)) fail("too large to be scaled");
  for (const double y : series.values) scaled.push_back(scaling.scaled(y));
}

std::vector<std::size_t> Data::origins(std::size_t first, std::size_t end, std::size_t steps) const {
  std::vector<std::size_t> result;
  for (std::size_t origin = std::max(first, window - 1); origin + steps < end; ++origin) result.push_back(origin);
  return result;
}

template <class T>
Array<T> Data::histories(std::span<const std::size_t> origins) const {
  Array<T> result = autograd::make_array<T>({window, origins.size(), 1});
  for (std::size_t t = 0; t < window; ++t)
    for (std::size_t b = 0; b < origins.size(); ++b)
      result(t, b, 0) = static_cast<T>(scaled[origins[b] + 1 - window + t]);
  return result;
}

template <class T>
Array<T> Data::futures(std::span<const std::size_t> origins, std::size_t steps) const {
  Array<T> result = autograd::make_array<T>({steps, origins.size(), 1});
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t b = 0; b < origins.size(); ++b) result(t, b, 0) = static_cast<T>(scaled[origins[b] + 1 + t]);
  return result;
}

template Array<float> Data::histories(std::span<const std::size_t>) const;
template Array<double> Data::histories(std::span<const std::size_t>) const;
template Array<float> Data::futures(std::span<const std::size_t>, std::size_t) const;
template Array<double> Data::futures(std::span<const std::size_t>, std::size_t) const;

}  // namespace forecast
