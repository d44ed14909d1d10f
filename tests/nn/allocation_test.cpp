// The second training step allocates nothing: every way to the heap that the library has is counted here.
#include <array>

#include "allocations.hpp"
#include "autograd/ops.hpp"
#include "catch.hpp"
#include "nn/nn.hpp"
#include "nn/parameters.hpp"

using allocations::during;
using autograd::Generator;
using autograd::Tape;
using oracle::random_array;

namespace {

struct Model {
  nn::LSTM<double> lstm;
  nn::Linear<double> head;

  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

}  // namespace

TEST_CASE("the counter sees what new and xtensor allocate", "[allocation]") {
  // The functions themselves: a compiler may leave out a new expression whose memory nobody looks at.
  CHECK(during([] { ::operator delete(::operator new(8)); }) == 1);
  CHECK(during([] { ::operator delete[](::operator new[](8)); }) == 1);
  CHECK(during([] { const autograd::Array<double> array = autograd::zeros<double>({100}); }) >= 1);
}

TEST_CASE("the second training step allocates nothing", "[allocation]") {
  Generator generator(1);
  nn::LayersOptions options{
      .input_size = 3, .hidden_size = 5, .num_layers = 2, .name = "a name too long for its string"};
  bool with_lengths = false, with_state = false;
  SECTION("one direction") {}
  SECTION("everything") {
    options.batch_first = options.bidirectional = with_lengths = with_state = true;
    options.proj_size = 2;
    options.dropout = 0.5;
  }
  const std::size_t layers = options.num_layers, directions = options.bidirectional ? 2 : 1;
  const std::size_t width = options.proj_size ? options.proj_size : options.hidden_size;
  Model model{{options, generator}, {directions * width, 2, generator}};
  nn::SGD<double> sgd(model, {.learning_rate = 0.01, .momentum = 0.9});
  nn::RMSProp<double> rmsprop(model, {.momentum = 0.5, .centered = true});
  nn::Adam<double> adam(model);
  const auto input = random_array({4, 4, 3}, generator), target = random_array({4, 4, 2}, generator);
  const auto h0 = random_array({layers * directions, 4, width}, generator);
  const auto c0 = random_array({layers * directions, 4, options.hidden_size}, generator);
  const std::vector<std::size_t> lengths{4, 1, 3, 2};

  Tape<double> tape;
  double loss_before = 0, loss_after = 0;
  const auto step = [&](nn::Optimizer<double>& optimizer) {
    tape.clear();
    const auto x = tape.variable(input);
    nn::LSTM<double>::Call call{.dropout = &generator};
    if (with_state) call.initial = {{tape.variable(h0), tape.variable(c0)}};
    if (with_lengths) call.lengths = lengths;
    const auto loss = nn::mse(model.head(model.lstm(x, call).output), tape.constant(target));
    optimizer.zero_grad();
    tape.backward(loss);
    nn::clip_grad_norm(optimizer.parameters(), 1.0);
    optimizer.step();
    loss_after = loss.item();
  };
  CHECK(during([&] { step(sgd); }) > 0);
  loss_before = loss_after;
  CHECK(during([&] { step(sgd); }) == 0);
  CHECK(during([&] { step(rmsprop); }) == 0);
  CHECK(during([&] { step(adam); }) == 0);
  CHECK(loss_after != loss_before);
}

TEST_CASE("a training step holds at most 1.3 times what it has to keep", "[allocation]") {
  const auto [steps, batch, input, hidden] =
      GENERATE(std::array<std::size_t, 4>{28, 32, 28, 64}, std::array<std::size_t, 4>{50, 32, 64, 128});
  Generator generator(1);
  nn::LSTM<float> lstm({.input_size = input, .hidden_size = hidden}, generator);
  const autograd::Array<float> x = autograd::zeros<float>({steps, batch, input});
  const autograd::Array<float> target = autograd::zeros<float>({steps, batch, hidden});
  Tape<float> tape;
  for (int k = 0; k < 2; ++k) {
    tape.clear();
    tape.backward(nn::mse(lstm(tape.constant(x)).output, tape.constant(target)));
  }
  std::size_t parameters = 0;
  for (const auto* parameter : nn::parameters<float>(lstm)) parameters += 2 * parameter->size() * sizeof(float);
  // The input; four gates, h and c, and two more of that size for gradients.
  const std::size_t values = steps * batch * (input + 8 * hidden) * sizeof(float);
  INFO("tape " << tape.memory() << ", parameters and gradients " << parameters << ", values " << values);
  CHECK(double(parameters + tape.memory()) <= 1.3 * double(parameters + values));
}
