// Numbers that must stay finite, kinks and ties, branches not taken, NaN, and nothing at all.
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "ledger.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

/// f's value and gradient at x, which is long enough that full registers and the rest of one both take part.
template <class T>
struct Evaluated {
  Array<T> value, gradient, recorded_gradient;

  Evaluated(const auto& f, const Array<T>& x, const Array<T>& output_gradient, Edge edge = Edge::tie_or_kink) {
    Tape<T> tape;
    soil(tape);
    const auto variable = tape.variable(x);
    const auto y = f(variable);
    ledger().note(tape, edge, Check::value);
    value = y.copy();
    tape.backward(y, output_gradient);
    gradient = tape.gradient(variable);
    recorded_gradient = grad(y, {variable}, tape.constant(output_gradient))[0].copy();
  }
};

/// f applied to each x alone, and to a long array of it.
template <class T>
void check_pointwise(const auto& f, double x, double value, double gradient) {
  for (const std::size_t size : {1, 5, 37}) {
    INFO("x = " << x << ", " << size << " elements");
    const Shape shape{size};
    const Evaluated<T> at(f, full<T>(shape, static_cast<T>(x)), full<T>(shape, T(1.5)));
    CHECK(same(at.value, full<T>(shape, static_cast<T>(value))));
    CHECK(same(at.gradient, full<T>(shape, static_cast<T>(1.5 * gradient))));
    CHECK(same(at.recorded_gradient, full<T>(shape, static_cast<T>(1.5 * gradient))));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("saturated activations are exact and pass no gradient", "[ops]", float, double) {
  using T = TestType;
  const auto logistic = [](auto x) { return sigmoid(x); };
  check_pointwise<T>(logistic, 1e3, 1, 0);
  check_pointwise<T>(logistic, -1e3, 0, 0);
  check_pointwise<T>(logistic, infinity, 1, 0);
  check_pointwise<T>(logistic, -infinity, 0, 0);
  const auto hyperbolic = [](auto x) { return tanh(x); };
  check_pointwise<T>(hyperbolic, 1e3, 1, 0);
  check_pointwise<T>(hyperbolic, -1e3, -1, 0);
  check_pointwise<T>(hyperbolic, infinity, 1, 0);
  check_pointwise<T>(hyperbolic, -infinity, -1, 0);
  const auto plus = [](auto x) { return softplus(x); };
  check_pointwise<T>(plus, -1e3, 0, 0);
  check_pointwise<T>(plus, 1e3, 1e3, 1);
  const auto exponential = [](auto x) { return exp(x); };
  check_pointwise<T>(exponential, -1e3, 0, 0);
  check_pointwise<T>(exponential, 0, 1, 1);
}

TEMPLATE_TEST_CASE("gradients at kinks and ties follow the documented conventions", "[ops]", float, double) {
  using T = TestType;
  const auto rectified = [](auto x) { return relu(x); };
  check_pointwise<T>(rectified, 0, 0, 0);
  check_pointwise<T>(rectified, -0.0, 0, 0);
  check_pointwise<T>(rectified, 2, 2, 1);
  check_pointwise<T>(rectified, -2, 0, 0);
  const auto magnitude = [](auto x) { return abs(x); };
  check_pointwise<T>(magnitude, 0, 0, 0);
  check_pointwise<T>(magnitude, -0.0, 0, 0);
  check_pointwise<T>(magnitude, -2, 2, -1);
  check_pointwise<T>([](auto x) { return pow(x, 0); }, 0, 1, 0);
  check_pointwise<T>([](auto x) { return pow(x, 1); }, 0, 0, 1);
  check_pointwise<T>([](auto x) { return pow(x, 2); }, 0, 0, 0);
  check_pointwise<T>([](auto x) { return pow(x, 3); }, -2, -8, 12);
  // Against an equal constant: half of the gradient.
  check_pointwise<T>([](auto x) { return maximum(x, x.tape().constant(x.shape(), T(2))); }, 2, 2, 0.5);
  check_pointwise<T>([](auto x) { return minimum(x, x.tape().constant(x.shape(), T(2))); }, 2, 2, 0.5);
  check_pointwise<T>([](auto x) { return maximum(x, x.tape().constant(x.shape(), T(2))); }, 3, 3, 1);
  check_pointwise<T>([](auto x) { return minimum(x, x.tape().constant(x.shape(), T(2))); }, 3, 2, 0);
  check_pointwise<T>([](auto x) { return maximum(x, x); }, 3, 3, 1);

  const Array<T> tied = array<T>({2, 4}, {3, 1, 3, 3, 5, 5, 2, 1});
  const Evaluated<T> first([](auto x) { return max(x, 1); }, tied, array<T>({2}, {6, 4}));
  CHECK(same(first.value, array<T>({2}, {3, 5})));
  CHECK(same(first.gradient, array<T>({2, 4}, {6, 0, 0, 0, 4, 0, 0, 0})));
  CHECK(same(first.recorded_gradient, first.gradient));
  const Evaluated<T> shared([](auto x) { return amax(x, 1); }, tied, array<T>({2}, {6, 4}));
  CHECK(same(shared.gradient, array<T>({2, 4}, {2, 0, 2, 2, 2, 2, 0, 0})));
  CHECK(same(shared.recorded_gradient, shared.gradient));
  const Evaluated<T> everything([](auto x) { return max(x); }, tied, array<T>({}, {6}));
  CHECK(same(everything.gradient, array<T>({2, 4}, {0, 0, 0, 0, 3, 3, 0, 0})));
}

TEMPLATE_TEST_CASE("kinks of the activations and singular points of roots follow the documented conventions", "[ops]",
                   float, double) {
  using T = TestType;
  const auto leaky = [](auto x) { return leaky_relu(x, 0.25); };
  check_pointwise<T>(leaky, 0, 0, 0.25);
  check_pointwise<T>(leaky, -2, -0.5, 0.25);
  check_pointwise<T>(leaky, 2, 2, 1);
  const auto exponential = [](auto x) { return elu(x, 0.5); };
  check_pointwise<T>(exponential, 0, 0, 0.5);
  check_pointwise<T>(exponential, 1e4, 1e4, 1);
  check_pointwise<T>(exponential, -1e4, -0.5, 0);
  const auto clipped = [](auto x) { return clip(x, -1, 2); };
  const auto hard = [](auto x) { return hard_tanh(x, -1, 2); };
  for (const double bound : {-1.0, 2.0}) {
    check_pointwise<T>(clipped, bound, bound, 1);
    check_pointwise<T>(hard, bound, bound, 0);
  }
  check_pointwise<T>(clipped, 3, 2, 0);
  check_pointwise<T>(clipped, -3, -1, 0);
  check_pointwise<T>(clipped, 0.5, 0.5, 1);
  check_pointwise<T>(hard, 3, 2, 0);
  check_pointwise<T>(hard, 0.5, 0.5, 1);
  check_pointwise<T>([](auto x) { return clip(x, -infinity, 2); }, -1e4, -1e4, 1);
  check_pointwise<T>([](auto x) { return clip(x, 2, 1); }, 0, 1, 0);  // no room between: the upper bound
  check_pointwise<T>([](auto x) { return clip(x, 2, 1); }, 1.5, 1, 0);
  check_pointwise<T>([](auto x) { return relu6(x); }, 6, 6, 0);
  check_pointwise<T>([](auto x) { return hard_sigmoid(x); }, 3, 1, 0);
  check_pointwise<T>([](auto x) { return hard_swish(x); }, 3, 3, 1.5);
  check_pointwise<T>([](auto x) { return hard_swish(x); }, -3, 0, -0.5);
  check_pointwise<T>([](auto x) { return threshold(x, 1, 7); }, 1, 7, 0);
  check_pointwise<T>([](auto x) { return floor(x) + 0 * x; }, -0.5, -1, 0);
  check_pointwise<T>([](auto x) { return log_sigmoid(x); }, -1e4, -1e4, 1);
  check_pointwise<T>([](auto x) { return log_sigmoid(x); }, 1e4, 0, 0);
  check_pointwise<T>([](auto x) { return silu(x); }, -1e3, 0, 0);
  check_pointwise<T>([](auto x) { return silu(x); }, 1e3, 1e3, 1);
  check_pointwise<T>([](auto x) { return gelu(x); }, -1e3, 0, 0);
  check_pointwise<T>([](auto x) { return gelu(x); }, 1e3, 1e3, 1);
  check_pointwise<T>([](auto x) { return gelu(x, Gelu::tanh); }, -1e3, 0, 0);
  check_pointwise<T>([](auto x) { return mish(x); }, 1e3, 1e3, 1);
  check_pointwise<T>([](auto x) { return logaddexp(x, x.tape().constant(x.shape(), T(-infinity))); }, 3, 3, 1);
  check_pointwise<T>([](auto x) { return logaddexp(x, x); }, 1e3, 1e3 + std::log(2.0), 1);

  check_pointwise<T>([](auto x) { return sqrt(x); }, 0, 0, 0);
  check_pointwise<T>([](auto x) { return pow(x, x.tape().constant(x.shape(), T(2))); }, 0, 0, 0);
  check_pointwise<T>([](auto x) { return pow(x, 0 * x); }, 0, 1, 0);
  check_pointwise<T>([](auto x) { return pow(x, x.tape().constant(x.shape(), T(0.5))); }, 0, 0, 0);
  check_pointwise<T>([](auto x) { return pow(x.tape().constant(x.shape(), T(0)), x); }, 2, 0, 0);
  for (const double p : {1.0, 1.5, 2.0, 3.0, infinity}) {
    INFO("p = " << p);
    const Evaluated<T> at([p](auto x) { return norm(x, 1, p); }, array<T>({2, 2}, {0, 0, 0, -4}),
                          array<T>({2}, {1, 1}));
    CHECK(distance(at.value, array<T>({2}, {0, 4})) <= 1e-6);
    CHECK(distance(at.gradient, array<T>({2, 2}, {0, 0, 0, -1})) <= 1e-6);
    CHECK(distance(at.recorded_gradient, at.gradient) <= 1e-6);
  }
  const auto entropy = [](auto p) {
    return binary_cross_entropy(p, p.tape().constant(array<T>({2}, {1, 0})), Reduction::none);
  };
  const Evaluated<T> certain(entropy, array<T>({2}, {0, 1}), array<T>({2}, {1, 1}));
  CHECK(same(certain.value, array<T>({2}, {100, 100})));
  CHECK(distance(certain.gradient, array<T>({2}, {-1e12, 1e12})) <= 1e-6);
  CHECK(same(certain.recorded_gradient, certain.gradient));

  const Evaluated<T> constant([](auto x) { return stddev(x, 1); }, full<T>({2, 3}, T(5)), array<T>({2}, {1, 1}));
  CHECK(all_zero(constant.gradient));
  CHECK(all_zero(constant.recorded_gradient));
}

TEMPLATE_TEST_CASE("products and running products with zeros have the right gradient", "[ops]", float, double) {
  using T = TestType;
  const Array<T> one_zero = array<T>({4}, {2, 0, 3, 5}), two_zeros = array<T>({4}, {2, 0, 3, 0});
  const auto product = [](auto x) { return prod(x); };
  CHECK(same(Evaluated<T>(product, one_zero, array<T>({}, {1})).gradient, array<T>({4}, {0, 30, 0, 0})));
  CHECK(same(Evaluated<T>(product, one_zero, array<T>({}, {1})).recorded_gradient, array<T>({4}, {0, 30, 0, 0})));
  CHECK(all_zero(Evaluated<T>(product, two_zeros, array<T>({}, {1})).gradient));
  const Evaluated<T> running([](auto x) { return cumprod(x, 0); }, one_zero, array<T>({4}, {1, 10, 100, 1000}));
  CHECK(same(running.value, array<T>({4}, {2, 0, 0, 0})));
  CHECK(same(running.gradient, array<T>({4}, {1, 2 * 10 + 6 * 100 + 30 * 1000, 0, 0})));
  CHECK(same(running.recorded_gradient, running.gradient));
  Tape<T> tape;
  CHECK(prod(tape.variable(zeros<T>({0}))).item() == 1);
}

TEST_CASE("argmax and argmin name the first of equal elements and NaN", "[ops]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2, 4}, {3, 1, 3, 1, -5, nan_value, -7, nan_value}));
  CHECK(same(argmax(x, 1), Array<Index>{0, 1}));
  CHECK(same(argmin(x, -1), Array<Index>{1, 1}));
  CHECK(same(argmax(x, 0, true), Array<Index>{{0, 1, 0, 1}}));
  CHECK(error_text<ShapeError>([&] {
          argmax(tape.variable(zeros<double>({2, 0})), 1);
        }) == "argmax: axis 1 of shape (2, 0) is empty; there is no element to reduce");
}

TEST_CASE("a mask passes no gradient, whatever it was made of", "[ops]") {
  Tape<double> tape;
  soil(tape);
  const auto x = tape.variable(array<double>({3}, {2, 0, -3}));
  tape.backward(masked(x, x), array<double>({3}, {1, 10, 100}));
  CHECK(same(tape.gradient(x), array<double>({3}, {1, 0, 100})));
  tape.backward(where(x, x, 2 * x), array<double>({3}, {1, 10, 100}));
  CHECK(same(tape.gradient(x), array<double>({3}, {1, 20, 100})));
}

TEMPLATE_TEST_CASE("softmax and its kin stay finite for huge logits", "[ops]", float, double) {
  using T = TestType;
  const double huge = std::same_as<T, float> ? 1e4 : 1e300;
  const Array<T> logits = array<T>({1, 3}, {huge, -huge, 0});
  const Array<T> one = array<T>({1}, {1});
  const Evaluated<T> total([](auto x) { return logsumexp(x, 1); }, logits, one);
  CHECK(same(total.value, array<T>({1}, {huge})));
  CHECK(same(total.gradient, array<T>({1, 3}, {1, 0, 0})));
  CHECK(same(total.recorded_gradient, total.gradient));

  const Evaluated<T> share([](auto x) { return softmax(x); }, logits, array<T>({1, 3}, {1, 2, 3}));
  CHECK(same(share.value, array<T>({1, 3}, {1, 0, 0})));
  CHECK(all_zero(share.gradient));
  const Evaluated<T> logarithm([](auto x) { return log_softmax(x); }, logits, array<T>({1, 3}, {1, 2, 4}));
  CHECK(same(logarithm.value, array<T>({1, 3}, {0, -2 * huge, -huge})));
  CHECK(same(logarithm.gradient, array<T>({1, 3}, {1 - 7, 2, 4})));

  const Array<T> loss_gradient = array<T>({}, {1});
  for (const Index target : {0, 1, 2}) {
    const auto loss = [&](auto x) { return cross_entropy(x, Array<Index>{target}); };
    const Evaluated<T> at(loss, logits, loss_gradient);
    CHECK(same(at.value, array<T>({}, {std::array{0.0, 2 * huge, huge}[static_cast<std::size_t>(target)]})));
    Array<T> expected = array<T>({1, 3}, {1, 0, 0});
    expected.data()[target] -= 1;
    CHECK(same(at.gradient, expected));
    CHECK(same(at.recorded_gradient, expected));
  }
  const Evaluated<T> nothing([](auto x) { return logsumexp(x, 1); }, array<T>({1, 2}, {-infinity, 0}), one);
  CHECK(same(nothing.value, array<T>({1}, {0})));
  CHECK(same(nothing.gradient, array<T>({1, 2}, {0, 1})));
  Tape<T> tape;
  CHECK(logsumexp(tape.variable(array<T>({1, 2}, {infinity, 0})), 1).item() == static_cast<T>(infinity));
  CHECK(logsumexp(tape.variable(array<T>({1, 2}, {-infinity, -infinity})), 1).item() == static_cast<T>(-infinity));
}

// The condition is 0 on odd elements. `bad` sits where it is not selected.
TEMPLATE_TEST_CASE("what where() and masked() do not select contributes exactly nothing", "[ops]", float, double) {
  using T = TestType;
  for (const double bad : {nan_value, infinity, -infinity, 0.0}) {
    INFO("unselected: " << bad);
    const Shape shape{35};
    Array<T> x = full<T>(shape, T(2)), condition = full<T>(shape, T(1)), selected = full<T>(shape, T(0.5));
    for (std::size_t k = 1; k < x.size(); k += 2) {
      x.data()[k] = static_cast<T>(bad);
      condition.data()[k] = 0;
      selected.data()[k] = 0;
    }
    const Array<T> ones = full<T>(shape, T(1));
    // log has the gradient 1/x, which is infinite or NaN at the bad ones: where() must be asked on its inside, too.
    const auto inside = [&](auto v) {
      const auto c = v.tape().constant(condition);
      const auto safe = where(c, v, v.tape().constant(shape, T(1)));
      return where(c, log(safe), v.tape().constant(shape, T(0)));
    };
    const Evaluated<T> guarded(inside, x, ones);
    CHECK(same(guarded.gradient, selected));
    CHECK(same(guarded.recorded_gradient, selected));
    CHECK(same(guarded.value, Array<T>(static_cast<T>(std::log(T(2))) * condition)));

    const Evaluated<T> hidden([&](auto v) { return masked(v, v.tape().constant(condition)); }, x, ones);
    CHECK(same(hidden.value, Array<T>(T(2) * condition)));
    CHECK(same(hidden.gradient, condition));
    CHECK(same(hidden.recorded_gradient, condition));

    // The second branch: selected where the condition is 0.
    const Array<T> opposite = T(1) - condition;
    const auto second = [&](auto v) {
      const auto one = v.tape().constant(shape, T(1));
      return where(v.tape().constant(opposite), one, v);
    };
    const Evaluated<T> other(second, x, ones);
    CHECK(same(other.value, Array<T>(T(2) * condition + opposite)));
    CHECK(same(other.gradient, condition));
    CHECK(same(other.recorded_gradient, condition));
  }
}

// 0 times infinity is NaN, so the gradient of what was not taken must not be made by multiplying with 0.
TEMPLATE_TEST_CASE("an infinite output gradient does not leak into what was not taken", "[ops]", float, double) {
  using T = TestType;
  const Shape shape{19};
  const auto zero_gradient = [&](const auto& f) {
    const Evaluated<T> at(f, full<T>(shape, T(-1)), full<T>(shape, std::numeric_limits<T>::infinity()));
    CHECK(all_zero(at.gradient));
    CHECK(all_zero(at.recorded_gradient));
  };
  const auto constant = [&](auto v, double value) { return v.tape().constant(shape, static_cast<T>(value)); };
  zero_gradient([&](auto v) { return masked(v, constant(v, 0)); });
  zero_gradient([&](auto v) { return where(constant(v, 0), v, constant(v, 3)); });
  zero_gradient([&](auto v) { return where(constant(v, 1), constant(v, 3), v); });
  zero_gradient([&](auto v) { return maximum(v, constant(v, 3)); });
  zero_gradient([&](auto v) { return maximum(constant(v, 3), v); });
  zero_gradient([&](auto v) { return minimum(v, constant(v, -3)); });
  zero_gradient([&](auto v) { return minimum(constant(v, -3), v); });
  zero_gradient([](auto v) { return relu(v); });
}

TEMPLATE_TEST_CASE("NaN comes out of what it goes into", "[ops]", float, double) {
  using T = TestType;
  Tape<T> tape;
  for (const std::size_t size : {1, 5, 37}) {
    const auto not_a_number = tape.variable(full<T>({size}, static_cast<T>(nan_value)));
    const auto one = tape.variable(full<T>({size}, T(1)));
    for (const auto& y :
         {elu(not_a_number), leaky_relu(not_a_number), hard_tanh(not_a_number), clip(not_a_number, 0, 1),
          silu(not_a_number), gelu(not_a_number), erf(not_a_number), expm1(not_a_number), logaddexp(not_a_number, one),
          floor(not_a_number), atan2(not_a_number, one)})
      for (const T element : y.value()) CHECK(std::isnan(element));
    for (const auto& y : {maximum(not_a_number, one), maximum(one, not_a_number), minimum(not_a_number, one),
                          minimum(one, not_a_number), relu(not_a_number), abs(not_a_number), tanh(not_a_number),
                          sigmoid(not_a_number), softplus(not_a_number), exp(not_a_number)})
      for (const T element : y.value()) CHECK(std::isnan(element));
  }
  for (std::size_t at = 0; at < 3; ++at) {
    Array<T> x = array<T>({3}, {1, 2, 3});
    x.data()[at] = static_cast<T>(nan_value);
    CHECK(std::isnan(max(tape.variable(x)).item()));
    CHECK(std::isnan(max(tape.variable(x), 0).item()));
    CHECK(std::isnan(sum(tape.variable(x)).item()));
    CHECK(std::isnan(logsumexp(tape.variable(x), 0).item()));
  }
}

TEMPLATE_TEST_CASE("empty arrays reduce to what nothing amounts to", "[ops]", float, double) {
  using T = TestType;
  Tape<T> tape;
  soil(tape);
  const auto x = tape.variable(zeros<T>({2, 0}));
  CHECK(sum(x).item() == 0);
  CHECK(same(sum(x, 1).copy(), zeros<T>({2})));
  CHECK(sum(x, 0).shape() == Shape{0});
  CHECK(same(logsumexp(x, 1).copy(), full<T>({2}, static_cast<T>(-infinity))));
  CHECK(same(matmul(x, tape.variable(zeros<T>({0, 3}))).copy(), zeros<T>({2, 3})));
  CHECK(same(linear(x, tape.variable(zeros<T>({3, 0})), tape.variable(full<T>({3}, T(7)))).copy(),
             full<T>({2, 3}, T(7))));
  CHECK(softmax(x, 0).shape() == Shape{2, 0});
  CHECK(same(concat({x, tape.variable(full<T>({2, 1}, T(5)))}, 1).copy(), full<T>({2, 1}, T(5))));
  const auto loss = sum(exp(x)) + sum(slice(x, 1, 0, 0));
  tape.backward(loss);
  CHECK(same(tape.gradient(x), zeros<T>({2, 0})));
  CHECK(error_text<ShapeError>([&] { max(x, 1); }) ==
        "max: axis 1 of shape (2, 0) is empty; there is no element to reduce");
  CHECK(error_text<ShapeError>([&] { mean(x); }) ==
        "mean: axis 1 of shape (2, 0) is empty; there is no element to reduce");
}

TEST_CASE("repeated indices add their gradients", "[ops]") {
  Tape<double> tape;
  soil(tape);
  const auto x = tape.variable(array<double>({3, 2}, {1, 2, 3, 4, 5, 6}));
  const auto rows = take(x, Array<Index>{2, 0, 2, -1, 2}, 0);
  CHECK(same(rows.copy(), array<double>({5, 2}, {5, 6, 1, 2, 5, 6, 5, 6, 5, 6})));
  tape.backward(rows, array<double>({5, 2}, {1, 10, 2, 20, 4, 40, 8, 80, 16, 160}));
  CHECK(same(tape.gradient(x), array<double>({3, 2}, {2, 20, 0, 0, 29, 290})));
  const auto each = gather(x, Array<Index>{{0, 1}, {0, 1}, {2, -2}}, 0);
  CHECK(same(each.copy(), array<double>({3, 2}, {1, 4, 1, 4, 5, 4})));
  tape.backward(each, array<double>({3, 2}, {1, 10, 2, 20, 4, 40}));
  CHECK(same(tape.gradient(x), array<double>({3, 2}, {3, 0, 0, 70, 4, 0})));
}

TEST_CASE("dropout drops at its rate, keeps the mean and follows its generator", "[ops]") {
  Tape<double> tape;
  const auto x = tape.variable(full<double>({100, 100}, 2.0));
  Generator generator(5);
  const auto y = dropout(x, 0.3, generator);
  std::size_t dropped = 0;
  for (const double element : y.value()) {
    CHECK((element == 0 || element == Catch::Approx(2 / 0.7).epsilon(1e-15)));
    dropped += element == 0;
  }
  CHECK(std::abs(static_cast<double>(dropped) - 3000) < 200);  // over four standard deviations
  const auto z = dropout(x, 0.3, generator);
  CHECK_FALSE(same_bits(z.copy(), y.copy()));
  Generator again(5);
  CHECK(same_bits(dropout(x, 0.3, again).copy(), y.copy()));
  CHECK(dropout(x, 0, generator).slot() == x.slot());
  CHECK(error_text<ValueError>([&] { dropout(x, -0.5, generator); }) ==
        "dropout: probability -0.500000; expected 0 <= probability < 1");
  tape.backward(y, full<double>({100, 100}, 1.0));
  CHECK(distance(tape.gradient(x), Array<double>(y.value() / 2)) <= 1e-15);
}

TEMPLATE_TEST_CASE("losses that a mask leaves out pass no gradient, whatever they are of", "[ops]", float, double) {
  using T = TestType;
  using V = Variable<T>;
  constexpr Reduction none = Reduction::none;
  const Array<Index> classes{2, 0, 4, 1};
  const ClassLossOptions smoothed{.reduction = none, .weight = {1, 2, 0.5, 1, 3}, .label_smoothing = 0.2};
  const std::vector<std::pair<const char*, std::function<V(V, V)>>> losses{
      {"mse", [](V p, V t) { return mse_loss(p, t, none); }},
      {"l1", [](V p, V t) { return l1_loss(p, t, none); }},
      {"huber", [](V p, V t) { return huber_loss(p, t, 0.25, none); }},
      {"smooth l1", [](V p, V t) { return smooth_l1_loss(p, t, 0.25, none); }},
      {"smooth l1 of beta 0", [](V p, V t) { return smooth_l1_loss(p, t, 0, none); }},
      {"cross-entropy", [](V p, V t) { return binary_cross_entropy(p, t, none); }},
      {"of logits", [](V p, V t) { return binary_cross_entropy_with_logits(p, t, none); }},
      {"of logits, positive",
       [](V p, V t) { return binary_cross_entropy_with_logits(p, t, none, {}, p.tape().constant(Shape{}, T(3))); }},
      {"kl", [](V p, V t) { return kl_div(p, t, none); }},
      {"margin", [](V p, V t) { return soft_margin_loss(p, t, none); }},
      {"of rows", [](V p, V t) { return cross_entropy(p, t, {.reduction = none}); }},
      {"of rows, smoothed", [&](V p, V t) { return cross_entropy(p, t, smoothed); }},
      {"of rows with classes", [&](V p, V) { return cross_entropy(p, classes, {.reduction = none}); }},
      {"of rows with classes, smoothed", [&](V p, V) { return cross_entropy(p, classes, smoothed); }},
      {"of rows with log-probabilities",
       [&](V p, V) { return nll_loss(log_softmax(p), classes, {.reduction = none}); }}};
  const Array<T> kept{1, 0, 1, 0};
  Generator generator(3);
  const Array<T> numbers = random_array<T>({4, 5}, generator, {0.2, 0.8}),
                 wanted = random_array<T>({4, 5}, generator, {0.2, 0.8});
  // All of row 1, and one element of row 3.
  const auto with = [&](const Array<T>& from, T other) {
    Array<T> result = from;
    for (std::size_t k = 0; k < 5; ++k) result(1, k) = other;
    result(3, 2) = other;
    return result;
  };
  for (const auto& [name, loss] : losses) {
    // Values, gradients of both orders with respect to the prediction and the target, through a nonlinear function.
    const auto everything = [&, f = loss](const Array<T>& p, const Array<T>& t) {
      Tape<T> tape;
      soil(tape);
      const V x = tape.variable(p), y = tape.variable(t);
      const V total = sum(square(reduce(f(x, y), tape.constant(kept), none)));
      tape.backward(total);
      std::vector<Array<T>> result{total.copy(), tape.gradient(x), tape.gradient(y)};
      const std::vector<V> first = grad(total, {x, y});
      for (const V& each : grad(sum(square(first[0])) + sum(first[1]), {x, y})) result.push_back(each.copy());
      for (const V& each : first) result.push_back(each.copy());
      return result;
    };
    const std::vector<Array<T>> expected = everything(with(numbers, T(0.5)), with(wanted, T(0.5)));
    for (const T other : {std::numeric_limits<T>::quiet_NaN(), T(infinity), T(-infinity)})
      for (const bool prediction : {false, true}) {
        INFO(name << ", " << (prediction ? "prediction " : "target ") << other);
        const auto actual =
            everything(with(numbers, prediction ? other : T(0.5)), with(wanted, prediction ? T(0.5) : other));
        for (std::size_t k = 0; k < expected.size(); ++k) {
          CAPTURE(k);
          // The second derivative of a sigmoid of an infinite product is no number, and says so.
          if (std::string(name) == "margin" && std::isinf(other) && (k == 3 || k == 4)) continue;
          CHECK(same(actual[k], expected[k]));
        }
      }
  }
}

TEST_CASE("a loss that counts shows that it is no number, in its gradient as well", "[ops]") {
  Tape<double> tape;
  const auto p = tape.variable(Array<double>{1, 2}), t = tape.constant(Array<double>{nan_value, 1});
  tape.backward(sum(mse_loss(p, t, Reduction::none)));
  CHECK(std::isnan(tape.gradient(p)(0)));
  CHECK(tape.gradient(p)(1) == 2);

  // The derivative with respect to a cotangent of 0 is the slope, as of any product.
  const auto weight = tape.variable(Array<double>{0, 0});
  const auto q = tape.variable(Array<double>{3, 5}), zero = tape.constant(Array<double>{0, 0});
  const auto first = grad(sum(weight * mse_loss(q, zero, Reduction::none)), {q})[0];
  CHECK((grad(sum(first), {weight})[0].copy() == Array<double>{6, 10}));
}

TEST_CASE("log_softmax of what counts shows that it is no number", "[ops]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({3, 2}, {nan_value, 1, nan_value, 1, 2, 1}));
  // In the first row the sum of the output gradients is 0, but not each of them.
  const Array<double> g = array<double>({3, 2}, {1, -1, 0, 0, 1, 0});
  const auto y = log_softmax(x);
  tape.backward(y, g);
  const Array<double> swept = tape.gradient(x), recorded = grad(y, {x}, tape.constant(g))[0].copy();
  for (const Array<double>& gradient : {swept, recorded}) {
    CHECK((std::isnan(gradient(0, 0)) && std::isnan(gradient(0, 1))));
    CHECK((gradient(1, 0) == 0 && gradient(1, 1) == 0));
    CHECK(gradient(2, 0) == Catch::Approx(1 / (1 + std::exp(1.0))));
  }
}
