// Initial values: bounds, moments, orthogonality, and that a seed fixes the bits.
#include "nn/initialize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "nn/linear.hpp"

using autograd::Array;
using autograd::Generator;
using autograd::Shape;
using autograd::ShapeError;
using autograd::ValueError;

namespace {

constexpr std::size_t many = 100000;

/// The mean of f(x).
template <class F>
double average(const Array<double>& array, F f) {
  double sum = 0;
  for (const double x : array) sum += f(x);
  return sum / static_cast<double>(array.size());
}

}  // namespace

TEST_CASE("initialize: uniform", "[initialize]") {
  Generator generator(1);
  const auto x = nn::uniform<double>({many / 10, 10}, -1, 3, generator);
  CHECK(autograd::shape_of(x) == Shape{many / 10, 10});
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  CHECK((*least >= -1 && *least < -0.999));
  CHECK((*most < 3 && *most > 2.999));
  CHECK(average(x, [](double v) { return v; }) == Catch::Approx(1).margin(0.02));
  CHECK(average(x, [](double v) { return (v - 1) * (v - 1); }) == Catch::Approx(16.0 / 12).margin(0.02));
  CHECK(nn::uniform<float>({}, 2, 2, generator)() == 2);
}

TEST_CASE("initialize: normal", "[initialize]") {
  Generator generator(2);
  const auto x = nn::normal<double>({many + 1}, 2, 3, generator);
  const auto moment = [&](int order) { return average(x, [&](double v) { return std::pow((v - 2) / 3, order); }); };
  CHECK(moment(1) == Catch::Approx(0).margin(0.015));
  CHECK(moment(2) == Catch::Approx(1).margin(0.02));
  CHECK(moment(3) == Catch::Approx(0).margin(0.04));
  CHECK(moment(4) == Catch::Approx(3).margin(0.12));
  const double within = average(x, [](double v) { return std::abs(v - 2) < 3 ? 1.0 : 0.0; });
  CHECK(within == Catch::Approx(0.6827).margin(0.006));
  // Neighbours, which come from one pair of uniform numbers, are independent.
  double product = 0;
  for (std::size_t k = 0; k + 1 < many; k += 2) product += (x(k) - 2) * (x(k + 1) - 2) / 9;
  CHECK(product / (many / 2) == Catch::Approx(0).margin(0.02));
}

TEST_CASE("initialize: xavier_uniform", "[initialize]") {
  Generator generator(3);
  const auto bound_of = [&](const Shape& shape, double gain) {
    const auto x = nn::xavier_uniform<double>(shape, generator, gain);
    double largest = 0;
    for (const double v : x) largest = std::max(largest, std::abs(v));
    return largest;
  };
  CHECK(bound_of({100, 50}, 1) == Catch::Approx(std::sqrt(6.0 / 150)).epsilon(0.01));
  CHECK(bound_of({100, 50}, 2) == Catch::Approx(2 * std::sqrt(6.0 / 150)).epsilon(0.01));
  CHECK(bound_of({100, 50, 3}, 1) == Catch::Approx(std::sqrt(6.0 / 450)).epsilon(0.01));
  CHECK_THROWS_AS(nn::xavier_uniform<double>({5}, generator), ShapeError);
}

TEST_CASE("initialize: orthogonal", "[initialize]") {
  Generator generator(4);
  for (const Shape& shape : {Shape{6, 6}, Shape{4, 9}, Shape{9, 4}, Shape{1, 3}, Shape{4, 2, 3}}) {
    const auto q = nn::orthogonal<double>(shape, generator, 2);
    CHECK(autograd::shape_of(q) == shape);
    const std::size_t rows = shape[0], columns = q.size() / rows;
    const bool wide = rows <= columns;
    for (std::size_t a = 0; a < std::min(rows, columns); ++a)
      for (std::size_t b = 0; b < std::min(rows, columns); ++b) {
        double dot = 0;
        for (std::size_t n = 0; n < std::max(rows, columns); ++n)
          dot += wide ? q.data()[a * columns + n] * q.data()[b * columns + n]
                      : q.data()[n * columns + a] * q.data()[n * columns + b];
        CHECK(dot == Catch::Approx(a == b ? 4 : 0).margin(1e-14));
      }
  }
  // No direction is preferred: the diagonal is negative as often as not.
  int negative = 0;
  for (int k = 0; k < 400; ++k) negative += nn::orthogonal<double>({3, 3}, generator)(1, 1) < 0;
  CHECK(std::abs(negative - 200) < 50);
  CHECK_THROWS_AS(nn::orthogonal<double>({5}, generator), ShapeError);
}

TEST_CASE("initialize: a seed fixes the bits", "[initialize]") {
  const auto draw = [](std::uint64_t seed) {
    Generator generator(seed);
    const nn::Linear<double> layer(3, 4, generator);
    std::vector<Array<double>> result{layer.weight.value(), layer.bias->value()};
    result.push_back(nn::uniform<double>({5}, 0, 1, generator));
    result.push_back(nn::normal<double>({5}, 0, 1, generator));
    result.push_back(nn::xavier_uniform<double>({2, 5}, generator));
    result.push_back(nn::orthogonal<double>({3, 5}, generator));
    return result;
  };
  for (std::size_t k = 0; k < 6; ++k) {
    CHECK((draw(5)[k] == draw(5)[k]));
    CHECK((draw(5)[k] != draw(6)[k]));
  }

  // The generator and the scaling are exact arithmetic: these numbers hold on every machine.
  Generator generator(2024);
  const auto x = nn::uniform<double>({3}, -0.3, 0.7, generator);
  CHECK(x(0) == 0x1.4030609f7c631p-2);
  CHECK(x(1) == 0x1.fa96d936b8683p-2);
  CHECK(x(2) == -0x1.19563263620d8p-5);
}

TEST_CASE("initialize: refused arguments", "[initialize]") {
  Generator generator(6);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(nn::uniform<double>({2}, 1, 0, generator), ValueError);
  CHECK_THROWS_AS(nn::uniform<double>({2}, 0, infinity, generator), ValueError);
  CHECK_THROWS_AS(nn::normal<double>({2}, 0, -1, generator), ValueError);
  CHECK_THROWS_AS(nn::normal<double>({2}, std::nan(""), 1, generator), ValueError);
}

TEST_CASE("bounds whose difference is no finite number are refused") {
  nn::Generator generator(1);
  CHECK_THROWS_AS(nn::uniform<double>({2}, -1e308, 1e308, generator), autograd::ValueError);
  CHECK_THROWS_AS(nn::uniform<float>({2}, 0, 1e39, generator), autograd::ValueError);
}
