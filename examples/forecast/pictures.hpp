// The two pictures of a run: how training went, and the forecasts against the truth.
#pragma once

#include <filesystem>
#include <vector>

#include "forecast/csv.hpp"
#include "forecast/evaluate.hpp"
#include "forecast/train.hpp"

namespace forecast {

/// Training and validation loss against the epoch. False if gnuplot fails.
bool draw_losses(const std::filesystem::path& path, const Training& training);

/// Above: the truth, and for every month what was forecast a year before. Below: whole forecasts, one every two years.
/// False if gnuplot fails.
bool draw_forecasts(const std::filesystem::path& path, const Series& series, const std::vector<Forecast>& forecasts);

}  // namespace forecast
