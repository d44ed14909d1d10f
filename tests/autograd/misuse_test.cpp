// Misuse of a tape: a typed error that says what to do, and a tape that is as before the call.
#include <array>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "autograd/autograd.hpp"
#include "autograd/checkpoint.hpp"
#include "catch.hpp"
#include "samples/samples.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

using Handle = Variable<double>;

/// A sum of the tape's own, to see that it still works.
void check_usable(Tape<double>& tape) {
  const auto x = tape.variable(array<double>({2}, {3, 4}));
  const auto y = sum(x * x);
  tape.backward(y);
  CHECK(same(tape.gradient(x), array<double>({2}, {6, 8})));
  CHECK(same(grad(y, {x})[0].copy(), array<double>({2}, {6, 8})));
}

// y = x, whose author's code is called wherever a rule's is.
struct Calls {
  static constexpr OpInfo info{.name = "calls"};
  const std::function<void()>* in_forward = nullptr;
  const std::function<void()>* in_vjp = nullptr;
  const std::function<void()>* in_backward = nullptr;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    if (in_forward && *in_forward) (*in_forward)();
    std::copy_n(call.input().data, call.input().size(), call.output().data);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    if (in_vjp) (*in_vjp)();
    call.add(0, call.gradient());
  }
};

// The same with a backward of its own on numbers.
struct CallsOnNumbers : Calls {
  static constexpr OpInfo info{.name = "calls_on_numbers"};
  template <class T>
  void backward_into(Backward<T>& call) const {
    (*in_backward)();
    const Destination<T> to = call.into();
    for (std::size_t k = 0; k < call.gradient().size(); ++k)
      to.data[k] = (to.accumulate ? to.data[k] : 0) + call.gradient().data[k];
  }
};

/// What is refused while a sweep of the tape is under way, by the name that the error begins with.
std::vector<std::pair<std::string, std::function<void()>>> refused_in_sweeps(Tape<double>& tape, Handle leaf,
                                                                             Handle loss,
                                                                             const Tape<double>::Mark& begin) {
  return {{"backward", [&tape, loss] { tape.backward(loss); }},
          {"backward", [&tape, loss] { tape.backward(loss, full<double>({}, 1.0)); }},
          {"backward", [&tape, loss] { tape.backward_apart(loss); }},
          {"deliver_gradients", [&tape] { tape.deliver_gradients(); }},
          {"replay", [&tape] { tape.replay(); }},
          {"assign", [&tape, leaf] { tape.assign(leaf, full<double>({2}, 7.0)); }},
          {"gradient", [&tape, leaf] { tape.gradient(leaf); }},
          {"watch", [&tape, leaf] { tape.watch(leaf); }},
          {"rewind", [&tape, begin] { tape.rewind(begin); }},
          {"rewind", [&tape] { tape.clear(); }}};
}

constexpr const char* under_way =
    " is under way on this tape; hooks and rules may record and read values, but not sweep, replay, assign, watch, "
    "read "
    "gradients, or rewind to before they were called: do that when it is over";

}  // namespace

// Values that are out of date.

TEST_CASE("after assign() nothing is recorded or swept before a replay", "[misuse]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2}, {1, 1}));
  const auto x = tape.variable(array<double>({2}, {1, 2})), c = tape.constant(array<double>({2}, {1, 1}));
  const auto w = tape.variable(array<double>({2, 2}, {1, 2, 3, 4}));
  for (int k = 0; k < 3; ++k) linear(x, w);  // packs w
  const auto y = sum(x * x * x * c * tape.parameter(p));
  const std::size_t steps = tape.size();
  tape.assign(x, array<double>({2}, {2, 4}));
  tape.assign(w, array<double>({2, 2}, {5, 6, 7, 8}));
  const std::string text =
      ": leaves were assigned after others had been computed from them, and these have the values of before; call "
      "replay() first, or clear the tape and record again";
  CHECK(error_text<TapeError>([&] { tape.backward(y); }) == "backward" + text);
  CHECK(error_text<TapeError>([&] { tape.backward_apart(y); }) == "backward" + text);
  CHECK(error_text<TapeError>([&] { grad(y, {x}); }) == "grad" + text);
  CHECK(error_text<TapeError>([&] { complex_step_gradient(y, x); }) == "complex step" + text);
  const std::vector<std::function<void()>> recordings{[&] { linear(x, w); },
                                                      [&] { x + c; },
                                                      [&] { sum(x); },
                                                      [&] { slice(x, 0, 0, 1); },
                                                      [&] { tape.variable(c.copy()); },
                                                      [&] {
                                                        concat({x, c}, 0);
                                                      },
                                                      [&] { tape.constant(Shape{}, 1); }};
  for (const auto& record : recordings) CHECK(error_text<TapeError>(record) == "record" + text);
  CHECK(tape.size() == steps);
  CHECK(y.item() == 9);
  CHECK(same(x.copy(), array<double>({2}, {2, 4})));
  CHECK(same(p.grad(), zeros<double>({2})));

  tape.replay();
  CHECK(y.item() == 72);
  tape.backward(y);
  CHECK(same(tape.gradient(x), array<double>({2}, {12, 48})));
  CHECK(same(p.grad(), array<double>({2}, {8, 64})));
  CHECK(same(linear(x, w).copy(), array<double>({2}, {34, 46})));
  CHECK(same(grad(y, {x})[0].copy(), array<double>({2}, {12, 48})));
  check_usable(tape);

  tape.assign(x, array<double>({2}, {1, 1}));
  tape.clear();
  check_usable(tape);
}

