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
    f("minimal gated", nn::MinimalGatedCell<T>(options, generator));
    f("input gated", nn::InputGatedCell<T>({3, 5}, generator));
    nn::LSTMVariantOptions variant{.input_size = 3, .hidden_size = 5, .peephole = true, .norm_groups = 4};
    f("layer norm, peepholes", nn::LSTMVariantCell<T>(variant, generator));
    variant.carry = variant.coupled = true;
    variant.norm_groups = 3;
    variant.proj_size = 2;
    f("layer norm carried, coupled, projected", nn::LSTMVariantCell<T>(variant, generator));
  }
  f("lstm", nn::LSTMCell<T>({.input_size = 3, .hidden_size = 5, .bias = bias}, generator));
  const nn::GateNonlinearities others{nn::Nonlinearity::hard_sigmoid, nn::Nonlinearity::softsign,
                                      nn::Nonlinearity::softplus};
  f("gru, other nonlinearities", nn::GRUCell<T>(options, generator, others));
  f("lstm, other nonlinearities",
    nn::LSTMCell<T>({.input_size = 3, .hidden_size = 5, .bias = bias, .nonlinearities = others}, generator));
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

namespace {

using nn::GateNonlinearities;
using nn::Nonlinearity;

/// The next h of a cell without a bias, and what its equations say, op by op: equations(z, h, by) where z is x W_ihᵀ.
template <class C>
void check_equations(C cell, const GateNonlinearities& by, auto equations) {
  Generator generator(17);
  Tape<double> tape;
  const auto x = tape.constant(random_array({2, 3}, generator)), h = tape.constant(random_array({2, 5}, generator));
  const auto w = [&](Index from, Index to) { return slice(tape.parameter(cell.weight_hh), 0, 5 * from, 5 * to); };
  const auto z = linear(x, tape.parameter(cell.weight_ih));
  const auto block = [&](Index k) { return slice(z, 1, 5 * k, 5 * (k + 1)); };
  const auto f = [](Nonlinearity which, Variable<double> v) {
    switch (which) {
      case Nonlinearity::identity:
        return v;
      case Nonlinearity::tanh:
        return tanh(v);
      case Nonlinearity::relu:
        return maximum(v, 0.0 * v);
      case Nonlinearity::sigmoid:
        return 1 / (1 + exp(-v));
      case Nonlinearity::hard_sigmoid:
        return clip(v / 6 + 0.5, 0, 1);
      case Nonlinearity::hard_tanh:
        return clip(v, -1, 1);
      case Nonlinearity::leaky_relu:
        return maximum(v, 0.01 * v);
      case Nonlinearity::elu:
        return where(greater(v, 0.0 * v), v, exp(v) - 1);
      case Nonlinearity::softplus:
        return log(1 + exp(v));
      case Nonlinearity::softsign:
        return v / (1 + abs(v));
    }
    return v;
  };
  CHECK(distance(nn::output(cell(x, equations(tape, h))).copy(),
                 equations
                     .h(
                         block, w, h, [&](auto v) { return f(by.gate, v); }, [&](auto v) { return f(by.candidate, v); },
                         [&](auto v) { return f(by.hidden, v); })
                     .copy()) <= 1e-14);
}

/// With c' = h'.
struct LSTMSays {
  auto operator()(Tape<double>&, Variable<double> h) const { return nn::LSTMState<double>{h, h}; }
  auto h(auto z, auto w, auto h, auto gate, auto candidate, auto hidden) const {
    const auto pre = [&](Index k) { return z(k) + linear(h, w(k, k + 1)); };
    return gate(pre(3)) * hidden(gate(pre(1)) * h + gate(pre(0)) * candidate(pre(2)));
  }
};
struct HiddenState {
  auto operator()(Tape<double>&, Variable<double> h) const { return h; }
};
struct GRUSays : HiddenState {
  auto h(auto z, auto w, auto h, auto gate, auto candidate, auto) const {
    const auto u = [&](Index k) { return linear(h, w(k, k + 1)); };
    const auto update = gate(z(1) + u(1));
    return (1 - update) * candidate(z(2) + gate(z(0) + u(0)) * u(2)) + update * h;
  }
};
struct GRUResetBeforeSays : HiddenState {
  auto h(auto z, auto w, auto h, auto gate, auto candidate, auto) const {
    const auto update = gate(z(1) + linear(h, w(1, 2)));
    const auto reset = gate(z(0) + linear(h, w(0, 1)));
    return (1 - update) * candidate(z(2) + linear(reset * h, w(2, 3))) + update * h;
  }
};
struct MinimalGatedSays : HiddenState {
  auto h(auto z, auto w, auto h, auto gate, auto candidate, auto) const {
    const auto f = gate(z(0) + linear(h, w(0, 1)));
    return (1 - f) * h + f * candidate(z(1) + linear(f * h, w(1, 2)));
  }
};

}  // namespace

