// Reshapes and slices share memory with their source, value and gradient: every way to cover, overlap and miss it.
#include <functional>
#include <optional>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

using Handle = Variable<double>;

// y = -x,   dx = -g, by way of parts of y that amount to nothing
struct Negated {
  static constexpr OpInfo info{.name = "negated", .vjp_reads = Reads::output};
  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.input().size(); ++k) call.output().data[k] = -call.input().data[k];
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, 0 * sum(select(call.output(), 0, 0)) - call.gradient());
  }
};

const std::string shared_text =
    "gradient: the memory of this slice or reshape is shared with other readers of its source; call tape.watch() on it "
    "before backward()";

struct Case {
  std::string name;
  std::function<Handle(Handle)> loss;  ///< a scalar from x of shape (6, 4)
};

Handle row(Handle x, Index t) { return select(x, 0, t); }
Handle rows(Handle x, Index start, Index stop) { return slice(x, 0, start, stop); }

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"all of it and one row", [](Handle x) { return sum(x * x) + sum(row(x, 0)); }},
      {"one row and all of it",
       [](Handle x) {
         const auto first = sum(row(x, 0));
         return first + sum(x * x);
       }},
      {"rows that cover it",
       [](Handle x) {
         auto total = square(row(x, 0));
         for (Index t = 1; t < 6; ++t) total = total * 0.5 + exp(row(x, t));
         return sum(total);
       }},
      {"rows that cover it, backwards",
       [](Handle x) {
         auto total = square(row(x, 5));
         for (Index t = 5; t-- > 0;) total = total * 0.5 + exp(row(x, t));
         return sum(total);
       }},
      {"rows that cover it, in no order",
       [](Handle x) {
         auto total = square(row(x, 3));
         for (const Index t : {0, 5, 1, 4, 2}) total = total * 0.5 + exp(row(x, t));
         return sum(total);
       }},
      {"rows backwards, one twice and one never",
       [](Handle x) {
         auto total = square(row(x, 5));
         for (const Index t : {4, 4, 2, 1, 0}) total = total * 0.5 + exp(row(x, t));
         return sum(total);
       }},
      {"a row twice and the others once",
       [](Handle x) {
         auto total = square(row(x, 2));
         for (Index t = 0; t < 6; ++t) total = total * 0.5 + exp(row(x, t));
         return sum(total);
       }},
      {"rows with a hole", [](Handle x) { return sum(exp(rows(x, 0, 2)) * rows(x, 4, 6)); }},
      {"rows with a hole at the end", [](Handle x) { return sum(exp(row(x, 0)) * row(x, 1)); }},
      {"rows of which one is never read",
       [](Handle x) {
         const auto [a, b, c] = split<3>(x, 0);
         return sum(exp(a) * c);
       }},
      {"rows of which only the last is read",
       [](Handle x) {
         const auto [a, b, c] = split<3>(x, 0);
         return sum(exp(c));
       }},
      {"rows of which only the first is read",
       [](Handle x) {
         const auto [a, b, c] = split<3>(x, 0);
         return sum(exp(a));
       }},
      {"overlapping rows", [](Handle x) { return sum(rows(x, 0, 5) * exp(rows(x, 1, 6))); }},
      {"rows inside rows", [](Handle x) { return sum(rows(x, 0, 6) * rows(x, 0, 6)) + sum(exp(rows(x, 2, 4))); }},
      {"the same rows three times", [](Handle x) { return sum(rows(x, 0, 6) * rows(x, 0, 6) * exp(rows(x, 0, 6))); }},
      {"no rows at all", [](Handle x) { return sum(rows(x, 3, 3)) + sum(rows(x, 0, 3)) + sum(exp(rows(x, 3, 6))); }},
      {"reshaped there and back",
       [](Handle x) {
         return sum(exp(reshape(reshape(reshape(x, {24}), {2, 3, 4}), {6, 4})));
       }},
      {"two reshapes at once", [](Handle x) { return sum(exp(reshape(x, {24})) * square(reshape(x, {24}))); }},
      {"rows of rows that cover",
       [](Handle x) {
         const auto top = rows(x, 0, 3), bottom = rows(x, 3, 6);
         return sum(row(top, 0) * row(top, 1) * row(top, 2)) + sum(exp(row(bottom, 0)) * rows(bottom, 1, 3));
       }},
      {"rows of rows with a hole inside",
       [](Handle x) {
         const auto top = rows(x, 0, 3), bottom = rows(x, 3, 6);
         return sum(row(top, 0) * row(top, 2)) + sum(exp(row(bottom, 0)) * rows(bottom, 1, 3));
       }},
      {"rows of rows with a hole outside",
       [](Handle x) {
         const auto top = rows(x, 0, 3);
         rows(x, 3, 6);
         return sum(row(top, 0) * exp(row(top, 1)) * row(top, 2));
       }},
      {"rows of rows that are never read",
       [](Handle x) {
         const auto top = rows(x, 0, 3), bottom = rows(x, 3, 6);
         split<3>(top, 0);
         return sum(exp(bottom)) + sum(row(bottom, 0));
       }},
      {"rows of rows beside the outer rows",
       [](Handle x) {
         const auto top = rows(x, 0, 3), bottom = rows(x, 3, 6);
         return sum(exp(top)) + sum(square(row(top, 1))) + sum(bottom * row(bottom, 2));
       }},
      {"rows of rows beside all of it",
       [](Handle x) {
         const auto inner = row(rows(x, 0, 3), 1);
         return sum(exp(inner)) + sum(square(x));
       }},
      {"split, reshaped, sliced and split again",
       [](Handle x) {
         const auto [a, b] = split<2>(reshape(x, {4, 6}), 0);
         const auto [c, d, e] = split<3>(reshape(b, {6, 2}), 0);
         return sum(exp(reshape(a, {12}))) + sum(c * exp(e)) + sum(row(d, 0) * row(d, 1));
       }},
      {"a row read by four",
       [](Handle x) {
         const auto a = row(x, 0), b = rows(x, 1, 6);
         return sum(a * a) + sum(exp(a)) + sum(b * reshape(a, {1, 4}));
       }},
      {"a detached row", [](Handle x) { return sum(detach(row(x, 0)) * row(x, 1)) + sum(exp(rows(x, 2, 6))); }},
      {"rows read after the loss",
       [](Handle x) {
         const auto loss = sum(exp(rows(x, 0, 3))) + sum(square(rows(x, 3, 6)));
         exp(row(x, 1));
         exp(x);
         return loss;
       }},
      {"rows of rows made after the loss",
       [](Handle x) {
         const auto top = rows(x, 0, 3);
         const auto loss = sum(exp(top)) + sum(square(rows(x, 3, 6)));
         exp(row(top, 1));
         return loss;
       }},
      {"columns, which are copies",
       [](Handle x) {
         const auto [a, b] = split<2>(x, 1);
         return sum(a * exp(b)) + sum(select(x, 1, 2) * select(a, 1, 0));
       }},
      {"rows into an op whose vjp runs on numbers",
       [](Handle x) {
         const auto y = softmax(x);
         return sum(row(y, 0) * row(y, 1)) + sum(exp(rows(y, 2, 6))) + sum(logsumexp(rows(x, 1, 3), 0));
       }},
      {"the loss is a part itself", [](Handle x) { return select(row(exp(x), 3), 0, 2); }},
      {"the loss is a reshape",
       [](Handle x) {
         return reshape(sum(exp(x)), {1, 1});
       }},
      {"the loss is the only row",
       [](Handle x) {
         return row(reshape(sum(exp(x)), {1, 1}), 0);
       }},
      {"nothing but rows and stack", [](Handle x) {
         std::vector<Handle> all;
         for (Index t = 0; t < 6; ++t) all.push_back(row(x, 5 - t));
         return sum(exp(stack(std::span<const Handle>(all), 1)) * 0.5);
       }}};
  return all;
}

