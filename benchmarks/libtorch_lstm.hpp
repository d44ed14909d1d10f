// One training step of PyTorch's LSTM, behind an interface that needs no PyTorch header.
#pragma once

#include <functional>
#include <string>

namespace benchmark {

struct LstmSizes {
  int T, B, I, H, layers;
};

/// Forward, mean squared error against a fixed target, backward; one thread. Empty without PyTorch.
std::function<void()> libtorch_step(const LstmSizes& sizes, bool use_double);

/// "libtorch 1.13.1", or why there is none.
std::string libtorch_version();

}  // namespace benchmark
