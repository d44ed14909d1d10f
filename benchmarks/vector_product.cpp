// The kernels for products with one row beside BLAS, over sizes of recurrent products with a batch of one.
#include "autograd/kernels/vector_product.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include "report.hpp"

namespace {

void blas_product(bool transposed, int m, int n, int k, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, k == 1 ? CblasTrans : CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
              k == 1 ? m : k, b, transposed ? k : n, 1, c, n);
}

}  // namespace

int main() {
  fmt::print("{}\nns per product, float, added to its result\n{:>12} {:>10} {:>12} {:>12} {:>10} {:>12}\n",
             benchmark::environment(), "matrix", "x B", "BLAS x B", "BLAS x Bᵀ", "outer", "BLAS outer");
  for (const auto& [k, n] : std::vector<std::pair<int, int>>{{16, 64}, {64, 16}, {32, 128}, {128, 32}, {64, 256}}) {
    const std::size_t rows = static_cast<std::size_t>(k), columns = static_cast<std::size_t>(n);
    const std::vector<float> x(rows, 0.5f), y(columns, 0.5f), matrix(rows * columns, 0.25f);
    std::vector<float> row(columns), whole(rows * columns);
    const std::vector<double> us = benchmark::interleaved_medians({
        [&] { autograd::kernels::vector_matrix(columns, rows, x.data(), matrix.data(), row.data(), row.data()); },
        [&, n = n, k = k] { blas_product(false, 1, n, k, x.data(), matrix.data(), row.data()); },
        [&, n = n, k = k] { blas_product(true, 1, n, k, x.data(), matrix.data(), row.data()); },
        [&] { autograd::kernels::outer_product(rows, columns, x.data(), y.data(), whole.data(), true); },
        [&, n = n, k = k] { blas_product(false, k, n, 1, x.data(), y.data(), whole.data()); },
    });
    fmt::print("{:>12} {:10.0f} {:12.0f} {:12.0f} {:10.0f} {:12.0f}\n", fmt::format("({}, {})", k, n), us[0] * 1e3,
               us[1] * 1e3, us[2] * 1e3, us[3] * 1e3, us[4] * 1e3);
  }
}
