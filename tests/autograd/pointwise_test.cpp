// Pointwise functions: the fused step against the same function recorded op by op.
#include "autograd/pointwise.hpp"

#include <catch.hpp>
#include <functional>

#include "allocations.hpp"
#include "autograd/autograd.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

template <class T>
using Operands = std::vector<Block<T>>;
template <class T>
using Values = std::vector<Variable<T>>;
template <class T>
using Function = std::function<Values<T>(const Operands<T>&)>;

/// One step; the same on operands that nobody else reads; op by op.
enum class Mode { fused, donated, composed };

/// The columns of an operand, donated if it is.
template <std::size_t N, class T>
std::array<Block<T>, N> parts(const Block<T>& x) {
  return x.donated ? blocks<N>(donate(x.source)) : blocks<N>(x.source);
}

struct Outcome {
  std::vector<Array<double>> values, gradients, recorded, second;
};

/// Calls `f` with all operands and weighs its results into a loss: values, gradients by sweep and by grad(), and the
/// gradients of a weighted sum of the latter.
template <class T>
Outcome run(const Function<T>& f, const std::vector<Array<double>>& inputs, Mode mode, bool accumulate) {
  Tape<T> tape;
  if (mode == Mode::composed) tape.record_op_by_op();
  Values<T> x;
  Operands<T> operands;
  for (const Array<double>& input : inputs) {
    x.push_back(tape.variable(converted<T>(input)));
    if (mode == Mode::donated)
      operands.push_back(Block<T>(donate(affine(x.back(), 1, 0))));
    else
      operands.push_back(Block<T>(x.back()));
  }
  const Values<T> y = f(operands);
  Generator generator(5);
  const auto weights = [&](const Shape& shape) { return tape.constant(random_array<T>(shape, generator)); };
  Variable<T> loss = tape.constant(Shape{}, T(0));
  for (const Variable<T>& each : y) loss = loss + sum(each * weights(each.shape()));
  // Readers that come later contribute first, so that the pointwise step has to add to their gradients.
  if (accumulate)
    for (const Variable<T>& each : x) loss = loss + sum(square(each));
  Outcome outcome;
  for (const Variable<T>& each : y) outcome.values.push_back(converted<double>(each.copy()));
  tape.backward(loss);
  if (mode == Mode::donated) tape.backward(loss);  // the first one wrote over what it needed
  for (const Variable<T>& each : x) outcome.gradients.push_back(converted<double>(tape.gradient(each)));
  const auto recorded = grad(loss, std::span<const Variable<T>>(x));
  Variable<T> again = tape.constant(Shape{}, T(0));
  for (const Variable<T>& each : recorded) {
    outcome.recorded.push_back(converted<double>(each.copy()));
    again = again + sum(each * weights(each.shape()));
  }
  if (again.needs_gradient()) {
    tape.backward(again);
    for (const Variable<T>& each : x) outcome.second.push_back(converted<double>(tape.gradient(each)));
  }
  return outcome;
}

void compare(const std::vector<Array<double>>& got, const std::vector<Array<double>>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    INFO("array " << k);
    CHECK(distance(got[k], expected[k]) <= tolerance);
  }
}

template <class T>
void fused_equals_composed(const std::string& name, const Function<T>& f, const std::vector<Shape>& shapes) {
  Generator generator(3);
  std::vector<Array<double>> inputs;
  std::string text;
  for (const Shape& shape : shapes) {
    inputs.push_back(random_array(shape, generator));
    text += " " + to_string(shape);
  }
  INFO(name << text << (sizeof(T) == 4 ? ", float" : ", double"));
  const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-14;
  for (const bool accumulate : {false, true}) {
    const Outcome composed = run<T>(f, inputs, Mode::composed, accumulate);
    for (const Mode mode : {Mode::fused, Mode::donated}) {
      INFO((mode == Mode::donated ? "donated" : "kept"));
      const Outcome fused = run<T>(f, inputs, mode, accumulate);
      compare(fused.values, composed.values, tolerance);
      compare(fused.gradients, composed.gradients, tolerance);
      compare(fused.recorded, composed.recorded, tolerance);
      compare(fused.recorded, fused.gradients, tolerance);
      compare(fused.second, composed.second, 10 * tolerance);
    }
  }
}

template <class T, class... X>
Values<T> list(X... x) {
  return {x...};
}

