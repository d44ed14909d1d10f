// Matrix products beside their definition.
#include "autograd/kernels/gemm.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "autograd/array.hpp"
#include "autograd/kernels/packed_product.hpp"
#include "catch.hpp"

using namespace autograd;

namespace {

template <class T>
std::vector<T> random_values(std::size_t count) {
  static std::mt19937 generator(1);
  std::uniform_real_distribution<T> distribution(-1, 1);
  std::vector<T> values(count);
  for (T& value : values) value = distribution(generator);
  return values;
}

/// A product, and where its operands are.
template <class T>
struct Product {
  bool transpose_a, transpose_b;
  std::size_t m, n, k;
  std::vector<T> a = random_values<T>(m * k), b = random_values<T>(k * n);

  std::size_t of_a(std::size_t i, std::size_t p) const { return transpose_a ? p * m + i : i * k + p; }
  std::size_t of_b(std::size_t p, std::size_t j) const { return transpose_b ? j * k + p : p * n + j; }

  std::vector<T> run(std::vector<T> c, bool accumulate) const {
    c.push_back(T(42));  // behind the last element nothing is written
    kernels::gemm(transpose_a, transpose_b, m, n, k, a.data(), b.data(), c.data(), accumulate);
    CHECK(c.back() == T(42));
    c.pop_back();
    return c;
  }

  /// The largest difference to the definition, summed in double, in units of the precision and of what was summed.
  double error(const std::vector<T>& c, const std::vector<T>* before) const {
    double largest = 0;
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = before ? double((*before)[i * n + j]) : 0, size = std::abs(sum);
        for (std::size_t p = 0; p < k; ++p) {
          const double term = double(a[of_a(i, p)]) * double(b[of_b(p, j)]);
          sum += term;
          size += std::abs(term);
        }
        const double difference = std::abs(c[i * n + j] - sum);
        if (difference > 0) largest = std::max(largest, difference / size / std::numeric_limits<T>::epsilon());
        if (std::isnan(difference)) return difference;
      }
    return largest;
  }
};

/// Of every form, over C and added to it.
template <class T>
void check(std::size_t m, std::size_t n, std::size_t k) {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      const Product<T> product{transpose_a, transpose_b, m, n, k};
      const std::vector<T> before = random_values<T>(m * n), rubbish(m * n, std::numeric_limits<T>::quiet_NaN());
      const std::vector<T> fresh = product.run(rubbish, false), sum = product.run(before, true);
      INFO("transposed " << transpose_a << transpose_b << ", m " << m << ", n " << n << ", k " << k);
      CHECK(product.error(fresh, nullptr) < 40);
      CHECK(product.error(sum, &before) < 40);
      CHECK(product.run(rubbish, false) == fresh);
    }
}

}  // namespace

TEMPLATE_TEST_CASE("gemm is the product for every small size", "", float, double) {
  for (const std::size_t k : {0, 1, 2, 3, 8, 17})
    for (const std::size_t m : {0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 17})
      for (const std::size_t n : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65})
        check<TestType>(m, n, k);
}

TEMPLATE_TEST_CASE("gemm is the product beyond one block", "", float, double) {
  using Sizes = std::array<std::size_t, 3>;
  for (const auto& [m, n, k] :
       {Sizes{64, 8, 50}, Sizes{128, 32, 100}, Sizes{7, 5, 257}, Sizes{50, 66, 512}, Sizes{49, 130, 513},
        Sizes{245, 70, 300}, Sizes{530, 20, 259}, Sizes{1, 600, 300}, Sizes{600, 1, 300}, Sizes{300, 515, 33},
        Sizes{49, 1029, 20}, Sizes{1029, 47, 20}, Sizes{300, 200, 300}})
    check<TestType>(m, n, k);
}

TEMPLATE_TEST_CASE("gemm passes on what is not a number, and nothing else", "", float, double) {
  using T = TestType;
  const T infinity = std::numeric_limits<T>::infinity();
  using Sizes = std::array<std::size_t, 3>;
  for (const auto& [m, n, k] :
       {Sizes{1, 9, 5}, Sizes{9, 1, 5}, Sizes{5, 9, 1}, Sizes{13, 21, 19}, Sizes{70, 67, 300}, Sizes{70, 20, 300}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true}) {
        Product<T> product{transpose_a, transpose_b, m, n, k};
        const std::size_t row = m / 2, column = n - 1, depth = k - 1;
        product.a[product.of_a(row, depth)] = std::numeric_limits<T>::quiet_NaN();
        product.b[product.of_b(0, column)] = infinity;
        const std::vector<T> c = product.run(std::vector<T>(m * n), false);
        INFO("transposed " << transpose_a << transpose_b << ", m " << m << ", n " << n << ", k " << k);
        bool right = true;
        for (std::size_t i = 0; i < m; ++i)
          for (std::size_t j = 0; j < n; ++j) {
            const T value = c[i * n + j];
            right &= i == row ? std::isnan(value) : j == column ? std::isinf(value) : std::isfinite(value);
          }
        CHECK(right);
      }
}

TEMPLATE_TEST_CASE("a packed product is the product plus its start", "", float, double) {
  using T = TestType;
  for (const std::size_t m : {1, 2, 3, 5, 6, 7, 20})
    for (const std::size_t n : {1, 4, 15, 16, 33, 64, 65, 80, 130})
      for (const std::size_t k : {0, 1, 7, 40, 300})
        for (const bool transpose : {false, true}) {
          const Product<T> product{false, transpose, m, n, k};
          auto packed = make_array<T>({kernels::packed_size<T>(k, n)});
          kernels::pack(transpose, k, n, product.b.data(), packed.data());
          const std::vector<T> start = random_values<T>(m * n);
          std::vector<T> y(m * n, std::numeric_limits<T>::quiet_NaN()), z = start, from_row = y, rows;
          kernels::packed_product<T>(m, n, k, product.a.data(), packed.data(), nullptr, 0, y.data());
          kernels::packed_product<T>(m, n, k, product.a.data(), packed.data(), z.data(), n, z.data());
          kernels::packed_product<T>(m, n, k, product.a.data(), packed.data(), start.data(), 0, from_row.data());
          for (std::size_t i = 0; i < m; ++i) rows.insert(rows.end(), start.begin(), start.begin() + std::ptrdiff_t(n));
          INFO("transposed " << transpose << ", m " << m << ", n " << n << ", k " << k);
          CHECK(product.error(y, nullptr) < 40);
          CHECK(product.error(z, &start) < 40);
          CHECK(product.error(from_row, &rows) < 40);
        }
}
