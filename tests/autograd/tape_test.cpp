// The tape: handles and generations, marks, parameters, sweeps, recorded gradients, memory, and how it prints.
#include <pthread.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "allocations.hpp"
#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

using Handle = Variable<double>;

/// Every way to use a handle, by the name that an error about it starts with.
std::vector<std::pair<std::string, std::function<void(Handle)>>> uses(Handle good) {
  Tape<double>& tape = good.tape();
  const Array<double> ones = full<double>({1}, 1.0);
  return {{"shape", [](Handle x) { x.shape(); }},
          {"needs_gradient", [](Handle x) { x.needs_gradient(); }},
          {"value", [](Handle x) { x.value(); }},
          {"copy", [](Handle x) { x.copy(); }},
          {"item", [](Handle x) { x.item(); }},
          {"exp", [](Handle x) { exp(x); }},
          {"add", [good](Handle x) { good + x; }},
          {"mul", [good](Handle x) { x* good; }},
          {"concat",
           [good](Handle x) {
             concat({good, x}, 0);
           }},
          {"detach", [](Handle x) { detach(x); }},
          {"matmul", [good](Handle x) { matmul(good, x); }},
          {"linear", [good](Handle x) { linear(good, x); }},
          {"backward", [&tape](Handle x) { tape.backward(x); }},
          {"backward", [&tape, ones](Handle x) { tape.backward(x, ones); }},
          {"gradient", [&tape](Handle x) { tape.gradient(x); }},
          {"watch", [&tape](Handle x) { tape.watch(x); }},
          {"name", [&tape](Handle x) { tape.name(x, "x"); }},
          {"grad", [good](Handle x) { grad(x, {good}); }},
          {"grad", [good](Handle x) { grad(good, {x}); }},
          {"grad", [good](Handle x) { grad(good, {good}, x); }},
          {"complex step", [good](Handle x) { complex_step_gradient(x, good); }},
          {"complex step", [good](Handle x) { complex_step_gradient(good, x); }}};
}

/// A sum of the tape's own, to see that it still works.
void check_usable(Tape<double>& tape) {
  const auto x = tape.variable(array<double>({2}, {3, 4}));
  tape.backward(sum(x * x));
  CHECK(same(tape.gradient(x), array<double>({2}, {6, 8})));
}

}  // namespace

// Handles.

TEST_CASE("a handle is valid until its tape is cleared", "[tape]") {
  Tape<double> tape;
  const auto old = tape.variable(array<double>({1}, {1}));
  const Array<double> kept = old.copy();
  tape.clear();
  const auto good = tape.variable(array<double>({1}, {2}));
  CHECK(tape.generation() == 2);
  for (const auto& [name, use] : uses(good)) {
    INFO(name);
    const std::string generation = std::to_string(tape.generation());
    CHECK(error_text<TapeError>([&] { use(old); }) ==
          "variable used after its tape was cleared (recorded in generation 1, tape is at " + generation +
              "); keep values with .copy(), or record again");
    CHECK(tape.size() == 1);
  }
  CHECK(kept(0) == 1);
  check_usable(tape);
}

TEST_CASE("a default-constructed handle refers to nothing", "[tape]") {
  Tape<double> tape;
  const auto good = tape.variable(array<double>({1}, {2}));
  CHECK_FALSE(Handle());
  CHECK(good);
  for (const auto& [name, use] : uses(good)) {
    CHECK(error_text<TapeError>([&] { use({}); }) ==
          name + ": a default-constructed variable refers to nothing; record it on a tape first");
    CHECK(tape.size() == 1);
  }
  CHECK(error_text<ShapeError>([] { concat(std::span<const Handle>(), 0); }) == "concat: needs at least one input");
  CHECK(error_text<ShapeError>([] { stack(std::span<const Handle>(), 0); }) == "stack: needs at least one input");
  check_usable(tape);
}