TEST_CASE("a leaf that nothing was computed from is assigned freely", "[misuse]") {
  Tape<double> tape;
  const auto c = exp(tape.constant(Shape{2}, 0));
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto mark = tape.mark();
  tape.assign(x, array<double>({2}, {3, 4}));
  const auto y = sum(x * c);
  tape.backward(y);
  CHECK(y.item() == 7);
  tape.assign(x, array<double>({2}, {5, 6}));
  CHECK_THROWS_AS(tape.backward(y), TapeError);
  tape.rewind(mark);  // nothing is out of date any more
  const auto z = sum(x * x);
  tape.backward(z);
  CHECK(same(tape.gradient(x), array<double>({2}, {10, 12})));
}

TEST_CASE("a replay that throws is taken for none", "[misuse]") {
  Tape<double> tape;
  bool fails = false;
  const std::function<void()> forward = [&] {
    if (fails) throw ValueError("calls: in forward");
  };
  Parameter<double> p(array<double>({2}, {3, 5}));
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto y = sum(square(apply(Calls{&forward}, exp(x) * tape.parameter(p))) * x);
  const Array<double> other = array<double>({2}, {-1, 0.5});
  tape.assign(x, other);
  p.update([](auto& values) { values *= 2; });
  fails = true;
  CHECK(error_text<ValueError>([&] { tape.replay(); }) == "calls: in forward");
  CHECK_THROWS_AS(tape.backward(y), TapeError);
  CHECK_THROWS_AS(exp(x), TapeError);
  fails = false;
  tape.replay();
  tape.backward(y);
  Tape<double> fresh;
  const auto v = fresh.variable(other);
  const auto expected = sum(square(exp(v) * fresh.parameter(p)) * v);
  CHECK(y.item() == expected.item());
  const Array<double> once = p.grad();
  p.zero_grad();
  fresh.backward(expected);
  CHECK(same_bits(tape.gradient(x), fresh.gradient(v)));
  CHECK(same_bits(once, p.grad()));
}

// Sweeps within sweeps.

TEST_CASE("a hook can not sweep, replay, assign or clear its own tape", "[misuse]") {
  Parameter<double> p(array<double>({2}, {3, 5}));
  std::function<void()> act = [] {};
  int called = 0;
  const GradientHook<double> f = [&](Handle g) {
    ++called;
    act();
    return g;
  };
  Tape<double> tape;
  const auto begin = tape.mark();
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto inner = sum(square(x));
  const auto y = sum(hook(x * tape.parameter(p), f) * x) + sum(tape.parameter(p));
  const std::size_t steps = tape.size(), slots = tape.recording().slot_count();
  p.grad().fill(0.25);
  const auto end = tape.mark();
  for (const auto& [name, use] : refused_in_sweeps(tape, x, inner, begin)) {
    INFO(name);
    act = use;
    CHECK(error_text<TapeError>([&] { tape.backward(y); }) == name + ": backward()" + under_way);
    CHECK(error_text<TapeError>([&] { grad(y, {x}); }) == name + ": grad()" + under_way);
    CHECK(tape.size() == steps);
    CHECK(tape.recording().slot_count() == slots);
    CHECK(same(p.grad(), full<double>({2}, 0.25)));
    // Where the hook itself goes on, so does the sweep.
    act = [&, use = use] { CHECK_THROWS_AS(use(), TapeError); };
    tape.backward(y);
    CHECK(same(tape.gradient(x), array<double>({2}, {6, 20})));
    CHECK(same(p.grad(), array<double>({2}, {2.25, 5.25})));
    CHECK(same(grad(y, {x})[0].copy(), array<double>({2}, {6, 20})));
    p.grad().fill(0.25);
    tape.rewind(end);
  }
  CHECK(called == 40);
  check_usable(tape);
}

