// What the tests of the engine share: arrays to feed in, and ways to judge what comes out.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "autograd/array.hpp"
#include "autograd/error.hpp"
#include "autograd/op.hpp"
#include "autograd/ops/random.hpp"
#include "autograd/tape.hpp"

namespace autograd::testing {

/// Uniform in `domain`, rounded to float so that both precisions can be given the same numbers.
template <class T = double>
Array<T> random_array(const Shape& shape, Generator& generator, Interval domain = {-1, 1}) {
  Array<T> result = make_array<T>(shape);
  for (T& element : result)
    element = static_cast<T>(static_cast<float>(domain.low + (domain.high - domain.low) * uniform(generator)));
  return result;
}

template <class T>
Array<T> array(const Shape& shape, std::initializer_list<double> values) {
  Array<T> result = make_array<T>(shape);
  auto value = values.begin();
  for (T& element : result) element = static_cast<T>(*value++);
  return result;
}

template <class T>
Array<T> converted(const auto& from) {
  Array<T> result = make_array<T>(shape_of(from));
  for (std::size_t k = 0; k < from.size(); ++k) result.data()[k] = static_cast<T>(from.data()[k]);
  return result;
}

/// The norm of a - b over the norm of b, or over 1 where b is 0. NaN anywhere, or other shapes, are infinitely far off.
double distance(const auto& a, const auto& b) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (!(shape_of(a) == shape_of(b))) return infinity;
  double square = 0, norm = 0;
  for (std::size_t k = 0; k < b.size(); ++k) {
    const double expected = static_cast<double>(b.data()[k]);
    square += std::pow(static_cast<double>(a.data()[k]) - expected, 2);
    norm += expected * expected;
  }
  const double result = std::sqrt(square / (norm > 0 ? norm : 1));
  return std::isnan(result) ? infinity : result;
}

template <class T>
bool same_bits(const Array<T>& a, const Array<T>& b) {
  return shape_of(a) == shape_of(b) && (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Whether two arrays are equal, and if not, where; written out by a failing CHECK.
struct Comparison {
  bool equal = true;
  std::string text = "equal";
  explicit operator bool() const { return equal; }
};

inline std::ostream& operator<<(std::ostream& out, const Comparison& comparison) { return out << comparison.text; }

/// Equal shapes and equal elements (0 and -0 are); NaN equals nothing.
template <class T>
Comparison same(const Array<T>& got, const Array<T>& expected) {
  if (!(shape_of(got) == shape_of(expected)))
    return {false, "shape " + to_string(shape_of(got)) + ", expected " + to_string(shape_of(expected))};
  for (std::size_t k = 0; k < got.size(); ++k)
    if (!(got.data()[k] == expected.data()[k]))
      return {false, "element " + std::to_string(k) + " is " + std::to_string(got.data()[k]) + ", expected " +
                         std::to_string(expected.data()[k])};
  return {};
}

template <class T>
bool all_zero(const Array<T>& a) {
  for (const T element : a)
    if (!(element == T(0))) return false;
  return true;
}

/// Clears a tape and leaves NaN in all the memory it will hand out next, so that nothing passes by being zero there.
template <class T>
void soil(Tape<T>& tape) {
  tape.clear();
  const Array<T> dirt = full<T>({64000 / sizeof(T)}, std::numeric_limits<T>::quiet_NaN());
  tape.backward(tape.variable(dirt), dirt);
  tape.clear();
}

/// The text of the exception that `f` throws.
template <class Exception>
std::string error_text(const auto& f) {
  try {
    f();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace autograd::testing
