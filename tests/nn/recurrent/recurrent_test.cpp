// Recurrent with cells that the library does not know, lengths, reverse; and LSTMCell stepped by hand.
#include "nn/recurrent/recurrent.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/gradient.hpp"
#include "autograd/ops.hpp"
#include "catch.hpp"
#include "nn/parameters.hpp"
#include "nn/recurrent/lstm_cell.hpp"
#include "oracle.hpp"

using autograd::Array;
using autograd::Generator;
using autograd::Index;
using autograd::Shape;
using autograd::ShapeError;
using autograd::Tape;
using autograd::ValueError;
using autograd::Variable;
using Catch::Matchers::Message;
using nn::LSTMCell;
using nn::Parameter;
using nn::Recurrent;
using oracle::agree;
using oracle::Case;
using oracle::random_array;

namespace user {

/// An Elman cell: (input, state) -> state on a plain Variable, and nothing else.
template <class T>
struct Elman {
  Parameter<T> W, U;

  Elman(std::size_t inputs, std::size_t units, Generator& generator)
      : W(nn::uniform<T>({units, inputs}, -0.8, 0.8, generator)),
        U(nn::uniform<T>({units, units}, -0.8, 0.8, generator)) {}

  Variable<T> operator()(Variable<T> x, Variable<T> h) {
    Tape<T>& tape = x.tape();
    return tanh(linear(x, tape.parameter(W)) + linear(h, tape.parameter(U)));
  }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return tape.constant({batch, U.value().shape(0)}, T(0));
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("W", self.W);
    visitor("U", self.U);
  }
};

/// A state with names of its own, and no map().
struct Trace {
  Variable<double> fast, slow;
};
Variable<double> output(const Trace& state) { return state.fast + state.slow; }

struct TraceCell {
  Trace operator()(Variable<double> x, const Trace& state) const {
    return {tanh(x + state.slow), 0.5 * state.slow + 0.25 * state.fast};
  }
  Trace zero_state(Tape<double>& tape, std::size_t batch) const {
    return {tape.constant({batch, 2}, 0), tape.constant({batch, 2}, 0)};
  }
};

/// The LSTM variants of the reference vectors: with peepholes, coupled gates (f = 1 - i), a projection.
struct VariantCell {
  bool peephole, coupled;
  std::size_t hidden;
  Parameter<double> Wx, Wh, b, Wp, pi, pf, po;

  using State = nn::LSTMState<double>;

  State operator()(Variable<double> x, const State& previous) {
    Tape<double>& tape = x.tape();
    const auto use = [&](Parameter<double>& p) { return tape.parameter(p); };
    const auto z = linear(x, use(Wx), use(b)) + linear(previous.h, use(Wh));
    const auto gate = [&](std::size_t k) {
      return slice(z, 1, static_cast<Index>(k * hidden), static_cast<Index>((k + 1) * hidden));
    };
    const auto peep = [&](Variable<double> a, Parameter<double>& p, Variable<double> c) {
      return peephole ? a + use(p) * c : a;
    };
    const auto i = sigmoid(peep(gate(0), pi, previous.c));
    const auto f = coupled ? 1 - i : sigmoid(peep(gate(1), pf, previous.c));
    const auto g = tanh(gate(coupled ? 1 : 2));
    const auto c = f * previous.c + i * g;
    const auto o = sigmoid(peep(gate(coupled ? 2 : 3), po, c));
    const auto h = o * tanh(c);
    return {Wp.value().dimension() == 2 ? linear(h, use(Wp)) : h, c};
  }
  State zero_state(Tape<double>& tape, std::size_t batch) const {
    return {tape.constant({batch, Wh.value().shape(1)}, 0), tape.constant({batch, hidden}, 0)};
  }
};

/// The GRU whose reset gate acts before the product. Its state is a plain Variable.
struct ResetBeforeCell {
  std::size_t hidden;
  Parameter<double> Wx, Wh, bx, bh;