TEST_CASE("neither can a rule, recorded or on numbers", "[misuse]") {
  Parameter<double> p(array<double>({2}, {3, 5}));
  std::function<void()> act;
  const std::function<void()> call = [&] { act(); }, nothing = [] {};
  Tape<double> tape;
  const auto begin = tape.mark();
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto inner = sum(square(x));
  const auto product = x * tape.parameter(p);
  CallsOnNumbers on_numbers;
  on_numbers.in_backward = &call;
  on_numbers.in_vjp = &call;
  const auto y = sum(apply(Calls{nullptr, &call}, product) * x), z = sum(apply(on_numbers, product) * x);
  for (const auto& [name, use] : refused_in_sweeps(tape, x, inner, begin))
    for (const auto& loss : {y, z}) {
      INFO(name);
      act = use;
      CHECK(error_text<TapeError>([&] { tape.backward(loss); }) == name + ": backward()" + under_way);
      CHECK(error_text<TapeError>([&] { grad(loss, {x}); }) == name + ": grad()" + under_way);
      CHECK(same(p.grad(), zeros<double>({2})));
      act = nothing;
      tape.backward(loss);
      CHECK(same(tape.gradient(x), array<double>({2}, {6, 20})));
      CHECK(same(p.grad(), array<double>({2}, {1, 4})));
      p.zero_grad();
    }
  // What a rule records on the way is gone after the sweep, also where nobody asks it to record.
  const std::size_t steps = tape.size(), slots = tape.recording().slot_count();
  act = [&] { exp(square(x)); };
  tape.backward(z);
  CHECK(tape.size() == steps);
  CHECK(tape.recording().slot_count() == slots);
  CHECK(same(tape.gradient(x), array<double>({2}, {6, 20})));
  // grad() records, so it may be called; another tape is no concern of this one.
  Array<double> seen;
  act = [&] {
    Tape<double> other;
    const auto v = other.variable(array<double>({}, {3}));
    other.backward(v * v);
    CHECK(other.gradient(v)() == 6);
    seen = grad(inner, {x})[0].copy();
  };
  tape.backward(y);
  CHECK(same(seen, array<double>({2}, {2, 4})));
  CHECK(same(tape.gradient(x), array<double>({2}, {6, 20})));
}

TEST_CASE("an op does not record, sweep or rewind in its own forward", "[misuse]") {
  Tape<double> tape;
  const auto begin = tape.mark();
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto loss = sum(square(x));
  std::function<void()> act;
  const std::string text =
      ": an op may not record on its tape in its own forward; compute numbers there, and record what it is made of "
      "where "
      "it is called";
  const std::vector<std::function<void()>> recordings{[&] { exp(x); },
                                                      [&] {
                                                        concat({x, x}, 0);
                                                      },
                                                      [&] { slice(x, 0, 0, 1); },
                                                      [&] {
                                                        linear(x, reshape(x, {1, 2}));
                                                      },
                                                      [&] { tape.constant(Shape{}, 1); },
                                                      [&] { grad(loss, {x}); }};
  const std::size_t steps = tape.size(), slots = tape.recording().slot_count();
  for (const auto& record : recordings) {
    act = record;
    CHECK(error_text<TapeError>([&] { apply(Calls{&act}, x); }) == "calls" + text);
    CHECK(error_text<TapeError>([&] { autograd::apply(Calls{&act}, std::span<const Handle>(&x, 1)); }) ==
          "calls" + text);
    CHECK(tape.size() == steps);
    CHECK(tape.recording().slot_count() == slots);
  }
  for (const auto& [name, use] : refused_in_sweeps(tape, x, loss, begin)) {
    if (name == "watch" || name == "gradient") continue;  // nothing is under way that they could disturb
    act = use;
    CHECK(error_text<TapeError>([&] { apply(Calls{&act}, x); }) == name + ": the forward of calls" + under_way);
  }
  check_usable(tape);

  // One that did not when it was recorded, but does when it is replayed.
  act = nullptr;
  const auto y = apply(Calls{&act}, x);
  act = [&] { exp(x); };
  CHECK(error_text<TapeError>([&] { tape.replay(); }) == "calls" + text);
  act = [&] { tape.backward(loss); };
  CHECK(error_text<TapeError>([&] { tape.replay(); }) == std::string("backward: replay()") + under_way);
  act = nullptr;
  tape.replay();
  CHECK(same(y.copy(), x.copy()));
  check_usable(tape);
}

// Parameters.

TEST_CASE("a sweep that throws adds nothing to any parameter", "[misuse]") {
  for (const double start : {0.0, -0.0, 0.75}) {
    INFO("from " << start);
    Parameter<double> p(array<double>({2}, {3, 5})), q(array<double>({2, 2}, {1, 2, 3, 4})), r(full<double>({2}, 2.0));
    Tape<double> tape, workspace;
    std::function<void()> act;
    const std::function<void()> call = [&] { act(); };
    const auto x = tape.variable(array<double>({2}, {1, 2}));
    const auto segment = [&](std::span<const Handle> in) { return std::array{in[0] * in[0].tape().parameter(r)}; };
    const auto first = apply(Calls{nullptr, &call}, x * tape.parameter(p));
    const auto y = checkpoint(workspace, segment, {linear(first, tape.parameter(q))})[0] * tape.parameter(p);
    const auto loss = sum(y) + sum(slice(tape.parameter(p), 0, 1, 2)) + sum(reshape(tape.parameter(q), {4}));
    for (Parameter<double>* each : {&p, &q, &r}) each->grad().fill(start);
    const Array<double> before = p.grad(), before_q = q.grad(), before_r = r.grad();
    act = [] { throw 5; };  // any exception
    for (int round = 0; round < 2; ++round) {
      CHECK_THROWS_AS(tape.backward(loss), int);
      CHECK(same_bits(p.grad(), before));
      CHECK(same_bits(q.grad(), before_q));
      CHECK(same_bits(r.grad(), before_r));
    }
    act = [] {};
    tape.backward(loss);
    tape.backward(loss);
    for (Parameter<double>* each : {&p, &q, &r}) each->grad() -= start;
    const auto direct = sum(linear(x * tape.parameter(p), tape.parameter(q)) * tape.parameter(r) * tape.parameter(p));
    const auto expected = grad(direct + sum(slice(tape.parameter(p), 0, 1, 2)) + sum(tape.parameter(q)),
                               {tape.parameter(p), tape.parameter(q), tape.parameter(r)});
    CHECK(distance(p.grad(), Array<double>(2 * expected[0].copy())) <= 1e-15);
    CHECK(distance(q.grad(), Array<double>(2 * expected[1].copy())) <= 1e-15);
    CHECK(distance(r.grad(), Array<double>(2 * expected[2].copy())) <= 1e-15);
  }
}