constexpr auto lstm = pointwise([](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
  const auto c = sigmoid(zf) * c_previous + sigmoid(zi) * tanh(zg);
  return std::tuple{sigmoid(zo) * tanh(c), c};
});
constexpr auto peephole = pointwise([](auto zi, auto zf, auto zg, auto zo, auto c_previous, auto pi, auto pf, auto po) {
  const auto c = sigmoid(zf + pf * c_previous) * c_previous + sigmoid(zi + pi * c_previous) * tanh(zg);
  return std::tuple{sigmoid(zo + po * c) * tanh(c), c};
});
constexpr auto gru = pointwise([](auto xr, auto xz, auto xn, auto hr, auto hz, auto hn, auto h) {
  const auto n = tanh(xn + sigmoid(xr + hr) * hn);
  const auto z = sigmoid(xz + hz);
  return (1 - z) * n + z * h;
});

template <class T>
std::vector<std::pair<std::string, Function<T>>> binary_functions() {
  const double eps = 0.01;
  const auto f = [](auto function) {
    return Function<T>([function](const Operands<T>& x) {
      const auto y = function(x[0], x[1]);
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(y)>, Variable<T>>)
        return Values<T>{y};
      else
        return Values<T>(y.begin(), y.end());
    });
  };
  return {
      {"product", f(pointwise([](auto a, auto b) { return a * b; }))},
      {"where and maximum",
       f(pointwise([](auto a, auto b) { return where(greater(a, b), maximum(a, 0.25) * b, minimum(b, 0.5) - a); }))},
      {"absolute, logarithm, root, captured number",
       f(pointwise([eps](auto a, auto b) { return log(abs(a) + 1) * sqrt(b * b + eps) / (2 + square(a)); }))},
      {"masked by a comparison", f(pointwise([](auto a, auto b) { return masked(exp(a), greater(b, 0)) + relu(b); }))},
      {"one argument unused", f(pointwise([](auto a, auto) { return softplus(a) + reciprocal(3 + a * a); }))},
      {"results of unlike arguments", f(pointwise([](auto a, auto b) {
         return std::tuple{tanh(a), -b, a - b};
       }))},
      {"the same value twice", f(pointwise([](auto a, auto b) {
         const auto s = sigmoid(a + b);
         return std::tuple{s, s * s};
       }))},
      {"detached", f(pointwise([](auto a, auto b) { return detach(sigmoid(a)) * b + pow(square(a) + 1, 1.5); }))},
      {"numbers on all sides",
       f(pointwise([](auto a, auto b) { return 1.5f * a - b / 3 + 2 / (b * b + 2) + (a - 1); }))},
      {"one in another", f(pointwise([](auto a, auto b) {
         const auto inner = pointwise([](auto x, auto y) { return x * tanh(y); });
         return inner(a + b, inner(b, a));
       }))},
      {"an operand read beside what is kept of it", f(pointwise([](auto a, auto b) {
         return std::tuple{a * sigmoid(a), tanh(b), tanh(a * b)};
       }))},
      {"an argument returned", f(pointwise([](auto a, auto b) {
         return std::tuple{a, a * b};
       }))},
  };
}

}  // namespace

TEMPLATE_TEST_CASE("a fused step equals the same function op by op", "[pointwise]", float, double) {
  using T = TestType;
  const std::vector<std::pair<Shape, Shape>> pairs{{{3, 5}, {3, 5}},   {{1, 16}, {1, 16}},     {{1, 33}, {1, 33}},
                                                   {{4, 19}, {4, 19}}, {{2, 3, 8}, {2, 3, 8}}, {{7}, {7}},
                                                   {{}, {}},           {{0, 4}, {0, 4}},       {{4, 0}, {4, 0}},
                                                   {{3, 5}, {5}},      {{5}, {3, 5}},          {{3, 19}, {3, 1}},
                                                   {{3, 1}, {3, 19}},  {{3, 5}, {}},           {{1, 1}, {3, 35}},
                                                   {{3, 1}, {1, 5}},   {{2, 3, 5}, {3, 5}},    {{2, 1, 5}, {2, 3, 1}},
                                                   {{0, 4}, {4}},      {{4, 0}, {4, 1}}};
  for (const auto& [name, f] : binary_functions<T>())
    for (const auto& [left, right] : pairs) fused_equals_composed<T>(name, f, {left, right});
}