  Variable<double> operator()(Variable<double> x, Variable<double> h) {
    Tape<double>& tape = x.tape();
    const auto a = autograd::split<3>(linear(x, tape.parameter(Wx), tape.parameter(bx)), 1);
    const auto U = autograd::split<3>(tape.parameter(Wh), 0);
    const auto b = autograd::split<3>(tape.parameter(bh), 0);
    const auto r = sigmoid(a[0] + linear(h, U[0], b[0]));
    const auto z = sigmoid(a[1] + linear(h, U[1], b[1]));
    const auto n = tanh(a[2] + linear(r * h, U[2], b[2]));
    return (1 - z) * n + z * h;
  }
  Variable<double> zero_state(Tape<double>& tape, std::size_t batch) const { return tape.constant({batch, hidden}, 0); }
};

/// LSTMCell with its projection hidden: Recurrent has nothing to hoist.
template <class T>
struct Unhoisted {
  LSTMCell<T> cell;
  nn::LSTMState<T> operator()(Variable<T> x, const nn::LSTMState<T>& state) { return cell(x, state); }
  nn::LSTMState<T> zero_state(Tape<T>& tape, std::size_t batch) const { return cell.zero_state(tape, batch); }
};

}  // namespace user

static_assert(nn::Cell<user::Elman<float>, float> && !nn::ProjectingCell<user::Elman<float>, float>);
static_assert(!nn::Cell<user::Elman<float>, double>);
static_assert(nn::Cell<user::TraceCell, double>);
static_assert(nn::ProjectingCell<LSTMCell<double>, double>);
static_assert(!nn::ProjectingCell<user::Unhoisted<double>, double>);

namespace {

Variable<double> inner(Variable<double> x, const Array<double>& w) { return sum(x * x.tape().constant(w)); }

/// Runs a variant of the reference vectors and compares everything. `parameters` are those that the case has.
template <class C>
void check_variant(const Case& c, C cell,
                   const std::vector<std::pair<std::string, Parameter<double> C::*>>& parameters) {
  for (const auto& [name, member] : parameters)
    if (c.has("/params/" + name)) cell.*member = Parameter<double>(c.tensor("/params/" + name));
  std::size_t known = 0;
  for (const auto& [name, member] : parameters) known += c.has("/params/" + name);
  REQUIRE(known == c.keys("/params").size());
  std::vector<std::size_t> lengths;
  if (c.has("/config/lengths")) lengths = c.get<std::vector<std::size_t>>("/config/lengths");
  Recurrent<C> recurrent(std::move(cell), {.reverse = c.get<bool>("/config/reverse")});

  Tape<double> tape;
  const auto x = tape.variable(c.tensor("/input"));
  const auto h0 = tape.variable(c.tensor("/h0"));
  Variable<double> c0, h_n, c_n, output;
  if constexpr (std::is_same_v<nn::StateOf<C, double>, Variable<double>>) {
    const auto result = recurrent(x, {.initial = h0, .lengths = lengths});
    output = result.output;
    h_n = result.state;
  } else {
    c0 = tape.variable(c.tensor("/c0"));
    const auto result = recurrent(x, {.initial = {{h0, c0}}, .lengths = lengths});
    output = result.output;
    h_n = result.state.h;
    c_n = result.state.c;
  }
  CHECK(agree(output.copy(), c.tensor("/output")));
  CHECK(agree(h_n.copy(), c.tensor("/h_n")));
  auto loss = inner(output, c.tensor("/loss_weights/output")) + inner(h_n, c.tensor("/loss_weights/h_n")) +
              c.get<double>("/loss_quadratic") * sum(output * output);
  if (c_n) {
    CHECK(agree(c_n.copy(), c.tensor("/c_n")));
    loss = loss + inner(c_n, c.tensor("/loss_weights/c_n"));
  }
  tape.backward(loss);
  for (const auto& [name, member] : parameters)
    if (c.has("/params/" + name)) {
      INFO(name);
      CHECK(agree((recurrent.cell.*member).grad(), c.tensor("/grads/params/" + name)));
    }
  CHECK(agree(tape.gradient(x), c.tensor("/grads/input")));
  CHECK(agree(tape.gradient(h0), c.tensor("/grads/h0")));
  if (c0) CHECK(agree(tape.gradient(c0), c.tensor("/grads/c0")));
}

/// Row b of axis 1, its first `length` steps: a batch of one.
Variable<double> sequence(Variable<double> x, std::size_t b, std::size_t length) {
  const Index row = static_cast<Index>(b);
  return slice(slice(x, 1, row, row + 1), 0, 0, static_cast<Index>(length));
}

}  // namespace

