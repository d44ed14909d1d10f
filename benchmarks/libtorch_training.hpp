// Training steps of recurrent networks in PyTorch's C++ library, behind an interface that needs none of its headers.
#pragma once

#include <optional>
#include <string>

#include "recurrent_problem.hpp"

namespace benchmark {

enum class Unit { lstm, gru, minimal_gated };
enum class Cell {
  stock,  ///< torch::nn::LSTM or GRU
  user    ///< a loop over the steps in PyTorch's ops, the input projected in one product
};

/// Forward, mean squared error, backward. None without PyTorch, and for a stock unit that it does not have.
template <class T>
std::optional<Contestant> libtorch_training(Unit unit, Cell cell, const Problem<T>& problem, int threads);

/// "libtorch 1.13.1" and its instruction set, or why there is none.
std::string libtorch_version();

extern template std::optional<Contestant> libtorch_training(Unit, Cell, const Problem<float>&, int);
extern template std::optional<Contestant> libtorch_training(Unit, Cell, const Problem<double>&, int);

}  // namespace benchmark