TEST_CASE("a handle of another tape is refused", "[tape]") {
  Tape<double> tape, elsewhere;
  const auto good = tape.variable(array<double>({1}, {2}));
  const auto foreign = elsewhere.variable(array<double>({1}, {1}));
  const std::set<std::string> unary{"shape", "needs_gradient", "value", "copy", "item",
                                    "exp",   "detach"};  // at home on any tape
  for (const auto& [name, use] : uses(good)) {
    if (unary.contains(name)) continue;
    INFO(name);
    CHECK(error_text<TapeError>([&] { use(foreign); }) ==
          name + ": the operands are on different tapes; record all of them on one tape");
    CHECK(tape.size() == 1);
    CHECK(elsewhere.size() == 1);
  }
  check_usable(tape);
  check_usable(elsewhere);
}

TEST_CASE("a constant can be filled by a function", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({2, 3}, 2.0));
  const auto c = tape.constant({2, 3}, [](std::span<double> values) {
    REQUIRE(values.size() == 6);
    CHECK(values[5] == 0);
    for (std::size_t k = 0; k < 5; ++k) values[k] = static_cast<double>(k);
  });
  CHECK(same(c.copy(), array<double>({2, 3}, {0, 1, 2, 3, 4, 0})));
  CHECK_FALSE(c.needs_gradient());
  tape.backward(sum(x * c));
  CHECK(same(tape.gradient(x), c.copy()));
  // A constant like any other: it can be assigned, and the numbers of a type are still numbers.
  tape.assign(c, full<double>({2, 3}, 7.0));
  tape.replay();
  CHECK(same(c.copy(), full<double>({2, 3}, 7.0)));
  CHECK(same(tape.constant({2}, 3).copy(), full<double>({2}, 3.0)));
  CHECK(tape.constant({0, 3}, [](std::span<double> values) { CHECK(values.empty()); }).shape() == Shape{0, 3});

  const auto filled = [&tape] {
    tape.clear();
    tape.constant({4}, [](std::span<double> values) { values[3] = 1; });
  };
  filled();
  CHECK(allocations::during(filled) == 0);
}

TEST_CASE("what is drawn can not be replayed", "[tape]") {
  Tape<double> tape;
  const auto drawn = tape.drawn({2}, [](std::span<double> values) { values[0] = 0.5; });
  CHECK(same(drawn.copy(), array<double>({2}, {0.5, 0})));
  CHECK_FALSE(drawn.needs_gradient());
  CHECK(tape.print() == "%0 = drawn  (2)\n");
  CHECK_THROWS_WITH(tape.replay(),
                    "replay: dropout drew its mask when it was recorded; clear the tape and record again");
  CHECK_THROWS_AS(tape.assign(drawn, full<double>({2}, 1.0)), TapeError);
}

TEST_CASE("where a function that fills a leaf fails, the tape is as before", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({3}, 2.0));
  const auto after_x = tape.mark();
  const std::size_t steps = tape.size(), slots = tape.recording().slot_count();
  const auto check = [&](const auto& fill, const std::string& text) {
    for (const bool drawn : {false, true}) {
      std::string error;
      try {
        drawn ? tape.drawn({3}, fill) : tape.constant({3}, fill);
      } catch (const std::exception& e) {
        error = e.what();
      }
      CHECK(error == (text.empty() ? std::string("no more") : (drawn ? "drawn: " : "constant: ") + text));
      CHECK(tape.size() == steps);
      CHECK(tape.recording().slot_count() == slots);
      CHECK(same(x.copy(), full<double>({3}, 2.0)));
      check_usable(tape);
      tape.rewind(after_x);
    }
  };
  check([](std::span<double>) { throw std::runtime_error("no more"); }, "");
  const std::string records = "what fills a leaf may not record on its tape; record before, and fill with numbers";
  check([&](std::span<double>) { exp(x); }, records);
  check([&](std::span<double>) { tape.constant({2}, 1); }, records);
  // Another tape may be used.
  const auto y = tape.constant({1}, [](std::span<double> values) {
    Tape<double> other;
    values[0] = exp(other.constant({}, 0)).item();
  });
  CHECK(y.item() == 1);
}