TEST_CASE("a parameter that is gone stops the sweep", "[misuse]") {
  Tape<double> tape;
  std::optional<Parameter<double>> p(array<double>({2}, {3, 5}));
  const auto w = tape.parameter(*p);
  tape.name(w, "w");
  const auto loss = sum(square(w));
  p.reset();
  const std::string gone =
      ": parameter \"w\" of shape (2) was destroyed, or an array of another shape assigned to it, after it was "
      "recorded; "
      "keep it as long as the tape is in use, or record again";
  CHECK(error_text<TapeError>([&] { tape.backward(loss); }) == "backward" + gone);
  CHECK(error_text<TapeError>([&] { linear(w, reshape(w, {1, 2})); }) == "linear" + gone);
  CHECK(error_text<TapeError>([&] { tape.replay(); }) ==
        "replay: a parameter of shape (2) was destroyed; keep it as long as the tape is in use, or record again");
  CHECK(same(w.copy(), array<double>({2}, {3, 5})));
  tape.clear();
  check_usable(tape);

  p.emplace(array<double>({2}, {3, 5}));
  tape.name(tape.parameter(*p), "w");
  const auto again = sum(square(tape.parameter(*p)));
  *p = Parameter<double>(zeros<double>({3}));
  CHECK(error_text<TapeError>([&] { tape.backward(again); }) == "backward" + gone);
  *p = Parameter<double>(array<double>({2}, {1, 1}));  // also when it has the shape again
  CHECK(error_text<TapeError>([&] { tape.backward(again); }) == "backward" + gone);
  CHECK(error_text<TapeError>([&] { tape.replay(); }) ==
        "replay: a parameter of shape (2) is another array now; write to it through update(), or record again");
  CHECK(same(p->grad(), zeros<double>({2})));
  const auto fresh = sum(square(tape.parameter(*p)));
  CHECK(fresh.item() == 2);
  CHECK_THROWS_AS(tape.backward(fresh), TapeError);  // the old one is still recorded
  tape.clear();
  tape.backward(sum(square(tape.parameter(*p))));
  CHECK(same(p->grad(), full<double>({2}, 2.0)));
}

TEST_CASE("an assignment of the same shape is an update", "[misuse]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2}, {3, 5})), q(array<double>({2}, {1, 2}));
  q.grad().fill(7);
  const auto loss = sum(square(tape.parameter(p)));
  const double* const memory = p.value().data();
  for (const bool moves : {false, true}) {
    const std::uint64_t version = p.version();
    if (moves)
      p = Parameter<double>(array<double>({2}, {2, 2}));
    else
      p = q;
    CHECK(p.version() == version + 1);
    CHECK(p.value().data() == memory);
    CHECK(same(p.value(), moves ? array<double>({2}, {2, 2}) : q.value()));
    CHECK(same(p.grad(), moves ? zeros<double>({2}) : q.grad()));
    CHECK_THROWS_WITH(tape.backward(loss), Catch::Matchers::ContainsSubstring("was updated after it was recorded"));
    tape.replay();
    CHECK(loss.item() == (moves ? 8 : 5));
  }
  tape.backward(loss);
  CHECK(same(p.grad(), full<double>({2}, 4.0)));
  p = *&p;
  CHECK(same(p.value(), full<double>({2}, 2.0)));
}

TEST_CASE("a parameter that is moved remains itself", "[misuse]") {
  Tape<double> tape;
  std::vector<Parameter<double>> list;
  list.emplace_back(array<double>({2}, {3, 5}));
  const auto loss = sum(square(tape.parameter(list[0])));
  for (int k = 0; k < 20; ++k) list.emplace_back(full<double>({3}, 1.0));  // moves the first elsewhere
  tape.backward(loss);
  CHECK(same(list[0].grad(), array<double>({2}, {6, 10})));
  CHECK(tape.parameter(list[0]).slot() == 0);

  Parameter<double> other(full<double>({2}, 1.0));
  std::swap(list[0], other);
  tape.backward(loss);
  CHECK(same(other.grad(), array<double>({2}, {12, 20})));
  CHECK(same(list[0].grad(), zeros<double>({2})));
  Parameter<double> taken(std::move(other));
  tape.backward(loss);
  CHECK(same(taken.grad(), array<double>({2}, {18, 30})));
  // One that was moved from is as if default-constructed.
  CHECK(other.shape() == Parameter<double>().shape());
  other.zero_grad();
  other = taken;
  CHECK(other == taken);
  list.erase(list.begin());
  CHECK(list.size() == 20);
  CHECK(same(list[19].value(), full<double>({3}, 1.0)));
}

