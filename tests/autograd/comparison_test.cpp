// Comparisons as operators, on the tape and in pointwise functions; x[t] and x.detach().
#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

TEST_CASE("comparisons give masks, the same in pointwise functions, and NaN compares false", "[selection]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Tape<double> tape;
  const auto a = tape.variable(array<double>({5}, {1, 2, 2, nan, -0.0}));
  const auto b = tape.variable(array<double>({5}, {2, 2, 1, 1, 0}));
  const auto masks = [](auto x, auto y) { return std::tuple{x > y, x < y, x >= y, x <= y}; };
  const auto numbers = [](auto x, auto) {
    return std::tuple{x > 1.0, x<1.0, x >= 1.0, x <= 1.0, 1.0> x, 1.0 < x, 1.0 >= x, 1.0 <= x};
  };
  const std::vector<Array<double>> of_two{array<double>({5}, {0, 0, 1, 0, 0}), array<double>({5}, {1, 0, 0, 0, 0}),
                                          array<double>({5}, {0, 1, 1, 0, 1}), array<double>({5}, {1, 1, 0, 0, 1})};
  const Array<double> above = array<double>({5}, {0, 1, 1, 0, 0}), below = array<double>({5}, {0, 0, 0, 0, 1}),
                      not_below = array<double>({5}, {1, 1, 1, 0, 0}), not_above = array<double>({5}, {1, 0, 0, 0, 1});
  const std::vector<Array<double>> of_one{above, below, not_below, not_above, below, above, not_above, not_below};
  const auto check = [&](const auto& results, const std::vector<Array<double>>& expected) {
    const auto found = std::apply([](auto... each) { return std::vector{each.copy()...}; }, results);
    REQUIRE(found.size() == expected.size());
    for (std::size_t k = 0; k < found.size(); ++k) CHECK(same(found[k], expected[k]));
  };
  check(masks(a, b), of_two);
  check(numbers(a, b), of_one);
  check(pointwise(masks)(a, b), of_two);
  check(pointwise(numbers)(a, b), of_one);
}

TEST_CASE("where() takes numbers", "[selection]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({3}, {-1, 0.5, 2}));
  const auto y = where(x > 0, x * x, -3.0) + where(x > 0, 10.0, x);
  CHECK(same(y.copy(), array<double>({3}, {-4, 10.25, 14})));
  tape.backward(sum(y));
  CHECK(same(tape.gradient(x), array<double>({3}, {1, 1, 4})));
}

TEST_CASE("x[t] is a row, and x.detach() passes no gradient", "[tape]") {
  Tape<float> tape;
  const auto x = tape.variable(array<float>({3, 2}, {1, 2, 3, 4, 5, 6}));
  CHECK(same(x[0].copy(), array<float>({2}, {1, 2})));
  CHECK(same(x[-1].copy(), array<float>({2}, {5, 6})));
  CHECK_THROWS_AS(x[3], Error);
  tape.backward(sum(x[1] * x[1].detach()));
  CHECK(same(tape.gradient(x), array<float>({3, 2}, {0, 0, 3, 4, 0, 0})));
}