/// The gradient of every value on the tape, by the sweep that has just run, against the complex step. That of an alias
/// may be refused instead, if it was not watched.
void check_all(Tape<double>& tape, Handle loss, std::size_t slots) {
  for (SlotId id = 0; id < slots; ++id) {
    const Slot<double>& slot = tape.recording().slot(id);
    if (!slot.needs_gradient || slot.parameter) continue;
    const Handle x = tape.recording().handle(id);
    std::optional<Array<double>> gradient;
    INFO("slot " << id << " of\n" << tape.print());
    try {
      gradient = tape.gradient(x);
    } catch (const TapeError& error) {
      CHECK(error.what() == shared_text);
      CHECK(slot.source != Slot<double>::no_source);
      CHECK_FALSE(slot.watched);
    }
    if (gradient) CHECK(distance(*gradient, complex_step_gradient(loss, x)) <= 1e-14);
  }
}

}  // namespace

TEST_CASE("sweeps through shared memory agree with the complex step", "[alias]") {
  Generator generator(9);
  const Array<double> values = random_array({6, 4}, generator);
  Tape<double> tape;
  for (const Case& each : cases())
    for (const bool leaf : {true, false})
      for (const std::string watched : {"nothing", "all", "odd", "even", "the source"}) {
        INFO(each.name << (leaf ? " of a leaf" : " of tanh") << ", watching " << watched);
        soil(tape);
        const auto variable = tape.variable(values);
        const auto x = leaf ? variable : tanh(variable);
        const auto loss = each.loss(x);
        const std::size_t slots = tape.recording().slot_count();
        for (SlotId id = x.slot() + 1; id < slots; ++id)
          if (watched == "all" || (watched == "odd" && id % 2 == 1) || (watched == "even" && id % 2 == 0))
            tape.watch(tape.recording().handle(id));
        if (watched == "the source") tape.watch(x);
        tape.backward(loss);
        check_all(tape, loss, slots);
        const Array<double> once = tape.gradient(variable);
        tape.backward(loss);
        CHECK(same_bits(tape.gradient(variable), once));
        check_all(tape, loss, slots);
        CHECK(distance(grad(loss, {variable})[0].copy(), once) <= 1e-14);
      }
}

