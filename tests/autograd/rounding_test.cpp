// Means, quotients and identities keep the digits that their operands have.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

template <class T>
struct Swept {
  Array<T> value, gradient, recorded_gradient;

  Swept(const auto& f, const Array<T>& x, T output_gradient = 1) {
    Tape<T> tape;
    soil(tape);
    const auto variable = tape.variable(x);
    const auto y = f(variable);
    value = y.copy();
    const Array<T> g = full<T>(y.shape(), output_gradient);
    tape.backward(y, g);
    gradient = tape.gradient(variable);
    recorded_gradient = grad(y, {variable}, tape.constant(g))[0].copy();
  }
};

/// x (rows, n), or its transpose with `columns`.
template <class T>
Array<T> laid(const Array<T>& x, bool columns) {
  const std::size_t rows = x.shape(0), n = x.shape(1);
  if (!columns) return x;
  Array<T> result = make_array<T>({n, rows});
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t k = 0; k < n; ++k) result.data()[k * rows + r] = x.data()[r * n + k];
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("the mean of equal numbers is that number, and nothing is left of them without it", "[ops]", float,
                   double) {
  using T = TestType;
  Generator generator(3);
  Tape<T> tape;
  for (const std::size_t n : {1, 2, 3, 7, 10, 31, 32, 33, 100, 1000, 2049, 4099})
    for (const double scale : {1.0, 12345.678, 1e-30, 1e30}) {
      const T number = static_cast<T>(scale * (1 + uniform(generator)));
      INFO(n << " times " << number);
      tape.clear();
      const auto rows = tape.variable(full<T>({3, n}, number)), columns = tape.variable(full<T>({n, 35}, number));
      const auto block = tape.variable(full<T>({2, n, 3}, number));
      CHECK(mean(rows).item() == number);
      CHECK(same(mean(rows, 1).copy(), full<T>({3}, number)));
      CHECK(same(mean(columns, 0).copy(), full<T>({35}, number)));
      CHECK(same(mean(block, {0, 2}).copy(), full<T>({n}, number)));
      CHECK(same(mean(block, {1, 2}).copy(), full<T>({2}, number)));
      CHECK(all_zero(centered(rows, 1).copy()));
      CHECK(all_zero(centered(columns, 0).copy()));
      CHECK(all_zero(centered(block, {0, 2}).copy()));
      CHECK(all_zero(layer_norm(rows).copy()));
      CHECK(all_zero(layer_norm(block, 2).copy()));
      if (n > 1) {
        CHECK(all_zero(var(rows, 1).copy()));
        CHECK(all_zero(stddev(columns, 0, true, 0).copy()));
      }
    }
}

// The references are evaluated in long double from the same numbers. 40000 + k / 1000 leaves 8 bits of float.
TEMPLATE_TEST_CASE("numbers close together far from 0 keep their digits", "[ops]", float, double) {
  using T = TestType;
  constexpr double eps = std::numeric_limits<T>::epsilon();
  const double base = std::same_as<T, float> ? 40000 : 40000.0 * (1 << 29), step = 1e-3 * base / 40000;
  for (const std::size_t n : {10, 1000, 5000})
    for (const bool columns : {false, true}) {
      INFO(n << (columns ? " in columns" : " in rows"));
      const std::size_t lines = 3;
      Array<T> x = make_array<T>({lines, n});
      Array<double> off = make_array<double>({lines, n}), normed = off, mean_of = make_array<double>({lines}),
                    var_of = mean_of, stddev_of = mean_of;
      for (std::size_t r = 0; r < lines; ++r) {
        T* const line = x.data() + r * n;
        for (std::size_t k = 0; k < n; ++k)
          line[k] = static_cast<T>(base + step * static_cast<double>((k * 7919 + r) % n));
        // Differences from the base are exact.
        long double total = 0, squares = 0;
        for (std::size_t k = 0; k < n; ++k) total += (static_cast<long double>(line[k]) - base) / n;
        for (std::size_t k = 0; k < n; ++k) {
          const long double d = (static_cast<long double>(line[k]) - base) - total;
          squares += d * d;
          off.data()[r * n + k] = static_cast<double>(d);
        }
        const long double variance = squares / static_cast<long double>(n);
        for (std::size_t k = 0; k < n; ++k)
          normed.data()[r * n + k] =
              static_cast<double>(static_cast<long double>(off.data()[r * n + k]) / std::sqrt(variance + 1e-5L));
        mean_of.data()[r] = static_cast<double>(base + total);
        var_of.data()[r] = static_cast<double>(squares / static_cast<long double>(n - 1));
        stddev_of.data()[r] = std::sqrt(var_of.data()[r]);
      }
      Tape<T> tape;
      const auto v = tape.variable(laid(x, columns));
      const Index axis = columns ? 0 : 1;
      const Array<T> means = mean(v, axis).copy();
      for (std::size_t r = 0; r < lines; ++r)
        CHECK(std::fabs(static_cast<double>(means.data()[r]) - mean_of.data()[r]) <= 0.51 * eps * base);
      CHECK(distance(centered(v, axis).copy(), laid(off, columns)) <= 4 * eps);
      CHECK(distance(var(v, axis).copy(), var_of) <= 16 * eps);
      CHECK(distance(stddev(v, axis).copy(), stddev_of) <= 16 * eps);
      if (!columns) CHECK(distance(layer_norm(v).copy(), normed) <= 16 * eps);
    }
}

