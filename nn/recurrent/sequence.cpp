#include "nn/recurrent/sequence.hpp"

#include "autograd/number_text.hpp"

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

void check_mask(const std::string& name, const Shape& mask, std::span<const std::size_t> lengths, std::size_t first,
                std::size_t second, const char* axes) {
  if (!(mask == Shape{first, second}))
    throw ShapeError(name + ": mask has shape " + to_string(mask) + ", expected " + to_string(Shape{first, second}) +
                     ", that is " + axes);
  if (!lengths.empty()) throw ValueError(name + ": lengths and a mask say the same; give one of them");
}

void check_dropout(const std::string& name, const char* which, double probability) {
  if (!(probability >= 0 && probability < 1))
    throw ValueError(name + ": " + which + " must be in [0, 1), got " + autograd::fixed_text(probability));
}

void check_residual(const std::string& name, std::size_t input, std::size_t output) {
  if (input != output)
    throw ShapeError(name + ": a residual connection adds the input to the output, but the input has " +
                     std::to_string(input) + " features and the output " + std::to_string(output) +
                     "; give them the same number, or leave it out");
}

}  // namespace nn::detail