TEST_CASE("parts of a parameter add to its gradient", "[alias]") {
  Generator generator(9);
  const Array<double> values = random_array({6, 4}, generator);
  Tape<double> tape;
  for (const Case& each : cases()) {
    INFO(each.name);
    soil(tape);
    Parameter<double> p(values);
    const auto w = tape.parameter(p);
    const auto loss = each.loss(w);
    const Array<double> expected = complex_step_gradient(loss, w);
    tape.backward(loss);
    CHECK(distance(p.grad(), expected) <= 1e-14);
    tape.backward(loss);
    CHECK(distance(p.grad(), Array<double>(2 * expected)) <= 1e-14);
    check_all(tape, loss, tape.recording().slot_count());
  }
}

TEST_CASE("an output gradient of any shape can start at a part", "[alias]") {
  Tape<double> tape;
  soil(tape);
  const auto x = tape.variable(array<double>({3, 2}, {1, 2, 3, 4, 5, 6}));
  const auto y = square(x);
  const auto [top, middle, bottom] = split<3>(y, 0);
  const auto later = exp(bottom);
  tape.backward(middle, array<double>({1, 2}, {10, 100}));
  CHECK(same(tape.gradient(x), array<double>({3, 2}, {0, 0, 60, 800, 0, 0})));
  CHECK(same(tape.gradient(top), zeros<double>({1, 2})));
  tape.backward(y, full<double>({3, 2}, 1.0));
  CHECK(same(tape.gradient(x), array<double>({3, 2}, {2, 4, 6, 8, 10, 12})));
  CHECK(same(tape.gradient(later), zeros<double>({1, 2})));
  tape.backward(x, full<double>({3, 2}, 5.0));
  CHECK(same(tape.gradient(x), full<double>({3, 2}, 5.0)));
  CHECK(same(tape.gradient(middle), zeros<double>({1, 2})));
}