TEST_CASE("a loss has one element, an output gradient its output's shape", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({32, 10}, 1.0));
  CHECK(error_text<ShapeError>([&] { tape.backward(x); }) ==
        "backward: the loss must be a scalar, got shape (32, 10); reduce it with sum() or mean(), or pass an output "
        "gradient");
  CHECK(error_text<ShapeError>([&] {
          tape.backward(x, full<double>({10, 32}, 1.0));
        }) == "backward: the output gradient has shape (10, 32), the output (32, 10); they must be equal");
  CHECK(error_text<ShapeError>([&] { grad(x, {x}); }) ==
        "grad: y must be a scalar, got shape (32, 10); reduce it with sum() or mean(), or pass an output gradient");
  CHECK(error_text<ShapeError>([&] { grad(x, {x}, sum(x)); }) ==
        "grad: the output gradient has shape (), the output (32, 10); they must be equal");
  CHECK(error_text<ShapeError>([&] { complex_step_gradient(x, x); }) ==
        "complex step: the loss must be a scalar, got shape (32, 10); reduce it with sum() or mean()");
  CHECK(error_text<ShapeError>([&] { x.item(); }) ==
        "item: the array has shape (32, 10), not one element; use value() or copy()");
  CHECK(tape.variable(full<double>({1, 1}, 5.0)).item() == 5);
  check_usable(tape);
}

TEST_CASE("what depends on no variable can not be swept", "[tape]") {
  Tape<double> tape;
  const auto c = tape.constant(Shape{}, 2);
  const auto x = tape.variable(array<double>({}, {3}));
  const std::string text =
      "backward: the output depends on no variable and no parameter; record its inputs with tape.variable() or "
      "tape.parameter()";
  CHECK(error_text<TapeError>([&] { tape.backward(c * c); }) == text);
  CHECK(error_text<TapeError>([&] { tape.backward(detach(x * x)); }) == text);
  CHECK(error_text<TapeError>([&] { tape.backward(greater(x, 0)); }) == text);
  check_usable(tape);
}

TEST_CASE("gradients are asked for after a sweep", "[tape]") {
  Tape<double> tape;
  Parameter<double> p(full<double>({}, 2.0));
  const auto w = tape.parameter(p);
  const auto x = tape.variable(full<double>({}, 3.0));
  CHECK(error_text<TapeError>([&] { tape.gradient(x); }) ==
        "gradient: no backward() yet; sweep first, or use grad() for a recorded gradient");
  const auto y = x * w, beside = x + w, later = y * y;
  tape.backward(y);
  CHECK(tape.gradient(x)() == 2);
  CHECK(tape.gradient(y)() == 1);
  CHECK(tape.gradient(beside)() == 0);
  CHECK(tape.gradient(later)() == 0);
  CHECK(error_text<TapeError>([&] { tape.gradient(w); }) ==
        "gradient: this variable is a Parameter, whose gradient accumulates in the Parameter; read grad() there");
  CHECK(error_text<TapeError>([&] { tape.watch(w); }) ==
        "watch: a Parameter has a gradient of its own; read its grad()");
  tape.backward(later);
  CHECK(tape.gradient(y)() == 12);
  CHECK(tape.gradient(x)() == 24);
  tape.backward(x);
  CHECK(tape.gradient(x)() == 1);
  CHECK(tape.gradient(y)() == 0);
}

// Marks.

TEST_CASE("rewind keeps what was recorded before the mark and forgets the rest", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({3}, {1, 2, 3}));
  const auto y = x * x;
  tape.name(y, "squares");
  const auto mark = tape.mark();
  const auto z = exp(y);
  tape.name(z, "late");
  tape.rewind(mark);
  CHECK(tape.size() == 2);
  CHECK(tape.generation() == 2);
  CHECK(tape.print() == "%0 = variable  (3)\n%1:squares = mul(%0, %0)  (3)\n");

  const auto other = sum(y);  // where z was
  CHECK(other.slot() == z.slot());
  CHECK(error_text<TapeError>([&] { z.value(); }) ==
        "variable used after its tape was cleared (recorded in generation 1, tape is at 2); keep values with .copy(), "
        "or record again");
  CHECK(other.item() == 14);
  CHECK(same(y.copy(), array<double>({3}, {1, 4, 9})));
  tape.backward(other);
  CHECK(same(tape.gradient(x), array<double>({3}, {2, 4, 6})));
  CHECK(tape.print().find("late") == std::string::npos);
}

