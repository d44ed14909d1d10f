// Donated values: memory that is written over, and everything that has to hold all the same.
#include <catch.hpp>
#include <functional>
#include <optional>

#include "autograd/autograd.hpp"
#include "samples/samples.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

constexpr auto update = pointwise([](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
  const auto c = sigmoid(zf) * c_previous + sigmoid(zi) * tanh(zg);
  return std::tuple{sigmoid(zo) * tanh(c), c};
});

/// A recurrence in h and c over all steps of x, projected at once.
struct Recurrence {
  std::size_t steps = 6, batch = 3, input = 2, hidden = 5;
  bool donates = true, repeats = true;
  std::vector<std::size_t> read{0, 1, 2, 3, 4, 5};  ///< steps whose h the loss depends on

  Array<double> x, weight_ih, weight_hh;

  Recurrence() {
    Generator generator(4);
    x = random_array({steps, batch, input}, generator);
    weight_ih = random_array({4 * hidden, input}, generator);
    weight_hh = random_array({4 * hidden, hidden}, generator);
  }

  struct Recorded {
    Variable<double> x, weight_ih, weight_hh, projected, slice, loss;
    std::vector<Variable<double>> h;
  };
  Recorded record(Tape<double>& tape) const {
    Recorded r{tape.variable(x), tape.variable(weight_ih), tape.variable(weight_hh), {}, {}, {}, {}};
    r.projected = linear(r.x, r.weight_ih);
    std::vector<Variable<double>> inputs(steps);
    unbind(r.projected, std::span(inputs));
    r.slice = inputs[2];
    Variable<double> h = tape.constant({batch, hidden}, 0.0), c = h;
    std::optional<Repeat<double>> repeat;
    if (repeats) repeat.emplace(tape, steps);
    for (std::size_t t = 0; t < steps; ++t) {
      if (repeat) repeat->begin(t);
      const auto z = donates ? linear(h, r.weight_hh, donate(inputs[t])) : linear(h, r.weight_hh, inputs[t]);
      const auto [zi, zf, zg, zo] = donates ? blocks<4>(donate(z)) : blocks<4>(z);
      std::tie(h, c) = [&] {
        const auto [next_h, next_c] = update(zi, zf, zg, zo, c);
        return std::pair{next_h, next_c};
      }();
      r.h.push_back(h);
    }
    repeat.reset();
    r.loss = tape.constant(Shape{}, 0.0);
    for (const std::size_t t : read) r.loss = r.loss + sum(square(r.h[t])) * (1.0 + double(t));
    return r;
  }
};

std::vector<Array<double>> gradients(Tape<double>& tape, const Recurrence::Recorded& r) {
  return {tape.gradient(r.x), tape.gradient(r.weight_ih), tape.gradient(r.weight_hh), tape.gradient(r.h[1])};
}

/// A constant weight for linear(x, weight, y).
template <class T>
Variable<T> full_like_weight(Variable<T> y, Variable<T> x) {
  return y.tape().constant(full<T>({y.shape().back(), x.shape().back()}, T(0.25)));
}

void check_equal(const std::vector<Array<double>>& got, const std::vector<Array<double>>& expected, double tolerance) {
  for (std::size_t k = 0; k < expected.size(); ++k) {
    INFO("array " << k);
    CHECK(distance(got[k], expected[k]) <= tolerance);
  }
}

}  // namespace