TEST_CASE("the gradient of a part can be read where nothing else adds to its memory", "[alias]") {
  Tape<double> tape;
  soil(tape);
  const auto x = tape.variable(array<double>({3, 2}, {1, 2, 3, 4, 5, 6}));
  const auto y = 2 * x;
  const auto a = row(y, 0), b = row(y, 1), c = row(y, 2);
  const auto loss = sum(square(a)) + sum(a * b);
  const auto check_parts = [&] {
    CHECK(same(tape.gradient(a), array<double>({2}, {10, 16})));
    CHECK(same(tape.gradient(b), array<double>({2}, {2, 4})));
    CHECK(same(tape.gradient(c), zeros<double>({2})));
  };
  tape.backward(loss);
  check_parts();

  // The whole has more readers than this part.
  const auto whole = loss + sum(exp(y));
  tape.backward(whole);
  CHECK(error_text<TapeError>([&] { tape.gradient(a); }) == shared_text);
  CHECK(distance(tape.gradient(y), complex_step_gradient(whole, y)) <= 1e-15);
  tape.watch(a);
  tape.backward(whole);
  CHECK(same(tape.gradient(a), array<double>({2}, {10, 16})));
  CHECK(error_text<TapeError>([&] { tape.gradient(b); }) == shared_text);
  CHECK(distance(tape.gradient(y), complex_step_gradient(whole, y)) <= 1e-15);

  // The part overlaps another, which contributes to the same memory.
  tape.clear();
  const auto z = tape.variable(array<double>({3}, {1, 2, 3}));
  const auto left = slice(z, 0, 0, 2), right = slice(z, 0, 1, 3);
  tape.backward(sum(left * right));
  CHECK(error_text<TapeError>([&] { tape.gradient(left); }) == shared_text);
  CHECK(same(tape.gradient(z), array<double>({3}, {2, 4, 2})));
  tape.watch(left);
  tape.watch(right);
  tape.backward(sum(left * right));
  CHECK(same(tape.gradient(left), array<double>({2}, {2, 3})));
  CHECK(same(tape.gradient(right), array<double>({2}, {1, 2})));
  CHECK(same(tape.gradient(z), array<double>({3}, {2, 4, 2})));
}

TEST_CASE("the gradient of a stack is handed down to the steps it is made of", "[alias]") {
  Tape<double> tape;
  const auto w = tape.variable(array<double>({2, 2}, {0.5, -0.3, 0.2, 0.7}));
  Variable<double> h = tape.constant({1, 2}, 0.4);
  std::vector<Variable<double>> steps;
  Repeat<double> repeat(tape, 3);
  for (std::size_t t = 0; t < 3; ++t) {
    repeat.begin(t);
    steps.push_back(h = tanh(linear(h, w)));
  }
  repeat.end();
  const auto y = stack<double>(steps, 0);
  const auto loss = sum(y * square(y));
  const auto check_steps = [&](const char* which, Variable<double> of) {
    INFO(which);
    tape.backward(of);
    CHECK(distance(tape.gradient(w), complex_step_gradient(of, w)) <= 1e-15);
    for (const auto& step : steps) CHECK(distance(tape.gradient(step), complex_step_gradient(of, step)) <= 1e-15);
  };
  check_steps("read as a whole", loss);
  CHECK(tape.recording().slot(y.slot()).gradient == tape.recording().slot(steps[0].slot()).gradient);
  CHECK(error_text<TapeError>([&] { tape.gradient(y); }) ==
        "gradient: the memory of this stack is shared with the values it is made of, which have other readers; call "
        "tape.watch() on it before backward()");
  check_steps("and a step besides", loss + sum(square(steps[2])));
  CHECK(distance(tape.gradient(y), complex_step_gradient(loss, y)) <= 1e-15);  // a copy this time
  check_steps("with a slice of the whole", loss + sum(exp(select(y, 0, 1))));
  tape.watch(y);
  check_steps("watched", loss);
  CHECK(distance(tape.gradient(y), complex_step_gradient(loss, y)) <= 1e-15);
}