TEST_CASE("a mark that the tape was rewound past is refused", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({3}, {1, 2, 3}));
  const auto early = tape.mark();
  exp(x);
  const auto late = tape.mark();
  tape.rewind(early);
  const std::string text =
      "rewind: the mark was set further on than the tape has reached; it was rewound past it before";
  CHECK(error_text<TapeError>([&] { tape.rewind(late); }) == text);
  // Also when something else has been recorded there since.
  const auto z = exp(x) + exp(2 * x);
  CHECK(error_text<TapeError>([&] { tape.rewind(late); }) == text);
  CHECK(z.value()(0) == Catch::Approx(std::exp(1.0) + std::exp(2.0)));
  tape.rewind(early);
  tape.rewind(early);
  CHECK(x.value()(2) == 3);
  tape.clear();
  CHECK(error_text<TapeError>([&] { tape.rewind(early); }) == text);
  check_usable(tape);
  CHECK(error_text<TapeError>([&] { tape.rewind(early); }) == text);
}

TEST_CASE("a scope rewinds at its end, also past an exception", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  Handle inner;
  {
    const Tape<double>::Scope scope(tape);
    inner = x * x;
    {
      const Tape<double>::Scope nested(tape);
      exp(inner);
      CHECK(tape.size() == 3);
    }
    CHECK(tape.size() == 2);
    CHECK(inner.value()(1) == 4);
  }
  CHECK(tape.size() == 1);
  CHECK_THROWS_AS(inner.value(), TapeError);
  try {
    const Tape<double>::Scope scope(tape);
    (x * x).item();
  } catch (const ShapeError&) {
  }
  CHECK(tape.size() == 1);
  CHECK(x.value()(0) == 1);
  {
    const Tape<double>::Scope scope(tape);
    tape.clear();  // leaves the scope nothing to do
    check_usable(tape);
  }
  check_usable(tape);
}

TEST_CASE("rewinding again and again holds no more memory", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({1000}, 1.0));
  std::size_t held = 0;
  for (int round = 0; round < 50; ++round) {
    const Tape<double>::Scope scope(tape);
    auto y = x;
    for (int k = 0; k < 40; ++k) y = tanh(y);
    tape.backward(sum(y));
    if (round == 0) held = tape.memory();
    CHECK(tape.memory() == held);
  }
  CHECK(held >= 2 * 40 * 1000 * sizeof(double));
}

TEST_CASE("what a product keeps of its weight does not outlive a rewind", "[tape]") {
  Tape<double> tape;
  Generator generator(1);
  const Array<double> weights = random_array({5, 4}, generator), rows = random_array({3, 4}, generator);
  const auto w = tape.variable(weights), x = tape.variable(rows);
  const Array<double> expected = linear(x, w).copy();
  const auto mark = tape.mark();
  for (int round = 0; round < 4; ++round) {
    for (int k = 0; k < 3; ++k) CHECK(distance(linear(x, w).copy(), expected) <= 1e-15);
    tape.rewind(mark);
    tape.variable(full<double>({500}, 1e9));  // over whatever was kept
    for (int k = 0; k < 3; ++k) CHECK(distance(linear(x, w).copy(), expected) <= 1e-15);
    tape.rewind(mark);
  }
}

// Parameters.

TEST_CASE("gradients of a parameter accumulate over sweeps, of anything else they do not", "[tape]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2}, {1, 2}));
  const auto x = tape.variable(array<double>({2}, {10, 20}));
  const auto w = tape.parameter(p);
  CHECK(tape.parameter(p).slot() == w.slot());
  CHECK(w.value().data() == p.value().data());
  const auto loss = sum(w * x) + sum(tape.parameter(p));
  tape.backward(loss);
  CHECK(same(p.grad(), array<double>({2}, {11, 21})));
  tape.backward(loss);
  CHECK(same(p.grad(), array<double>({2}, {22, 42})));
  CHECK(same(tape.gradient(x), array<double>({2}, {1, 2})));
  tape.clear();
  tape.backward(sum(square(tape.parameter(p))));
  CHECK(same(p.grad(), array<double>({2}, {24, 46})));
  p.zero_grad();
  CHECK(same(p.grad(), zeros<double>({2})));
  CHECK(grad(sum(square(tape.parameter(p))), {tape.parameter(p)})[0].value()(1) == 4);
  CHECK(same(p.grad(), zeros<double>({2})));

  // Parts of it, read beside all of it.
  tape.clear();
  const auto v = tape.parameter(p);
  const auto parts = sum(square(select(v, 0, 1))) + sum(reshape(v, {2, 1})) + sum(slice(v, 0, 0, 1));
  tape.backward(parts);
  tape.backward(parts);
  CHECK(same(p.grad(), array<double>({2}, {4, 10})));
}

