// One step of RTNeural's LSTM of a fixed size, behind an interface that needs none of its headers.
#pragma once

#include <functional>

namespace benchmark {

/// For one input and a hidden size of 8, 16, 32 or 64; empty for others, and without RTNeural's headers.
std::function<void()> rtneural_step(int hidden_size);

}  // namespace benchmark
