#include "nn/recurrent/layers.hpp"

#include "autograd/error.hpp"

namespace nn::detail {

using autograd::ShapeError;
using autograd::ValueError;

std::string check_layers(const char* network, const LayersOptions& options, std::size_t output_size) {
  std::string label = options.name.empty() ? network : std::string(network) + " \"" + options.name + "\"";
  if (options.num_layers == 0) throw ValueError(label + ": num_layers must be positive, got 0");
  autograd::extent_product(label.c_str(), options.num_layers, options.directions());
  check_dropout(label, "dropout", options.dropout);
  check_dropout(label, "input_dropout", options.input_dropout);
  check_dropout(label, "recurrent_dropout", options.recurrent_dropout);
  if (options.residual)
    check_residual(label, options.input_size,
                   autograd::extent_product(label.c_str(), options.directions(), output_size));
  return label;
}

void check_layers_input(const std::string& label, const LayersOptions& options, const Shape& input,
                        std::span<const std::size_t> lengths, const Shape* mask) {
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
  if (mask)
    check_mask(label, *mask, lengths, input[0], input[1], options.batch_first ? "(batch, time)" : "(time, batch)");
}

void check_layers_state(const std::string& label, const char* what, const Shape& shape, const Shape& expected,
                        const char* width) {
  if (!(shape == expected))
    throw ShapeError(label + ": initial " + what + " has shape " + to_string(shape) + ", expected " +
                     to_string(expected) + ", that is (layers * directions, batch, " + width + ")");
}

void check_initial_count(const std::string& label, std::size_t given, std::size_t cells) {
  if (given != 0 && given != cells)
    throw ShapeError(label + ": got " + std::to_string(given) + " initial states for " + std::to_string(cells) +
                     " cells; give one for each, at layer * directions + direction");
}

}  // namespace nn::detail