// The gradients of a weight that many steps read are gathered, and multiplied a few hundred rows at a time.
TEST_CASE("a weight that is read by hundreds of steps has the sum of their gradients", "[tape]") {
  Generator generator(12);
  Tape<double> tape;
  Parameter<double> w(random_array({3, 2}, generator)), u(random_array({2, 3}, generator));
  for (const std::size_t rows : {1, 3, 4, 5})
    for (const std::size_t steps : {1, 64, 257, 600}) {
      INFO(rows << " rows, " << steps << " steps");
      soil(tape);
      w.zero_grad();
      u.zero_grad();
      auto state = tape.variable(random_array({rows, 2}, generator));
      for (std::size_t t = 0; t < steps; ++t) state = tanh(linear(linear(state, tape.parameter(w)), tape.parameter(u)));
      const auto loss = sum(square(state)) + sum(tape.parameter(w));
      tape.backward(loss);
      const auto expected = grad(loss, {tape.parameter(w), tape.parameter(u)});
      CHECK(distance(w.grad(), expected[0].copy()) <= 1e-14);
      CHECK(distance(u.grad(), expected[1].copy()) <= 1e-14);
    }
}

TEST_CASE("a parameter that was updated after it was recorded stops the sweep", "[tape]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2}, {1, 2})), q(array<double>({3}, {1, 2, 3}));
  const auto old = tape.parameter(p);
  tape.name(tape.parameter(q), "weight");
  const auto loss = sum(old) + sum(square(tape.parameter(q)));
  CHECK(p.version() == 0);
  p.update([](auto& values) { values(0) = 5; });
  CHECK(p.version() == 1);
  CHECK(p.value()(0) == 5);
  CHECK(error_text<TapeError>([&] { tape.backward(loss); }) ==
        "backward: parameter of shape (2) was updated after it was recorded (version 0, now 1); call backward() before "
        "the update, or record again");
  tape.clear();
  tape.name(tape.parameter(q), "weight");
  const auto again = sum(tape.parameter(q));
  q.update([](auto& values) { values *= 2; });
  q.update([](auto& values) { values.fill(7); });
  CHECK(error_text<TapeError>([&] { tape.backward(again); }) ==
        "backward: parameter \"weight\" of shape (3) was updated after it was recorded (version 0, now 2); call "
        "backward() before the update, or record again");
  CHECK(same(q.grad(), zeros<double>({3})));
  CHECK(same(p.grad(), zeros<double>({2})));
  tape.clear();
  tape.backward(sum(tape.parameter(q)) * 2);
  CHECK(same(q.grad(), full<double>({3}, 2.0)));
  CHECK(same(q.value(), full<double>({3}, 7.0)));
}

TEST_CASE("a parameter that is read again after an update has its new value", "[tape]") {
  Tape<double> tape;
  Generator generator(6);
  Parameter<double> p(random_array({5, 4}, generator));
  const Array<double> rows = random_array({2, 4}, generator), other = random_array({5, 4}, generator);
  const auto x = tape.variable(rows);
  for (int k = 0; k < 3; ++k) linear(x, tape.parameter(p));
  p.update([&](auto& values) { values = other; });
  const Array<double> expected = matmul(x, transpose(tape.constant(other))).copy();
  for (int k = 0; k < 3; ++k) CHECK(distance(linear(x, tape.parameter(p)).copy(), expected) <= 1e-15);
}

