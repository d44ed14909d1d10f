// The elementary functions of SIMD registers against MPFR, over the whole range.
#include <mpfr.h>

#include <bit>
#include <catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "autograd/ops/trigonometric.hpp"
#include "autograd/values/dual.hpp"
#include "autograd/values/stream_register.hpp"

using namespace autograd;

namespace {

constexpr double bound = 4;  // units in the last place

struct Number {
  mpfr_t value;
  explicit Number(mpfr_prec_t bits = 200) { mpfr_init2(value, bits); }
  ~Number() { mpfr_clear(value); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
};

template <class T>
T rounded(const Number& x) {
  if constexpr (sizeof(T) == 4)
    return mpfr_get_flt(x.value, MPFR_RNDN);
  else
    return mpfr_get_d(x.value, MPFR_RNDN);
}

/// |got - exact| in units of the last place of the exact result; infinite where only one of them is NaN or infinite.
template <class T>
double ulps(T got, const Number& exact) {
  using Limits = std::numeric_limits<T>;
  const T nearest = rounded<T>(exact);
  if (std::isnan(got) && std::isnan(nearest)) return 0;
  if (!std::isfinite(got) || !std::isfinite(nearest)) return got == nearest ? 0 : Limits::infinity();
  int exponent = 0;
  std::frexp(nearest, &exponent);
  const double ulp = std::ldexp(1.0, std::max(exponent, Limits::min_exponent) - Limits::digits);
  Number difference;
  mpfr_set_d(difference.value, got, MPFR_RNDN);
  mpfr_sub(difference.value, difference.value, exact.value, MPFR_RNDN);
  return std::fabs(mpfr_get_d(difference.value, MPFR_RNDN)) / ulp;
}

template <class T, class Function, class Reference>
void compare(Function function, Reference reference, double allowed = bound) {
  using Limits = std::numeric_limits<T>;
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::mt19937_64 generator(7);
  double worst = 0;
  T where = 0;
  const auto test = [&](T x) {
    // The other elements of the register hold numbers of another size.
    alignas(64) T in[detail::lane_width<T>], out[detail::lane_width<T>];
    for (T& element : in) element = T(-0.3);
    const std::size_t place = generator() % detail::lane_width<T>;
    in[place] = x;
    detail::store(function(detail::load(in)), out);
    Number argument(64), exact;
    mpfr_set_d(argument.value, x, MPFR_RNDN);
    reference(exact.value, argument.value);
    const double error = ulps(out[place], exact);
    if (!(error <= worst)) worst = error, where = x;
    if (x == 0) CHECK(std::signbit(out[place]) == std::signbit(rounded<T>(exact)));
  };
  for (int k = 0; k < 40'000; ++k) test(std::bit_cast<T>(static_cast<Bits>(generator())));
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const double scale : {1e-6, 1e-3, 0.5, 1.0, 4.0, 20.0, 110.0, 750.0})
    for (int k = 0; k < 8'000; ++k) test(static_cast<T>(scale * uniform(generator)));
  // Where results overflow, become denormal and vanish, and one step to either side of every special number.
  const T edges[] = {0,
                     T(-0.0),
                     1,
                     -1,
                     Limits::min(),
                     Limits::denorm_min(),
                     Limits::max(),
                     Limits::epsilon(),
                     Limits::infinity(),
                     Limits::quiet_NaN(),
                     std::log(Limits::max()),
                     std::log(Limits::min()),
                     std::log(Limits::denorm_min())};
  for (const T edge : edges)
    for (const T x : {edge, -edge, std::nextafter(edge, Limits::infinity()), std::nextafter(edge, -Limits::infinity()),
                      -std::nextafter(edge, Limits::infinity()), T(2) * edge, edge / 2})
      test(x);
  INFO("worst at " << where);
  CHECK(worst <= allowed);
}

void sigmoid_reference(mpfr_t y, mpfr_t x) {
  Number sum(1400);
  mpfr_neg(sum.value, x, MPFR_RNDN);
  mpfr_exp(sum.value, sum.value, MPFR_RNDN);
  mpfr_add_ui(sum.value, sum.value, 1, MPFR_RNDN);
  mpfr_ui_div(y, 1, sum.value, MPFR_RNDN);
}

}  // namespace

TEMPLATE_TEST_CASE("elementary functions are within 4 units in the last place", "[elementary]", float, double) {
  using Register = Simd<TestType>;
  SECTION("exp") {
    compare<TestType>([](Register x) { return exp(x); }, [](auto y, auto x) { mpfr_exp(y, x, MPFR_RNDN); });
  }
  SECTION("expm1") {
    compare<TestType>([](Register x) { return expm1(x); }, [](auto y, auto x) { mpfr_expm1(y, x, MPFR_RNDN); });
  }
  SECTION("log") {
    compare<TestType>([](Register x) { return log(x); }, [](auto y, auto x) { mpfr_log(y, x, MPFR_RNDN); });
  }
  SECTION("log1p") {
    compare<TestType>([](Register x) { return log1p(x); }, [](auto y, auto x) { mpfr_log1p(y, x, MPFR_RNDN); });
  }
  SECTION("tanh") {
    compare<TestType>([](Register x) { return tanh(x); }, [](auto y, auto x) { mpfr_tanh(y, x, MPFR_RNDN); });
  }
  SECTION("sigmoid") {
    compare<TestType>([](Register x) { return sigmoid(x); }, sigmoid_reference);
  }
}

TEST_CASE("a stream's tanh is within 6 units in the last place, and its sigmoid within 4 where it is above 2^-126",
          "[elementary]") {
  using Register = Lane<StreamRegister<float>>;
  const auto plain = [](auto f) { return [f](Simd<float> x) { return Simd<float>{f(Register{x.value}).value}; }; };
  compare<float>(
      plain([](Register x) { return tanh(x); }), [](auto y, auto x) { mpfr_tanh(y, x, MPFR_RNDN); }, 6);
  const auto bounded = plain([](Register x) { return sigmoid(x); });
  compare<float>([&](Simd<float> x) { return bounded(maximum(x, -87)); },
                 [](mpfr_t y, mpfr_t x) {
                   Number least, larger;
                   mpfr_set_d(least.value, -87, MPFR_RNDN);
                   if (mpfr_nan_p(x))
                     mpfr_set_nan(larger.value);
                   else
                     mpfr_max(larger.value, x, least.value, MPFR_RNDN);
                   sigmoid_reference(y, larger.value);
                 });
  const float least = bounded(Simd<float>{xsimd::batch<float>(-std::numeric_limits<float>::infinity())}).value.get(0);
  CHECK(least > 0);
  CHECK(least < 2e-38f);
}

namespace {

/// f of registers that hold x in one place and something harmless elsewhere.
template <class T, class F>
T alone(F f, T x) {
  alignas(64) T in[detail::lane_width<T>], out[detail::lane_width<T>];
  for (T& element : in) element = T(0.5);
  in[detail::lane_width<T> - 1] = x;
  detail::store(f(detail::load(in)), out);
  return out[detail::lane_width<T> - 1];
}

template <class T>
struct Fused {
  const char* name;
  Simd<T> (*fused)(Simd<T>);
  long double (*reference)(long double);
};

/// Everything of one argument that a fused function may call.
template <class T>
std::vector<Fused<T>> functions() {
  using R = Simd<T>;
  using L = long double;
  return {{"exp", [](R x) { return exp(x); }, [](L x) { return std::exp(x); }},
          {"expm1", [](R x) { return expm1(x); }, [](L x) { return std::expm1(x); }},
          {"log", [](R x) { return log(x); }, [](L x) { return std::log(x); }},
          {"log1p", [](R x) { return log1p(x); }, [](L x) { return std::log1p(x); }},
          {"sqrt", [](R x) { return sqrt(x); }, [](L x) { return std::sqrt(x); }},
          {"rsqrt", [](R x) { return rsqrt(x); }, [](L x) { return 1 / std::sqrt(x); }},
          {"tanh", [](R x) { return tanh(x); }, [](L x) { return std::tanh(x); }},
          {"sigmoid", [](R x) { return sigmoid(x); }, [](L x) { return 1 / (1 + std::exp(-x)); }},
          {"sin", [](R x) { return sin(x); }, [](L x) { return std::sin(x); }},
          {"cos", [](R x) { return cos(x); }, [](L x) { return std::cos(x); }},
          {"tan", [](R x) { return tan(x); }, [](L x) { return std::tan(x); }},
          {"asin", [](R x) { return asin(x); }, [](L x) { return std::asin(x); }},
          {"acos", [](R x) { return acos(x); }, [](L x) { return std::acos(x); }},
          {"atan", [](R x) { return atan(x); }, [](L x) { return std::atan(x); }},
          {"sinh", [](R x) { return sinh(x); }, [](L x) { return std::sinh(x); }},
          {"cosh", [](R x) { return cosh(x); }, [](L x) { return std::cosh(x); }},
          {"erf", [](R x) { return erf(x); }, [](L x) { return std::erf(x); }},
          {"erfc", [](R x) { return erfc(x); }, [](L x) { return std::erfc(x); }},
          {"floor", [](R x) { return floor(x); }, [](L x) { return std::floor(x); }},
          {"abs", [](R x) { return abs(x); }, [](L x) { return std::fabs(x); }},
          {"neg", [](R x) { return -x; }, [](L x) { return -x; }},
          {"square", [](R x) { return square(x); }, [](L x) { return x * x; }},
          {"reciprocal", [](R x) { return reciprocal(x); }, [](L x) { return 1 / x; }},
          {"relu", [](R x) { return relu(x); }, [](L x) { return x > 0           ? x
                                                                 : std::isnan(x) ? x
                                                                                 : 0; }},
          {"clip", [](R x) { return clip(x, -1, 2); }, [](L x) { return x > 2    ? 2
                                                                        : x < -1 ? -1
                                                                                 : x; }},
          {"maximum", [](R x) { return maximum(x, 0.25); }, [](L x) { return x <= 0.25L ? 0.25L : x; }},
          {"minimum", [](R x) { return minimum(x, 0.25); }, [](L x) { return x >= 0.25L ? 0.25L : x; }},
          {"softplus", [](R x) { return softplus(x); }, [](L x) { return x > 20 ? x : std::log1p(std::exp(x)); }},
          {"pow 2.5", [](R x) { return pow(x, 2.5); }, [](L x) { return std::pow(x, 2.5L); }},
          {"pow -1", [](R x) { return pow(x, -1); }, [](L x) { return std::pow(x, -1.0L); }},
          {"x ^ x", [](R x) { return pow(x, x); }, [](L x) { return std::pow(x, x); }},
          {"atan2 of (x, 1)", [](R x) { return atan2(x, x * 0 + 1); }, [](L x) { return std::atan2(x, x * 0 + 1); }},
          {"logaddexp of (x, 0)", [](R x) { return logaddexp(x, number_like(x, 0)); },
           [](L x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }}};
}

}  // namespace

TEMPLATE_TEST_CASE("special numbers go through every fused function", "[elementary]", float, double) {
  using T = TestType;
  using Limits = std::numeric_limits<T>;
  for (const Fused<T>& function : functions<T>())
    for (const T size : {Limits::quiet_NaN(), Limits::infinity(), Limits::max(), T(1000), T(1), T(0.5), Limits::min(),
                         Limits::min() / 8, Limits::denorm_min(), T(0)})
      for (const T x : {size, -size}) {
        const T got = alone<T>(function.fused, x);
        const T expected = static_cast<T>(function.reference(x));
        INFO(function.name << " of " << x << " is " << got << ", expected " << expected);
        CHECK(std::isnan(got) == std::isnan(expected));
        if (std::isnan(expected)) continue;
        CHECK((got == expected || std::fabs(got - expected) <= 8 * Limits::epsilon() * std::fabs(expected) ||
               std::fabs(got - expected) <= Limits::denorm_min()));
        // The whole numbers of floor() have no sign at 0 where xsimd computes them without SSE4.1.
        if (function.name != std::string("floor")) CHECK(std::signbit(got) == std::signbit(expected));
      }
}