TEMPLATE_TEST_CASE("the updates of cells, fused and op by op", "[pointwise]", float, double) {
  using T = TestType;
  const std::vector<std::pair<std::size_t, std::size_t>> sizes{{1, 1}, {1, 16}, {3, 5}, {2, 8}, {5, 19}, {4, 33}};
  for (const auto& [B, H] : sizes) {
    fused_equals_composed<T>("lstm",
                             [](const Operands<T>& x) {
                               const auto [zi, zf, zg, zo] = parts<4>(x[0]);
                               const auto [h, c] = lstm(zi, zf, zg, zo, x[1]);
                               return list<T>(h, c);
                             },
                             {{B, 4 * H}, {B, H}});
    fused_equals_composed<T>("lstm, gates in arrays of their own",
                             [](const Operands<T>& x) {
                               const auto [h, c] = lstm(x[0], x[1], x[2], x[3], x[4]);
                               return list<T>(h, c);
                             },
                             {{B, H}, {B, H}, {B, H}, {B, H}, {B, H}});
    fused_equals_composed<T>("lstm, only the output read",
                             [](const Operands<T>& x) {
                               const auto [zi, zf, zg, zo] = parts<4>(x[0]);
                               return list<T>(lstm(zi, zf, zg, zo, x[1])[0]);
                             },
                             {{B, 4 * H}, {B, H}});
    fused_equals_composed<T>("peephole",
                             [](const Operands<T>& x) {
                               const auto [zi, zf, zg, zo] = parts<4>(x[0]);
                               const auto [h, c] = peephole(zi, zf, zg, zo, x[1], x[2], x[3], x[4]);
                               return list<T>(h, c);
                             },
                             {{B, 4 * H}, {B, H}, {H}, {H}, {H}});
    fused_equals_composed<T>("gru",
                             [](const Operands<T>& x) {
                               const auto [xr, xz, xn] = parts<3>(x[0]);
                               const auto [hr, hz, hn] = parts<3>(x[1]);
                               return list<T>(gru(xr, xz, xn, hr, hz, hn, x[2]));
                             },
                             {{B, 3 * H}, {B, 3 * H}, {B, H}});
  }
}

TEMPLATE_TEST_CASE("operands that lie in one value", "[pointwise]", float, double) {
  using T = TestType;
  const auto function = pointwise([](auto a, auto b) { return tanh(a) * b; });
  const auto test = [&](const char* name, auto pick, Shape shape) {
    fused_equals_composed<T>(name, [&](const Operands<T>& x) { return list<T>(pick(x[0])); }, {shape});
  };
  test("the same twice", [&](auto x) { return function(x, x); }, {3, 7});
  test("a block twice", [&](auto x) { return function(parts<2>(x)[1], parts<2>(x)[1]); }, {3, 10});
  test("one block of two",
       [&](auto x) {
         return function(parts<2>(x)[1], x.source.tape().constant({3, 5}, T(2)));
       },
       {3, 10});
  test("two blocks of three", [&](auto x) { return function(parts<3>(x)[0], parts<3>(x)[2]); }, {3, 15});
  test("a block that is all", [&](auto x) { return function(parts<1>(x)[0], x); }, {3, 7});
  test("a block stretched over a leading axis",
       [&](auto x) {
         return function(parts<2>(x)[1], x.source.tape().constant({4, 2, 3}, T(2)));
       },
       {2, 6});
  test("a block of one column", [&](auto x) { return function(parts<5>(x)[3], x); }, {3, 5});
}

TEST_CASE("a pointwise step is one step, and allocates nothing the second time", "[pointwise]") {
  Tape<float> tape;
  const Array<float> z = full<float>({3, 20}, 0.3f), c = full<float>({3, 5}, 0.2f);
  const auto step = [&] {
    tape.clear();
    const auto [zi, zf, zg, zo] = blocks<4>(tape.variable(z));
    const auto [h, c_next] = lstm(zi, zf, zg, zo, tape.variable(c));
    tape.backward(sum(h * c_next));
  };
  step();
  CHECK(tape.size() == 5);
  CHECK(allocations::during(step) == 0);
  CHECK(tape.print().find("%2, %3 = pointwise(%0, %0, %0, %0, %1)  (3, 5), (3, 5)") != std::string::npos);
}