TEST_CASE("recurrent: a user's cells against the reference vectors", "[recurrent][oracle]") {
  using user::ResetBeforeCell;
  using user::VariantCell;
  std::size_t found = 0;
  for (const Case& c : oracle::cases("lstm_variants")) {
    const auto kind = c.get<std::string>("/config/cell");
    const auto hidden = c.get<std::size_t>("/config/hidden_size");
    if (c.has("/config/layernorm") || kind == "source003") continue;
    ++found;
    DYNAMIC_SECTION(c.name()) {
      if (kind == "lstm")
        check_variant(
            c,
            VariantCell{
                c.get<bool>("/config/peephole"), c.get<bool>("/config/coupled"), hidden, {}, {}, {}, {}, {}, {}, {}},
            {{"Wx", &VariantCell::Wx},
             {"Wh", &VariantCell::Wh},
             {"b", &VariantCell::b},
             {"Wp", &VariantCell::Wp},
             {"pi", &VariantCell::pi},
             {"pf", &VariantCell::pf},
             {"po", &VariantCell::po}});
      else
        check_variant(c, ResetBeforeCell{hidden, {}, {}, {}, {}},
                      {{"Wx", &ResetBeforeCell::Wx},
                       {"Wh", &ResetBeforeCell::Wh},
                       {"bx", &ResetBeforeCell::bx},
                       {"bh", &ResetBeforeCell::bh}});
    }
  }
  CHECK(found == 8);
}

TEST_CASE("lstm cell: stepped by hand it is PyTorch's", "[recurrent][oracle]") {
  std::size_t found = 0;
  for (const Case& c : oracle::cases("cells")) {
    if (c.get<std::string>("/config/module") != "LSTMCell") continue;
    ++found;
    DYNAMIC_SECTION(c.name()) {
      Generator generator(1);
      LSTMCell<double> cell({.input_size = c.get<std::size_t>("/config/input_size"),
                             .hidden_size = c.get<std::size_t>("/config/hidden_size"),
                             .bias = c.get<bool>("/config/bias")},
                            generator);
      REQUIRE(oracle::same_names(cell, c, "/params"));
      oracle::load(cell, c, "/params");
      Tape<double> tape;
      const auto x = tape.variable(c.tensor("/input"));
      const nn::LSTMState<double> initial{tape.variable(c.tensor("/h0")), tape.variable(c.tensor("/c0"))};
      auto state = initial;
      std::vector<Variable<double>> outputs;
      for (std::size_t t = 0; t < x.shape()[0]; ++t) {
        state = cell(select(x, 0, static_cast<Index>(t)), state);
        outputs.push_back(state.h);
      }
      const auto output = autograd::stack<double>(outputs);
      CHECK(agree(output.copy(), c.tensor("/output")));
      CHECK(agree(state.c.copy(), c.tensor("/c_n")));
      tape.backward(inner(output, c.tensor("/loss_weights/output")) + inner(state.c, c.tensor("/loss_weights/c_n")) +
                    c.get<double>("/loss_quadratic") * sum(output * output));
      nn::for_each_parameter(cell, [&](const std::string& name, const auto& p) {
        INFO(name);
        CHECK(agree(p.grad(), c.tensor("/grads/params/" + name)));
      });
      CHECK(agree(tape.gradient(x), c.tensor("/grads/input")));
      CHECK(agree(tape.gradient(initial.h), c.tensor("/grads/h0")));
      CHECK(agree(tape.gradient(initial.c), c.tensor("/grads/c0")));
    }
  }
  CHECK(found == 3);
}

