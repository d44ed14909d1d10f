// The losses of autograd:: under the names that networks call them by.
#pragma once

#include "autograd/ops/loss.hpp"

namespace nn {

using autograd::binary_cross_entropy;
using autograd::binary_cross_entropy_with_logits;
using autograd::ClassLossOptions;
using autograd::cross_entropy;
using autograd::huber_loss;
using autograd::kl_div;
using autograd::l1_loss;
using autograd::mse;
using autograd::mse_loss;
using autograd::nll_loss;
using autograd::reduce;
using autograd::Reduction;
using autograd::smooth_l1_loss;
using autograd::soft_margin_loss;

}  // namespace nn
