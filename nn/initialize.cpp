#include "nn/initialize.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace nn {

using autograd::ShapeError;
using autograd::ValueError;

namespace {

void require(bool holds, const char* what, double a, double b) {
  if (!holds)
    throw ValueError(std::string(what) + ", got " + autograd::fixed_text(a) + " and " + autograd::fixed_text(b));
}

void require_matrix(const char* name, const Shape& shape) {
  if (shape.rank() < 2)
    throw ShapeError(std::string(name) + ": a weight (out, in) has at least two axes, got shape " + to_string(shape));
  shape.require_elements(name);
}

/// Two independent standard normal numbers at a time. 1 - u is in (0, 1], so its logarithm is finite.
class Normal {
 public:
  explicit Normal(Generator& generator) : generator_(generator) {}

  double operator()() {
    has_second_ = !has_second_;
    if (!has_second_) return second_;
    const double radius = std::sqrt(-2 * std::log(1 - autograd::uniform(generator_)));
    const double angle = 2 * std::numbers::pi * autograd::uniform(generator_);
    second_ = radius * std::sin(angle);
    return radius * std::cos(angle);
  }

 private:
  Generator& generator_;
  double second_ = 0;
  bool has_second_ = false;
};

}  // namespace

template <class T>
Array<T> uniform(const Shape& shape, double low, double high, Generator& generator) {
  require(std::isfinite(static_cast<T>(low)) && std::isfinite(static_cast<T>(high)) && low <= high &&
              std::isfinite(static_cast<T>(high - low)),
          "uniform: low, high and their difference must be finite, low <= high", low, high);
  Array<T> result = autograd::make_array<T>(shape);
  for (T& element : result) element = static_cast<T>(low + (high - low) * autograd::uniform(generator));
  return result;
}

template <class T>
Array<T> normal(const Shape& shape, double mean, double deviation, Generator& generator) {
  require(std::isfinite(mean) && std::isfinite(deviation) && deviation >= 0,
          "normal: mean and deviation must be finite, deviation >= 0", mean, deviation);
  Array<T> result = autograd::make_array<T>(shape);
  Normal next(generator);
  for (T& element : result) element = static_cast<T>(mean + deviation * next());
  return result;
}

template <class T>
Array<T> xavier_uniform(const Shape& shape, Generator& generator, double gain) {
  require_matrix("xavier_uniform", shape);
  const std::size_t fans = (shape[0] + shape[1]) * shape.elements(2, shape.rank());
  const double bound = fans == 0 ? 0 : gain * std::sqrt(6.0 / static_cast<double>(fans));
  return uniform<T>(shape, -bound, bound, generator);
}

// Gram-Schmidt on normal vectors. Each one is made orthogonal to those before it twice, which leaves rounding errors
// only, however close to dependent it was.
template <class T>
Array<T> orthogonal(const Shape& shape, Generator& generator, double gain) {
  require_matrix("orthogonal", shape);
  const std::size_t rows = shape[0], columns = shape.elements(1, shape.rank());
  const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
  std::vector<double> vectors(count * length);
  Normal next(generator);
  std::generate(vectors.begin(), vectors.end(), next);
  for (std::size_t k = 0; k < count; ++k) {
    double* const v = vectors.data() + k * length;
    for (int pass = 0; pass < 2; ++pass)
      for (const double* u = vectors.data(); u != v; u += length) {
        const double overlap = std::inner_product(u, u + length, v, 0.0);
        for (std::size_t n = 0; n < length; ++n) v[n] -= overlap * u[n];
      }
    const double norm = std::sqrt(std::inner_product(v, v + length, v, 0.0));
    for (std::size_t n = 0; n < length; ++n) v[n] /= norm;
  }
  Array<T> result = autograd::make_array<T>(shape);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      result.data()[r * columns + c] =
          static_cast<T>(gain * (rows <= columns ? vectors[r * length + c] : vectors[c * length + r]));
  return result;
}

template <class T>
Array<T> uniform_fan(const Shape& shape, std::size_t n, Generator& generator) {
  const double bound = n == 0 ? 0 : 1 / std::sqrt(static_cast<double>(n));
  return uniform<T>(shape, -bound, bound, generator);
}

#define INSTANTIATE(T)                                                 \
  template Array<T> uniform(const Shape&, double, double, Generator&); \
  template Array<T> normal(const Shape&, double, double, Generator&);  \
  template Array<T> xavier_uniform(const Shape&, Generator&, double);  \
  template Array<T> orthogonal(const Shape&, Generator&, double);      \
  template Array<T> uniform_fan(const Shape&, std::size_t, Generator&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn
