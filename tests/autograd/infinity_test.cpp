// Infinite operands, and derivatives of first and second order where a slope is infinite or there is none.
#include <cmath>
#include <limits>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// f of one array, whose value has any shape: its value, the gradient of its sum, and the second derivatives of that.
template <class T>
struct Derivatives {
  Array<T> value, gradient, recorded_gradient, hessian;

  Derivatives(const auto& f, const Array<T>& x) {
    Tape<T> tape;
    soil(tape);
    const auto variable = tape.variable(x);
    const auto y = f(variable);
    value = y.copy();
    tape.backward(y, full<T>(y.shape(), T(1)));
    gradient = tape.gradient(variable);
    const auto g = grad(y, {variable}, tape.constant(full<T>(y.shape(), T(1))))[0];
    recorded_gradient = g.copy();
    const std::size_t n = x.size();
    hessian = make_array<T>({n, n});
    const auto flat = reshape(g, {n});
    for (std::size_t k = 0; k < n; ++k) {
      const Array<T> row = grad(sum(slice(flat, 0, Index(k), Index(k + 1))), {variable})[0].copy();
      std::copy(row.begin(), row.end(), hessian.data() + k * n);
    }
  }

  bool symmetric_and_finite() const {
    const std::size_t n = hessian.shape(0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        const double a = hessian(i, j), b = hessian(j, i);
        if (!std::isfinite(a) || std::fabs(a - b) > 1e-5 * (1 + std::fabs(a))) return false;
      }
    return true;
  }
};

template <class T>
std::string text(const Array<T>& x) {
  std::string result;
  for (const T element : x) result += std::to_string(element) + " ";
  return result;
}

template <class T>
Variable<T> at(Variable<T> x, Index k) {
  return select(x, 0, k);
}

template <class T>
void check(const char* name, const auto& f, std::initializer_list<double> x, std::initializer_list<double> gradient,
           std::initializer_list<double> hessian) {
  const std::size_t n = x.size();
  const Derivatives<T> d(f, array<T>({n}, x));
  INFO(name << ": gradient " << text(d.gradient) << ", Hessian " << text(d.hessian));
  CHECK(distance(d.gradient, array<T>({n}, gradient)) <= 1e-6);
  CHECK(distance(d.recorded_gradient, d.gradient) <= 1e-6);
  CHECK(d.symmetric_and_finite());
  CHECK(distance(d.hessian, array<T>({n, n}, hessian)) <= 1e-6);
}

}  // namespace

