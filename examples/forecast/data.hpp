// The series as the network sees it: split by time, transformed, and scaled by what its training part alone tells.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "autograd/array.hpp"
#include "forecast/csv.hpp"

namespace forecast {

using autograd::Array;

/// z = (f(y) - mean) / deviation, where f is the square root or the identity.
struct Scaling {
  bool square_root;
  double mean, deviation;

  double scaled(double y) const;
  /// Back in the units of the series; what is below zero under a square root counts as zero.
  double unscaled(double z) const;
};

struct DataOptions {
  bool square_root = true;
  std::size_t window = 132;  ///< values that the network reads before it forecasts
  std::size_t rollout = 24;  ///< steps that it forecasts in training
  std::size_t validation_months = 264;
  std::size_t test_months = 264;
};

/// training | validation | test, in the order of time. An origin is the last value that a forecast knows.
struct Data {
  /// Throws InputError for a series that is too short, constant in its training part, or has a negative value where a
  /// square root is to be taken, and for a rollout longer than the validation part.
  Data(const Series& series, const DataOptions& options);

  /// The origins from `first` on that have a whole window behind them and `steps` values ahead of them before `end`.
  std::vector<std::size_t> origins(std::size_t first, std::size_t end, std::size_t steps) const;
  /// What is known at each origin, (window, batch, 1).
  template <class T>
  Array<T> histories(std::span<const std::size_t> origins) const;
  /// What follows each origin, (steps, batch, 1).
  template <class T>
  Array<T> futures(std::span<const std::size_t> origins, std::size_t steps) const;

  std::size_t window, rollout;
  std::size_t validation_begin, test_begin;
  Scaling scaling;
  std::vector<double> scaled;  ///< the whole series
};

}  // namespace forecast
