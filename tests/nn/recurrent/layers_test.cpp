// What every cell gets by being one: masks, residual connections, variational dropout, learnt initial states, layers.
#include "nn/recurrent/layers.hpp"

#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/learned_state.hpp"
#include "nn/recurrent/lstm.hpp"
#include "nn/recurrent/lstm_cell.hpp"

using namespace autograd;
using namespace autograd::testing;
using nn::LayersOptions;
using nn::LearnedState;
using nn::LSTMCell;
using nn::Parameter;
using nn::Recurrent;
using nn::RecurrentLayers;

namespace {

/// A user's cell: (input, state) -> state, names for its parameters, and nothing else.
struct Elman {
  Parameter<double> w, u;

  Elman(std::size_t input, std::size_t hidden, Generator& generator)
      : w(nn::uniform<double>({hidden, input}, -0.8, 0.8, generator)),
        u(nn::uniform<double>({hidden, hidden}, -0.8, 0.8, generator)) {}

  Variable<double> operator()(Variable<double> x, Variable<double> h) {
    return tanh(linear(x, x.tape().parameter(w)) + linear(h, x.tape().parameter(u)));
  }
  Variable<double> zero_state(Tape<double>& tape, std::size_t batch) const {
    return tape.constant({batch, u.value().shape(0)}, 0.0);
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("w", self.w);
    visitor("u", self.u);
  }
};

Variable<double> step_of(Variable<double> x, std::size_t t) { return select(x, 0, static_cast<Index>(t)); }

Variable<double> ones(Tape<double>& tape, const Shape& shape) { return tape.constant(shape, 1.0); }

RecurrentLayers<double, Elman> make_layers(const LayersOptions& options, Generator& generator) {
  return {"elman", options, options.hidden_size,
          [&](std::size_t input) { return Elman(input, options.hidden_size, generator); }};
}

}  // namespace

TEST_CASE("a mask of the first steps is a length", "[layers]") {
  Generator generator(21);
  auto layers = make_layers({.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true}, generator);
  Tape<double> tape;
  const auto x = tape.variable(random_array({5, 3, 3}, generator));
  const std::size_t lengths[] = {5, 0, 3};
  Array<double> mask = zeros<double>({5, 3});
  for (std::size_t b = 0; b < 3; ++b)
    for (std::size_t t = 0; t < lengths[b]; ++t) mask(t, b) = 1;
  const auto by_length = layers(x, {.lengths = lengths}), by_mask = layers(x, {.mask = tape.constant(mask)});
  CHECK(same_bits(by_length.output.copy(), by_mask.output.copy()));
  REQUIRE(by_mask.state.size() == 4);
  for (std::size_t k = 0; k < 4; ++k) CHECK(same_bits(by_length.state[k].copy(), by_mask.state[k].copy()));
  CHECK_FALSE(same_bits(by_mask.output.copy(), layers(x).output.copy()));
}

TEST_CASE("a step that is masked out might as well not be there", "[layers]") {
  Generator generator(22);
  const bool reverse = GENERATE(false, true);
  Recurrent<LSTMCell<double>> recurrent(LSTMCell<double>({.input_size = 2, .hidden_size = 3}, generator),
                                        {.reverse = reverse});
  Tape<double> tape;
  const auto x = tape.variable(random_array({4, 1, 2}, generator));
  Array<double> mask = full<double>({4, 1}, 1);
  mask(1, 0) = 0;
  const auto masked_run = recurrent(x, {.mask = tape.constant(mask)});
  const auto without = recurrent(concat({slice(x, 0, 0, 1), slice(x, 0, 2, 4)}, 0));
  for (std::size_t t : {0u, 2u, 3u})
    CHECK(distance(step_of(masked_run.output, t).copy(), step_of(without.output, t == 0 ? 0 : t - 1).copy()) <= 1e-15);
  CHECK(distance(masked_run.state.c.copy(), without.state.c.copy()) <= 1e-15);
  tape.backward(sum(square(masked_run.output)));
  const Array<double> dx = tape.gradient(x);
  for (std::size_t k = 0; k < 2; ++k) {
    CHECK(masked_run.output.value()(1, 0, k) == 0);
    CHECK(dx(1, 0, k) == 0);
    CHECK(dx(2, 0, k) != 0);
  }
}

TEST_CASE("masks follow batch_first, and layers with a state h take them too", "[layers]") {
  Generator generator(23);
  nn::GRU<double> gru({.input_size = 2, .hidden_size = 3, .batch_first = true}, generator);
  nn::LSTM<double> lstm({.input_size = 2, .hidden_size = 3, .batch_first = true}, generator);
  Tape<double> tape;
  const auto x = tape.constant(random_array({2, 4, 2}, generator));
  Array<double> mask = full<double>({2, 4}, 1);
  mask(1, 2) = mask(1, 3) = 0;
  const std::size_t lengths[] = {4, 2};
  const auto given = tape.constant(mask);
  CHECK(same_bits(gru(x, {.mask = given}).output.copy(), gru(x, {.lengths = lengths}).output.copy()));
  CHECK(same_bits(lstm(x, {.mask = given}).state.c.copy(), lstm(x, {.lengths = lengths}).state.c.copy()));
}

