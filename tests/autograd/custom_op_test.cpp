// Ops that a user writes, through the same interface as the library's own.
#include "allocations.hpp"
#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

using Handle = Variable<double>;

// y = x^3,   dx = 3 x^2 g
struct Cube {
  static constexpr OpInfo info{.name = "cube", .vjp_reads = Reads::inputs};
  static auto forward(const auto& x) { return x * x * x; }
  static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(3 * x * x * g); }
};

// y = a b,   da = g b; b is taken for a constant
struct Scaled {
  static constexpr OpInfo info{.name = "scaled", .inputs = 2, .vjp_reads = Reads::inputs};
  static auto forward(const auto& a, const auto& b) { return a * b; }
  static auto vjp(const auto& g, const auto&, const auto&, const auto& b) { return gradients(g * b, Absent{}); }
};

// y = a exp(-k b),   da = g y / a,  db = -k g y
struct Decay {
  static constexpr OpInfo info{.name = "decay", .inputs = 2, .domain = {0.5, 2}};
  double rate;
  auto forward(const auto& a, const auto& b) const { return a * exp(-(b * rate)); }
  auto vjp(const auto& g, const auto& y, const auto& a, const auto&) const {
    return gradients(g * y / a, -(g * y * rate));
  }
  std::string attributes() const { return "rate=" + std::to_string(rate); }
};

// y = x rounded down, a constant
struct Floor {
  static constexpr OpInfo info{.name = "floor", .vjp_reads = Reads::neither, .differentiable = false};
  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.input().size(); ++k)
      call.output().data[k] = std::floor(std::real(call.input().data[k]));
  }
  template <class T>
  void vjp(Recorder<T>&) const {}
};

// y_k = sum over j <= k (j >= k backwards) of x_j,   dx = the other one of g
struct RunningSum {
  static constexpr OpInfo info{.name = "running_sum", .vjp_reads = Reads::neither};
  bool backwards = false;

  Shape infer(Shapes inputs) const {
    if (inputs[0]->rank() != 1) throw ShapeError("running_sum: shape " + to_string(*inputs[0]) + " is not a vector");
    return *inputs[0];
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const std::size_t size = call.input().size();
    V total = V(0);
    for (std::size_t k = 0; k < size; ++k) {
      const std::size_t at = backwards ? size - 1 - k : k;
      total += call.input().data[at];
      call.output().data[at] = total;
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, apply(RunningSum{!backwards}, call.gradient()));
  }
};

// The same, with numbers straight into the input's gradient.
struct DirectRunningSum : RunningSum {
  static constexpr OpInfo info{.name = "direct_running_sum", .vjp_reads = Reads::neither};
  template <class T>
  void backward_into(Backward<T>& call) const {
    const std::size_t size = call.input().size();
    const Destination<T> dx = call.into();
    T total = 0;
    for (std::size_t k = 0; k < size; ++k) {
      const std::size_t at = backwards ? k : size - 1 - k;
      total += call.gradient().data[at];
      dx.data[at] = (dx.accumulate ? dx.data[at] : T(0)) + total;
    }
  }
};

// (y, z) = (x^2, x^3),   dx = 2 x gy + 3 x^2 gz, of which an unused output contributes nothing
struct Powers {
  static constexpr OpInfo info{.name = "powers", .outputs = 2, .vjp_reads = Reads::inputs};
  std::array<Shape, 2> infer(Shapes inputs) const { return {*inputs[0], *inputs[0]}; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.input().size(); ++k) {
      const V x = call.input().data[k];
      call.output(0).data[k] = x * x;
      call.output(1).data[k] = x * x * x;
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = call.input();
    if (call.has_gradient(0)) call.add(0, 2 * x * call.gradient(0));
    if (call.has_gradient(1)) call.add(0, 3 * square(x) * call.gradient(1));
  }
};