TEST_CASE("a recurrence that donates has the bits of one that does not", "[donation]") {
  Recurrence recurrence;
  recurrence.repeats = GENERATE(true, false);
  recurrence.read = GENERATE(std::vector<std::size_t>{0, 1, 2, 3, 4, 5}, std::vector<std::size_t>{5},
                             std::vector<std::size_t>{0, 2}, std::vector<std::size_t>{0});
  Tape<double> tape, plain;
  const auto r = recurrence.record(tape);
  Recurrence kept = recurrence;
  kept.donates = false;
  const auto p = kept.record(plain);
  for (std::size_t t = 0; t < recurrence.steps; ++t) CHECK(same_bits(r.h[t].copy(), p.h[t].copy()));
  tape.backward(r.loss);
  plain.backward(p.loss);
  const auto expected = gradients(plain, p);
  check_equal(gradients(tape, r), expected, 0);

  SECTION("swept again") {
    tape.backward(r.loss);
    check_equal(gradients(tape, r), expected, 0);
  }
  SECTION("swept from elsewhere") {
    tape.backward(sum(r.h[3]));
    plain.backward(sum(p.h[3]));
    check_equal(gradients(tape, r), gradients(plain, p), 0);
  }
  SECTION("replayed") {
    tape.assign(r.x, Array<double>(2.0 * recurrence.x));
    plain.assign(p.x, Array<double>(2.0 * recurrence.x));
    for (int round = 0; round < 2; ++round) {
      tape.replay();
      plain.replay();
      tape.backward(r.loss);
      plain.backward(p.loss);
      check_equal(gradients(tape, r), gradients(plain, p), 0);
    }
  }
  SECTION("recorded, differentiated twice, swept and replayed afterwards") {
    const auto again = [](Tape<double>& on, const Recurrence::Recorded& at) {
      const auto g = grad(at.loss, {at.x, at.weight_ih, at.weight_hh});
      const auto h = grad(sum(square(g[0])) + sum(square(g[2])), {at.x, at.weight_hh});
      std::vector<Array<double>> result{g[0].copy(), g[1].copy(), g[2].copy(), h[0].copy(), h[1].copy()};
      on.backward(at.loss);
      for (const auto& each : gradients(on, at)) result.push_back(each);
      on.replay();
      on.backward(at.loss);
      for (const auto& each : gradients(on, at)) result.push_back(each);
      return result;
    };
    check_equal(again(tape, r), again(plain, p), 1e-14);
  }
  SECTION("checked with the complex step") {
    CHECK(distance(complex_step_gradient(r.loss, r.weight_hh), expected[2]) <= 1e-13);
    CHECK(distance(complex_step_gradient(r.loss, r.h[1]), complex_step_gradient(p.loss, p.h[1])) == 0);
  }
  SECTION("rewound and recorded again") {
    tape.clear();
    const auto second = recurrence.record(tape);
    tape.backward(second.loss);
    check_equal(gradients(tape, second), expected, 0);
  }
  SECTION("with a recorded gradient that is rewound") {
    {
      const Tape<double>::Scope scope(tape);
      grad(r.loss, {r.x});
    }
    const auto more = sum(r.h[4]) + r.loss;  // takes the memory that the recorded gradient had
    tape.backward(more);
    tape.backward(r.loss);
    check_equal(gradients(tape, r), expected, 0);
  }
}

TEST_CASE("gradients lie where the values did", "[donation]") {
  Recurrence recurrence;
  Tape<double> tape;
  const auto r = recurrence.record(tape);
  tape.backward(r.loss);
  const double* const memory = tape.recording().slot(r.projected.slot()).value;
  CHECK(tape.recording().slot(r.projected.slot()).gradient == memory);
  std::size_t linears = 0;
  for (std::size_t k = 0; k < tape.size(); ++k) {
    const auto& step = tape.recording().step(k);
    if (std::string_view(step.op->info->name) != "linear" || step.input_count != 3) continue;
    const auto& z = tape.recording().slot(step.first_output);
    CHECK(z.value == memory + linears * z.size);
    CHECK(z.gradient == z.value);
    ++linears;
  }
  CHECK(linears == recurrence.steps);
}