TEST_CASE("gates, candidates and hidden states take any nonlinearity", "[cells]") {
  Generator generator(16);
  const nn::CellOptions options{3, 5, false};
  std::vector<GateNonlinearities> choices{{}};
  for (int k = 0; k <= static_cast<int>(Nonlinearity::softsign); ++k) {
    const auto f = static_cast<Nonlinearity>(k);
    choices.push_back({.gate = f});
    choices.push_back({.candidate = f});
    choices.push_back({.hidden = f});
  }
  for (const GateNonlinearities& by : choices) {
    INFO(name(by.gate) << ", " << name(by.candidate) << ", " << name(by.hidden));
    check_equations(
        nn::LSTMCell<double>({.input_size = 3, .hidden_size = 5, .bias = false, .nonlinearities = by}, generator), by,
        LSTMSays());
    check_equations(nn::GRUCell<double>(options, generator, by), by, GRUSays());
    check_equations(nn::GRUResetBeforeCell<double>(options, generator, by), by, GRUResetBeforeSays());
    check_equations(nn::MinimalGatedCell<double>(options, generator, by), by, MinimalGatedSays());
  }
}

TEST_CASE("the LSTM's variants take other nonlinearities in the same places", "[cells]") {
  const GateNonlinearities by{Nonlinearity::hard_sigmoid, Nonlinearity::elu, Nonlinearity::softsign};
  const bool coupled = GENERATE(false, true);
  Generator generator(18);
  nn::LSTMVariantCell<double> composed(
      {.input_size = 3, .hidden_size = 5, .peephole = !coupled, .coupled = coupled, .nonlinearities = by}, generator);
  const auto check = [&](auto cell) {
    cell.weight_ih = composed.weight_ih;
    cell.weight_hh = composed.weight_hh;
    cell.bias_ih = composed.bias;
    cell.bias_hh->update([](auto& values) { values.fill(0); });
    if constexpr (requires { cell.peephole_i; }) {
      cell.peephole_i = *composed.peephole_i;
      cell.peephole_f = *composed.peephole_f;
      cell.peephole_o = *composed.peephole_o;
    }
    const Array<double> x = random_array({4, 2, 3}, generator);
    Tape<double> tape;
    CHECK(distance(nn::Recurrent(cell)(tape.constant(x)).output.copy(),
                   nn::Recurrent(composed)(tape.constant(x)).output.copy()) <= 1e-14);
  };
  if (coupled)
    check(nn::CoupledLSTMCell<double>({3, 5}, generator, by));
  else
    check(nn::PeepholeLSTMCell<double>({3, 5}, generator, by));
}

TEST_CASE("networks hand nonlinearities to their cells, and describe them", "[cells]") {
  Generator generator(19);
  const GateNonlinearities by{.gate = Nonlinearity::hard_sigmoid, .hidden = Nonlinearity::relu};
  const nn::LSTM<double> lstm({.input_size = 3, .hidden_size = 5, .nonlinearities = by}, generator);
  const nn::GRU<double> gru({.input_size = 3, .hidden_size = 5}, generator, by);
  for (const nn::Description& description : {lstm.describe(), gru.describe()}) {
    INFO(description.type);
    const auto has = [&](const nn::Attribute& attribute) {
      return std::count(description.attributes.begin(), description.attributes.end(), attribute) == 1;
    };
    CHECK(has({"gate_nonlinearity", "hard_sigmoid"}));
    CHECK(has({"candidate_nonlinearity", "tanh"}));
    CHECK(has({"hidden_nonlinearity", "relu"}));
  }
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