TEST_CASE("an update can fill a parameter but not resize it", "[tape]") {
  Parameter<double> p(array<double>({2}, {1, 2}));
  const double* memory = p.value().data();
  CHECK_THROWS(p.update([](auto& values) { values = full<double>({3}, 0.0); }));
  p.update([](auto& values) { values = full<double>({2}, 4.0); });
  CHECK(p.value().data() == memory);
  CHECK(p.version() == 2);
  CHECK(same(p.value(), full<double>({2}, 4.0)));
  CHECK(p.shape() == Shape{2});
  CHECK(p == Parameter<double>(full<double>({2}, 4.0)));
  CHECK_FALSE(p == Parameter<double>(full<double>({2}, 5.0)));
}

// Recorded gradients.

TEST_CASE("a gradient can be differentiated again, to any order", "[tape]") {
  Tape<double> tape;
  Generator generator(4);
  const Array<double> points = random_array({21}, generator, {-2, 2});
  const auto x = tape.variable(points);
  const auto ones = tape.constant(Shape{21}, 1);
  // y = x tanh(x); with t = tanh(x) and s = 1 - t^2:
  // y' = t + x s,  y'' = 2 s (1 - x t),  y''' = -2 s (3 t + x s - 2 x t^2)
  std::vector<Handle> derivative{x * tanh(x)};
  for (int order = 1; order <= 3; ++order) derivative.push_back(grad(derivative.back(), {x}, ones)[0]);
  for (std::size_t k = 0; k < points.size(); ++k) {
    const double at = points(k), t = std::tanh(at), s = 1 - t * t;
    CHECK(derivative[1].value()(k) == Catch::Approx(t + at * s).margin(1e-14));
    CHECK(derivative[2].value()(k) == Catch::Approx(2 * s * (1 - at * t)).margin(1e-14));
    CHECK(derivative[3].value()(k) == Catch::Approx(-2 * s * (3 * t + at * s - 2 * at * t * t)).margin(1e-14));
  }
  // The sweep over numbers gives the fourth the same way grad() does.
  const auto fourth = grad(derivative[3], {x}, ones)[0];
  tape.backward(derivative[3], full<double>({21}, 1.0));
  CHECK(distance(tape.gradient(x), fourth.copy()) <= 1e-13);
}

TEST_CASE("grad() takes any inputs, and gives zeros for those out of reach", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto c = tape.constant(array<double>({2}, {3, 4}));
  const auto stranger = tape.variable(full<double>({2, 3}, 1.0));
  const auto middle = x * c;
  const auto y = sum(square(middle)) + sum(c);
  const auto later = exp(y);
  const auto part = select(middle, 0, 1);
  const auto g = grad(y, {x, middle, stranger, c, y, later, x, part});
  REQUIRE(g.size() == 8);
  CHECK(same(g[0].copy(), array<double>({2}, {18, 64})));
  CHECK(same(g[1].copy(), array<double>({2}, {6, 16})));
  CHECK(same(g[2].copy(), zeros<double>({2, 3})));
  CHECK(same(g[3].copy(), array<double>({2}, {7, 33})));  // a constant is one to sweeps only
  CHECK(same(g[4].copy(), array<double>({}, {1})));
  CHECK(same(g[5].copy(), array<double>({}, {0})));
  CHECK(same(g[6].copy(), g[0].copy()));
  CHECK(same(g[7].copy(), array<double>({}, {0})));
  CHECK(grad(y, std::span<const Handle>()).empty());

  // An output gradient that depends on x itself is differentiated, too: v(x) = 2 x, so <v, d(x^2)/dx> = 4 x^2.
  const auto product = grad(square(x), {x}, 2 * x)[0];
  CHECK(same(product.copy(), array<double>({2}, {4, 16})));
  CHECK(same(grad(sum(product), {x})[0].copy(), array<double>({2}, {8, 16})));
  CHECK(same(grad(detach(x) * x, {x}, c)[0].copy(), array<double>({2}, {3, 8})));
}

// Printing.

