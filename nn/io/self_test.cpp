#include "nn/io/self_test.hpp"

#include <cmath>
#include <random>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "nn/infer/evaluate.hpp"

namespace nn::io {

using autograd::FormatError;

namespace {

constexpr std::size_t steps = 64;

Network without_gains(Network network) {
  network.input_gain_db = network.output_gain_db = 0;
  return network;
}

/// The first `inputs` of each step are random, the others 0.
SelfTest self_test(const Network& network, std::size_t inputs) {
  std::mt19937_64 random(6);
  SelfTest test{zero_tensor({steps, network.input_size()}), {}, 1e-5};
  for (std::size_t k = 0; k < test.input.values.size(); ++k)
    if (k % network.input_size() < inputs) test.input.values[k] = static_cast<double>(random() >> 40) * 0x1p-23 - 1;
  test.output = nn::infer::evaluate(network, test.input);
  double largest = 1;
  for (double& value : test.output.values) {
    value = rounded(value, network.dtype);
    largest = std::max(largest, std::abs(value));
  }
  test.tolerance *= largest;
  return test;
}

/// A test of more steps would take longer than in proportion to the file, or, with a layer in both directions, whose
/// whole sequence must be kept, more memory.
std::size_t most_steps(const Network& network) {
  constexpr std::size_t products = 4'000'000'000, kept = 1 << 20;
  std::size_t most = std::max<std::size_t>(2048, products / std::max<std::size_t>(network.parameter_count(), 1));
  for (const Layer& layer : network.layers)
    if (layer.directions.size() == 2)
      most = std::min(most, std::max<std::size_t>(4 * steps, kept / (layer.input_size + layer.output_size())));
  return most;
}

}  // namespace

SelfTest make_self_test(const Network& network) { return self_test(network, network.input_size()); }

SelfTest make_mono_self_test(Network network) {
  SelfTest test = self_test(without_gains(std::move(network)), 1);
  test.gains = false;
  return test;
}

void verify_self_test(const Network& network, const std::string& where) {
  if (!network.self_test) return;
  const SelfTest& test = *network.self_test;
  const std::string begin = where + (where.empty() ? "" : ": ") + "self_test: ";
  const std::size_t time = test.input.shape.rank() == 2 ? test.input.shape[0] : 0;
  const auto check_shape = [&](const char* what, const Shape& found, std::size_t width) {
    if (found != Shape{time, width})
      throw FormatError(begin + what + " has shape " + to_string(found) + ", expected (time, " + std::to_string(width) +
                        ")");
  };
  check_shape("input", test.input.shape, network.input_size());
  check_shape("output", test.output.shape, network.output_size());
  if (const std::size_t most = most_steps(network); time > most)
    throw FormatError(begin + "it has " + std::to_string(time) + " steps, and of a model of this size at most " +
                      std::to_string(most) + " are run; leave the first of them in the file");
  nn::infer::Evaluation<double> evaluation(network, test.input, test.gains);
  const std::size_t width = network.output_size();
  for (std::size_t t = 0; t < time; ++t) {
    const double* const answer = evaluation.next();
    for (std::size_t k = 0; k < width; ++k) {
      const double expected = test.output.values[t * width + k];
      if (std::abs(answer[k] - expected) <= test.tolerance) continue;
      throw FormatError(begin + "at step " + std::to_string(t) + " the model answers " +
                        autograd::number_text(answer[k], 9) + " instead of " + autograd::number_text(expected, 9) +
                        ", and the tolerance is " + autograd::number_text(test.tolerance, 3) +
                        "; the weights are not those that were saved, or mean something else here");
    }
  }
}

}  // namespace nn::io