// Both have their vjp run on numbers, which reads y, or parts of it, while y's own parts are its only readers.
TEST_CASE("a sweep does not change what later sweeps and questions find", "[alias]") {
  Tape<double> tape;
  for (const bool with_softmax : {true, false}) {
    soil(tape);
    const auto x = tape.variable(array<double>({2, 2}, {1, 2, 3, 4}));
    const auto y = with_softmax ? softmax(x) : apply(Negated{}, x);
    const auto a = row(y, 0), b = row(y, 1);
    const auto loss = sum(a * exp(b));
    tape.backward(loss);
    const Array<double> first = tape.gradient(x), part = tape.gradient(a);
    CHECK(distance(first, complex_step_gradient(loss, x)) <= 1e-15);
    CHECK(distance(part, Array<double>(xt::exp(b.value()))) <= 1e-15);
    tape.backward(y, full<double>({2, 2}, 1.0));
    tape.backward(loss);
    CHECK(same_bits(tape.gradient(x), first));
    CHECK(same_bits(tape.gradient(a), part));
    exp(x);
    CHECK(same_bits(tape.gradient(x), first));
  }
}

TEST_CASE("rewinding away parts of older values leaves the rest right", "[alias]") {
  Generator generator(10);
  Tape<double> tape;
  soil(tape);
  const auto x = tape.variable(random_array({6, 4}, generator));
  const auto y = tanh(x);
  const auto top = rows(y, 0, 3);
  const auto mark = tape.mark();
  const auto sweep = [&](Handle loss) {
    tape.backward(loss);
    check_all(tape, loss, tape.recording().slot_count());
    const Array<double> gradient = tape.gradient(x);
    CHECK(distance(grad(loss, {x})[0].copy(), gradient) <= 1e-14);
  };
  sweep(sum(exp(top)) + sum(square(rows(y, 3, 6))));  // covers
  tape.rewind(mark);
  sweep(sum(exp(top)));  // its other half is gone: a hole
  tape.rewind(mark);
  sweep(sum(exp(top)) + sum(square(rows(y, 2, 6))));  // overlaps
  tape.rewind(mark);
  sweep(sum(exp(top)) + sum(row(x, 0)) + sum(row(top, 1)));  // first parts of x and of top
  tape.rewind(mark);
  sweep(sum(exp(rows(x, 0, 6))) + sum(row(top, 1)));
  tape.rewind(mark);
  for (Index t = 0; t < 6; ++t) row(x, t);
  tape.rewind(mark);
  for (Index t = 0; t < 3; ++t) row(top, t);
  sweep(sum(exp(row(top, 0))) + sum(square(row(x, 1))));

  // Parts of x are forgotten, then half of z is read: the next part of x must not count as the other half of z.
  tape.clear();
  const auto v = tape.variable(random_array({6, 4}, generator));
  const auto z = tanh(v);
  const auto again = tape.mark();
  rows(v, 0, 3);
  tape.rewind(again);
  const auto half = rows(z, 0, 3), other = rows(v, 0, 3);
  const auto loss = sum(exp(half)) + sum(other);
  tape.backward(loss);
  CHECK(distance(tape.gradient(v), complex_step_gradient(loss, v)) <= 1e-15);
}

TEST_CASE("shared memory is shared", "[alias]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  const double* memory = x.value().data();
  CHECK(reshape(x, {2, 6}).value().data() == memory);
  CHECK(row(x, -1).value().data() == memory + 9);
  CHECK(rows(x, 1, 3).value().data() == memory + 3);
  CHECK(split(x, {1, 2, 1}, 0)[1].value().data() == memory + 3);
  CHECK(slice(row(x, 2), 0, 1, 3).value().data() == memory + 7);
  CHECK(slice(rows(x, 2, 3), 1, 1, 3).value().data() == memory + 7);  // one row: contiguous
  CHECK(detach(x).value().data() == memory);
  CHECK(select(x, 1, 0).value().data() != memory);
  CHECK(slice(x, 0, 0, 4, 2).value().data() != memory);
  CHECK(same(select(x, 1, 0).copy(), array<double>({4}, {0, 3, 6, 9})));
  CHECK(same(slice(x, 0, 0, 4, 2).copy(), array<double>({2, 3}, {0, 1, 2, 6, 7, 8})));
}