TEST_CASE("a tape prints as a numbered list", "[tape]") {
  Tape<double> tape;
  Parameter<double> p(full<double>({12, 10}, 0.1));
  const auto x = tape.variable(full<double>({5, 3, 10}, 1.0));
  const auto w = named("weight", tape.parameter(p));
  const auto z = linear(select(x, 0, -1), w);
  const auto [i, f, g, o] = split<4>(z, 1);
  named("gate", sigmoid(i));
  const auto left = affine(tanh(f * g), 2, -0.5);
  const auto ones = tape.constant(Shape{3}, 1);
  const auto right = pow(o, 3) / 4 * ones;
  const auto y = left + right;
  const auto rest = slice(y, 1, 0, 3, 2);
  mean(softmax(concat({transpose(rest), transpose(rest)}, 0)), 0, true);
  greater(reshape(y, {9}), 0.25);
  const std::string expected = R"(%0 = variable  (5, 3, 10)
%1:weight = parameter  (12, 10)
%2 = select(%0, axis=0, index=4)  (3, 10)
%3 = linear(%2, %1:weight)  (3, 12)
%4, %5, %6, %7 = split(%3, axis=1, extents=(3, 3, 3, 3))  (3, 3), (3, 3), (3, 3), (3, 3)
%8:gate = sigmoid(%4)  (3, 3)
%9 = mul(%5, %6)  (3, 3)
%10 = tanh(%9)  (3, 3)
%11 = affine(%10, scale=2, shift=-0.5)  (3, 3)
%12 = constant  (3)
%13 = pow(%7, exponent=3)  (3, 3)
%14 = divided_by(%13, divisor=4)  (3, 3)
%15 = broadcast_to(%12)  (3, 3)
%16 = mul(%14, %15)  (3, 3)
%17 = add(%11, %16)  (3, 3)
%18 = slice(%17, axis=1, start=0, step=2, length=2)  (3, 2)
%19 = permute(%18, axes=(1, 0))  (2, 3)
%20 = permute(%18, axes=(1, 0))  (2, 3)
%21 = concat(%19, %20, axis=0)  (4, 3)
%22 = softmax(%21, axis=1)  (4, 3)
%23 = mean(%22, axis=0)  (1, 3)
%24 = reshape(%17)  (9)
%25 = greater_than(%24, threshold=0.25)  (9)
)";
  CHECK(tape.print() == expected);
  std::ostringstream out;
  tape.print(out);
  CHECK(out.str() == expected);
}

TEST_CASE("a tape is written as a graph that Graphviz reads", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({2, 2}, 1.0));
  tape.name(x, "say \"x\\y\"");
  const auto [a, b] = split<2>(x, 1);
  a* b;
  std::ostringstream out;
  tape.write_dot(out);
  CHECK(out.str() == R"dot(digraph tape {
  rankdir=TB;
  node [fontname="monospace"];
  s0 [shape=ellipse, label="variable
%0:say \"x\\y\" (2, 2)"];
  s1 [shape=box, label="split axis=1, extents=(1, 1)
%1 (2, 1)
%2 (2, 1)"];
  s2 [shape=box, label="mul
%3 (2, 1)"];
  s0 -> s1;
  s1 -> s2;
  s1 -> s2;
}
)dot");
  if (std::system("dot -V > /dev/null 2>&1") != 0) return;
  std::ofstream("tape_test.dot") << out.str();
  CHECK(std::system("dot -Tsvg tape_test.dot > /dev/null") == 0);
  CHECK(std::remove("tape_test.dot") == 0);
}

TEST_CASE("names are the identity and belong to a value", "[tape]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({2}, 1.0));
  const auto y = named("gate", x), z = exp(x);
  CHECK(y.slot() == x.slot());
  CHECK(tape.size() == 2);
  CHECK(tape.recording().name_of(x.slot()) == "gate");
  CHECK(tape.recording().name_of(z.slot()).empty());
  const auto mark = tape.mark();
  tape.name(z, "late");
  named("gate", z);
  const auto found = tape.find("gate");
  REQUIRE(found.size() == 2);
  CHECK(found[0].slot() == x.slot());
  CHECK(found[1].slot() == z.slot());
  CHECK(tape.find("nothing").empty());
  tape.rewind(mark);
  CHECK(tape.find("gate").size() == 1);
  CHECK(tape.recording().name_of(z.slot()).empty());
}

