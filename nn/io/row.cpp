#include "nn/io/row.hpp"

#include <cmath>
#include <random>

#include "autograd/error.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/no_row.hpp"

namespace nn::io::detail {

namespace {

constexpr std::size_t steps = 12;

/// Numbers of [-2, 2).
std::vector<double> random_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> values(count);
  for (double& value : values) value = static_cast<double>(static_cast<float>(random() >> 40) * 0x1p-22f - 2);
  return values;
}

/// The largest difference of the answer from the row's, or from its last step, relative to the largest number.
double difference(const Tensor& answer, const Tensor& row) {
  const std::size_t count = answer.values.size(), width = row.shape[1];
  if (count != row.values.size() && count != width) return 1;
  double largest = 0, difference = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const double expected = row.values[row.values.size() - count + k];
    largest = std::max(largest, std::abs(expected));
    const double apart = std::abs(answer.values[k] - expected);
    difference = std::isnan(apart) ? apart : std::max(difference, apart);
  }
  return difference == 0 ? 0 : difference / largest;
}

}  // namespace

std::vector<double> trial_values(const std::string& name, const Shape& shape) {
  const std::size_t columns = shape.rank() > 1 ? shape.back() : 4;
  std::vector<double> values = random_values(shape.elements(), std::hash<std::string>()(name));
  // Of deviation 1.3 / sqrt(columns): signals neither die out nor, in recurrent layers, grow without bound.
  for (double& value : values) value *= 1.1 / std::sqrt(static_cast<double>(columns));
  return values;
}

std::pair<Likeness, std::string> compare_with_row(const Weights& weights, const Run& run) {
  const auto not_run = [](const std::string& why) {
    return std::pair(Likeness::not_run,
                     why + "; where it is the row of its parts, give it a describe() that returns {\"Sequential\"}");
  };
  if (!run) return not_run("no operator() of it takes a Variable alone");
  Network network;
  try {
    network = network_of(weights);
  } catch (const NoRow& error) {
    return {Likeness::unlike, error.cause};
  } catch (const autograd::ValueError& error) {
    return {Likeness::unlike, error.what()};
  }
  const std::size_t features = network.input_size();
  const Tensor input{{steps, features}, random_values(steps * features, 7)};
  const Tensor row = nn::infer::evaluate(network, input);
  const double allowed = weights.dtype == Dtype::float32 ? 1e-4 : 1e-9;
  std::string failure;
  bool ran = false;
  for (const Shape& shape : {Shape{steps, 1, features}, Shape{1, steps, features}, Shape{steps, features}}) {
    try {
      const std::optional<Tensor> answer = run({shape, input.values});
      if (!answer) return not_run("it answers with no Variable, and with nothing that has one as output");
      if (difference(*answer, row) <= allowed) return {Likeness::like, ""};
      ran = true;
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }
  if (ran) return {Likeness::unlike, "it does not answer as its layers in a row do"};
  return not_run("it could not be run: " + failure);
}

}  // namespace nn::io::detail