TEST_CASE("a result over a donated value outlives the sweep", "[donation]") {
  Generator generator(6);
  Tape<double> tape;
  const auto w = tape.variable(random_array({3, 3}, generator));
  const auto x = tape.variable(random_array({4, 2, 3}, generator));
  const int way = GENERATE(0, 1, 2, 3);  // by itself; slices; in a repetition; and watched there
  INFO("way " << way);
  std::vector<Variable<double>> z, biases(4);
  const auto projected = affine(x, 2, 0);
  if (way > 0) unbind(projected, std::span(biases));
  std::optional<Repeat<double>> repeat;
  if (way > 1) repeat.emplace(tape, 4);
  Variable<double> h = tape.constant({2, 3}, 0.1);
  for (std::size_t t = 0; t < 4; ++t) {
    if (repeat) repeat->begin(t);
    if (way == 0) biases[t] = affine(select(x, 0, Index(t)), 2, 0);
    z.push_back(linear(h, w, donate(biases[t])));
    CHECK_THROWS_AS(biases[t].value(), TapeError);
    h = square(z.back());
  }
  repeat.reset();
  if (way == 3)
    for (const auto& each : z) tape.watch(each);
  std::vector<Array<double>> before;
  for (const auto& each : z) before.push_back(each.copy());
  const auto loss = sum(h);
  for (int sweep = 0; sweep < 2; ++sweep) {
    tape.backward(loss);
    for (std::size_t t = 0; t < 4; ++t) CHECK(same_bits(z[t].copy(), before[t]));
    CHECK(distance(tape.gradient(x), complex_step_gradient(loss, x)) <= 1e-14);
  }
}

TEST_CASE("what was rewound does not stand in the way", "[donation]") {
  Tape<double> tape;
  Generator generator(7);
  const auto x = tape.variable(random_array({2, 2, 2}, generator)), w = tape.variable(random_array({2, 2}, generator));
  const auto projected = affine(x, 1, 0);
  const auto before = tape.mark();
  select(projected, 0, 0);
  tape.rewind(before);
  const auto slice = select(projected, 0, 1);
  const auto loss = sum(square(linear(select(x, 0, 0), w, donate(slice))));
  tape.backward(loss);
  CHECK(distance(tape.gradient(x), complex_step_gradient(loss, x)) <= 1e-14);
}

TEST_CASE("handles on what was donated say so", "[donation]") {
  Tape<double> tape;
  const auto r = Recurrence().record(tape);
  const std::string reason =
      "the variable was donated, and an op wrote over its memory; keep its value with .copy(), or do not donate() it";
  CHECK_THROWS_WITH(r.projected.value(), "value: " + reason);
  CHECK_THROWS_WITH(r.slice.copy(), "copy: " + reason);
  CHECK_THROWS_WITH(r.slice + 1.0, "affine: " + reason);
  CHECK_THROWS_WITH(square(r.projected), "square: " + reason);
  CHECK_NOTHROW(r.x.value());
}

TEST_CASE("what somebody else may read is not taken", "[donation]") {
  Tape<double> tape;
  Generator generator(2);
  const auto weight = tape.variable(random_array({4, 4}, generator));
  const auto x = tape.variable(random_array({4, 4}, generator));
  const auto fresh = [&] { return affine(x, 2, 1); };
  const auto kept = [&](Variable<double> bias) {
    const Array<double> before = bias.copy();
    const auto y = linear(x, weight, donate(bias));
    CHECK(distance(bias.copy(), before) == 0);
    CHECK(distance(y.copy(), linear(x, weight, bias).copy()) == 0);
  };
  kept(x);
  kept(weight);
  Parameter<double> parameter(random_array({4, 4}, generator));
  kept(tape.parameter(parameter));
  kept(tape.constant({4, 4}, 1.0) * 2);
  const auto watched = fresh();
  tape.watch(watched);
  kept(watched);
  const auto read = fresh();
  square(read);
  kept(read);
  const auto detached_from = fresh(), detached = detach(detached_from);
  kept(detached_from);
  kept(detached);
  const auto reshaped_from = fresh();
  reshape(reshaped_from, {16});
  kept(reshaped_from);
  // Rows and columns that are read again and again.
  for (const Shape& shape : {Shape{1, 4}, Shape{4, 1}}) {
    const auto repeated = affine(slice(slice(x, 0, 0, Index(shape[0])), 1, 0, Index(shape[1])), 1, 1);
    pointwise([](auto a, auto b) { return tanh(a) * b; })(donate(repeated), x);
    CHECK_NOTHROW(repeated.value());
  }
  // Memory that other values keep: those of a sequence that were stacked.
  std::vector<Variable<double>> parts;
  {
    Repeat<double> repeat(tape, 2);
    for (std::size_t t = 0; t < 2; ++t) {
      repeat.begin(t);
      parts.push_back(tanh(slice(x, 0, Index(2 * t), Index(2 * t + 2))));
    }
  }
  const auto stacked = stack<double>(parts, 0);
  REQUIRE(stacked.value().data() == parts[0].value().data());
  const Array<double> first = parts[0].copy();
  const auto slice_of_stack = select(stacked, 0, 0);
  linear(slice(x, 0, 0, 2), weight, donate(slice_of_stack));
  CHECK(distance(parts[0].copy(), first) == 0);
  // An operand that lies in the same memory.
  const auto both = fresh();
  const auto alias = reshape(both, {4, 4});
  const Array<double> before = both.copy();
  const auto z = linear(both, weight, donate(alias));
  CHECK(distance(both.copy(), before) == 0);
  CHECK(distance(z.copy(), linear(both, weight, alias).copy()) == 0);
}

