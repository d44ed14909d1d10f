// Jacobians, Hessians and products with them, hooks, anomalies, checkpoints.
#include "autograd/derivatives.hpp"

#include <cmath>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "nn/recurrent/lstm_cell.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

template <class T>
using Inputs = std::span<const Variable<T>>;

/// Smooth, of two inputs, with every second derivative.
template <class T>
Variable<T> curved(Inputs<T> x) {
  return tanh(matmul(x[0], x[1])) * sum(square(x[1])) + exp(x[0]) * select(x[1], 0, 0);
}

double dot_of(const auto& a, const auto& b) {
  double total = 0;
  for (std::size_t k = 0; k < a.size(); ++k) total += static_cast<double>(a.data()[k] * b.data()[k]);
  return total;
}

}  // namespace

TEST_CASE("jacobian: each row by differences, and of a known function", "[derivatives]") {
  Generator generator(1);
  const std::vector<Array<double>> at{random_array({3, 3}, generator), random_array({3, 3}, generator)};
  const FunctionOf<double> f = curved<double>;
  const auto jacobians = jacobian<double>(f, at);
  REQUIRE(jacobians.size() == 2);
  const auto value = [&](const std::vector<Array<double>>& x) {
    Tape<double> tape;
    std::vector<Variable<double>> variables;
    for (const auto& each : x) variables.push_back(tape.variable(each));
    return f(variables).copy();
  };
  for (std::size_t input = 0; input < 2; ++input) {
    CHECK(shape_of(jacobians[input]) == Shape{3, 3, 3, 3});
    for (std::size_t k = 0; k < 9; ++k) {
      auto up = at, down = at;
      up[input].data()[k] += 1e-5;
      down[input].data()[k] -= 1e-5;
      const Array<double> column = (value(up) - value(down)) / 2e-5;
      for (std::size_t row = 0; row < 9; ++row)
        CHECK(jacobians[input].data()[row * 9 + k] == Catch::Approx(column.data()[row]).epsilon(1e-6).margin(1e-8));
    }
  }
  const auto known = jacobian<float>([](Inputs<float> x) { return square(x[0]); }, {array<float>({2}, {3, -1})});
  CHECK(same(known[0], array<float>({2, 2}, {6, 0, 0, -2})));
  const auto scalar = jacobian<double>([](Inputs<double> x) { return sum(x[0]); }, {array<double>({2}, {3, -1})});
  CHECK(same(scalar[0], array<double>({2}, {1, 1})));
  const auto constant = jacobian<double>([](Inputs<double> x) { return greater(x[0], 0); }, {array<double>({1}, {3})});
  CHECK(same(constant[0], array<double>({1, 1}, {0})));
}

TEST_CASE("hessian: known, symmetric, and what the products with it are", "[derivatives]") {
  const auto quadratic =
      hessian<double>([](Inputs<double> x) { return sum(x[0] * x[0] * x[0]) + select(x[0], 0, 0) * sum(x[1]); },
                      {array<double>({2}, {1, 2}), array<double>({1}, {5})});
  CHECK(same(quadratic[0][0], array<double>({2, 2}, {6, 0, 0, 12})));
  CHECK(same(quadratic[0][1], array<double>({2, 1}, {1, 0})));
  CHECK(same(quadratic[1][0], array<double>({1, 2}, {1, 0})));
  CHECK(same(quadratic[1][1], array<double>({1, 1}, {0})));

  Generator generator(2);
  const std::vector<Array<double>> at{random_array({3, 3}, generator), random_array({3, 3}, generator)};
  const auto loss = [](Inputs<double> x) { return sum(sin(curved<double>(x))); };
  const auto second = hessian<double>(loss, at);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      for (std::size_t a = 0; a < 9; ++a)
        for (std::size_t b = 0; b < 9; ++b)
          CHECK(second[i][j].data()[a * 9 + b] ==
                Catch::Approx(second[j][i].data()[b * 9 + a]).epsilon(1e-12).margin(1e-13));

  Tape<double> tape;
  const auto x = tape.variable(at[0]), w = tape.variable(at[1]);
  const auto u = tape.constant(random_array({3, 3}, generator)), v = tape.constant(random_array({3, 3}, generator));
  const auto product = hessian_vector_product(loss(std::array{x, w}), {x, w}, {u, v});
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t a = 0; a < 9; ++a) {
      double expected = 0;
      for (std::size_t b = 0; b < 9; ++b)
        expected +=
            second[i][0].data()[a * 9 + b] * u.value().data()[b] + second[i][1].data()[a * 9 + b] * v.value().data()[b];
      CHECK(product[i].value().data()[a] == Catch::Approx(expected).epsilon(1e-11).margin(1e-12));
    }
  // It is more tape: its gradient is a third derivative.
  const auto cubic = tape.variable(array<double>({2}, {1, 2}));
  const auto ones = tape.constant({2}, 1);
  const auto hvp = hessian_vector_product(sum(cubic * cubic * cubic), {cubic}, {ones})[0];
  CHECK(same(grad(sum(hvp), {cubic})[0].copy(), array<double>({2}, {6, 6})));
}