// y = sum of w_k x_k, for weights that the rule keeps on the tape
struct Weighted {
  static constexpr OpInfo info{.name = "weighted", .vjp_reads = Reads::neither};
  std::span<const double> weights;
  Shape infer(Shapes) const { return {}; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    V total = V(0);
    for (std::size_t k = 0; k < weights.size(); ++k) total += V(weights[k]) * call.input().data[k];
    *call.output().data = total;
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    Array<T> w = make_array<T>({weights.size()});
    std::copy(weights.begin(), weights.end(), w.data());
    const Variable<T> g = call.gradient();
    call.add(0, g * g.tape().constant(w));
  }
};

/// An op that fails where it is told to.
enum class Fails { nowhere, in_infer, in_forward, in_vjp, in_vjp_after_recording, with_a_wrong_shape };
struct Failing {
  static constexpr OpInfo info{.name = "failing"};
  Fails where;
  Shape infer(Shapes inputs) const {
    if (where == Fails::in_infer) throw ShapeError("failing: in infer");
    return *inputs[0];
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    if (where == Fails::in_forward) throw ValueError("failing: in forward");
    std::copy_n(call.input().data, call.input().size(), call.output().data);
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    if (where == Fails::in_vjp) throw ValueError("failing: in vjp");
    const Variable<T> g = 1 * call.gradient();
    if (where == Fails::in_vjp_after_recording) throw ValueError("failing: in vjp");
    call.add(0, where == Fails::with_a_wrong_shape ? sum(g) : g);
  }
};

void check(const Function& f, const std::vector<Array<double>>& inputs) {
  const GradientReport report = gradient_check(f, inputs);
  INFO(report);
  for (const GradientComparison& comparison : report.comparisons) {
    CHECK(comparison.method == "complex step");
    CHECK(comparison.error <= (comparison.derivative == "gradient" ? 1e-13 : 1e-11));
  }
}

}  // namespace

TEST_CASE("a user's elementwise op has a kernel, both derivatives and broadcasting", "[custom]") {
  Generator generator(1);
  check([](auto x) { return apply(Cube{}, x[0]); }, {random_array({3, 7}, generator)});
  const auto a = random_array({3, 7}, generator, {0.5, 2}), b = random_array({7}, generator, {0.5, 2});
  check([](auto x) { return apply(Decay{1.5}, x[0], x[1]); }, {a, b});
  check([](auto x) { return apply(Decay{1.5}, x[0], x[0]) * x[0]; }, {a});

  Tape<float> tape;
  const auto x = tape.variable(full<float>({37}, 2));
  const auto y = apply(Cube{}, x);
  CHECK(same(y.copy(), full<float>({37}, 8)));
  tape.backward(y, full<float>({37}, 1));
  CHECK(same(tape.gradient(x), full<float>({37}, 12)));
  apply(Decay{0.25}, x, y);
  CHECK(tape.print() == "%0 = variable  (37)\n%1 = cube(%0)  (37)\n%2 = decay(%0, %1, rate=0.250000)  (37)\n");
  CHECK(error_text<ShapeError>([&] { apply(Decay{1}, x, tape.variable(full<float>({36}, 1))); }) ==
        "decay: shapes (37) and (36) do not broadcast: axis 0 has extents 37 and 36; make them equal, or one of them "
        "1");
}

TEST_CASE("a user's structural op needs no more than a forward and a vjp", "[custom]") {
  Generator generator(2);
  const auto x = random_array({9}, generator), w = random_array({9}, generator);
  check([](auto v) { return apply(RunningSum{}, tanh(v[0]) * v[1]) * v[0]; }, {x, w});
  check([](auto v) { return apply(RunningSum{}, apply(RunningSum{true}, v[0])); }, {x});
  check([](auto v) { return apply(DirectRunningSum{}, tanh(v[0]) * v[1]) * v[0]; }, {x, w});
  check([](auto v) { return apply(DirectRunningSum{}, apply(DirectRunningSum{{true}}, v[0])) + v[0]; }, {x});

  // The two agree to the bit, wherever the gradient goes.
  Tape<double> tape;
  soil(tape);
  const auto v = tape.variable(x);
  const auto gradient = [&](auto rule, bool first) {
    const auto y = apply(rule, v);
    const auto loss = first ? sum(square(y)) + sum(exp(v)) : sum(exp(v)) + sum(square(y));
    tape.backward(loss);
    return tape.gradient(v);
  };
  for (const bool first : {true, false})
    CHECK(distance(gradient(DirectRunningSum{}, first), gradient(RunningSum{}, first)) <= 1e-15);
}