TEMPLATE_TEST_CASE("logaddexp and logsumexp agree on infinite operands", "[ops]", float, double) {
  using T = TestType;
  const double numbers[] = {-infinity, -2, 0, 1, infinity};
  for (const double a : numbers)
    for (const double b : numbers) {
      INFO(a << " and " << b);
      const bool nothing = a == -infinity && b == -infinity;
      const double first = nothing         ? 0
                           : a == b        ? 0.5
                           : a == infinity ? 1
                           : b == infinity ? 0
                                           : 1 / (1 + std::exp(b - a));
      const double second = nothing ? 0 : 1 - first;
      const double value = a == b ? a + std::log(2.0) : std::max(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
      const auto close = [](double got, double expected) {
        return got == expected || std::fabs(got - expected) <= 1e-6;
      };
      const Array<T> x = array<T>({2}, {a, b});
      const auto of = [&](const char* name, const auto& f) {
        INFO(name);
        const Derivatives<T> d(f, x);
        CHECK(close(d.value.data()[0], value));
        for (const Array<T>& gradient : {d.gradient, d.recorded_gradient}) {
          CHECK(close(gradient.data()[0], first));
          CHECK(close(gradient.data()[1], second));
        }
        CHECK(d.symmetric_and_finite());
        if (std::isfinite(a) && std::isfinite(b)) CHECK(close(d.hessian(0, 1), -first * second));
      };
      of("logaddexp", [](auto v) { return logaddexp(at(v, 0), at(v, 1)); });
      of("logsumexp", [](auto v) { return logsumexp(v, 0); });
      of("logcumsumexp", [](auto v) { return at(logcumsumexp(v, 0), 1); });
      of("pointwise",
         [](auto v) { return pointwise([](auto p, auto q) { return logaddexp(p, q); })(at(v, 0), at(v, 1)); });
    }
  Tape<T> tape;
  const auto not_a_number = tape.variable(array<T>({2}, {std::nan(""), std::nan("")}));
  tape.backward(logaddexp(not_a_number, not_a_number), full<T>({2}, T(1)));
  CHECK(std::isnan(tape.gradient(not_a_number).data()[0]));
}

TEMPLATE_TEST_CASE("running and whole log-sums begin with nothing and end with infinity", "[ops]", float, double) {
  using T = TestType;
  const Array<T> x = array<T>({6}, {-infinity, -infinity, 0, 1, infinity, 2});
  const Derivatives<T> running([](auto v) { return slice(logcumsumexp(v, 0), 0, 0, 4); }, x);
  CHECK(running.value.data()[0] == -infinity);
  CHECK(running.value.data()[1] == -infinity);
  CHECK(running.value.data()[2] == 0);
  CHECK(std::fabs(running.value.data()[3] - 1.3132616875182228) <= 1e-6);
  CHECK(running.symmetric_and_finite());
  const double share = 1 / (1 + std::exp(1.0));
  for (const Array<T>& gradient : {running.gradient, running.recorded_gradient})
    CHECK(distance(gradient, array<T>({6}, {1, 0, 1 + share, 1 - share, 0, 0})) <= 1e-6);
  const Array<T> last = Derivatives<T>([](auto v) { return logcumsumexp(v, 0); }, x).value;
  CHECK(last.data()[4] == infinity);
  CHECK(last.data()[5] == infinity);

  const Array<T> rows = array<T>({4, 3}, {-infinity, -infinity, -infinity, infinity, 1, infinity, 0, -infinity, 0,  //
                                          infinity, -infinity, 3});
  const Derivatives<T> sums([](auto v) { return logsumexp(v, 1); }, rows);
  CHECK(sums.value.data()[0] == -infinity);
  CHECK(sums.value.data()[1] == infinity);
  CHECK(same(sums.gradient, array<T>({4, 3}, {0, 0, 0, 0.5, 0, 0.5, 0.5, 0, 0.5, 1, 0, 0})));
  CHECK(same(sums.recorded_gradient, sums.gradient));
  CHECK(sums.symmetric_and_finite());
}

TEMPLATE_TEST_CASE("logits of -infinity take classes out", "[ops]", float, double) {
  using T = TestType;
  const Array<T> logits = array<T>({2, 3}, {1, -infinity, 2, -infinity, 0, -infinity});
  const double p = 1 / (1 + std::exp(1.0)), loss = std::log1p(std::exp(1.0));
  const auto finite = [](const Derivatives<T>& d) {
    CHECK(d.symmetric_and_finite());
    CHECK(distance(d.recorded_gradient, d.gradient) <= 1e-6);
  };
  const Derivatives<T> shares([](auto v) { return softmax(v) * v.tape().constant(array<T>({3}, {1, 2, 3})); }, logits);
  finite(shares);
  CHECK(distance(shares.value, array<T>({2, 3}, {p, 0, 3 * (1 - p), 0, 2, 0})) <= 1e-6);
  const auto targets = [](auto v) { return v.tape().constant(array<T>({2, 3}, {0.5, 0, 0.5, 0, 1, 0})); };
  const Array<T> slope = array<T>({2, 3}, {p, 0, 1 - p, 0, 1, 0});
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    const double rows = reduction == Reduction::mean ? 2 : 1;
    const Derivatives<T> chosen(
        [&](auto v) {
          return cross_entropy(v, Array<Index>{0, 1}, {.reduction = reduction});
        },
        logits);
    finite(chosen);
    CHECK(std::fabs(chosen.value.data()[0] - loss / rows) <= 1e-6);
    CHECK(distance(chosen.gradient, Array<T>((slope - array<T>({2, 3}, {1, 0, 0, 0, 1, 0})) / static_cast<T>(rows))) <=
          1e-6);
    const Derivatives<T> soft([&](auto v) { return cross_entropy(v, targets(v), {.reduction = reduction}); }, logits);
    finite(soft);
    CHECK(std::fabs(soft.value.data()[0] - (loss - 0.5) / rows) <= 1e-6);
    CHECK(distance(soft.gradient,
                   Array<T>((slope - array<T>({2, 3}, {0.5, 0, 0.5, 0, 1, 0})) / static_cast<T>(rows))) <= 1e-6);
  }
  finite(Derivatives<T>([&](auto v) { return kl_div(log_softmax(v), targets(v), Reduction::sum); }, logits));
  const std::vector<double> weight{1, 0, 1};
  finite(Derivatives<T>(
      [&](auto v) {
        return cross_entropy(slice(v, 0, 0, 1), Array<Index>{0}, {.weight = weight, .label_smoothing = 0.2});
      },
      logits));

  // Logits that are certain, and right; the last one is certain, and wrong.
  const Array<T> certain = array<T>({5}, {-infinity, infinity, 0, 3, infinity});
  const auto binary = [](auto v, std::optional<Variable<T>> positive) {
    return binary_cross_entropy_with_logits(v, v.tape().constant(array<T>({5}, {0, 1, 0.25, 1, 0})), Reduction::none,
                                            {}, positive);
  };
  const Derivatives<T> plain([&](auto v) { return slice(binary(v, {}), 0, 0, 4); }, certain);
  finite(plain);
  CHECK(distance(plain.value, array<T>({4}, {0, 0, std::log(2.0), std::log1p(std::exp(-3.0))})) <= 1e-6);
  CHECK(distance(plain.gradient, array<T>({5}, {0, 0, 0.25, -1 / (1 + std::exp(3.0)), 0})) <= 1e-6);
  const Derivatives<T> weighed([&](auto v) { return slice(binary(v, v.tape().constant(Shape{}, T(3))), 0, 0, 4); },
                               certain);
  finite(weighed);
  CHECK(distance(weighed.value, array<T>({4}, {0, 0, 1.5 * std::log(2.0), 3 * std::log1p(std::exp(-3.0))})) <= 1e-6);
  Tape<T> tape;
  CHECK(binary(tape.variable(certain), {}).copy().data()[4] == infinity);

  for (const double x : {-infinity, infinity}) {
    finite(Derivatives<T>([](auto v) { return softplus(v); }, array<T>({1}, {x})));
    finite(Derivatives<T>([](auto v) { return log_sigmoid(v); }, array<T>({1}, {x})));
  }
  CHECK(same(Derivatives<T>([](auto v) { return log_sigmoid(v); }, array<T>({1}, {-infinity})).gradient,
             array<T>({1}, {1})));
}

