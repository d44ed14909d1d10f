#include "nn/recurrent.hpp"

namespace nn::detail {

using autograd::ShapeError;
using autograd::ValueError;

void check_sequence(const std::string& name, const Shape& shape) {
  if (shape.rank() != 3)
    throw ShapeError(name + ": input has shape " + to_string(shape) + ", expected three axes (time, batch, feature)");
  if (shape[0] == 0)
    throw ShapeError(name + ": input has no steps; input shape " + to_string(shape) +
                     " read as (time, batch, feature)");
}

void check_lengths(const std::string& name, std::span<const std::size_t> lengths, std::size_t steps,
                   std::size_t batch) {
  if (lengths.size() != batch)
    throw ShapeError(name + ": got " + std::to_string(lengths.size()) + " lengths for a batch of " +
                     std::to_string(batch) + "; give one for each sequence");
  for (std::size_t b = 0; b < batch; ++b)
    if (lengths[b] > steps)
      throw ValueError(name + ": sequence " + std::to_string(b) + " has length " + std::to_string(lengths[b]) +
                       ", but the input has only " + std::to_string(steps) + " steps");
}

}  // namespace nn::detail
