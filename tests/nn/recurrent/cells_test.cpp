// The stock cells: fused against op by op, over sequences against step by step, and to the second order.
#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/audit/input_gated_cell.hpp"
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
  const auto with = [&](const nn::Nonlinearities& by) {
    return nn::CellOptions{.input_size = 3, .hidden_size = 5, .bias = bias, .nonlinearities = by};
  };
  f("rnn, relu", nn::RNNCell<T>(with({.hidden = nn::Nonlinearity::relu}), generator));
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
  nn::Nonlinearities others{.gate = nn::Nonlinearity::hard_sigmoid, .candidate = nn::Nonlinearity::softsign};
  f("gru, other nonlinearities", nn::GRUCell<T>(with(others), generator));
  others.hidden = nn::Nonlinearity::softplus;
  f("lstm, other nonlinearities", nn::LSTMCell<T>(with(others), generator));
}

/// Values and gradients of a sequence, fused, or op by op as when a name is watched.
template <class T, class C>
std::vector<Array<T>> run(const C& cell, const Array<T>& input, std::span<const std::size_t> lengths, bool watched) {
  Tape<T> tape;
  if (watched) tape.record_op_by_op();
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

using nn::Nonlinearities;
using nn::Nonlinearity;

/// The next h of a cell without a bias, and what its equations say, op by op: equations(z, h, by) where z is x W_ihᵀ.
template <class C>
void check_equations(C cell, const Nonlinearities& by, auto equations) {
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
      case Nonlinearity::softmax:
        return exp(v) / sum(exp(v), {-1}, true);
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
  std::vector<Nonlinearities> choices{{}};
  for (int k = 0; k <= static_cast<int>(Nonlinearity::softmax); ++k) {
    const auto f = static_cast<Nonlinearity>(k);
    choices.push_back({.gate = f});
    choices.push_back({.candidate = f});
    choices.push_back({.hidden = f});
  }
  for (const Nonlinearities& by : choices) {
    INFO(name(by.gate) << ", " << name(by.candidate) << ", " << name(by.hidden));
    const nn::CellOptions options{.input_size = 3, .hidden_size = 5, .bias = false, .nonlinearities = by};
    check_equations(nn::LSTMCell<double>(options, generator), by, LSTMSays());
    if (by.hidden != Nonlinearity::tanh) continue;  // which those below lack
    check_equations(nn::GRUCell<double>(options, generator), by, GRUSays());
    check_equations(nn::GRUResetBeforeCell<double>(options, generator), by, GRUResetBeforeSays());
    check_equations(nn::MinimalGatedCell<double>(options, generator), by, MinimalGatedSays());
  }
}

TEST_CASE("the LSTM's variants take other nonlinearities in the same places", "[cells]") {
  const Nonlinearities by{Nonlinearity::hard_sigmoid, Nonlinearity::elu, Nonlinearity::softsign};
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
    check(nn::CoupledLSTMCell<double>({.input_size = 3, .hidden_size = 5, .nonlinearities = by}, generator));
  else
    check(nn::PeepholeLSTMCell<double>({.input_size = 3, .hidden_size = 5, .nonlinearities = by}, generator));
}

TEST_CASE("networks hand nonlinearities to their cells, and describe them", "[cells]") {
  Generator generator(19);
  const auto has = [](const nn::Description& description, const nn::Attribute& attribute) {
    INFO(description.type << " " << attribute.name);
    CHECK(std::count(description.attributes.begin(), description.attributes.end(), attribute) == 1);
  };
  const auto with = [](const Nonlinearities& by) {
    return nn::LayersOptions{.input_size = 3, .hidden_size = 5, .nonlinearities = by};
  };
  nn::LSTM<double> lstm(with({Nonlinearity::hard_sigmoid, Nonlinearity::elu, Nonlinearity::relu}), generator);
  nn::GRU<double> gru(with({.gate = Nonlinearity::hard_sigmoid, .candidate = Nonlinearity::elu}), generator);
  nn::RNN<double> rnn(with({.hidden = Nonlinearity::relu}), generator);
  has(lstm.describe(), {"hidden_nonlinearity", "relu"});
  for (const nn::Description& description : {lstm.describe(), gru.describe()}) {
    has(description, {"gate_nonlinearity", "hard_sigmoid"});
    has(description, {"candidate_nonlinearity", "elu"});
  }
  has(rnn.describe(), {"nonlinearity", "relu"});

  // What they compute is not what the usual ones do.
  Tape<double> tape;
  const auto x = tape.constant(random_array({2, 2, 3}, generator));
  const auto differs = [&](auto& network, auto usual) {
    nn::for_each_parameter(network, [&](const std::string& path, const auto& parameter) {
      nn::for_each_parameter(usual, [&](const std::string& other, auto& copy) {
        if (path == other) copy = parameter;
      });
    });
    CHECK(distance(network(x).output.copy(), usual(x).output.copy()) > 1e-3);
  };
  differs(lstm, nn::LSTM<double>(with({}), generator));
  differs(gru, nn::GRU<double>(with({}), generator));
  differs(rnn, nn::RNN<double>(with({}), generator));
}

TEST_CASE("a cell refuses an option that it lacks", "[cells]") {
  Generator generator(20);
  const auto error = [&]<class C>(const nn::CellOptions& options, C*) {
    return error_text<ValueError>([&] { C(options, generator); });
  };
  nn::CellOptions projected{3, 5}, forgetful{3, 5}, gate{3, 5}, candidate{3, 5}, hidden{3, 5};
  projected.proj_size = 2;
  forgetful.forget_bias = 1;
  gate.nonlinearities.gate = Nonlinearity::tanh;
  candidate.nonlinearities.candidate = hidden.nonlinearities.hidden = Nonlinearity::elu;
  const std::string accepted = "nothing was thrown",
                    no_projection = ": proj_size is not an option of this cell; leave it out",
                    no_forget_bias = ": forget_bias is not an option of this cell; leave it out",
                    none = ", and this cell applies none there; leave it out";
  const auto plain = [&]<class C>(const std::string& name, C* cell) {
    CHECK(error(projected, cell) == name + no_projection);
    CHECK(error(forgetful, cell) == name + no_forget_bias);
    CHECK(error(hidden, cell) == name + ": nonlinearities.hidden is elu" + none);
    CHECK(error(gate, cell) == accepted);
    CHECK(error(candidate, cell) == accepted);
  };
  plain("gru", static_cast<nn::GRUCell<double>*>(nullptr));
  plain("gru", static_cast<nn::GRUResetBeforeCell<double>*>(nullptr));
  plain("minimal_gated", static_cast<nn::MinimalGatedCell<double>*>(nullptr));
  nn::RNNCell<double>* const rnn = nullptr;
  CHECK(error(projected, rnn) == "rnn" + no_projection);
  CHECK(error(forgetful, rnn) == "rnn" + no_forget_bias);
  CHECK(error(gate, rnn) == "rnn: nonlinearities.gate is tanh" + none);
  CHECK(error(candidate, rnn) == "rnn: nonlinearities.candidate is elu" + none);
  CHECK(error(hidden, rnn) == accepted);
  nn::CoupledLSTMCell<double>* const coupled = nullptr;
  CHECK(error(projected, coupled) == "coupled_lstm" + no_projection);
  CHECK(error(forgetful, coupled) == "coupled_lstm" + no_forget_bias);
  nn::PeepholeLSTMCell<double>* const peephole = nullptr;
  CHECK(error(projected, peephole) == "peephole_lstm" + no_projection);
  CHECK(error(forgetful, peephole) == accepted);
  nn::LSTMCell<double>* const lstm = nullptr;
  for (const nn::CellOptions& options : {projected, forgetful, gate, candidate, hidden})
    CHECK(error(options, lstm) == accepted);
  CHECK(error_text<ValueError>([&] {
          nn::GRU<double>({.input_size = 3, .hidden_size = 5, .proj_size = 2}, generator);
        }) == "gru" + no_projection);
}

TEST_CASE("the forget bias is that of the forget gate", "[cells]") {
  const auto added = [](auto make) {
    Generator one(21), other(21);
    const auto with = make(nn::CellOptions{.input_size = 3, .hidden_size = 2, .forget_bias = 1}, one),
               without = make(nn::CellOptions{.input_size = 3, .hidden_size = 2}, other);
    CHECK(same_bits(with.weight_ih.value(), without.weight_ih.value()));
    return Array<double>(with.bias_ih->value() - without.bias_ih->value());
  };
  const Array<double> expected{0, 0, 1, 1, 0, 0, 0, 0};
  CHECK(distance(added([](auto options, Generator& g) { return nn::LSTMCell<double>(options, g); }), expected) <=
        1e-15);
  CHECK(distance(added([](auto options, Generator& g) { return nn::PeepholeLSTMCell<double>(options, g); }),
                 expected) <= 1e-15);
}

TEST_CASE("hidden_size is H and output_size R, whatever the cell", "[cells]") {
  Generator generator(22);
  const nn::LSTMCell<double> projected({.input_size = 3, .hidden_size = 5, .proj_size = 2}, generator);
  CHECK((projected.hidden_size() == 5 && projected.output_size() == 2));
  const nn::RecurrentWeights<double>& base = projected;
  CHECK((base.hidden_size() == 5 && base.output_size() == 2));
  const nn::GRUCell<double> gru({3, 5}, generator);
  CHECK((gru.hidden_size() == 5 && gru.output_size() == 5));
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