TEST_CASE("an operand of two pointwise calls is not taken by the first", "[donation]") {
  Tape<double> tape;
  Generator generator(2);
  const auto x = tape.variable(random_array({3, 8}, generator));
  const auto z = affine(x, 1, 0);
  const auto [a, b] = blocks<2>(donate(z));
  const auto f = pointwise([](auto u) { return tanh(u); });
  const auto loss = sum(f(a) * f(b));
  tape.backward(loss);
  const auto kept = affine(x, 1, 0);
  const Array<double> got = tape.gradient(x);
  tape.backward(sum(f(blocks<2>(kept)[0]) * f(blocks<2>(kept)[1])));
  CHECK(distance(got, tape.gradient(x)) == 0);
}

TEST_CASE("a call that differs from the one before does not lie as that did", "[donation]") {
  // Whichever operand the gradient reads has to stay.
  const auto mix = [](bool swapped) {
    return pointwise([swapped](auto a, auto b) { return swapped ? tanh(b) * a : tanh(a) * b; });
  };
  using V = Variable<double>;
  using Call = std::function<V(V, V)>;
  const std::vector<Call> calls = {[&](V x, V y) { return mix(false)(donate(x * 2), donate(y * 3)); },
                                   [&](V x, V y) { return mix(true)(donate(x * 2), donate(y * 3)); },
                                   [&](V x, V y) {
                                     const V kept = x * 2;
                                     return mix(false)(kept, donate(y * 3)) * kept;
                                   },
                                   [&](V x, V y) {
                                     const V kept = y * 3;
                                     return mix(true)(donate(x * 2), kept) * kept;
                                   },
                                   [&](V x, V y) { return mix(false)(x * y, V(x)); },
                                   [&](V x, V) { return mix(false)(x, x); },
                                   [&](V x, V y) { return mix(false)(x, select(y, 0, 1)); },
                                   [&](V x, V y) { return mix(false)(select(x, 0, 1), y); },
                                   [&](V x, V y) {
                                     const auto [first, second] = blocks<2>(donate(x * y));
                                     return mix(false)(first, second);
                                   },
                                   [&](V x, V y) {
                                     const auto [first, second] = blocks<2>(donate(x * y));
                                     return mix(false)(second, first);
                                   },
                                   [&](V x, V y) {
                                     const auto [first, second] = blocks<2>(x * y);
                                     return mix(false)(second, second);
                                   },
                                   [&](V x, V y) {
                                     const auto parts = blocks<4>(x * y);
                                     return mix(true)(parts[1], parts[3]);
                                   }};
  Generator generator(8);
  const Array<double> x = random_array({3, 8}, generator), y = random_array({3, 8}, generator);
  const auto gradients_of = [&](std::initializer_list<std::size_t> order) {
    Tape<double> tape;
    V a, b, loss = tape.constant(Shape{}, 0.0);
    for (const std::size_t call : order) {
      a = tape.variable(x);
      b = tape.variable(y);
      loss = loss + sum(square(calls[call](a, b)));
    }
    tape.backward(loss);
    return std::pair{tape.gradient(a), tape.gradient(b)};
  };
  for (std::size_t first = 0; first < calls.size(); ++first)
    for (std::size_t second = 0; second < calls.size(); ++second) {
      INFO("call " << second << " after call " << first);
      const auto alone = gradients_of({second}), after = gradients_of({first, second});
      CHECK(same_bits(after.first, alone.first));
      CHECK(same_bits(after.second, alone.second));
    }
}

