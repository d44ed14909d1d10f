// The streaming runtime: PyTorch's numbers, one step at a time, without an allocation.
#include <cmath>

#include "allocations.hpp"
#include "autograd/error.hpp"
#include "catch.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/module_weights.hpp"
#include "nn/io/networks.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/lstm.hpp"
#include "oracle.hpp"

using namespace networks;
using autograd::ShapeError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using nn::Nonlinearity;
using nn::infer::evaluate;
using nn::infer::Stream;
using nn::io::Weights;

namespace {

Tensor tensor_of(const autograd::Array<double>& array) {
  return {autograd::shape_of(array), {array.data(), array.data() + array.size()}};
}

/// The network of a case, with the initial state of sequence `b`.
Network network_of_case(const oracle::Case& c, std::size_t b) {
  Weights weights{.dtype = Dtype::float64};
  for (const std::string& name : c.keys("/params"))
    weights.tensors.emplace_back("rec." + name, tensor_of(c.tensor("/params/" + name)));
  Network network = nn::io::network_of(weights);
  const bool relu = c.has("/config/nonlinearity") && c.get<std::string>("/config/nonlinearity") == "relu";
  std::size_t index = 0;
  for (Layer& layer : network.layers) {
    if (relu) layer.activation = Nonlinearity::relu;
    for (Arrays& arrays : layer.directions) {
      if (!c.has("/h0")) break;
      const auto state = [&](const char* name) {
        const Tensor all = tensor_of(c.tensor(name));
        const std::size_t width = all.shape[2], first = (index * all.shape[1] + b) * width;
        return Tensor{{width},
                      {all.values.begin() + static_cast<std::ptrdiff_t>(first),
                       all.values.begin() + static_cast<std::ptrdiff_t>(first + width)}};
      };
      arrays.h0 = state("/h0");
      if (layer.kind == lstm) arrays.c0 = state("/c0");
      ++index;
    }
  }
  return network;
}

/// Sequence b of (T, B, F), or of (B, T, F).
Tensor sequence(const Tensor& all, std::size_t b, bool batch_first) {
  const std::size_t steps = all.shape[batch_first ? 1 : 0], batch = all.shape[batch_first ? 0 : 1],
                    width = all.shape[2];
  Tensor result = nn::io::zero_tensor({steps, width});
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t k = 0; k < width; ++k)
      result.values[t * width + k] = all.values[(batch_first ? b * steps + t : t * batch + b) * width + k];
  return result;
}

template <class T>
Tensor streamed(Stream<T>& stream, const Tensor& input) {
  std::vector<T> x(input.values.begin(), input.values.end()), y(input.shape[0] * stream.output_size());
  stream.run(x.data(), y.data(), input.shape[0]);
  return {{input.shape[0], stream.output_size()}, {y.begin(), y.end()}};
}

struct Model {
  nn::LSTM<double> lstm;
  nn::Linear<double> head;
  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

std::vector<Network> streamable() {
  return {random_network(1, {{lstm, 8}, {linear, 1}}),
          random_network(3, {{lstm, 17}, {lstm, 5}, {linear, 2}}),
          random_network(2, {{lstm, 20, true, 1, Nonlinearity::identity, 7}, {linear, 1}}),
          random_network(2, {{gru, 16}, {gru, 3}, {linear, 4, true, 1, Nonlinearity::tanh}}),
          random_network(2, {{gru, 33, false}, {linear, 1}}),
          random_network(
              4, {{rnn, 19}, {rnn, 5, true, 1, Nonlinearity::relu}, {linear, 3, true, 1, Nonlinearity::softmax}}),
          random_network(2, {{linear, 9, true, 1, Nonlinearity::elu},
                             {linear, 40, true, 1, Nonlinearity::sigmoid},
                             {linear, 6, true, 1, Nonlinearity::relu}})};
}

}  // namespace

TEST_CASE("PyTorch's outputs, of every kind of layer") {
  std::size_t compared = 0;
  for (const char* family : {"lstm", "gru", "rnn"})
    for (const oracle::Case& c : oracle::cases(family)) {
      if (c.has("/config/lengths")) continue;
      INFO(c.name());
      const bool batch_first = c.get<bool>("/config/batch_first");
      const Tensor input = tensor_of(c.tensor("/input")), output = tensor_of(c.tensor("/output"));
      for (std::size_t b = 0; b < c.get<std::size_t>("/config/B"); ++b) {
        const Network network = network_of_case(c, b);
        const Tensor x = sequence(input, b, batch_first), expected = sequence(output, b, batch_first);
        CHECK(largest_difference(evaluate(network, x), expected) < 1e-12);
        ++compared;
        if (network.layers[0].directions.size() == 2) continue;
        Stream<double> stream(network);
        CHECK(largest_difference(streamed(stream, x), expected) < 1e-12);
        Stream<float> narrow(network);
        CHECK(largest_difference(streamed(narrow, x), expected) < 5e-5);  // 200 steps, saturated gates
      }
    }
  CHECK(compared > 100);
}

TEST_CASE("a module and its stream answer the same") {
  nn::Generator generator(3);
  Model model{nn::LSTM<double>({.input_size = 3, .hidden_size = 7, .num_layers = 2, .bidirectional = true}, generator),
              nn::Linear<double>(14, 2, generator)};
  const auto x = nn::normal<double>({11, 1, 3}, 0, 1, generator);
  autograd::Tape<double> tape;
  const auto y = model.head(model.lstm(tape.constant(x)).output).copy();
  Tensor input = tensor_of(x), expected = tensor_of(y);
  input.shape = {11, 3};
  expected.shape = {11, 2};
  const Network network = nn::io::network_of(model);
  CHECK(largest_difference(evaluate(network, input), expected) < 1e-13);
}