TEST_CASE("an op of a user can have several outputs, and any of them can be unused", "[custom]") {
  Generator generator(3);
  const auto x = random_array({4, 3}, generator);
  check(
      [](auto v) {
        const auto [y, z] = apply(Powers{}, v[0]);
        return exp(y) * z;
      },
      {x});
  check([](auto v) { return apply(Powers{}, v[0])[0]; }, {x});
  check([](auto v) { return apply(Powers{}, v[0])[1]; }, {x});

  Tape<double> tape;
  soil(tape);
  const auto v = tape.variable(x);
  const auto [y, z] = apply(Powers{}, v);
  CHECK(tape.print() == "%0 = variable  (4, 3)\n%1, %2 = powers(%0)  (4, 3), (4, 3)\n");
  tape.backward(sum(z));
  CHECK(distance(tape.gradient(v), Array<double>(3 * x * x)) <= 1e-15);
  CHECK(same(tape.gradient(y), zeros<double>({4, 3})));
  // From the first output, when the second belongs to the same step but not to the sweep.
  tape.backward(sum(y));
  CHECK(distance(tape.gradient(v), Array<double>(2 * x)) <= 1e-15);
  tape.backward(y, full<double>({4, 3}, 1.0));
  CHECK(distance(tape.gradient(v), Array<double>(2 * x)) <= 1e-15);
  CHECK(distance(grad(y, {v}, tape.constant(Shape{4, 3}, 1))[0].copy(), Array<double>(2 * x)) <= 1e-15);
  // Its gradients are absent when nothing depends on it at all.
  const auto other = sum(v);
  tape.backward(other);
  CHECK(same(tape.gradient(v), full<double>({4, 3}, 1.0)));
}

TEST_CASE("an op that is not differentiable yields constants", "[custom]") {
  Generator generator(4);
  const auto x = random_array({5}, generator, {-3, 3});
  check([](auto v) { return apply(Floor{}, v[0]) * v[0]; }, {x});
  Tape<double> tape;
  const auto v = tape.variable(x);
  CHECK_FALSE(apply(Floor{}, v).needs_gradient());
  CHECK(same(grad(sum(apply(Floor{}, v)), {v})[0].copy(), zeros<double>({5})));
}

TEST_CASE("a rule keeps its lists on the tape", "[custom]") {
  Tape<double> tape;
  for (int round = 0; round < 2; ++round) {
    tape.clear();
    const auto x = tape.variable(array<double>({3}, {1, 2, 3}));
    Handle y;
    {
      const std::vector<double> weights{4, 5, 6};
      y = apply(Weighted{tape.recording().keep(std::span<const double>(weights))}, x);
    }
    tape.variable(full<double>({100}, 7.0));
    CHECK(y.item() == 32);
    tape.backward(y);
    CHECK(same(tape.gradient(x), array<double>({3}, {4, 5, 6})));
    CHECK(same(grad(y, {x})[0].copy(), array<double>({3}, {4, 5, 6})));
  }
}