TEMPLATE_TEST_CASE("second derivatives at singular points are symmetric, and 0 where first ones are set to 0", "[ops]",
                   float, double) {
  using T = TestType;
  // Of (a, x) = (3, 0).
  check<T>("a sqrt(x)", [](auto v) { return at(v, 0) * sqrt(at(v, 1)); }, {3, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("a x^(1/2)", [](auto v) { return at(v, 0) * pow(at(v, 1), 0.5); }, {3, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("a x^(1/3)", [](auto v) { return at(v, 0) * pow(at(v, 1), 1.0 / 3); }, {3, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("a x^(3/2)", [](auto v) { return at(v, 0) * pow(at(v, 1), 1.5); }, {3, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("a x^2", [](auto v) { return at(v, 0) * pow(at(v, 1), 2); }, {3, 0}, {0, 0}, {0, 0, 0, 6});
  check<T>("a |x|", [](auto v) { return at(v, 0) * abs(at(v, 1)); }, {3, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("a sqrt(x), pointwise",
           [](auto v) { return pointwise([](auto a, auto x) { return a * sqrt(x); })(at(v, 0), at(v, 1)); }, {3, 0},
           {0, 0}, {0, 0, 0, 0});
  for (const double p : {1.0, 1.5, 2.0, 3.0, infinity}) {
    INFO("p = " << p);
    check<T>("a norm(x)", [p](auto v) { return at(v, 0) * norm(slice(v, 0, 1, 3), 0, p); }, {3, 0, 0}, {0, 0, 0},
             {0, 0, 0, 0, 0, 0, 0, 0, 0});
  }
  check<T>("a stddev(x)", [](auto v) { return at(v, 0) * stddev(slice(v, 0, 1, 4)); }, {3, 5, 5, 5}, {0, 0, 0, 0},
           {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  check<T>("|x| / |x| of normalize", [](auto v) { return sum(normalize(v, 2, 0, 0.5)); }, {0, 0}, {2, 2}, {0, 0, 0, 0});
  const auto power = [](auto v) { return pow(at(v, 0), at(v, 1)); };
  check<T>("0^0", power, {0, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("0^(1/2)", power, {0, 0.5}, {0, 0}, {0, 0, 0, 0});
  check<T>("0^1", power, {0, 1}, {1, 0}, {0, 0, 0, 0});
  check<T>("0^(3/2)", power, {0, 1.5}, {0, 0}, {0, 0, 0, 0});
  check<T>("0^2", power, {0, 2}, {0, 0}, {2, 0, 0, 0});
  check<T>("0^3", power, {0, 3}, {0, 0}, {0, 0, 0, 0});
  const double log2 = std::log(2.0);
  check<T>("2^0", power, {2, 0}, {0, log2}, {0, 0.5, 0.5, log2 * log2});
  check<T>("2^0, pointwise",
           [](auto v) { return pointwise([](auto a, auto b) { return pow(a, b); })(at(v, 0), at(v, 1)); }, {2, 0},
           {0, log2}, {0, 0.5, 0.5, log2 * log2});
  check<T>("0^2, pointwise",
           [](auto v) { return pointwise([](auto a, auto b) { return pow(a, b); })(at(v, 0), at(v, 1)); }, {0, 2},
           {0, 0}, {2, 0, 0, 0});
  check<T>("(-3)^2", [](auto v) { return pow(v, v.tape().constant(Shape{1}, T(2))); }, {-3}, {-6}, {2});
  const auto angle = [](auto v) { return atan2(at(v, 0), at(v, 1)); };
  check<T>("the angle of the origin", angle, {0, 0}, {0, 0}, {0, 0, 0, 0});
  check<T>("an angle", angle, {3, 4}, {0.16, -0.12}, {-0.0384, -0.0112, -0.0112, 0.0384});
  check<T>("a maximum of equal ones", [](auto v) { return square(maximum(at(v, 0), at(v, 1))); }, {2, 2}, {2, 2},
           {0.5, 0.5, 0.5, 0.5});

  const double small = std::same_as<T, float> ? 1e-30 : 1e-200, large = 1 / small;
  for (const double size : {small, large}) {
    const Derivatives<T> far(angle, array<T>({2}, {3 * size, 4 * size}));
    CHECK(std::fabs(far.gradient.data()[0] * size - 0.16) <= 1e-6);
    CHECK(std::fabs(far.gradient.data()[1] * size + 0.12) <= 1e-6);
  }
  CHECK(all_zero(Derivatives<T>(angle, array<T>({2}, {1, infinity})).gradient));
  CHECK(all_zero(Derivatives<T>(angle, array<T>({2}, {infinity, 1})).gradient));
  CHECK(all_zero(Derivatives<T>(angle, array<T>({2}, {-infinity, infinity})).gradient));
  const Derivatives<T> steep([](auto v) { return asin(v) - acos(v); }, array<T>({1}, {1}));
  CHECK(steep.gradient.data()[0] == infinity);
  CHECK(steep.hessian.data()[0] == infinity);
}

TEMPLATE_TEST_CASE("a root is one, however it is written", "[ops]", float, double) {
  using T = TestType;
  const Array<T> x = array<T>({5}, {0, 0.25, 1, 4, 9});
  const Derivatives<T> root([](auto v) { return sqrt(v); }, x);
  for (const auto& other : {Derivatives<T>([](auto v) { return pow(v, 0.5); }, x),
                            Derivatives<T>([](auto v) { return pow(v, v.tape().constant(Shape{}, T(0.5))); }, x)}) {
    CHECK(distance(other.value, root.value) <= 1e-6);
    CHECK(distance(other.gradient, root.gradient) <= 1e-6);
    CHECK(distance(other.recorded_gradient, root.gradient) <= 1e-6);
    CHECK(distance(other.hessian, root.hessian) <= 1e-6);
  }
  Tape<T> tape;
  const auto one = tape.variable(array<T>({3}, {0, 1, 2}));
  tape.backward(pow(one, 0), array<T>({3}, {infinity, infinity, infinity}));
  CHECK(all_zero(tape.gradient(one)));
}

TEMPLATE_TEST_CASE("safe_where keeps a function away from what it is not asked of", "[ops]", float, double) {
  using T = TestType;
  const Array<T> x = array<T>({7}, {2, 0, -1, std::nan(""), -infinity, 4, -0.0});
  const Array<T> value = array<T>({7}, {std::log(2.0), -5, -5, -5, -5, std::log(4.0), -5});
  const Array<T> slope = array<T>({7}, {0.5, 0, 0, 0, 0, 0.25, 0});
  Array<T> curvature = zeros<T>({7, 7});
  curvature(0, 0) = T(-0.25);
  curvature(5, 5) = T(-0.0625);
  const auto logarithm = [](auto v) {
    return safe_where(
        greater(v, 0), v, [](auto u) { return log(u); }, -5);
  };
  const auto fused = [&](auto v) { return pointwise(logarithm)(v); };
  const auto check_at = [&](const Derivatives<T>& d) {
    CHECK(distance(d.value, value) <= 1e-6);
    CHECK(same(d.gradient, slope));
    CHECK(same(d.recorded_gradient, slope));
    CHECK(distance(d.hessian, curvature) <= 1e-6);
  };
  check_at(Derivatives<T>(logarithm, x));
  check_at(Derivatives<T>(fused, x));
  // What is not asked of may be infinite, and what is safe may be another number.
  const auto root = [](auto v) {
    return safe_where(
        greater(v, 2), v, [](auto u) { return sqrt(u - 2); }, -infinity, 3);
  };
  const Derivatives<T> outside(root, array<T>({3}, {6, 2, 1}));
  CHECK(outside.value.data()[1] == -infinity);
  CHECK(same(outside.gradient, array<T>({3}, {0.25, 0, 0})));
  CHECK(outside.symmetric_and_finite());
  // The trap that it is for.
  Tape<T> tape;
  const auto zero = tape.variable(array<T>({1}, {0}));
  tape.backward(where(greater(zero, 0), log(zero), zero), array<T>({1}, {1}));
  CHECK(std::isnan(tape.gradient(zero).data()[0]));
  // Nothing stays on the tape of a call that fails.
  const auto above = greater(zero, 0);
  const auto mark = tape.print();
  CHECK_THROWS_AS(safe_where(above, zero, [](auto u) { return reshape(u, {2}); }), ShapeError);
  CHECK(tape.print() == mark);
}
