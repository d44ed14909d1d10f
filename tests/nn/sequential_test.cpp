// Sequential, LayerNorm, padding of an Embedding, and states that are cut off or carried over.
#include "nn/sequential.hpp"

#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/nn.hpp"

using namespace autograd::testing;
using autograd::Array;
using autograd::Tape;
using nn::Generator;

TEST_CASE("Sequential passes the output of each module on, under PyTorch's names", "[module]") {
  Generator generator(1);
  nn::LSTM<double> lstm({.input_size = 2, .hidden_size = 4}, generator);
  nn::LayerNorm<double> norm(4);
  nn::Linear<double> head(4, 1, generator);
  nn::Sequential model(lstm, nn::Dropout<double>(0.5), norm, head);
  std::vector<std::string> names;
  nn::for_each_parameter(model, [&](const std::string& name, auto&) { names.push_back(name); });
  CHECK(names == std::vector<std::string>{"0.weight_ih_l0", "0.weight_hh_l0", "0.bias_ih_l0", "0.bias_hh_l0",
                                          "2.weight", "2.bias", "3.weight", "3.bias"});
  CHECK(nn::parameter_count(model) == nn::parameter_count(lstm) + 8 + 5);

  Tape<double> tape;
  const auto x = tape.constant(random_array({5, 3, 2}, generator));
  CHECK(same(model(x).copy(), head(norm(lstm(x).output)).copy()));
  Generator draws(7), again(7);
  const auto trained = model(x, &draws);
  CHECK(same(trained.copy(), head(norm(dropout(lstm(x).output, 0.5, again))).copy()));
  CHECK_FALSE(same(trained.copy(), model(x).copy()));
}

TEST_CASE("LayerNorm learns gain and bias", "[module]") {
  Generator generator(2);
  nn::LayerNorm<double> norm(4, 1e-3);
  norm.weight.update([](auto& values) { values = array<double>({4}, {1, 2, 3, 4}); });
  norm.bias.update([](auto& values) { values = array<double>({4}, {0, -1, 0, 1}); });
  Tape<double> tape;
  const auto x = tape.variable(random_array({2, 3, 4}, generator));
  const auto y = norm(x);
  CHECK(
      same(y.copy(), layer_norm(x, tape.constant(norm.weight.value()), tape.constant(norm.bias.value()), 1e-3).copy()));
  tape.backward(sum(y * y));
  CHECK_FALSE(all_zero(norm.weight.grad()));
  CHECK_FALSE(all_zero(norm.bias.grad()));
  CHECK_THROWS_AS(norm(tape.constant({2, 3}, 1.0)), autograd::ShapeError);
}

TEST_CASE("the padding symbol of an Embedding is 0 and stays it", "[module]") {
  Generator generator(3);
  nn::Embedding<double> embedding(4, 2, generator, -1);
  CHECK(embedding.weight.value()(3, 0) == 0);
  CHECK(embedding.weight.value()(2, 0) != 0);
  Tape<double> tape;
  const auto y = embedding(tape, Array<autograd::Index>{0, 3, 0});
  tape.backward(sum(y));
  CHECK(same(embedding.weight.grad(), array<double>({4, 2}, {2, 2, 0, 0, 0, 0, 0, 0})));
  CHECK_THROWS_AS(nn::Embedding<double>(4, 2, generator, 4), autograd::Error);
}

TEST_CASE("states are cut off, and carried over tape.clear()", "[recurrent]") {
  Generator generator(4);
  nn::LSTMCell<double> cell({.input_size = 2, .hidden_size = 3}, generator);
  Tape<double> tape;
  auto state = cell(tape.constant(random_array({1, 2}, generator)), cell.zero_state(tape, 1));
  const Array<double> h = state.h.copy(), c = state.c.copy();

  const auto free = nn::detached(state);
  CHECK(same(free.c.copy(), c));
  CHECK_FALSE(free.h.needs_gradient());
  CHECK(state.h.needs_gradient());

  const auto kept = nn::copied(state);
  tape.clear();
  state = kept.on(tape);
  CHECK(same(state.h.copy(), h));
  CHECK(same(state.c.copy(), c));
  const auto plain = nn::copied(state.h);
  tape.clear();
  CHECK(same(plain.on(tape).copy(), h));
  CHECK_THROWS_AS(nn::copied(state), autograd::TapeError);
}