TEST_CASE("jacobian times vector: the adjoint identity, and on the tape", "[derivatives]") {
  Generator generator(3);
  Tape<double> tape;
  const std::vector<Array<double>> at{random_array({3, 3}, generator), random_array({3, 3}, generator)};
  const auto x = tape.variable(at[0]), w = tape.variable(at[1]);
  const auto u = tape.constant(random_array({3, 3}, generator)), v = tape.constant(random_array({3, 3}, generator));
  const auto y = curved<double>(std::array{x, w});
  const auto along = jacobian_vector_product(y, {x, w}, {u, v});
  const auto jacobians = jacobian<double>(curved<double>, at);
  for (std::size_t row = 0; row < 9; ++row) {
    double expected = 0;
    for (std::size_t k = 0; k < 9; ++k)
      expected += jacobians[0].data()[row * 9 + k] * u.value().data()[k] +
                  jacobians[1].data()[row * 9 + k] * v.value().data()[k];
    CHECK(along.value().data()[row] == Catch::Approx(expected).epsilon(1e-12));
  }
  const auto weights = tape.constant(random_array({3, 3}, generator));
  const auto back = grad(y, {x, w}, weights);
  CHECK(dot_of(weights.value(), along.value()) ==
        Catch::Approx(dot_of(back[0].value(), u.value()) + dot_of(back[1].value(), v.value())).epsilon(1e-13));
  const auto squared = tape.variable(array<double>({2}, {3, -1}));
  const auto direction = tape.variable(array<double>({2}, {1, 10}));
  const auto jvp = jacobian_vector_product(square(squared), {squared}, {direction});
  CHECK(same(jvp.copy(), array<double>({2}, {6, -20})));
  CHECK(same(grad(sum(jvp), {squared})[0].copy(), array<double>({2}, {2, 20})));
  CHECK(same(jacobian_vector_product(greater(squared, 0), {squared}, {direction}).copy(), array<double>({2}, {0, 0})));

  const std::size_t steps = tape.size();
  CHECK(error_text<ShapeError>([&] {
          jacobian_vector_product(y, {x, w}, {u});
        }) == "jacobian_vector_product: 1 directions for 2 inputs; give one for each");
  CHECK(error_text<ShapeError>([&] { hessian_vector_product(sum(y), {x}, {jvp}); }) ==
        "hessian_vector_product: direction 0 has shape (2), the input (3, 3); they must be equal");
  CHECK(error_text<ShapeError>([&] { hessian_vector_product(y, {x}, {u}); }) ==
        "grad: y must be a scalar, got shape (3, 3); reduce it with sum() or mean(), or pass an output gradient");
  CHECK(tape.size() == steps + 1);  // the sum
}

TEST_CASE("value_and_grad", "[derivatives]") {
  const auto [value, gradient] = value_and_grad<float>([](Inputs<float> x) { return sum(x[0] * x[1]); },
                                                       {array<float>({2}, {1, 2}), array<float>({2}, {3, 4})});
  CHECK(value == 11);
  CHECK(same(gradient[0], array<float>({2}, {3, 4})));
  CHECK(same(gradient[1], array<float>({2}, {1, 2})));
}