TEST_CASE("a tape stays usable when a user's rule throws", "[custom]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({3}, {1, 2, 3}));
  const auto w = tape.variable(array<double>({3}, {1, 2, 3}));
  const auto good = sum(square(w));
  const auto check_usable = [&] {
    tape.backward(good);
    CHECK(same(tape.gradient(w), array<double>({3}, {2, 4, 6})));
    CHECK(same(grad(good, {w})[0].copy(), array<double>({3}, {2, 4, 6})));
  };
  const std::size_t steps = tape.size(), slots = tape.recording().slot_count();
  CHECK(error_text<ShapeError>([&] { apply(Failing{Fails::in_infer}, x); }) == "failing: in infer");
  CHECK(error_text<ValueError>([&] { apply(Failing{Fails::in_forward}, x); }) == "failing: in forward");
  CHECK(tape.size() == steps);
  CHECK(tape.recording().slot_count() == slots);
  check_usable();

  const auto first = slice(x, 0, 0, 1), rest = slice(x, 0, 1, 3);
  const auto mark = tape.mark();
  for (const Fails where : {Fails::in_vjp, Fails::in_vjp_after_recording, Fails::with_a_wrong_shape}) {
    // The sweep comes to the rest of x first, and is broken off when it has stored into that part only.
    const auto failing = apply(Failing{where}, first);
    const auto y = sum(failing) + sum(exp(rest));
    const std::string text =
        where == Fails::with_a_wrong_shape
            ? "failing: the vjp gave input 0 a gradient of shape (), the input has (1); they must be equal"
            : "failing: in vjp";
    const std::size_t before = tape.size(), slots_before = tape.recording().slot_count();
    if (where == Fails::with_a_wrong_shape) {
      CHECK(error_text<ShapeError>([&] { tape.backward(y); }) == text);
      CHECK(tape.size() == before);
      CHECK(error_text<ShapeError>([&] { grad(y, {x}); }) == text);
    } else {
      CHECK(error_text<ValueError>([&] { tape.backward(y); }) == text);
      CHECK(tape.size() == before);
      CHECK(error_text<ValueError>([&] { grad(y, {x}); }) == text);
    }
    CHECK(tape.size() == before);
    CHECK(tape.recording().slot_count() == slots_before);
    CHECK(same(tape.gradient(x), zeros<double>({3})));  // of a sweep that was broken off nothing is left
    check_usable();
    tape.rewind(mark);
  }
  const auto working = exp(apply(Failing{Fails::nowhere}, first));
  tape.backward(sum(working) + sum(exp(rest)));
  CHECK(distance(tape.gradient(x), Array<double>(xt::exp(x.value()))) <= 1e-15);
}

TEST_CASE("a sweep that was broken off does not haunt the next one", "[custom]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({1, 2}, {3, 4}));
  const auto x = tape.variable(array<double>({1, 2}, {1, 2}));
  const auto y = sum(linear(apply(Failing{Fails::in_vjp}, x), tape.parameter(p)));
  const auto good = sum(linear(x, tape.parameter(p)));
  CHECK(error_text<ValueError>([&] { tape.backward(y); }) == "failing: in vjp");
  p.zero_grad();
  tape.backward(good);
  CHECK(same(p.grad(), array<double>({1, 2}, {1, 2})));
}

TEST_CASE("a user's ops allocate nothing in the second step", "[custom]") {
  Tape<double> tape;
  const Array<double> values = array<double>({3}, {1, 2, 3});
  const auto step = [&] {
    tape.clear();
    const auto x = tape.variable(values);
    const auto [y, z] = apply(Powers{}, apply(RunningSum{}, apply(Cube{}, x)));
    tape.backward(sum(apply(Decay{2}, y, apply(DirectRunningSum{}, z))));
  };
  CHECK(allocations::during(step) > 0);
  CHECK(allocations::during(step) == 0);
}

TEST_CASE("an input that a rule gives no gradient keeps what others give it", "[custom]") {
  Tape<double> tape;
  soil(tape);
  const auto a = tape.variable(array<double>({2}, {1, 2})), b = tape.variable(array<double>({2}, {3, 4}));
  tape.backward(sum(apply(Scaled{}, a, b)));
  CHECK(same(tape.gradient(a), array<double>({2}, {3, 4})));
  CHECK(same(tape.gradient(b), array<double>({2}, {0, 0})));
  soil(tape);
  const auto c = tape.variable(array<double>({2}, {1, 2})), d = tape.variable(array<double>({2}, {3, 4}));
  tape.backward(sum(square(d)) + sum(apply(Scaled{}, c, d)));
  CHECK(same(tape.gradient(d), array<double>({2}, {6, 8})));
}