TEMPLATE_TEST_CASE("means of many and of huge numbers are right", "[ops]", float, double) {
  using T = TestType;
  Tape<T> tape;
  const T most = std::numeric_limits<T>::max(), infinity = std::numeric_limits<T>::infinity();
  CHECK(mean(tape.variable(full<T>({100}, most))).item() == most);
  CHECK(same(mean(tape.variable(full<T>({3, 40}, -most)), 0).copy(), full<T>({40}, -most)));
  CHECK(mean(tape.variable(array<T>({2}, {-most, most}))).item() == 0);
  CHECK(mean(tape.variable(array<T>({3}, {1, infinity, 2}))).item() == infinity);
  CHECK(std::isnan(mean(tape.variable(array<T>({2}, {-infinity, infinity}))).item()));
  CHECK(std::isnan(centered(tape.variable(array<T>({2}, {1, std::nan("")})), 0).copy().data()[0]));
  // Of ones and a row of threes: plain sums of float stop growing at 2^24.
  Array<T> tall = full<T>({1 << 20, 2}, T(1e-3));
  CHECK(std::fabs(mean(tape.variable(tall), 0).copy().data()[1] - T(1e-3)) <= 1e-3 * std::numeric_limits<T>::epsilon());
}

TEMPLATE_TEST_CASE("a quotient by or of a number is rounded once", "[ops]", float, double) {
  using T = TestType;
  using Limits = std::numeric_limits<T>;
  Generator generator(11);
  Array<T> x = random_array<T>({1000}, generator, {-3000, 3000});
  for (std::size_t k = 0; k < 300; ++k) x.data()[k] = static_cast<T>(static_cast<int>(x.data()[k]));
  x.data()[0] = -T(0);
  x.data()[1] = 4 * Limits::denorm_min();
  x.data()[2] = Limits::max();
  const T g = T(0.7);
  for (const double p : {3.0, 7.0, 49.0, -0.1, 1e-5, 1e30, double(2 * Limits::denorm_min()), 1.0}) {
    INFO("p = " << p);
    const T by = static_cast<T>(p);
    Array<T> by_p = x, of_p = x, slope = full<T>({1000}, g / by);
    for (T& element : by_p) element = element / by;
    for (T& element : of_p) element = by / element;
    const Swept<T> divided([&](auto v) { return v / p; }, x, g);
    CHECK(same_bits(divided.value, by_p));
    CHECK(same_bits(divided.gradient, slope));
    CHECK(same_bits(divided.recorded_gradient, slope));
    CHECK(same_bits(pointwise([p](auto v) { return v / p; })(Tape<T>().variable(x)).copy(), by_p));
    Tape<T> tape;
    const auto v = tape.variable(x);
    CHECK(same_bits((p / v).copy(), of_p));
    CHECK(same_bits(pointwise([p](auto u) { return p / u; })(v).copy(), of_p));
  }
  const Swept<T> inverse([](auto v) { return 3 / v; }, array<T>({2}, {2, -4}));
  CHECK(same(inverse.gradient, array<T>({2}, {-0.75, -0.1875})));
  CHECK(same(inverse.recorded_gradient, inverse.gradient));

  Tape<T> tape;
  const auto zero = tape.variable(full<T>({20}, -T(0)));
  for (const auto& y : {zero * 2, 2 * zero, zero / 3, zero * 1})
    for (const T element : y.copy()) CHECK(std::signbit(element));
  for (const T element : abs(zero).copy()) CHECK_FALSE(std::signbit(element));
  Array<T> seven = make_array<T>({7});
  for (std::size_t k = 0; k < 7; ++k) seven.data()[k] = static_cast<T>(k);
  const auto whole = tape.variable(seven), none = tape.constant(Shape{7}, T(0));
  CHECK(mse_loss(whole, none).item() == T(91) / T(7));
  CHECK(mean(whole).item() == 3);
}