TEST_CASE("a residual connection adds the input, but not where a sequence has no step", "[layers]") {
  Generator generator(24);
  const Elman cell(3, 3, generator);
  Recurrent<Elman> plain(cell), residual(cell, {.residual = true});
  Tape<double> tape;
  const auto x = tape.constant(random_array({4, 2, 3}, generator));
  const std::size_t lengths[] = {4, 2};
  CHECK(same_bits(residual(x).output.copy(), (plain(x).output + x).copy()));
  CHECK(same_bits(residual(x).state.copy(), plain(x).state.copy()));
  const Array<double> padded = residual(x, {.lengths = lengths}).output.copy();
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(padded(3, 1, k) == 0);
    CHECK(padded(1, 1, k) != 0);
  }

  auto layers = make_layers({.input_size = 3, .hidden_size = 3, .num_layers = 2, .residual = true}, generator);
  Recurrent<Elman> first(layers.cell(0)), second(layers.cell(1));
  const auto below = first(x).output + x;
  CHECK(same_bits(layers(x).output.copy(), (second(below).output + below).copy()));
  const Array<double> end = layers(x, {.lengths = lengths}).output.copy();
  for (std::size_t k = 0; k < 3; ++k) CHECK(end(3, 1, k) == 0);
}

TEST_CASE("variational dropout draws one mask for all steps of a sequence", "[layers]") {
  Generator generator(25);
  Recurrent<LSTMCell<double>> recurrent(LSTMCell<double>({.input_size = 6, .hidden_size = 8}, generator),
                                        {.input_dropout = 0.5, .recurrent_dropout = 0.25});
  Tape<double> tape;
  const auto x = tape.variable(random_array({5, 3, 6}, generator));
  Generator draws(1), again(1), other(2);
  const auto result = recurrent(x, {.dropout = &draws});
  const auto input_mask = dropout(ones(tape, {3, 6}), 0.5, again);
  const auto carried_mask = dropout(ones(tape, {3, 8}), 0.25, again);
  auto state = recurrent.cell.zero_state(tape, 3);
  double off = 0;
  for (std::size_t t = 0; t < 5; ++t) {
    state = recurrent.cell(step_of(x, t) * input_mask, {state.h * carried_mask, state.c});
    off = std::max(off, distance(step_of(result.output, t).copy(), state.h.copy()));
  }
  CHECK(off <= 1e-15);
  CHECK_FALSE(same_bits(recurrent(x, {.dropout = &other}).output.copy(), result.output.copy()));

  Recurrent<LSTMCell<double>> plain(recurrent.cell);
  CHECK(same_bits(recurrent(x).output.copy(), plain(x).output.copy()));

  tape.backward(sum(result.output));
  const Array<double> dx = tape.gradient(x), kept = input_mask.copy();
  for (std::size_t t = 0; t < 5; ++t)
    for (std::size_t b = 0; b < 3; ++b)
      for (std::size_t k = 0; k < 6; ++k) CHECK((dx(t, b, k) == 0) == (kept(b, k) == 0));
}

TEST_CASE("layers hand variational dropout to each of their cells", "[layers]") {
  Generator generator(26);
  auto layers = make_layers(
      {.input_size = 3, .hidden_size = 4, .num_layers = 2, .input_dropout = 0.5, .recurrent_dropout = 0.5}, generator);
  const nn::RecurrentOptions options{.input_dropout = 0.5, .recurrent_dropout = 0.5};
  Recurrent<Elman> first(layers.cell(0), options), second(layers.cell(1), options);
  Tape<double> tape;
  const auto x = tape.constant(random_array({4, 2, 3}, generator));
  Generator draws(3), again(3);
  const auto whole = layers(x, {.dropout = &draws});
  const auto below = first(x, {.dropout = &again});
  CHECK(same_bits(whole.output.copy(), second(below.output, {.dropout = &again}).output.copy()));
}