// Memory and depth.

TEST_CASE("the second training step allocates nothing", "[tape]") {
  Tape<double> tape;
  Generator generator(2);
  Parameter<double> w(random_array({12, 4}, generator)), b(random_array({12}, generator));
  const Array<double> input = random_array({6, 5, 4}, generator), target = random_array({6, 5, 3}, generator);
  const auto step = [&] {
    tape.clear();
    const auto x = tape.constant(input);
    const std::span<Handle> outputs = tape.recording().list<Handle>(6);
    auto c = tape.constant(Shape{5, 3}, 0);
    for (std::size_t t = 0; t < outputs.size(); ++t) {
      const auto z = linear(select(x, 0, static_cast<Index>(t)), tape.parameter(w), tape.parameter(b));
      const auto [i, f, g, o] = split<4>(z, 1);
      c = sigmoid(f) * c + sigmoid(i) * tanh(g);
      outputs[t] = named("a name longer than fits into a string itself", sigmoid(o) * tanh(c));
    }
    const auto y = stack(std::span<const Handle>(outputs), 0);
    const auto loss = mse(y, tape.constant(target)) + mean(square(max(softmax(y), 2))) + sum(logsumexp(y, {0, 2}));
    tape.backward(loss);
    for (Parameter<double>* p : {&w, &b})  // by hand: an assignment between xtensor expressions may use a temporary
      p->update([&](auto& values) {
        for (std::size_t k = 0; k < values.size(); ++k) values.data()[k] -= 0.1 * p->grad().data()[k];
      });
    w.zero_grad();
    b.zero_grad();
  };
  CHECK(allocations::during(step) > 0);
  const std::size_t memory = tape.memory();
  for (int k = 0; k < 3; ++k) CHECK(allocations::during(step) == 0);
  CHECK(tape.memory() == memory);
}

namespace {

/// What happened in a thread with little stack.
struct DeepChain {
  std::size_t steps;
  double value = 0, gradient = 0, recorded_gradient = 0;

  static void* run(void* argument) {
    DeepChain& self = *static_cast<DeepChain*>(argument);
    {
      Tape<double> tape;
      const auto x = tape.variable(array<double>({}, {0.5}));
      auto y = x;
      for (std::size_t k = 0; k < self.steps; ++k) y = y + x;
      self.value = y.item();
      tape.backward(y);
      self.gradient = tape.gradient(x)();
    }
    Tape<double> tape;
    const auto x = tape.variable(array<double>({}, {0.5}));
    auto y = x;
    for (std::size_t k = 0; k < self.steps / 10; ++k) y = y + x;
    self.recorded_gradient = grad(y, {x})[0].item();
    return nullptr;
  }
};

}  // namespace

TEST_CASE("a chain of a million steps is recorded, swept and destroyed with a stack of 256 KiB", "[tape]") {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  DeepChain chain{.steps = 1'000'000};
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, DeepChain::run, &chain) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
  CHECK(chain.value == 500'000.5);
  CHECK(chain.gradient == 1'000'001);
  CHECK(chain.recorded_gradient == 100'001);
}

// Reading T slices of one sequence would take hours if each cost as much as all of it.
TEST_CASE("slices of a sequence cost as much as the sequence", "[tape]") {
  const std::size_t length = 50'000, width = 8;
  Tape<double> tape;
  const auto x = tape.variable(full<double>({length, width}, 0.5));
  const std::span<Handle> slices = tape.recording().list<Handle>(length);
  for (std::size_t t = 0; t < length; ++t) slices[t] = square(select(x, 0, static_cast<Index>(t)));
  const std::size_t before = tape.size();
  const auto loss = sum(stack(std::span<const Handle>(slices), 0));
  tape.backward(loss);
  CHECK(same(tape.gradient(x), full<double>({length, width}, 1.0)));
  CHECK(same(grad(loss, {x})[0].copy(), full<double>({length, width}, 1.0)));
  CHECK(tape.size() - before < 8 * length);
  CHECK(tape.memory() < 2000 * length);
}