TEST_CASE("denormal quotients of double do not pass through an infinite reciprocal", "[ops]") {
  Tape<double> tape;
  CHECK((tape.variable(full<double>({3}, 2e-310)) / 1e-310).copy().data()[1] == 2e-310 / 1e-310);
}

TEMPLATE_TEST_CASE("activations that leave a number as it is leave every bit of it", "[ops]", float, double) {
  using T = TestType;
  Generator generator(5);
  const auto exact = [&](const char* name, Interval domain, const auto& f) {
    INFO(name);
    Array<T> x = make_array<T>({500});
    for (T& element : x) element = static_cast<T>(domain.low + (domain.high - domain.low) * uniform(generator));
    const Swept<T> at(f, x, T(1.25));
    CHECK(same_bits(at.value, x));
    CHECK(same(at.gradient, full<T>({500}, T(1.25))));
    CHECK(same(at.recorded_gradient, at.gradient));
  };
  const Interval positive{1e-3, 100};
  for (const double alpha : {0.1, 0.7, 1.0, 1.5, 3.0}) {
    exact("celu", positive, [=](auto x) { return celu(x, alpha); });
    exact("elu", positive, [=](auto x) { return elu(x, alpha); });
    exact("leaky_relu", positive, [=](auto x) { return leaky_relu(x, alpha); });
  }
  exact("celu of negative alpha", positive, [](auto x) { return celu(x, -1.5); });
  exact("relu", positive, [](auto x) { return relu(x); });
  exact("prelu", positive, [](auto x) { return prelu(x, x.tape().constant(Shape{}, T(0.3))); });
  exact("relu6", {1e-3, 5.9}, [](auto x) { return relu6(x); });
  exact("hard_tanh", {-0.9, 0.9}, [](auto x) { return hard_tanh(x); });
  exact("clip", {-0.9, 0.9}, [](auto x) { return clip(x, -1, 1); });
  exact("threshold", positive, [](auto x) { return threshold(x, 0, 7); });
  exact("hard_swish", {3.1, 100}, [](auto x) { return hard_swish(x); });
  exact("softplus", {20.1, 100}, [](auto x) { return softplus(x); });
  exact("silu", {100, 1000}, [](auto x) { return silu(x); });
  exact("gelu", {20, 1000}, [](auto x) { return gelu(x); });
  exact("gelu by tanh", {20, 1000}, [](auto x) { return gelu(x, Gelu::tanh); });
  exact("mish", {50, 1000}, [](auto x) { return mish(x); });
  exact("log_sigmoid", {-1000, -100}, [](auto x) { return log_sigmoid(x); });

  const Swept<T> below([](auto x) { return celu(x, 2); }, array<T>({3}, {0, -1, -1e4}));
  CHECK(distance(below.value, array<double>({3}, {0, 2 * std::expm1(-0.5), -2})) <= 1e-6);
  CHECK(distance(below.gradient, array<double>({3}, {1, std::exp(-0.5), 0})) <= 1e-6);
}