TEST_CASE("parameters are not written while a sweep adds to them", "[misuse]") {
  Tape<double> tape, elsewhere;
  Parameter<double> p(array<double>({2}, {3, 5})), q(array<double>({2}, {1, 2}));
  std::function<void()> act;
  const GradientHook<double> f = [&](Handle g) {
    act();
    return g;
  };
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto y = sum(hook(x * tape.parameter(p), f));
  const auto other = sum(square(elsewhere.parameter(p)));
  const std::vector<std::pair<std::string, std::function<void()>>> writes{
      {"grad", [&] { p.grad().fill(1); }},   {"grad", [&] { std::as_const(p).grad(); }},
      {"zero_grad", [&] { p.zero_grad(); }}, {"update", [&] { p.update([](auto& values) { values *= 2; }); }},
      {"operator=", [&] { p = q; }},         {"operator=", [&] { p = Parameter<double>(zeros<double>({3})); }}};
  for (const auto& [name, write] : writes) {
    act = write;
    CHECK(error_text<TapeError>([&] { tape.backward(y); }) ==
          "parameter: " + name +
              "() while a backward() that adds to its gradient is under way; call it before or after that");
    CHECK(same(p.grad(), zeros<double>({2})));
    CHECK(same(p.value(), array<double>({2}, {3, 5})));
  }
  act = [&] { elsewhere.backward(other); };
  CHECK(
      error_text<TapeError>([&] { tape.backward(y); }) ==
      "backward: a backward() of another tape that adds to the same parameters is under way; call this before or after "
      "that, not in a hook");
  CHECK(same(p.grad(), zeros<double>({2})));
  act = [&] { Parameter<double> gone(std::move(p)); };
  CHECK_THROWS_WITH(tape.backward(y), Catch::Matchers::ContainsSubstring("was destroyed"));
}

TEST_CASE("a gradient of another shape than its parameter is refused", "[misuse]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const auto loss = sum(square(tape.parameter(p)));
  for (const Shape& shape : {Shape{5}, Shape{3, 2}, Shape{2, 3, 1}}) {
    p.grad() = zeros<double>(shape);
    CHECK(error_text<ShapeError>([&] { tape.backward(loss); }) ==
          "backward: the grad() of a parameter of shape (2, 3) was given shape " + to_string(shape) +
              "; they must be equal");
  }
  p.grad() = zeros<double>({2, 3});
  tape.backward(loss);
  CHECK(same(p.grad(), array<double>({2, 3}, {2, 4, 6, 8, 10, 12})));
}

TEST_CASE("a handle from before an update is not multiplied with what was packed then", "[misuse]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2, 2}, {1, 2, 3, 4}));
  const auto x = tape.variable(array<double>({2}, {1, 1})), w = tape.parameter(p), part = slice(w, 0, 0, 1);
  for (int k = 0; k < 3; ++k) {
    linear(x, w);
    linear(x, part);
  }
  p.update([](auto& values) { values *= 10; });
  for (const auto& old : {w, part})
    CHECK_THROWS_WITH(linear(x, old), Catch::Matchers::StartsWith("linear: parameter of shape (2, 2) was updated"));
  CHECK(same(linear(x, tape.parameter(p)).copy(), array<double>({2}, {30, 70})));
}

// Repetitions and marks.

TEST_CASE("each time of a repetition begins once", "[misuse]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  {
    Repeat<double> repeat(tape, 3);
    repeat.begin(1);
    const auto first = exp(x);
    const Array<double> value = first.copy();
    CHECK(error_text<ValueError>([&] { repeat.begin(3); }) == "repeat: begin(3) of 3 times; they are 0 ... 3 - 1");
    CHECK(error_text<ValueError>([&] { repeat.begin(~std::size_t(0)); }).find("of 3 times") != std::string::npos);
    CHECK(error_text<ValueError>([&] { repeat.begin(1); }) ==
          "repeat: begin(1) for a second time, whose values would go over those of the first; each time is there once");
    repeat.begin(2);
    const auto second = exp(2 * x);
    repeat.begin(0);
    exp(3 * x);
    CHECK(same_bits(first.copy(), value));
    CHECK(second.value()(1) == std::exp(4.0));
    CHECK_THROWS_AS(repeat.begin(0), ValueError);
    repeat.end();
    CHECK_THROWS_AS(repeat.begin(7), ValueError);
    repeat.begin(0);  // of no consequence any more
    CHECK(same_bits(exp(x).copy(), value));
  }
  CHECK_THROWS_AS(Repeat<double>(tape, ~std::size_t(0)), ValueError);
  {
    auto outer = std::make_unique<Repeat<double>>(tape, 2);
    outer->begin(0);
    Repeat<double> inner(tape, 2);
    inner.begin(0);
    outer.reset();  // before the one inside it
    inner.begin(1);
    exp(x);
  }
  {
    Repeat<double> repeat(tape, 200);
    for (std::size_t t = 200; t-- > 0;) repeat.begin(t);
    for (std::size_t t = 0; t < 200; ++t) CHECK_THROWS_AS(repeat.begin(t), ValueError);
  }
  check_usable(tape);
}

