// LSTM against PyTorch's, against the hand-derived gradients, and what it does beside computing.
#include "nn/recurrent/lstm.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/gradient.hpp"
#include "autograd/ops.hpp"
#include "catch.hpp"
#include "nn/manual/lstm_bptt.hpp"
#include "nn/parameters.hpp"
#include "oracle.hpp"

using autograd::Array;
using autograd::Generator;
using autograd::Shape;
using autograd::ShapeError;
using autograd::Tape;
using autograd::ValueError;
using autograd::Variable;
using nn::LayersOptions;
using nn::LSTM;
using oracle::agree;
using oracle::Case;
using oracle::random_array;

namespace {

/// Σ x w.
template <class T>
Variable<T> inner(Variable<T> x, const Array<T>& w) {
  return sum(x * x.tape().constant(w));
}

LayersOptions options_of(const Case& c) {
  const auto flag = [&](const char* key) { return c.has(key) && c.get<bool>(key); };
  return {.input_size = c.get<std::size_t>("/config/input_size"),
          .hidden_size = c.get<std::size_t>("/config/hidden_size"),
          .num_layers = c.get<std::size_t>("/config/num_layers"),
          .bias = !c.has("/config/bias") || flag("/config/bias"),
          .batch_first = flag("/config/batch_first"),
          .bidirectional = flag("/config/bidirectional"),
          .proj_size = c.get<std::size_t>("/config/proj_size")};
}

}  // namespace

TEST_CASE("lstm: results and gradients are PyTorch's", "[lstm][oracle]") {
  REQUIRE(oracle::cases("lstm").size() == 27);
  for (const Case& c : oracle::cases("lstm")) DYNAMIC_SECTION(c.name()) {
      Generator generator(1);
      LSTM<double> lstm(options_of(c), generator);
      REQUIRE(oracle::same_names(lstm, c, "/params"));
      oracle::load(lstm, c, "/params");
      std::vector<std::size_t> lengths;
      if (c.has("/config/lengths")) lengths = c.get<std::vector<std::size_t>>("/config/lengths");

      Tape<double> tape;
      const auto x = tape.variable(c.tensor("/input"));
      nn::LSTMState<double> initial;
      if (c.has("/h0")) initial = {tape.variable(c.tensor("/h0")), tape.variable(c.tensor("/c0"))};
      const auto [output, state] = lstm(x, {.initial = initial, .lengths = lengths});
      const double atol = c.get<std::size_t>("/config/T") >= 200 ? 1e-10 : 1e-12;
      CHECK(agree(output.copy(), c.tensor("/output"), atol));
      CHECK(agree(state.h.copy(), c.tensor("/h_n"), atol));
      CHECK(agree(state.c.copy(), c.tensor("/c_n"), atol));

      const auto loss = inner(output, c.tensor("/loss_weights/output")) +
                        inner(state.h, c.tensor("/loss_weights/h_n")) + inner(state.c, c.tensor("/loss_weights/c_n")) +
                        c.get<double>("/loss_quadratic") * sum(output * output);
      CHECK(std::abs(loss.item() - c.get<double>("/loss")) <= atol * (1 + std::abs(loss.item())));
      tape.backward(loss);
      nn::for_each_parameter(lstm, [&](const std::string& name, const auto& parameter) {
        INFO(name);
        CHECK(agree(parameter.grad(), c.tensor("/grads/params/" + name), atol));
      });
      CHECK(agree(tape.gradient(x), c.tensor("/grads/input"), atol));
      CHECK(c.has("/grads/h0") == c.has("/h0"));
      if (c.has("/h0")) {
        CHECK(agree(tape.gradient(initial.h), c.tensor("/grads/h0"), atol));
        CHECK(agree(tape.gradient(initial.c), c.tensor("/grads/c0"), atol));
      }
    }
}