TEST_CASE("a hook sees the whole gradient and may change it, in either sweep", "[derivatives]") {
  Tape<double> tape;
  soil(tape);
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  std::vector<Array<double>> seen;
  const GradientHook<double> doubled = [&](Variable<double> g) {
    seen.push_back(g.copy());
    return 2 * g;
  };
  const auto y = hook(3 * x, doubled);
  CHECK(same(y.copy(), array<double>({2}, {3, 6})));
  const auto loss = sum(y * y) + sum(y) + sum(x);
  tape.backward(loss);
  REQUIRE(seen.size() == 1);
  CHECK(same(seen[0], array<double>({2}, {7, 13})));
  CHECK(same(tape.gradient(x), array<double>({2}, {43, 79})));
  const auto recorded = grad(loss, {x})[0];
  CHECK(seen.size() == 2);
  CHECK(same(recorded.copy(), array<double>({2}, {43, 79})));
  CHECK(same(grad(sum(recorded), {x})[0].copy(), array<double>({2}, {72, 72})));  // the hook's own 2 comes twice

  const GradientHook<double> misshapen = [](Variable<double> g) { return sum(g); };
  const auto bad = sum(hook(x, misshapen));
  CHECK(error_text<ShapeError>([&] { tape.backward(bad); }) ==
        "hook: the vjp gave input 0 a gradient of shape (), the input has (2); they must be equal");
}

TEST_CASE("an anomaly is traced to the step that made it", "[derivatives]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2, 2}, {1, 2, -3, 4}));
  tape.name(x, "x");
  CHECK_FALSE(first_anomaly(tape));
  const auto mask = tape.constant({2, 2}, -std::numeric_limits<double>::infinity());
  const auto fine = maximum(x, mask);
  CHECK_FALSE(first_anomaly(tape));
  const auto y = log(fine);
  const auto found = first_anomaly(tape);
  REQUIRE(found);
  CHECK_FALSE(found->backward);
  CHECK_THAT(found->text,
             Catch::Matchers::Contains("step " + std::to_string(found->step) + ", %" + std::to_string(y.slot()) +
                                       " = log(%" + std::to_string(fine.slot()) + "), is the first to hold") &&
                 Catch::Matchers::EndsWith("nan at (1, 0) of (2, 2)"));
  CHECK(tape.recording().step(found->step).op->info->name == std::string("log"));

  tape.clear();
  const auto u = tape.variable(array<double>({2}, {1e-200, 1}));
  tape.name(u, "u");
  const auto power = pow(u, -1);
  tape.backward(sum(power));
  const auto backward = first_anomaly(tape);
  REQUIRE(backward);
  CHECK(backward->backward);
  CHECK_THAT(backward->text, Catch::Matchers::StartsWith("backward through step 1, %1 = pow(%0:u, exponent=-1): the "
                                                         "gradient of %0:u is the first to hold -inf at (0) of (2)"));

  tape.clear();
  const auto leaf = tape.variable(array<double>({2}, {0, std::nan("")}));
  CHECK(first_anomaly(tape)->text ==
        "step 0, %" + std::to_string(leaf.slot()) + " = variable, is the first to hold nan at (1) of (2)");
}

[[gnu::noinline]] Variable<double> careless_logarithm(Variable<double> x) { return 2 * log(x); }

TEST_CASE("an anomaly names the function that recorded it, once call sites are kept", "[derivatives]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {-1, 1}));
  careless_logarithm(x);
  CHECK_THAT(first_anomaly(tape)->text, Catch::Matchers::EndsWith("nan at (0) of (2)"));
  tape.clear();
  tape.keep_call_sites();
  const auto mark = tape.mark();
  for (int round = 0; round < 2; ++round) {
    const auto u = tape.variable(array<double>({2}, {-1, 1}));
    exp(u);
    careless_logarithm(u);
    const auto found = first_anomaly(tape);
    REQUIRE(found);
    if (!to_string(call_site()).empty())
      CHECK_THAT(found->text, Catch::Matchers::Contains("of (2), recorded in careless_logarithm(") ||
                                  Catch::Matchers::Contains("of (2), recorded in test_derivatives+0x"));
    CHECK(tape.recording().call_site(found->step));
    CHECK_FALSE(tape.recording().call_site(tape.size()));
    tape.rewind(mark);
  }
}

namespace {

/// A cell over chunks of a sequence, checkpointed or not.
struct ChunkedRun {
  Generator generator{9};
  nn::Recurrent<nn::LSTMCell<double>> lstm{nn::LSTMCell<double>({.input_size = 3, .hidden_size = 4}, generator)};
  Array<double> input = random_array({12, 2, 3}, generator), weights = random_array({12, 2, 4}, generator);
  Array<double> h0 = random_array({2, 4}, generator), c0 = random_array({2, 4}, generator);
  std::vector<Array<double>> gradients;
  std::size_t steps = 0;