TEMPLATE_TEST_CASE("whatever op made it, a donated value has the gradients of one that is not", "[donation]", float,
                   double) {
  using T = TestType;
  using V = Variable<T>;
  constexpr auto twice_read = pointwise([](auto v) { return tanh(v) * v; });
  // An op's own gradient may read its result, as those of exp and tanh do, which then must not be written over.
  const std::pair<std::function<V(V, V)>, std::function<V(V, V)>> consumers[] = {
      {[=](V y, V) { return twice_read(donate(y)); }, [=](V y, V) { return twice_read(y); }},
      {[](V y, V x) { return linear(x, full_like_weight(y, x), donate(y)); },
       [](V y, V x) { return linear(x, full_like_weight(y, x), y); }},
      {[=](V y, V) { return twice_read(blocks<1>(donate(reshape(y, y.shape())))[0]); },
       [=](V y, V) { return twice_read(blocks<1>(reshape(y, y.shape()))[0]); }}};
  for (const RegisteredOp& op : registered_ops())
    for (const Sample& sample : op.samples) {
      INFO(op.info->name << ": " << sample.description);
      Generator generator(17);
      std::vector<Array<T>> inputs;
      for (const Shape& shape : sample.inputs) inputs.push_back(random_array<T>(shape, generator, sample.domain));
      for (const auto& [donating, plain] : consumers) {
        const auto gradients = [&](const auto& consumer) {
          Tape<T> tape;
          std::vector<V> given;
          for (const Array<T>& input : inputs) given.push_back(tape.variable(input));
          V y;
          if constexpr (std::same_as<T, double>)
            y = sample.call(given);
          else
            y = sample.call_float(given);
          std::vector<Array<T>> result;
          if (!y.needs_gradient() || y.shape().rank() == 0) return result;
          Shape rows = y.shape();
          rows.back() = 2;
          tape.backward(sum(consumer(y, tape.constant(full<T>(rows, T(0.5))))));
          for (const V x : given) result.push_back(tape.gradient(x));
          return result;
        };
        const auto got = gradients(donating), expected = gradients(plain);
        REQUIRE(got.size() == expected.size());
        for (std::size_t k = 0; k < got.size(); ++k) CHECK(same_bits(got[k], expected[k]));
      }
    }
}

TEST_CASE("names keep what they name, and find what is left", "[donation]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({2, 4}, 0.5));
  const auto z = named("z", affine(x, 1, 0));
  const auto f = pointwise([](auto a, auto b) { return named("s", sigmoid(a)) * b; });
  const auto [a, b] = blocks<2>(donate(z));
  f(a, b);
  CHECK(tape.find("z").empty());
  tape.clear();
  tape.watch("s");
  const auto y = named("z", affine(tape.variable(full<double>({2, 4}, 0.5)), 1, 0));
  const auto [c, d] = blocks<2>(donate(y));
  f(c, d);
  CHECK(tape.find("z").size() == 1);
  CHECK(tape.find("s").size() == 1);
  CHECK(distance(y.copy(), full<double>({2, 4}, 0.5)) == 0);
}

TEST_CASE("an anomaly is not looked for in memory that was written over", "[donation]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({2, 2}, -1.0));
  const auto z = affine(x, 1, 0);
  const auto y = pointwise([](auto a) { return sqrt(a); })(donate(z));
  tape.backward(sum(y));
  const auto anomaly = first_anomaly(tape);
  REQUIRE(anomaly);
  CHECK(anomaly->text.find("pointwise") != std::string::npos);
}