TEST_CASE("recurrent: hoisting the projection changes nothing", "[recurrent]") {
  Generator generator(1);
  const LSTMCell<double> cell({.input_size = 3, .hidden_size = 4}, generator);
  const auto input = random_array({5, 2, 3}, generator), weights = random_array({5, 2, 4}, generator);
  const auto run = [&](auto recurrent) {
    Tape<double> tape;
    const auto x = tape.variable(input);
    const auto output = recurrent(x).output;
    tape.backward(inner(output, weights));
    return std::pair{output.copy(), tape.gradient(x)};
  };
  const auto hoisted = run(Recurrent(cell)), plain = run(Recurrent(user::Unhoisted<double>{cell}));
  CHECK(agree(hoisted.first, plain.first));
  CHECK(agree(hoisted.second, plain.second));

  Tape<double> tape;
  const auto x = tape.variable(input);
  std::size_t before = tape.size();
  Recurrent<LSTMCell<double>> one(cell);
  one(x);
  const std::size_t hoisted_steps = tape.size() - before;
  before = tape.size();
  Recurrent<user::Unhoisted<double>> other(user::Unhoisted<double>{cell});
  other(x);
  CHECK(tape.size() - before >= hoisted_steps + 8);  // a sum of biases and a product more at each but one step
}

TEST_CASE("recurrent: every sequence of a batch as if it were alone", "[recurrent]") {
  Generator generator(2);
  const std::vector<std::size_t> lengths{3, 5, 0, 1};
  const bool reverse = GENERATE(false, true);
  CAPTURE(reverse);
  const auto input = random_array({5, 4, 2}, generator), weights = random_array({5, 4, 3}, generator);
  const auto initial = random_array({4, 3}, generator), final_weights = random_array({4, 3}, generator);
  Recurrent batched(user::Elman<double>(2, 3, generator), {.reverse = reverse});
  auto single = batched;

  Tape<double> tape;
  const auto x = tape.variable(input), h0 = tape.variable(initial);
  const auto [output, state] = batched(x, {.initial = h0, .lengths = lengths});
  tape.backward(inner(output, weights) + inner(state, final_weights));
  const auto dx = tape.gradient(x), dh0 = tape.gradient(h0);

  Tape<double> alone;
  const auto y = alone.variable(input), k0 = alone.variable(initial), w = alone.constant(weights);
  auto loss = alone.constant(Shape{}, 0.0);
  for (std::size_t b = 0; b < 4; ++b) {
    const Index row = static_cast<Index>(b);
    auto last = slice(k0, 0, row, row + 1);
    if (lengths[b] > 0) {
      const auto result = single(sequence(y, b, lengths[b]), {.initial = last});
      last = result.state;
      CHECK(agree(result.output.copy(), sequence(output, b, lengths[b]).copy()));
      loss = loss + sum(result.output * sequence(w, b, lengths[b]));
    }
    CHECK(agree(last.copy(), slice(state, 0, row, row + 1).copy()));
    loss = loss + sum(last * slice(alone.constant(final_weights), 0, row, row + 1));
    for (std::size_t t = lengths[b]; t < 5; ++t)
      for (std::size_t k = 0; k < 3; ++k) CHECK(output.value()(t, b, k) == 0);
  }
  alone.backward(loss);
  CHECK(agree(dx, alone.gradient(y)));
  CHECK(agree(dh0, alone.gradient(k0)));
  CHECK(agree(batched.cell.W.grad(), single.cell.W.grad()));
  CHECK(agree(batched.cell.U.grad(), single.cell.U.grad()));
}

TEST_CASE("recurrent: padding may hold anything", "[recurrent]") {
  Generator generator(3);
  auto input = random_array({4, 2, 2}, generator);
  input(3, 0, 1) = std::nan("");
  Recurrent recurrent(user::Elman<double>(2, 3, generator));
  Tape<double> tape;
  const auto x = tape.variable(input);
  const std::vector<std::size_t> lengths{3, 4};
  const auto [output, state] = recurrent(x, {.lengths = lengths});
  for (const double y : output.value()) CHECK(std::isfinite(y));
  for (const double y : state.value()) CHECK(std::isfinite(y));
}

