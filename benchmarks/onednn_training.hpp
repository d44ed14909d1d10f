// A training step of oneDNN's LSTM, behind an interface that needs none of its headers.
#pragma once

#include <optional>
#include <string>

#include "recurrent_problem.hpp"

namespace benchmark {

/// Forward, mean squared error, backward. Weights are given as PyTorch lays them out and brought into oneDNN's layouts
/// in every step, as training changes them; the gradient of x comes with it unasked. None without oneDNN, and none in
/// double, which it does not have.
template <class T>
std::optional<Contestant> onednn_lstm(const Problem<T>& problem, int threads);

/// "oneDNN 2.6.3" and its instruction set, or why there is none.
std::string onednn_version();

extern template std::optional<Contestant> onednn_lstm(const Problem<float>&, int);
extern template std::optional<Contestant> onednn_lstm(const Problem<double>&, int);

}  // namespace benchmark
