// One step of PyTorch's LSTMCell, behind an interface that needs no PyTorch header.
#pragma once

#include <functional>

namespace benchmark {

/// One step on a batch of one, without gradients; one thread. Empty without PyTorch.
std::function<void()> libtorch_cell_step(int input_size, int hidden_size);

}  // namespace benchmark