TEST_CASE("the complex step differentiates through a pointwise step", "[pointwise]") {
  Generator generator(9);
  Tape<double> tape;
  const auto z = tape.variable(random_array({3, 20}, generator)), c = tape.variable(random_array({3, 5}, generator));
  const auto [zi, zf, zg, zo] = blocks<4>(z);
  const auto [h, c_next] = lstm(zi, zf, zg, zo, c);
  const auto loss = sum(square(h)) + sum(c_next);
  tape.backward(loss);
  CHECK(distance(tape.gradient(z), complex_step_gradient(loss, z)) <= 1e-14);
  CHECK(distance(tape.gradient(c), complex_step_gradient(loss, c)) <= 1e-14);
}

TEST_CASE("third derivatives of a pointwise function", "[pointwise]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {0.3, -0.7}));
  const auto y = pointwise([](auto a) { return tanh(a) * a; })(x);
  auto g = grad(sum(y), {x})[0];
  g = grad(sum(g), {x})[0];
  g = grad(sum(g), {x})[0];
  for (std::size_t k = 0; k < 2; ++k) {
    // (x tanh x)''' = 3 t'' + x t''',  t' = 1 - t^2,  t'' = -2 t t',  t''' = -2 t'^2 - 2 t t''
    const double a = k ? -0.7 : 0.3, t = std::tanh(a), t1 = 1 - t * t, t2 = -2 * t * t1, t3 = -2 * t1 * t1 - 2 * t * t2;
    CHECK(std::abs(g.copy()(k) - (3 * t2 + a * t3)) <= 1e-14);
  }
}

TEST_CASE("names inside a pointwise function can be watched", "[pointwise]") {
  const auto square_of_sigmoid = pointwise([](auto x) {
    const auto s = named("s", sigmoid(x));
    return s * s;
  });
  Tape<double> tape;
  const Array<double> x = array<double>({2}, {0.5, -1});
  square_of_sigmoid(tape.variable(x));
  CHECK(tape.find("s").empty());
  tape.watch("s");
  const auto y = square_of_sigmoid(tape.variable(x));
  tape.backward(sum(y));
  const auto s = tape.find("s");
  REQUIRE(s.size() == 1);
  for (std::size_t k = 0; k < 2; ++k) CHECK(tape.gradient(s[0])(k) == 2 * s[0].copy()(k));
}

TEST_CASE("a tape that records op by op has every name, and writes over nothing", "[pointwise]") {
  const auto gated = pointwise([](auto x, auto y) { return named("s", sigmoid(x)) * y; });
  Tape<double> tape;
  const Array<double> start = array<double>({2}, {0.5, -1});
  const auto record = [&] {
    const auto x = tape.variable(start), z = x * 2;
    const auto y = gated(donate(z), x);
    tape.backward(sum(y));
    return std::tuple{y.copy(), tape.gradient(x), z};
  };
  const auto [fused, fused_gradient, taken] = record();
  CHECK_THROWS_AS(taken.value(), TapeError);
  CHECK(tape.find("s").empty());
  tape.clear();

  tape.record_op_by_op();
  const auto [composed, gradient, kept] = record();
  CHECK(same(kept.copy(), array<double>({2}, {1, -2})));
  REQUIRE(tape.find("s").size() == 1);
  CHECK(tape.print().find("sigmoid(") != std::string::npos);
  CHECK(tape.print().find("pointwise(") == std::string::npos);
  CHECK(distance(composed, fused) <= 1e-15);
  CHECK(distance(gradient, fused_gradient) <= 1e-15);
  // It stays so.
  tape.clear();
  record();
  CHECK(tape.find("s").size() == 1);
}

TEST_CASE("pointwise functions say what is wrong", "[pointwise]") {
  Tape<double> tape, other;
  const auto function = pointwise([](auto a, auto b) { return a * b; });
  const auto x = tape.variable(zeros<double>({3, 4}));
  CHECK_THROWS_WITH(function(x, tape.constant({3, 5}, 1.0)),
                    "pointwise: shapes (3, 4) and (3, 5) do not broadcast: axis 1 has extents 4 and 5; make them "
                    "equal, or one of them 1");
  CHECK_THROWS_WITH(blocks<3>(x), "blocks: the last axis of (3, 4) is not divisible into 3 equal blocks");
  CHECK_THROWS_WITH(function(x, other.constant({3, 4}, 1.0)),
                    "pointwise: the operands are on different tapes; record all of them on one tape");
  CHECK_THROWS_AS(function(Variable<double>(), x), TapeError);
  const std::size_t steps = tape.size();
  tape.backward(sum(function(x, x)));
  CHECK(tape.size() == steps + 2);
}
