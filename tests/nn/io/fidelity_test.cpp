// Every finite number survives: ten million random bit patterns of float and double, to text and back, byte for byte.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "catch.hpp"
#include "nn/io/formats/formats.hpp"

using nn::io::Dtype;
using nn::io::Weights;

namespace {

#ifdef NDEBUG
constexpr std::size_t patterns = 10'000'000;
#else
constexpr std::size_t patterns = 100'000;  // not optimised, or under a sanitizer
#endif

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
std::vector<double> random_finite(std::size_t count) {
  std::mt19937_64 random(11);
  std::vector<double> result{0.0,
                             -0.0,
                             std::numeric_limits<T>::max(),
                             std::numeric_limits<T>::lowest(),
                             std::numeric_limits<T>::min(),
                             std::numeric_limits<T>::denorm_min()};
  while (result.size() < count)
    if (const T value = std::bit_cast<T>(static_cast<Bits<T>>(random())); std::isfinite(value))
      result.push_back(static_cast<double>(value));
  return result;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k)
    if (std::bit_cast<std::uint64_t>(a[k]) != std::bit_cast<std::uint64_t>(b[k])) return false;
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("ten million random numbers, to text and back", "", float, double) {
  const Dtype dtype = sizeof(TestType) == 4 ? Dtype::float32 : Dtype::float64;
  Weights weights{.dtype = dtype};
  weights.tensors.emplace_back("w", nn::io::Tensor{{patterns}, random_finite<TestType>(patterns)});
  const std::string text = nn::io::formats::write_native(weights);
  const Weights back = nn::io::formats::read_native({text, "load"});
  CHECK(same_bits(back.tensors[0].second.values, weights.tensors[0].second.values));
  CHECK(back.dtype == dtype);
  CHECK(nn::io::formats::write_native(back) == text);
}
