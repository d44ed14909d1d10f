// The kernels for products with one row beside BLAS, over sizes of recurrent products with a batch of one.
#include "autograd/kernels/vector_product.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "report.hpp"

namespace {

void blas_product(bool transposed, int m, int n, int k, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, k == 1 ? CblasTrans : CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
              k == 1 ? m : k, b, transposed ? k : n, 1, c, n);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace benchmark;
  CLI::App app{"Times products with one row, added to their result, beside BLAS."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options);
  Report report(options, "vector_product", {"matrix", "x B, ns", "BLAS x B", "BLAS x Bᵀ", "outer", "BLAS outer"});
  for (const auto& [k, n] : std::vector<std::pair<int, int>>{{16, 64}, {64, 16}, {32, 128}, {128, 32}, {64, 256}}) {
    const std::size_t rows = static_cast<std::size_t>(k), columns = static_cast<std::size_t>(n);
    const std::vector<float> x(rows, 0.5f), y(columns, 0.5f), matrix(rows * columns, 0.25f);
    std::vector<float> row(columns), whole(rows * columns);
    const std::vector<Contestant> contestants{
        {.engine = "wengert",
         .name = "row",
         .work =
             [&] { autograd::kernels::vector_matrix(columns, rows, x.data(), matrix.data(), row.data(), row.data()); }},
        {.engine = "blas",
         .name = "row",
         .work = [&, n = n, k = k] { blas_product(false, 1, n, k, x.data(), matrix.data(), row.data()); }},
        {.engine = "blas",
         .name = "row, transposed",
         .work = [&, n = n, k = k] { blas_product(true, 1, n, k, x.data(), matrix.data(), row.data()); }},
        {.engine = "wengert",
         .name = "outer",
         .work = [&] { autograd::kernels::outer_product(rows, columns, x.data(), y.data(), whole.data(), true); }},
        {.engine = "blas",
         .name = "outer",
         .work = [&, n = n, k = k] { blas_product(false, k, n, 1, x.data(), y.data(), whole.data()); }},
    };
    const std::vector<Times> times = take_turns(contestants, options.rounds);
    std::vector<std::string> cells{fmt::format("({}, {})", k, n)};
    for (std::size_t c = 0; c < contestants.size(); ++c) {
      cells.push_back(text(times[c].median_us * 1e3, 0));
      report.row({{"engine", contestants[c].engine},
                  {"product", contestants[c].name},
                  {"rows", k},
                  {"columns", n},
                  {"dtype", "float"},
                  {"threads", 1},
                  {"median_us", times[c].median_us}});
    }
    report.line(cells);
  }
  report.finish();
}
