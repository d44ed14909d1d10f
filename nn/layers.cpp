#include "nn/layers.hpp"

#include "autograd/error.hpp"

namespace nn::detail {

using autograd::ShapeError;
using autograd::ValueError;

std::string check_layers(const char* network, const LayersOptions& options) {
  const std::string label = options.name.empty() ? network : std::string(network) + " \"" + options.name + "\"";
  if (options.num_layers == 0) throw ValueError(label + ": num_layers must be positive, got 0");
  if (!(options.dropout >= 0 && options.dropout < 1))
    throw ValueError(label + ": dropout must be in [0, 1), got " + std::to_string(options.dropout));
  return label;
}

void check_layers_input(const std::string& label, const LayersOptions& options, const Shape& input,
                        std::span<const std::size_t> lengths) {
  const char* const axes = options.batch_first ? "(batch, time, feature)" : "(time, batch, feature)";
  if (input.rank() != 3)
    throw ShapeError(label + ": input has shape " + to_string(input) + ", expected three axes " + axes);
  const auto fail = [&](const std::string& what) {
    throw ShapeError(label + ": input has " + what + "; input shape " + to_string(input) + " read as " + axes);
  };
  if (input[2] != options.input_size)
    fail(std::to_string(input[2]) + " features, expected " + std::to_string(options.input_size));
  const std::size_t steps = input[options.batch_first ? 1 : 0], batch = input[options.batch_first ? 0 : 1];
  if (steps == 0) fail("no steps");
  if (!lengths.empty()) check_lengths(label, lengths, steps, batch);
}

void check_layers_state(const std::string& label, const char* what, const Shape& shape, const Shape& expected,
                        const char* width) {
  if (!(shape == expected))
    throw ShapeError(label + ": initial " + what + " has shape " + to_string(shape) + ", expected " +
                     to_string(expected) + ", that is (layers * directions, batch, " + width + ")");
}

}  // namespace nn::detail