TEST_CASE("marks of other tapes, of before a clear, and out of order are refused", "[misuse]") {
  Tape<double> tape, other;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  other.variable(full<double>({100000}, 1.0));
  other.variable(full<double>({4}, 1.0));
  CHECK(error_text<TapeError>([&] { tape.rewind(other.mark()); }) ==
        "rewind: the mark was set on another tape; rewind that one to it");
  CHECK(error_text<TapeError>([&] { other.rewind(tape.mark()); }) ==
        "rewind: the mark was set on another tape; rewind that one to it");
  const std::string past =
      "rewind: the mark was set further on than the tape has reached; it was rewound past it before";
  const auto low = tape.mark();
  const auto a = exp(x);
  const auto middle = tape.mark();
  linear(reshape(a, {1, 2}), reshape(x, {1, 2}));
  const auto high = tape.mark();
  tape.rewind(middle);
  CHECK(error_text<TapeError>([&] { tape.rewind(high); }) == past);
  // What lies there now has neither a generation that tells, nor the length of then.
  const auto r = reshape(a, {1, 2}), c = tape.constant(full<double>({2, 2}, 1.0)), e = affine(r, 2, 1);
  CHECK(e.slot() + 1 == high.slots);
  linear(r, c, donate(e));
  CHECK_THROWS_AS(e.shape(), TapeError);
  CHECK(error_text<TapeError>([&] { tape.rewind(high); }) == past);
  tape.rewind(middle);
  tape.rewind(low);
  CHECK(error_text<TapeError>([&] { tape.rewind(middle); }) == past);
  const auto again = tape.mark();
  exp(x);
  tape.rewind(again);
  tape.rewind(low);
  CHECK(same(x.copy(), array<double>({2}, {1, 2})));
  tape.clear();
  for (int k = 0; k < 5; ++k) tape.variable(full<double>({2}, 1.0));
  for (const auto& mark : {low, middle, high, again}) CHECK(error_text<TapeError>([&] { tape.rewind(mark); }) == past);
  check_usable(tape);
}

TEST_CASE("a mark is good as long as what was recorded before it, whatever was rewound beyond", "[misuse]") {
  Generator generator(3);
  Tape<double> tape;
  std::vector<std::pair<Tape<double>::Mark, std::size_t>> marks;  // and the steps then, none if it is to be refused
  constexpr std::size_t gone = ~std::size_t(0);
  tape.variable(full<double>({2}, 1.0));
  const auto start = tape.mark();
  for (int round = 0; round < 3000; ++round) {
    const double what = uniform(generator);
    if (what < 0.5) {
      tape.constant(Shape{2}, 1);
    } else if (what < 0.75) {
      marks.emplace_back(tape.mark(), tape.size());
    } else if (!marks.empty()) {
      const auto& [mark, steps] =
          marks[static_cast<std::size_t>(uniform(generator) * static_cast<double>(marks.size()))];
      if (steps == gone) {
        CHECK_THROWS_AS(tape.rewind(mark), TapeError);
      } else {
        const std::size_t now = steps;
        tape.rewind(mark);
        CHECK(tape.size() == now);
        for (auto& [other, at] : marks)
          if (at > now) at = gone;
      }
    }
  }
  tape.rewind(start);
  CHECK(tape.size() == 1);
}

TEST_CASE("gradients of what was rewound are not read", "[misuse]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto mark = tape.mark();
  const auto y = sum(square(x));
  tape.backward(y);
  const auto later = tape.mark();
  exp(x);
  tape.rewind(later);
  CHECK(same(tape.gradient(x), array<double>({2}, {2, 4})));
  tape.rewind(mark);
  CHECK(error_text<TapeError>([&] { tape.gradient(x); }) ==
        "gradient: the tape was rewound to before the loss of the last backward(); sweep again");
  check_usable(tape);
}

// Handles, in every op.