TEST_CASE("lstm: products with the Hessian are PyTorch's", "[lstm][oracle]") {
  std::size_t found = 0;
  for (const Case& c : oracle::cases("rnn_second_order")) {
    if (c.get<std::string>("/config/module") != "LSTM") continue;
    ++found;
    DYNAMIC_SECTION(c.name()) {
      Generator generator(1);
      LSTM<double> lstm(options_of(c), generator);
      REQUIRE(oracle::same_names(lstm, c, "/values", {"input", "h0", "c0"}));
      oracle::load(lstm, c, "/values");

      Tape<double> tape;
      const auto x = tape.variable(c.tensor("/values/input"));
      const auto h0 = tape.variable(c.tensor("/values/h0")), c0 = tape.variable(c.tensor("/values/c0"));
      std::vector<std::string> names = oracle::parameter_names(lstm);
      std::vector<Variable<double>> leaves;
      nn::for_each_parameter(lstm, [&](const std::string&, auto& p) { leaves.push_back(tape.parameter(p)); });
      names.insert(names.end(), {"input", "h0", "c0"});
      leaves.insert(leaves.end(), {x, h0, c0});

      const auto output = lstm(x, {.initial = {{h0, c0}}}).output;
      const auto error = output - tape.constant(c.tensor("/target"));
      const auto loss = sum(error * error);
      const auto gradients = autograd::grad<double>(loss, leaves);
      Variable<double> along = tape.constant(Shape{}, 0);
      for (std::size_t k = 0; k < leaves.size(); ++k) {
        CHECK(agree(gradients[k].copy(), c.tensor("/grads/" + names[k])));
        along = along + inner(gradients[k], c.tensor("/v/" + names[k]));
      }
      tape.backward(along);
      nn::for_each_parameter(lstm, [&](const std::string& name, const auto& parameter) {
        INFO(name);
        CHECK(agree(parameter.grad(), c.tensor("/hvp/" + name)));
      });
      CHECK(agree(tape.gradient(x), c.tensor("/hvp/input")));
      CHECK(agree(tape.gradient(h0), c.tensor("/hvp/h0")));
      CHECK(agree(tape.gradient(c0), c.tensor("/hvp/c0")));
    }
  }
  CHECK(found == 3);
}

namespace {

/// A stack of LSTM layers with random weights, and the hand-derived gradients of a random loss.
struct Problem {
  std::size_t T, B, I, H, layers;
  bool given_state, every_step;

  Generator generator{T + 100 * B + 1000 * I + 10000 * layers + given_state + 2 * every_step};
  LSTM<double> lstm{{.input_size = I, .hidden_size = H, .num_layers = layers}, generator};
  Array<double> x = random_array({T, B, I}, generator);
  Array<double> h0 = initial(), c0 = initial();
  Array<double> direct = every_step ? random_array({T, B, H}, generator) : autograd::zeros<double>({T, B, H});
  Array<double> dh_n = random_array({layers, B, H}, generator), dc_n = random_array({layers, B, H}, generator);