// What they are of numbers that lie around 0, since only differences count, and these are exact here.
TEMPLATE_TEST_CASE("softmax and its kin keep the digits of logits that lie close together far from 0", "[ops]", float,
                   double) {
  using T = TestType;
  using V = Variable<T>;
  const bool single = std::same_as<T, float>;
  const std::vector<double> weight{0.5, 2, 1};
  const Array<Index> targets{0, 2};
  const auto probabilities = [](V x) { return x.tape().constant(array<T>({2, 3}, {0.25, 0.5, 0.25, 1, 0, 0})); };
  const std::vector<std::pair<const char*, std::function<V(V)>>> functions{
      {"softmax", [](V x) { return softmax(x); }},
      {"softmax of columns", [](V x) { return softmax(transpose(x), 0); }},
      {"log_softmax", [](V x) { return log_softmax(x); }},
      {"nll", [&](V x) { return nll_loss(log_softmax(x), targets); }},
      {"cross_entropy", [&](V x) { return cross_entropy(x, targets); }},
      {"of rows", [&](V x) { return cross_entropy(x, targets, {.reduction = Reduction::none}); }},
      {"weights", [&](V x) { return cross_entropy(x, targets, {.weight = weight}); }},
      {"smoothing", [&](V x) { return cross_entropy(x, targets, {.weight = weight, .label_smoothing = 0.25}); }},
      {"soft targets", [&](V x) { return cross_entropy(x, probabilities(x)); }},
      {"slope of logsumexp", [](V x) { return grad(sum(logsumexp(x, 1)), {x})[0]; }}};
  for (const double base : {1000.0, 1e5, single ? 1e8 : 1e16, single ? -1e8 : -1e16}) {
    const double step = std::fabs(base) < 1e6 ? 0.5 : single ? 8 : 2;
    const auto logits = [&](double from) {
      return array<T>({2, 3}, {from, from, from, from + step, from, from - step});
    };
    for (const auto& [name, f] : functions) {
      INFO(name << " at " << base);
      const Swept<T> far(f, logits(base)), near(f, logits(0));
      CHECK(same(far.value, near.value));
      CHECK(same(far.gradient, near.gradient));
      CHECK(same(far.recorded_gradient, near.recorded_gradient));
      const auto second = [&, g = f](double from) {
        Tape<T> tape;
        const V x = tape.variable(logits(from));
        return grad(sum(square(grad(sum(square(g(x))), {x})[0])), {x})[0].copy();
      };
      CHECK(same(second(base), second(0)));
    }
    const Swept<T> sums([](V x) { return logsumexp(x, 1); }, logits(base)),
        small([](V x) { return softmax(x); }, logits(0));
    CHECK(same(sums.gradient, small.value));
    CHECK(same(sums.recorded_gradient, small.value));
  }
  const Swept<T> equal([](V x) { return cross_entropy(x, Array<Index>{0}); },
                       full<T>({1, 3}, single ? T(1e8) : T(1e16)));
  CHECK(distance(equal.value, array<double>({}, {std::log(3.0)})) <= 1e-7);
  CHECK(distance(equal.gradient, array<double>({1, 3}, {-2.0 / 3, 1.0 / 3, 1.0 / 3})) <= 1e-7);
}

TEST_CASE("complex steps through softmax and its kin keep the digits of large logits", "[ops]") {
  const auto step = [](const auto& f, double from) {
    Tape<double> tape;
    const auto x = tape.variable(array<double>({1, 3}, {from + 2, from, from - 2}));
    return complex_step_gradient(f(x), x);
  };
  const auto check = [&](const auto& f) { CHECK(distance(step(f, 1e16), step(f, 0)) <= 1e-14); };
  check([](auto x) { return sum(square(softmax(x))); });
  check([](auto x) { return sum(square(log_softmax(x))); });
  check([](auto x) { return cross_entropy(x, Array<Index>{1}); });
  check([](auto x) { return sum(logsumexp(x, 1)); });
  check([](auto x) { return sum(square(grad(sum(logsumexp(x, 1)), {x})[0])); });
}