TEST_CASE("a step allocates nothing, and reset begins anew") {
  for (const Network& network : streamable()) {
    Random random(7);
    const Tensor input = random.tensor({20, network.input_size()});
    const Tensor expected = evaluate(network, input);
    Stream<float> stream(network);
    std::vector<float> x(input.values.begin(), input.values.end()), y(20 * stream.output_size());
    CHECK(allocations::during([&] { stream.run(x.data(), y.data(), 20); }) == 0);
    CHECK(largest_difference({{20, stream.output_size()}, {y.begin(), y.end()}}, expected) < 1e-5);
    CHECK(allocations::during([&] { stream.reset(); }) == 0);
    CHECK(largest_difference(streamed(stream, input), expected) < 1e-5);
    CHECK(largest_difference(streamed(stream, input), expected) > 1e-5 * (network.layers[0].recurrent() ? 1 : -1));
  }
}

TEST_CASE("input and output of a step may be the same memory") {
  Network network = random_network(1, {{lstm, 9}, {linear, 1}});
  network.skip = 1;
  network.input_gain_db = 6;
  network.output_gain_db = -3;
  Random random(7);
  const Tensor input = random.tensor({20, 1});
  Stream<float> stream(network);
  std::vector<float> samples(input.values.begin(), input.values.end());
  stream.run(samples.data(), samples.data(), 20);
  const Tensor expected = evaluate(network, input);
  CHECK(largest_difference({{20, 1}, {samples.begin(), samples.end()}}, expected) < 1e-5);

  // y = gout (f(gin x) + gin x), by the network without gains.
  Network plain = network;
  plain.skip = 0;
  plain.input_gain_db = plain.output_gain_db = 0;
  Tensor louder = input;
  for (double& value : louder.values) value *= std::pow(10, 0.3);
  Tensor sum = evaluate(plain, louder);
  for (std::size_t k = 0; k < 20; ++k) sum.values[k] = (sum.values[k] + louder.values[k]) * std::pow(10, -0.15);
  CHECK(largest_difference(sum, expected) < 1e-12);
}

TEST_CASE("the state after a burn-in") {
  const Network network = random_network(1, {{lstm, 4}, {gru, 3}, {linear, 1}}, Dtype::float64);
  const Network burnt = nn::infer::burnt_in(network, 50);
  Random random(7);
  const Tensor input = random.tensor({10, 1});
  Tensor late = nn::io::zero_tensor({60, 1});
  std::copy(input.values.begin(), input.values.end(), late.values.begin() + 50);
  Tensor all = evaluate(network, late);
  all.values.erase(all.values.begin(), all.values.begin() + 50);
  all.shape = {10, 1};
  CHECK(largest_difference(evaluate(burnt, input), all) < 1e-14);
  CHECK(largest_difference(evaluate(network, input), all) > 1e-3);
}

TEST_CASE("layers in both directions between others, in float and without gains") {
  Network network = random_network(
      2, {{lstm, 4}, {gru, 3, true, 2}, {linear, 5}, {rnn, 2, true, 2}, {lstm, 2, true, 2}, {gru, 3}, {linear, 2}});
  network.skip = 1;
  network.output_gain_db = 6;
  Random random(7);
  const Tensor input = random.tensor({30, 2});
  const Tensor whole = evaluate(network, input);
  nn::infer::Evaluation<float> narrow(network, input), plain(network, input, false);
  for (std::size_t t = 0; t < 30; ++t) {
    const float *const y = narrow.next(), *const z = plain.next();
    for (std::size_t k = 0; k < 2; ++k) {
      CHECK(std::abs(y[k] - whole.values[2 * t + k]) < 1e-5);
      CHECK(std::abs(z[k] * std::pow(10, 0.3) - whole.values[2 * t + k]) < 1e-5);
    }
  }
  // Layer by layer.
  Network first = network, last = network;
  first.layers.resize(3);
  last.layers.erase(last.layers.begin(), last.layers.begin() + 3);
  for (Network* const part : {&first, &last}) part->skip = 0;
  first.output_gain_db = last.output_gain_db = 0;
  const Tensor parts = evaluate(last, evaluate(first, input));
  for (std::size_t k = 0; k < 60; ++k) {
    const double sum = parts.values[k] + (k % 2 == 0 ? input.values[k] : 0);
    CHECK(std::abs(sum * std::pow(10, 0.3) - whole.values[k]) < 1e-12);
  }
}

TEST_CASE("what can not be streamed or evaluated is refused") {
  const Network both = random_network(2, {{lstm, 3, true, 2}, {linear, 1}});
  CHECK_THROWS_WITH(Stream<float>(both), ContainsSubstring("lstm is bidirectional, and a stream has no end"));
  CHECK_THROWS_AS(evaluate(both, nn::io::zero_tensor({4, 3})), ShapeError);
  Network broken = both;
  broken.layers[1].input_size = 5;
  CHECK_THROWS_WITH(evaluate(broken, nn::io::zero_tensor({4, 2})), ContainsSubstring("linear reads 5 features"));
  CHECK_THROWS_AS(Stream<float>(Network{}), ValueError);
}