  void operator()(Tape<double>& tape, Tape<double>* workspace) {
    nn::zero_grad(lstm);
    const std::size_t before = tape.size();
    const auto x = tape.variable(input), h = tape.variable(h0), c = tape.variable(c0);
    const auto segment = [this](std::span<const Variable<double>> in) {
      const auto result = lstm(in[0], {.initial = nn::LSTMState<double>{in[1], in[2]}});
      return std::array{result.output, result.state.h, result.state.c};
    };
    Variable<double> last_h = h, last_c = c, loss = tape.constant(Shape{}, 0);
    for (Index t = 0; t < 12; t += 4) {
      const std::array in{slice(x, 0, t, t + 4), last_h, last_c};
      const std::span<const Variable<double>> inputs(in);
      const auto [output, next_h, next_c] = workspace ? checkpoint(*workspace, segment, inputs) : segment(inputs);
      const auto part = slice(tape.constant(weights), 0, t, t + 4);
      loss = loss + sum(output * part);
      last_h = next_h;
      last_c = next_c;
    }
    loss = loss + sum(last_c);
    steps = tape.size() - before;
    tape.backward(loss);
    gradients = {tape.gradient(x), tape.gradient(h), tape.gradient(c)};
    nn::for_each_parameter(lstm, [&](const std::string&, const auto& p) { gradients.push_back(p.grad()); });
  }
};

}  // namespace

TEST_CASE("a checkpointed segment gives the same bits from fewer recorded steps", "[derivatives]") {
  Tape<double> tape, plain, workspace;
  ChunkedRun direct, saved;
  direct(plain, nullptr);
  for (int round = 0; round < 2; ++round) {
    soil(tape);
    saved(tape, &workspace);
    REQUIRE(saved.gradients.size() == direct.gradients.size());
    for (std::size_t k = 0; k < 3; ++k) CHECK(same_bits(saved.gradients[k], direct.gradients[k]));
    // Each chunk adds to a parameter's gradient at once: the sums associate otherwise.
    for (std::size_t k = 3; k < saved.gradients.size(); ++k)
      CHECK(distance(saved.gradients[k], direct.gradients[k]) <= 1e-15);
  }
  CHECK(saved.steps * 2 < direct.steps);
}

TEST_CASE("checkpoint: inputs that are constants, outputs that nobody reads, and refusals", "[derivatives]") {
  Tape<double> tape, workspace;
  soil(tape);
  Parameter<double> p(array<double>({2}, {3, 5}));
  const auto x = tape.constant(array<double>({2}, {1, 2}));
  const auto f = [&](std::span<const Variable<double>> in) {
    const auto w = in[0].tape().parameter(p);
    return std::array{in[0] * w, exp(in[0])};
  };
  const auto [y, unread] = checkpoint(workspace, f, {x});
  CHECK(same(y.copy(), array<double>({2}, {3, 10})));
  CHECK(unread.shape() == Shape{2});
  tape.backward(sum(y * y));
  CHECK(same(p.grad(), array<double>({2}, {6, 40})));

  const auto variable = tape.variable(array<double>({2}, {1, 2}));
  const auto [z, w] = checkpoint(workspace, f, {variable});
  const auto loss = sum(z) + sum(z) + sum(variable);
  tape.backward(loss);
  CHECK(same(tape.gradient(variable), array<double>({2}, {7, 11})));
  CHECK(error_text<TapeError>([&] { grad(loss, {variable}); }) ==
        "checkpoint: grad() can not record through it; use backward(), or call the segment directly");
  CHECK(error_text<TapeError>([&] { checkpoint(tape, f, {variable}); }) ==
        "checkpoint: the workspace is the tape itself; pass a second tape");
  const std::size_t steps = tape.size();
  const auto failing = [](std::span<const Variable<double>> in) {
    return std::array{matmul(in[0], in[0]), reshape(in[0], {3})};
  };
  CHECK_THROWS_AS(checkpoint(workspace, failing, {variable}), ShapeError);
  CHECK(tape.size() == steps);
}