  Array<double> initial() {
    return given_state ? random_array({layers, B, H}, generator) : autograd::zeros<double>({layers, B, H});
  }
};

/// What one run gives, under the names of the parameters and "output", "h_n", "c_n", "x", "h0", "c0".
using Quantities = std::vector<std::pair<std::string, Array<double>>>;

template <class T>
Quantities by_tape(const Problem& p) {
  Generator generator(1);
  LSTM<T> lstm(p.lstm.options(), generator);
  std::vector<const Array<double>*> values;
  nn::for_each_parameter(p.lstm, [&](const std::string&, const auto& q) { values.push_back(&q.value()); });
  auto next = values.begin();
  nn::for_each_parameter(lstm, [&](const std::string&, auto& q) { q.update([&](auto& to) { to = **next++; }); });

  Tape<T> tape;
  const auto x = tape.variable(Array<T>(p.x));
  nn::LSTMState<T> state;
  if (p.given_state) state = {tape.variable(Array<T>(p.h0)), tape.variable(Array<T>(p.c0))};
  const auto [output, last] = lstm(x, {.initial = state});
  Variable<T> loss = inner(last.h, Array<T>(p.dh_n)) + inner(last.c, Array<T>(p.dc_n));
  if (p.every_step) loss = loss + inner(output, Array<T>(p.direct));
  tape.backward(loss);

  Quantities result{{"output", output.copy()}, {"h_n", last.h.copy()}, {"c_n", last.c.copy()}, {"x", tape.gradient(x)}};
  if (p.given_state) {
    result.emplace_back("h0", tape.gradient(state.h));
    result.emplace_back("c0", tape.gradient(state.c));
  }
  nn::for_each_parameter(lstm, [&](const std::string& name, const auto& q) { result.emplace_back(name, q.grad()); });
  return result;
}

/// The (B, H) states of all layers, one after the other.
Array<double> stacked(const std::vector<const Array<double>*>& parts) {
  Array<double> result = autograd::make_array<double>({parts.size(), parts[0]->shape(0), parts[0]->shape(1)});
  for (std::size_t k = 0; k < parts.size(); ++k)
    std::copy(parts[k]->begin(), parts[k]->end(), result.data() + k * parts[k]->size());
  return result;
}

Quantities by_hand(const Problem& p) {
  std::vector<nn::manual::LstmWeights<double>> weights(p.layers);
  nn::for_each_parameter(p.lstm, [&](const std::string& name, const auto& parameter) {
    auto& layer = weights[static_cast<std::size_t>(name.back() - '0')];
    const Array<double>& value = parameter.value();
    if (name.starts_with("weight_ih")) layer.Wx = value;
    if (name.starts_with("weight_hh")) layer.Wh = value;
    if (name.starts_with("bias_ih")) layer.b = value;
    if (name.starts_with("bias_hh")) layer.b += value;
  });
  const auto forward = nn::manual::lstm_stack_forward(weights, p.x, p.h0, p.c0);
  const auto backward = nn::manual::lstm_stack_backward(weights, forward, p.direct, p.dh_n, p.dc_n);
  std::vector<const Array<double>*> h_n, c_n, dh0, dc0;
  for (const auto& layer : forward) {
    h_n.push_back(&layer.h_n);
    c_n.push_back(&layer.c_n);
  }
  for (const auto& layer : backward) {
    dh0.push_back(&layer.dh0);
    dc0.push_back(&layer.dc0);
  }
  Quantities result{
      {"output", forward.back().h}, {"h_n", stacked(h_n)}, {"c_n", stacked(c_n)}, {"x", backward.front().dx}};
  if (p.given_state) {
    result.emplace_back("h0", stacked(dh0));
    result.emplace_back("c0", stacked(dc0));
  }
  for (std::size_t l = 0; l < p.layers; ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    result.emplace_back("weight_ih" + suffix, backward[l].dWx);
    result.emplace_back("weight_hh" + suffix, backward[l].dWh);
    result.emplace_back("bias_ih" + suffix, backward[l].db);
    result.emplace_back("bias_hh" + suffix, backward[l].db);
  }
  return result;
}

double size_of(const Array<double>& a) {
  double sum = 0;
  for (const double element : a) sum += element * element;
  return std::sqrt(sum);
}

/// The worst ratio of |got - expected| to |expected|, and whose it is. Infinite for a NaN or other names or shapes.
std::pair<double, std::string> worst(const Quantities& got, const Quantities& expected) {
  std::pair<double, std::string> result{0, ""};
  if (got.size() != expected.size()) return {HUGE_VAL, "number of quantities"};
  for (std::size_t k = 0; k < got.size(); ++k) {
    const auto& [name, a] = got[k];
    const auto& [expected_name, b] = expected[k];
    if (name != expected_name || a.shape() != b.shape()) return {HUGE_VAL, name + " or " + expected_name};
    const double difference = size_of(a - b);
    const double off = difference == 0 ? 0 : difference / size_of(b);  // from a zero state, dWh is 0 at the first step
    if (!(off <= result.first)) result = {std::isnan(off) ? HUGE_VAL : off, name};
  }
  return result;
}

}  // namespace

TEST_CASE("lstm: gradients are those of the hand-derived BPTT", "[lstm][bptt]") {
  for (const std::size_t T : {1, 2, 3, 7, 50})
    for (const std::size_t B : {1, 3})
      for (const auto& [I, H] : {std::pair<std::size_t, std::size_t>{1, 4}, {5, 3}, {6, 17}})
        for (const std::size_t layers : {1, 2, 3})
          for (const bool given_state : {false, true})
            for (const bool every_step : {false, true}) {
              const Problem problem{T, B, I, H, layers, given_state, every_step};
              const Quantities expected = by_hand(problem);
              CAPTURE(T, B, I, H, layers, given_state, every_step);
              const auto [off, name] = worst(by_tape<double>(problem), expected);
              INFO(name);
              CHECK(off <= 1e-12);
              const auto [off_float, name_float] = worst(by_tape<float>(problem), expected);
              INFO(name_float);
              CHECK(off_float <= 1e-4);
            }
}

TEST_CASE("lstm: a state that is not given is zero", "[lstm]") {
  Generator generator(2);
  LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .num_layers = 2}, generator);
  Tape<double> tape;
  const auto x = tape.constant(random_array({4, 2, 2}, generator));
  const auto h0 = tape.constant(random_array({2, 2, 3}, generator)), zero = tape.constant({2, 2, 3}, 0);
  CHECK(agree(lstm(x, {.initial = {{h0, {}}}}).output.copy(), lstm(x, {.initial = {{h0, zero}}}).output.copy(), 0, 0));
  CHECK(agree(lstm(x, {.initial = {{{}, h0}}}).output.copy(), lstm(x, {.initial = {{zero, h0}}}).output.copy(), 0, 0));
  CHECK(agree(lstm(x).output.copy(), lstm(x, {.initial = {{zero, zero}}}).output.copy(), 0, 0));
  CHECK_FALSE(agree(lstm(x).output.copy(), lstm(x, {.initial = {{h0, zero}}}).output.copy()));
}

