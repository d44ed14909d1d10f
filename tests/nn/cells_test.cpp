// The stock cells: fused against op by op, over sequences against step by step, and to the second order.
#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/nn.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

/// f(name, cell) for each stock cell of 3 inputs and 5 hidden units.
template <class T>
void for_each_cell(bool bias, auto f) {
  Generator generator(4);
  const nn::CellOptions options{3, 5, bias};
  f("rnn", nn::RNNCell<T>(options, generator));
  f("rnn, relu", nn::RNNCell<T>(options, generator, nn::Nonlinearity::relu));
  f("gru", nn::GRUCell<T>(options, generator));
  f("peephole", nn::PeepholeLSTMCell<T>(options, generator));
  f("coupled", nn::CoupledLSTMCell<T>(options, generator));
  if (bias) {
    f("gru, reset before", nn::GRUResetBeforeCell<T>(options, generator));
    f("input gated", nn::InputGatedCell<T>({3, 5}, generator));
    nn::LSTMVariantOptions variant{.input_size = 3, .hidden_size = 5, .peephole = true, .norm_groups = 4};
    f("layer norm, peepholes", nn::LSTMVariantCell<T>(variant, generator));
    variant.carry = variant.coupled = true;
    variant.norm_groups = 3;
    variant.proj_size = 2;
    f("layer norm carried, coupled, projected", nn::LSTMVariantCell<T>(variant, generator));
  }
  f("lstm", nn::LSTMCell<T>({.input_size = 3, .hidden_size = 5, .bias = bias}, generator));
}

/// Values and gradients of a sequence, fused, or op by op as when a name is watched.
template <class T, class C>
std::vector<Array<T>> run(const C& cell, const Array<T>& input, std::span<const std::size_t> lengths, bool watched) {
  Tape<T> tape;
  if (watched) tape.watch("none");
  nn::Recurrent recurrent(cell);
  const auto x = tape.variable(input);
  const auto result = recurrent(x, {.lengths = lengths});
  tape.backward(sum(square(result.output)) + sum(nn::output(result.state)));
  std::vector<Array<T>> all{result.output.copy(), tape.gradient(x)};
  nn::for_each_parameter(recurrent, [&](const std::string&, auto& p) { all.push_back(p.grad()); });
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("every stock cell is the same fused and op by op", "[cells]", float, double) {
  using T = TestType;
  Generator generator(12);
  const Array<T> x = random_array<T>({6, 4, 3}, generator);
  const std::size_t lengths[] = {6, 0, 3, 5};
  for (const bool bias : {true, false})
    for_each_cell<T>(bias, [&](const char* name, auto cell) {
      for (const bool padded : {false, true}) {
        INFO(name << (bias ? "" : ", no bias") << (padded ? ", lengths" : ""));
        const std::span<const std::size_t> given =
            padded ? std::span<const std::size_t>(lengths) : std::span<const std::size_t>();
        const auto fused = run<T>(cell, x, given, false), composed = run<T>(cell, x, given, true);
        REQUIRE(fused.size() == composed.size());
        for (std::size_t k = 0; k < fused.size(); ++k)
          CHECK(distance(fused[k], composed[k]) <= (sizeof(T) == 4 ? 3e-6 : 1e-14));
      }
    });
}

TEST_CASE("every stock cell, step by step, gives what it gives over the sequence", "[cells]") {
  Generator generator(13);
  const Array<double> input = random_array({5, 2, 3}, generator);
  for_each_cell<double>(true, [&](const char* name, auto cell) {
    INFO(name);
    Tape<double> tape;
    const auto x = tape.constant(input);
    nn::Recurrent recurrent(cell);
    const auto whole = recurrent(x).output.copy();
    auto state = cell.zero_state(tape, 2);
    for (Index t = 0; t < 5; ++t) {
      state = cell(select(x, 0, t), state);
      const Array<double> h = nn::output(state).copy();
      double off = 0;
      for (std::size_t k = 0; k < h.size(); ++k)
        off = std::max(off, std::abs(h.data()[k] - whole.data()[static_cast<std::size_t>(t) * h.size() + k]));
      CHECK(off <= 1e-15);
    }
  });
}

TEST_CASE("first and second derivatives of every stock cell agree with the complex step", "[cells]") {
  Generator generator(14);
  const Array<double> input = random_array({3, 2, 3}, generator);
  for_each_cell<double>(true, [&](const char* name, auto cell) {
    INFO(name);
    nn::Recurrent recurrent(cell);
    const auto report = gradient_check(
        [&](std::span<const Variable<double>> x) { return sum(square(recurrent(x[0]).output)); }, {input});
    INFO(report);
    for (const GradientComparison& comparison : report.comparisons)
      CHECK(comparison.error <= (comparison.derivative == "gradient" ? 1e-13 : 1e-11));
  });
}

TEST_CASE("cells name what they compute once it is watched", "[cells]") {
  Generator generator(15);
  nn::GRUCell<double> gru({3, 5}, generator);
  nn::Recurrent recurrent(gru);
  Tape<double> tape;
  for (const char* name : {"r", "z", "n", "h"}) tape.watch(name);
  const auto result = recurrent(tape.constant(random_array({4, 2, 3}, generator)));
  tape.backward(sum(result.output));
  for (const char* name : {"r", "z", "n", "h"}) {
    REQUIRE(tape.find(name).size() == 4);
    CHECK(tape.gradient(tape.find(name)[0]).size() == 10);
  }
}

TEST_CASE("cells refuse sizes of 0", "[cells]") {
  Generator generator(1);
  CHECK(error_text<ValueError>([&] {
          nn::GRUCell<double>({0, 5}, generator);
        }) == "gru: input_size and hidden_size must be positive, got 0 and 5");
  CHECK(error_text<ValueError>([&] {
          nn::PeepholeLSTMCell<double>({3, 0}, generator);
        }) == "peephole_lstm: input_size and hidden_size must be positive, got 3 and 0");
}
