// The losses of autograd:: under the names that networks call them by.
#pragma once

#include "autograd/ops/loss.hpp"

namespace nn {

using autograd::cross_entropy;
using autograd::mse;

}  // namespace nn