TEST_CASE("lstm: a final state continues a sequence", "[lstm]") {
  Generator generator(3);
  LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .num_layers = 2}, generator);
  Tape<double> tape;
  const auto x = tape.constant(random_array({5, 2, 2}, generator));
  const auto whole = lstm(x);
  const auto first = lstm(slice(x, 0, 0, 2));
  const auto second = lstm(slice(x, 0, 2, 5), {.initial = first.state});
  CHECK(agree(autograd::concat({first.output, second.output}, 0).copy(), whole.output.copy()));
  CHECK(agree(second.state.h.copy(), whole.state.h.copy()));
  CHECK(agree(second.state.c.copy(), whole.state.c.copy()));
}

TEST_CASE("lstm: dropout between layers, and only there", "[lstm]") {
  Generator generator(4);
  const LayersOptions options{.input_size = 2, .hidden_size = 8, .num_layers = 2, .dropout = 0.5};
  LSTM<double> lstm(options, generator);
  Tape<double> tape;
  const auto x = tape.constant(random_array({5, 2, 2}, generator));
  const auto run = [&](LSTM<double>& model, std::uint64_t seed) {
    Generator draws(seed);
    return model(x, {.dropout = &draws}).output.copy();
  };
  const Array<double> plain = lstm(x).output.copy();
  CHECK(agree(run(lstm, 7), run(lstm, 7), 0, 0));
  CHECK_FALSE(agree(run(lstm, 7), run(lstm, 8)));
  CHECK_FALSE(agree(run(lstm, 7), plain));
  for (const double y : run(lstm, 7)) CHECK(y != 0);

  // The layer below the dropout is not affected, and the layer above sees its output, masked and scaled.
  Generator draws(7), again(7);
  const auto result = lstm(x, {.dropout = &draws});
  CHECK(agree(select(result.state.h, 0, 0).copy(), select(lstm(x).state.h, 0, 0).copy(), 0, 0));
  LSTM<double> below({.input_size = 2, .hidden_size = 8}, generator),
      above({.input_size = 8, .hidden_size = 8}, generator);
  std::vector<const Array<double>*> values;
  nn::for_each_parameter(lstm, [&](const std::string&, const auto& q) { values.push_back(&q.value()); });
  auto next = values.begin();
  const auto copy = [&](const std::string&, auto& q) { q.update([&](auto& to) { to = **next++; }); };
  nn::for_each_parameter(below, copy);
  nn::for_each_parameter(above, copy);
  CHECK(agree(result.output.copy(), above(dropout(below(x).output, 0.5, again)).output.copy()));

  LSTM<double> single({.input_size = 2, .hidden_size = 8, .dropout = 0.5}, generator);
  CHECK(agree(run(single, 7), single(x).output.copy(), 0, 0));
}

TEST_CASE("lstm: initial values and names", "[lstm]") {
  const LayersOptions options{
      .input_size = 3, .hidden_size = 16, .num_layers = 2, .bidirectional = true, .proj_size = 5, .forget_bias = 10};
  Generator generator(5), same(5), plain_generator(5);
  const LSTM<double> lstm(options, generator), twin(options, same);
  LayersOptions without = options;
  without.forget_bias = 0;
  const LSTM<double> plain(without, plain_generator);

  std::vector<std::string> expected;
  for (const char* suffix : {"_l0", "_l0_reverse", "_l1", "_l1_reverse"})
    for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"})
      expected.push_back(std::string(name) + suffix);
  CHECK(oracle::parameter_names(lstm) == expected);

  std::vector<const nn::Parameter<double>*> twins, plains;
  nn::for_each_parameter(twin, [&](const std::string&, const auto& p) { twins.push_back(&p); });
  nn::for_each_parameter(plain, [&](const std::string&, const auto& p) { plains.push_back(&p); });
  std::size_t k = 0;
  nn::for_each_parameter(lstm, [&](const std::string& name, const auto& p) {
    CHECK(p == *twins[k]);
    for (std::size_t n = 0; n < p.size(); ++n) {
      const double value = plains[k]->value().data()[n];
      CHECK(std::abs(value) <= 0.25);
      const bool forget = name.starts_with("bias_ih") && n >= 16 && n < 32;
      CHECK(p.value().data()[n] == value + (forget ? 10 : 0));
    }
    ++k;
  });
  CHECK(nn::parameter_count(lstm) ==
        2 * (64 * 3 + 64 * 5 + 2 * 64 + 5 * 16) + 2 * (64 * 10 + 64 * 5 + 2 * 64 + 5 * 16));
}