TEST_CASE("every op refuses handles that are stale, empty, donated, or of another tape", "[misuse]") {
  Generator generator(5);
  std::size_t tried = 0;
  for (const RegisteredOp& op : registered_ops())
    for (const Sample& sample : op.samples) {
      const std::string name = std::string(op.info->name) + ": " + sample.description;
      for (std::size_t bad = 0; bad < sample.inputs.size(); ++bad) {
        INFO(name << ", input " << bad);
        Tape<double> tape, other;
        const auto good = [&](Tape<double>& on) {
          std::vector<Handle> x;
          for (const Shape& shape : sample.inputs)
            x.push_back(on.variable(random_array(shape, generator, sample.domain)));
          return x;
        };
        other.constant(Shape{}, 1);
        const std::vector<Handle> foreign = good(other), cleared = good(tape);
        tape.clear();
        std::vector<Handle> x = good(tape);
        const auto mark = tape.mark();
        const std::vector<Handle> rewound = good(tape);
        tape.rewind(mark);
        const auto row = tape.variable(full<double>({1, 2}, 1.0)), donated = affine(row, 2, 1);
        linear(row, tape.constant(Shape{2, 2}, 1), donate(donated));
        std::vector<std::pair<const char*, Handle>> handles{
            {"cleared", cleared[bad]}, {"rewound", rewound[bad]}, {"donated", donated}, {"empty", Handle()}};
        if (sample.inputs.size() > 1) handles.emplace_back("foreign", foreign[bad]);
        const Handle kept = x[bad];
        const auto end = tape.mark();
        const std::size_t steps = tape.size();
        for (const auto& [kind, handle] : handles) {
          INFO(kind);
          x[bad] = handle;
          ++tried;
          CHECK_THROWS_AS(sample.call(x), TapeError);
          // A sample may have made a mask, before it calls the op.
          for (std::size_t step = steps; step < tape.size(); ++step)
            CHECK(tape.recording().step(step).op->info == &ops::GreaterThan::info);
          CHECK(tape.size() <= steps + 1);
          tape.rewind(end);
          x[bad] = kept;
        }
        CHECK_NOTHROW(sample.call(x));
      }
    }
  CHECK(tried > 1000);
}

TEST_CASE("bounds that are numbers are not left behind by a stale handle", "[misuse]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  tape.clear();
  CHECK_THROWS_AS(maximum(x, 0.5), TapeError);
  CHECK_THROWS_AS(minimum(x, 0.5), TapeError);
  CHECK(tape.size() == 0);
}

// Checkpoints and checks.

TEST_CASE("a checkpoint's function records on the workspace", "[misuse]") {
  Tape<double> tape, workspace, third;
  Parameter<double> p(array<double>({2}, {3, 5})), q(array<double>({2}, {2, 2}));
  const auto x = tape.variable(array<double>({2}, {1, 2})), elsewhere = third.variable(array<double>({2}, {1, 2}));
  const std::size_t steps = tape.size();
  CHECK(error_text<TapeError>([&] {
          checkpoint(workspace, [&](std::span<const Handle> in) { return std::array{exp(x), in[0]}; }, {x});
        }) == "checkpoint: its function may record on the workspace only, from the inputs that it is given");
  CHECK_THROWS_AS(checkpoint(workspace, [&](std::span<const Handle> in) { return std::array{in[0] * elsewhere}; }, {x}),
                  TapeError);
  CHECK_THROWS_AS(checkpoint(workspace, [&](std::span<const Handle>) { return std::array{elsewhere}; }, {x}),
                  TapeError);
  CHECK_THROWS_AS(checkpoint(workspace, [&](std::span<const Handle>) { return std::array{x}; }, {x}), TapeError);
  CHECK_THROWS_AS(checkpoint(workspace, [&](std::span<const Handle>) { return std::array{Handle()}; }, {x}), TapeError);
  const auto nested = [&](std::span<const Handle> in) {
    return checkpoint(tape, [](std::span<const Handle> v) { return std::array{exp(v[0])}; }, {in[0]});
  };
  CHECK_THROWS_AS(checkpoint(workspace, nested, {x}), TapeError);
  CHECK(tape.size() == steps);
  CHECK(same(x.copy(), array<double>({2}, {1, 2})));

  // It reads the same parameters both times, with the values of then.
  bool second = false;
  const auto f = [&](std::span<const Handle> in) { return std::array{in[0] * in[0].tape().parameter(second ? q : p)}; };
  const auto loss = sum(checkpoint(workspace, f, {x})[0]);
  second = true;
  CHECK(
      error_text<TapeError>([&] { tape.backward(loss); }) ==
      "checkpoint: its function read other parameters, or made other shapes, than when it was recorded; it must do the "
      "same both times");
  CHECK(same(q.grad(), zeros<double>({2})));
  second = false;
  tape.backward(loss);
  CHECK(same(p.grad(), array<double>({2}, {1, 2})));
  p.update([](auto& values) { values *= 2; });
  CHECK_THROWS_WITH(tape.backward(loss), Catch::Matchers::ContainsSubstring("was updated after it was recorded"));
}