TEST_CASE("a learnt initial state is where sequences start, and gets what they say about it", "[layers]") {
  Generator generator(27);
  using Cell = LearnedState<double, LSTMCell<double>>;
  static_assert(nn::ProjectingCell<Cell, double>);
  static_assert(nn::Cell<LearnedState<double, Elman>, double> &&
                !nn::ProjectingCell<LearnedState<double, Elman>, double>);
  Recurrent<Cell> recurrent(Cell(LSTMCell<double>({.input_size = 2, .hidden_size = 4, .proj_size = 3}, generator)));
  auto& initial = recurrent.cell.initial;
  REQUIRE(initial.size() == 2);
  CHECK(initial[0].shape() == Shape{3});
  CHECK(initial[1].shape() == Shape{4});
  for (Parameter<double>& p : initial) {
    CHECK(same_bits(p.value(), zeros<double>(p.shape())));
    p.update([&](auto& values) { values = random_array(p.shape(), generator); });
  }

  Tape<double> tape;
  const auto x = tape.constant(random_array({3, 5, 2}, generator));
  tape.backward(sum(square(recurrent(x).output)));
  Recurrent<LSTMCell<double>> plain(recurrent.cell.cell);
  const auto h = tape.variable(initial[0].value()), c = tape.variable(initial[1].value());
  const auto given = plain(x, {.initial = nn::LSTMState<double>{broadcast_to(h, {5, 3}), broadcast_to(c, {5, 4})}});
  tape.backward(sum(square(given.output)));
  CHECK(distance(initial[0].grad(), tape.gradient(h)) <= 1e-15);
  CHECK(distance(initial[1].grad(), tape.gradient(c)) <= 1e-15);
  CHECK(distance(initial[1].grad(), zeros<double>({4})) > 0.1);
}

TEST_CASE("learnt initial states in layers have names of their own", "[layers]") {
  Generator generator(28);
  using Cell = LearnedState<double, Elman>;
  RecurrentLayers<double, Cell> layers("elman", {.input_size = 2, .hidden_size = 3, .bidirectional = true}, 3,
                                       [&](std::size_t input) { return Cell(Elman(input, 3, generator)); });
  std::vector<std::string> names;
  nn::for_each_parameter(layers, [&](const std::string& name, const auto&) { names.push_back(name); });
  CHECK(names == std::vector<std::string>{"w_l0", "u_l0", "initial_0_l0", "w_l0_reverse", "u_l0_reverse",
                                          "initial_0_l0_reverse"});
  Tape<double> tape;
  const auto x = tape.constant(random_array({3, 2, 2}, generator));
  const Array<double> before = layers(x).output.copy();
  layers.cell(1).initial[0].update([](auto& values) { values.fill(0.5); });
  CHECK_FALSE(same_bits(layers(x).output.copy(), before));
}

TEST_CASE("layers refuse what does not fit, and say why", "[layers]") {
  Generator generator(29);
  const auto refused = [&]<class Error>(const LayersOptions& options, Error*) {
    return error_text<Error>([&] { make_layers(options, generator); });
  };
  ShapeError* const shape = nullptr;
  ValueError* const value = nullptr;
  CHECK(refused({.input_size = 2, .hidden_size = 3, .residual = true}, shape) ==
        "elman: a residual connection adds the input to the output, but the input has 2 features and the output 3; "
        "give them the same number, or leave it out");
  CHECK(refused({.input_size = 2, .hidden_size = 3, .input_dropout = 1}, value) ==
        "elman: input_dropout must be in [0, 1), got 1.000000");
  CHECK(refused({.input_size = 2, .hidden_size = 3, .recurrent_dropout = -0.5, .name = "a"}, value) ==
        "elman \"a\": recurrent_dropout must be in [0, 1), got -0.500000");

  auto layers = make_layers({.input_size = 2, .hidden_size = 3, .batch_first = true}, generator);
  Tape<double> tape;
  const auto x = tape.constant({5, 4, 2}, 0.5);
  const std::size_t lengths[] = {4, 4, 4, 4, 1};
  CHECK(error_text<ShapeError>([&] {
          layers(x, {.mask = ones(tape, {4, 5})});
        }) == "elman: mask has shape (4, 5), expected (5, 4), that is (batch, time)");
  CHECK(error_text<ValueError>([&] {
          layers(x, {.lengths = lengths, .mask = ones(tape, {5, 4})});
        }) == "elman: lengths and a mask say the same; give one of them");
  const Variable<double> states[] = {ones(tape, {5, 3}), ones(tape, {5, 3})};
  CHECK(error_text<ShapeError>([&] { layers(x, {.initial = states}); }) ==
        "elman: got 2 initial states for 1 cells; give one for each, at layer * directions + direction");

  Recurrent<Elman> residual(Elman(2, 3, generator), {.residual = true});
  CHECK(error_text<ShapeError>([&] { residual(x); }) ==
        "recurrent: a residual connection adds the input to the output, but the input has 2 features and the output "
        "3; give them the same number, or leave it out");
  CHECK(error_text<ValueError>([&] { Recurrent<Elman>(Elman(2, 3, generator), {.recurrent_dropout = 1}); }) ==
        "recurrent: recurrent_dropout must be in [0, 1), got 1.000000");
}