TEST_CASE("lstm: errors say what, where and what was expected, and leave the tape as it was", "[lstm]") {
  Generator generator(6);
  LSTM<double> lstm({.input_size = 12, .hidden_size = 4, .num_layers = 2, .name = "encoder"}, generator);
  LSTM<double> batch_first({.input_size = 12, .hidden_size = 4, .batch_first = true, .proj_size = 2}, generator);
  Tape<double> tape;
  const auto zeros = [&](const Shape& shape) { return tape.constant(shape, 0); };
  const auto x = zeros({50, 32, 12});
  const auto narrow = zeros({50, 32, 10}), flat = zeros({50, 12}), empty = zeros({0, 32, 12}), h0 = zeros({1, 32, 4});
  const auto batch = zeros({32, 50, 12});
  const std::size_t recorded = tape.size();
  const auto throws = [&]<class Error>(Error, const auto& f, const std::string& text) {
    CHECK_THROWS_AS(f(), Error);
    try {
      f();
    } catch (const autograd::Error& error) {
      CHECK(error.what() == text);
    }
    CHECK(tape.size() == recorded);
  };
  const ShapeError shape("");
  const ValueError value("");
  throws(
      shape, [&] { lstm(narrow); },
      "lstm \"encoder\": input has 10 features, expected 12; input shape (50, 32, 10) read as (time, batch, feature)");
  throws(
      shape, [&] { batch_first(narrow); },
      "lstm: input has 10 features, expected 12; input shape (50, 32, 10) read as (batch, time, feature)");
  throws(
      shape, [&] { lstm(flat); },
      "lstm \"encoder\": input has shape (50, 12), expected three axes (time, batch, feature)");
  throws(
      shape, [&] { lstm(empty); },
      "lstm \"encoder\": input has no steps; input shape (0, 32, 12) read as (time, batch, feature)");
  throws(
      shape,
      [&] {
        lstm(x, {.initial = {{h0, {}}}});
      },
      "lstm \"encoder\": initial h has shape (1, 32, 4), expected (2, 32, 4), that is (layers * directions, batch, "
      "hidden_size)");
  throws(
      shape,
      [&] {
        lstm(x, {.initial = {{{}, h0}}});
      },
      "lstm \"encoder\": initial c has shape (1, 32, 4), expected (2, 32, 4), that is (layers * directions, batch, "
      "hidden_size)");
  throws(
      shape,
      [&] {
        batch_first(batch, {.initial = {{h0, h0}}});
      },
      "lstm: initial h has shape (1, 32, 4), expected (1, 32, 2), that is (layers * directions, batch, proj_size)");
  const std::vector<std::size_t> few(31, 1);
  std::vector<std::size_t> lengths(32, 50);
  throws(
      shape, [&] { lstm(x, {.lengths = few}); },
      "lstm \"encoder\": got 31 lengths for a batch of 32; give one for each sequence");
  lengths[7] = 51;
  throws(
      value, [&] { lstm(x, {.lengths = lengths}); },
      "lstm \"encoder\": sequence 7 has length 51, but the input has only 50 steps");
  CHECK_THROWS_AS(lstm(Variable<double>()), autograd::TapeError);

  CHECK_THROWS_AS(LSTM<double>({.input_size = 0, .hidden_size = 4}, generator), ValueError);
  CHECK_THROWS_AS(LSTM<double>({.input_size = 4, .hidden_size = 0}, generator), ValueError);
  CHECK_THROWS_AS(LSTM<double>({.input_size = 4, .hidden_size = 4, .num_layers = 0}, generator), ValueError);
  CHECK_THROWS_AS(LSTM<double>({.input_size = 4, .hidden_size = 4, .proj_size = 4}, generator), ValueError);
  CHECK_THROWS_AS(LSTM<double>({.input_size = 4, .hidden_size = 4, .dropout = 1}, generator), ValueError);
  CHECK_THROWS_AS(LSTM<double>({.input_size = 4, .hidden_size = 4, .bias = false, .forget_bias = 1}, generator),
                  ValueError);
}