TEST_CASE("a gradient check may be called in a gradient check, and refuses what is not of its tape", "[misuse]") {
  const std::vector<Array<double>> inputs{array<double>({2}, {0.5, -0.25})};
  bool inside = true;
  const Function f = [&](std::span<const Handle> x) {
    inside &= gradient_check([](std::span<const Handle> v) { return tanh(v[0]); }, {x[0].copy()}).agrees(1e-12);
    return exp(x[0]) * x[0];
  };
  CHECK(gradient_check(f, inputs).agrees(1e-12));
  CHECK(inside);
  Tape<double> other;
  const auto foreign = other.variable(array<double>({}, {1}));
  for (const Handle& result : {Handle(), foreign}) {
    const auto g = [&](std::span<const Handle>) { return result; };
    CHECK_THROWS_AS(gradient_check(g, inputs), TapeError);
    CHECK_THROWS_AS(value_and_grad<double>(g, inputs), TapeError);
    CHECK_THROWS_AS(jacobian<double>(g, inputs), TapeError);
    CHECK_THROWS_AS(hessian<double>(g, inputs), TapeError);
  }
  CHECK_THROWS_AS(Handle().tape(), TapeError);
}

TEST_CASE("what a hook may return", "[misuse]") {
  Tape<double> tape, other;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  Handle result;
  const GradientHook<double> f = [&](Handle) { return result; };
  const auto y = sum(hook(x, f));
  const auto foreign = other.variable(array<double>({2}, {1, 2}));
  Handle stale;
  {
    const Tape<double>::Scope scope(tape);
    stale = exp(x);
  }
  for (const Handle& bad : {Handle(), foreign, stale}) {
    result = bad;
    CHECK_THROWS_AS(tape.backward(y), TapeError);
    CHECK_THROWS_AS(grad(y, {x}), TapeError);
  }
  result = sum(x);
  CHECK_THROWS_AS(tape.backward(y), ShapeError);
  result = x;
  tape.backward(y);
  CHECK(same(tape.gradient(x), x.copy()));
}

// Load.

// Each of these would take minutes if one look-up cost as much as there are parameters, weights, products or names.
TEST_CASE("a step of a hundred thousand parameters costs as much as they are", "[misuse]") {
  constexpr std::size_t count = 200'000;
  Tape<float> tape;
  std::vector<Parameter<float>> parameters;
  for (std::size_t k = 0; k < count; ++k) parameters.emplace_back(full<float>({1, 1}, 2));
  Variable<float> loss;
  const auto x = [&] { return tape.variable(full<float>({1, 1}, 1)); };
  for (int round = 0; round < 2; ++round) {
    tape.clear();
    const auto in = x();
    loss = tape.constant(Shape{1, 1}, 0);
    for (auto& p : parameters) {
      const auto w = tape.parameter(p);
      tape.name(w, "w");
      // Twice each: the weight is packed, and its products are joined, at the second.
      loss = linear(linear(in, w, loss), tape.parameter(p), loss);
      loss = loss * (round == 0 ? 0.25 : 0.125);
    }
    tape.backward(reshape(loss, Shape{}));
  }
  // With w = 2 a link is L' = s (w + L) w + s L = s (4 + 3 L), which tends to 4 for s = 1/4, and to 0.8 for s = 1/8; by
  // its own w it is s (2 w + L), by L it is 3 s.
  CHECK(parameters[count - 1].grad()(0, 0) == Catch::Approx(2 + 0.6));
  CHECK(parameters[count - 2].grad()(0, 0) == Catch::Approx(2 * 0.75 + 0.6 * 0.375));
  CHECK(tape.recording().name_of(tape.parameter(parameters[count - 1]).slot()) == "w");
  for (std::size_t k = 0; k < count; ++k) {
    const typename Tape<float>::Scope scope(tape);
    exp(loss);
  }
  tape.replay();
  const std::string text = tape.print();
  CHECK(text.size() > 20 * count);
}

#ifndef NDEBUG

TEST_CASE("two threads on one tape, and a tape after its end, are noticed where asserts are on", "[misuse]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  std::mutex mutex;
  std::condition_variable changed;
  int stage = 0;
  const auto reach = [&](int next) {
    std::unique_lock lock(mutex);
    stage = next;
    changed.notify_all();
  };
  const auto wait = [&](int for_stage) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stage >= for_stage; });
  };
  const std::function<void()> forward = [&] {
    reach(1);
    wait(2);
  };
  std::thread thread([&] { apply(Calls{&forward}, x); });
  wait(1);
  const std::vector<std::function<void()>> uses{[&] { exp(x); }, [&] { tape.variable(zeros<double>({2})); },
                                                [&] { tape.clear(); }, [&] { tape.backward(sum(x)); }};
  for (const auto& use : uses)
    CHECK_THROWS_WITH(
        use(), Catch::Matchers::ContainsSubstring("the tape is in use by another thread; give each thread a tape"));
  reach(2);
  thread.join();
  CHECK(tape.size() == 2);
  check_usable(tape);

  alignas(Tape<double>) std::array<std::byte, sizeof(Tape<double>)> memory;
  auto* const ended = new (memory.data()) Tape<double>;
  const auto last = ended->variable(array<double>({2}, {1, 2}));
  ended->~Tape();
  CHECK_THROWS_WITH(exp(last), Catch::Matchers::StartsWith("exp: the tape of this variable is gone"));
  CHECK_THROWS_WITH(last.copy(), Catch::Matchers::StartsWith("copy: the tape of this variable is gone"));
}

#endif
