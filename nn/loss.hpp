// The losses of autograd:: under the names that networks call them by, and masks for sequences of different lengths.
#pragma once

#include <span>
#include <string>

#include "autograd/error.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/tape.hpp"

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

/// (time, batch): 1 where a sequence has the step, else 0. Throws ValueError for a length beyond the steps. With it the
/// losses of padded steps count for nothing:
///
///   reduce(mse_loss(output, target, Reduction::none), sequence_mask(tape, lengths, steps), Reduction::mean)
template <class T>
autograd::Variable<T> sequence_mask(autograd::Tape<T>& tape, std::span<const std::size_t> lengths, std::size_t steps) {
  for (std::size_t b = 0; b < lengths.size(); ++b)
    if (lengths[b] > steps)
      throw autograd::ValueError("sequence_mask: sequence " + std::to_string(b) + " has length " +
                                 std::to_string(lengths[b]) + ", and there are " + std::to_string(steps) +
                                 " steps; was it negative?");
  const autograd::Variable<T> mask = tape.constant({steps, lengths.size()}, T(0));
  T* const values = tape.value(mask.slot());
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t b = 0; b < lengths.size(); ++b) values[t * lengths.size() + b] = t < lengths[b] ? T(1) : T(0);
  return mask;
}

}  // namespace nn