TEST_CASE("recurrent: reverse runs the other way and keeps the places", "[recurrent]") {
  Generator generator(4);
  Recurrent forward(user::Elman<double>(2, 3, generator));
  Recurrent backward(forward.cell, {.reverse = true});
  Tape<double> tape;
  const auto x = tape.constant(random_array({4, 2, 2}, generator));
  const auto turn = [](Variable<double> a) {
    return autograd::stack({select(a, 0, 3), select(a, 0, 2), select(a, 0, 1), select(a, 0, 0)});
  };
  const auto one = forward(turn(x)), other = backward(x);
  CHECK(agree(turn(one.output).copy(), other.output.copy(), 0, 0));
  CHECK(agree(one.state.copy(), other.state.copy(), 0, 0));
  CHECK_FALSE(agree(forward(x).output.copy(), other.output.copy()));
}

TEST_CASE("recurrent: a user's cell can be differentiated twice", "[recurrent]") {
  Generator generator(5);
  Recurrent recurrent(user::Elman<double>(2, 3, generator));
  const auto at = random_array({4, 1, 2}, generator), v = random_array({4, 1, 2}, generator);
  const auto slope = [&](const Array<double>& input) {
    Tape<double> tape;
    const auto x = tape.variable(input);
    tape.backward(sum(square(recurrent(x).output)));
    return tape.gradient(x);
  };
  Tape<double> tape;
  const auto x = tape.variable(at);
  const auto dx = grad(sum(square(recurrent(x).output)), {x})[0];
  CHECK(agree(dx.copy(), slope(at)));
  tape.backward(inner(dx, v));
  const double step = 1e-5;
  const Array<double> above = at + step * v, below = at - step * v;
  const Array<double> difference = (slope(above) - slope(below)) / (2 * step);
  CHECK(agree(tape.gradient(x), difference, 1e-8, 1e-7));
}

TEST_CASE("recurrent: a state of one's own", "[recurrent]") {
  Recurrent recurrent(user::TraceCell{});
  Tape<double> tape;
  const auto x = tape.constant({3, 2, 2}, 0.5);
  const auto [output, state] = recurrent(x);
  double fast = 0, slow = 0;
  for (std::size_t t = 0; t < 3; ++t) {
    const double next = std::tanh(0.5 + slow);
    slow = 0.5 * slow + 0.25 * fast;
    fast = next;
    CHECK(output.value()(t, 1, 0) == Catch::Approx(fast + slow).epsilon(1e-14));
  }
  CHECK(state.slow.value()(1, 1) == Catch::Approx(slow).epsilon(1e-14));

  const std::vector<std::size_t> all{3, 3}, some{3, 2};
  CHECK(agree(recurrent(x, {.lengths = all}).output.copy(), output.copy(), 0, 0));
  CHECK_THROWS_MATCHES(recurrent(x, {.lengths = some}), ValueError,
                       Message("recurrent: sequences of different lengths need a cell whose state has a map()"));
}

TEST_CASE("recurrent: what can not be a sequence", "[recurrent]") {
  Generator generator(6);
  Recurrent recurrent(user::Elman<double>(2, 3, generator));
  Tape<double> tape;
  const auto x = tape.constant({4, 2, 2}, 0);
  const auto flat = tape.constant({4, 2}, 0), empty = tape.constant({0, 2, 2}, 0);
  const std::vector<std::size_t> few{1}, beyond{1, 5};
  CHECK_THROWS_MATCHES(recurrent(flat), ShapeError,
                       Message("recurrent: input has shape (4, 2), expected three axes (time, batch, feature)"));
  CHECK_THROWS_MATCHES(recurrent(empty), ShapeError,
                       Message("recurrent: input has no steps; input shape (0, 2, 2) read as (time, batch, feature)"));
  CHECK_THROWS_MATCHES(recurrent(x, {.lengths = few}), ShapeError,
                       Message("recurrent: got 1 lengths for a batch of 2; give one for each sequence"));
  CHECK_THROWS_MATCHES(recurrent(x, {.lengths = beyond}), ValueError,
                       Message("recurrent: sequence 1 has length 5, but the input has only 4 steps"));
  CHECK_THROWS_AS(recurrent(Variable<double>()), autograd::TapeError);
  CHECK(oracle::parameter_names(recurrent) == std::vector<std::string>{"cell.W", "cell.U"});
}