// A plain sum of float takes 0.75 for every exp(-0.3) as soon as it is above half a million.
TEMPLATE_TEST_CASE("long rows and many rows are summed with small rounding", "[ops]", float, double) {
  using T = TestType;
  const std::size_t n = 1 << 20;
  Array<T> x = full<T>({n}, T(-0.3));
  x.data()[7] = 0;
  const double total = std::log(1 + static_cast<double>(n - 1) * std::exp(static_cast<double>(x.data()[0])));
  const double close = 32 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const auto sum_of = [](const Array<T>& array) {
    double result = 0, lost = 0;  // compensated: a million additions would round away what is asked for
    for (const T element : array) {
      const double next = static_cast<double>(element) - lost, sum = result + next;
      lost = (sum - result) - next;
      result = sum;
    }
    return result;
  };
  const Swept<T> shares([](auto v) { return softmax(v); }, x);
  CHECK(std::fabs(sum_of(shares.value) - 1) <= close);
  const Swept<T> logarithm([](auto v) { return log_softmax(v); }, x);
  CHECK(std::fabs(static_cast<double>(logarithm.value.data()[7]) + total) <= close);
  const Swept<T> sums([](auto v) { return logsumexp(v, 0); }, x);
  CHECK(std::fabs(static_cast<double>(sums.value.data()[0]) - total) <= close);
  CHECK(std::fabs(sum_of(sums.gradient) - 1) <= close);
  CHECK(std::fabs(sum_of(sums.recorded_gradient) - 1) <= close);
  const Swept<T> loss([](auto v) { return cross_entropy(reshape(v, {1, n}), Array<Index>{7}); }, x);
  CHECK(std::fabs(static_cast<double>(loss.value.data()[0]) - total) <= close);
  CHECK(std::fabs(sum_of(loss.gradient)) <= close);

  const Swept<T> rows([](auto v) { return cross_entropy(v, zeros<Index>({n})); }, zeros<T>({n, 2}));
  CHECK(std::fabs(static_cast<double>(rows.value.data()[0]) - std::log(2.0)) <= close);
}

TEMPLATE_TEST_CASE("the mean of what a mask chooses is that of mean()", "[ops]", float, double) {
  using T = TestType;
  Generator generator(4);
  const T not_a_number = std::numeric_limits<T>::quiet_NaN(), most = std::numeric_limits<T>::max();
  for (const std::size_t n : {1, 3, 7, 10, 100, 1000, 4099})
    for (const std::size_t inner : {1, 3}) {
      const T number = static_cast<T>(1 + uniform(generator));
      INFO(n << " times " << inner << " times " << number);
      Array<T> x = full<T>({n + 4, inner}, number), mask = full<T>({n + 4}, T(1));
      for (const std::size_t row : {std::size_t(0), n / 2, n + 1, n + 3}) {
        mask.data()[row] = 0;
        for (std::size_t k = 0; k < inner; ++k) x(row, k) = not_a_number;
      }
      const std::size_t chosen = static_cast<std::size_t>(std::count(mask.begin(), mask.end(), T(1)));
      const Swept<T> masked_mean([&](auto v) { return reduce(v, v.tape().constant(mask), Reduction::mean); }, x);
      CHECK(masked_mean.value.data()[0] == number);
      Array<T> slope = make_array<T>({n + 4, inner});
      for (std::size_t row = 0; row < n + 4; ++row)
        for (std::size_t k = 0; k < inner; ++k) slope(row, k) = mask.data()[row] / static_cast<T>(chosen * inner);
      CHECK(same(masked_mean.gradient, slope));
      CHECK(same(masked_mean.recorded_gradient, slope));
    }
  Tape<T> tape;
  const auto all = tape.constant(Shape{5}, T(1)), none = tape.constant(Shape{5}, T(0));
  CHECK(reduce(tape.variable(full<T>({5}, most)), all, Reduction::mean).item() == most);
  CHECK(
      reduce(tape.variable(array<T>({5}, {1, 2, std::numeric_limits<double>::infinity(), 3, 4})), all, Reduction::mean)
          .item() == std::numeric_limits<T>::infinity());
  const auto nothing = tape.variable(full<T>({5}, not_a_number));
  const auto mean_of_nothing = reduce(nothing, none, Reduction::mean);
  CHECK(mean_of_nothing.item() == 0);
  tape.backward(mean_of_nothing);
  CHECK(all_zero(tape.gradient(nothing)));
  CHECK(reduce(tape.variable(zeros<T>({0, 2})), tape.constant(Shape{0}, T(1)), Reduction::mean).item() == 0);
}
