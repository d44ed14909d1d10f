// Products of a training step beside BLAS: with a weight that was packed once, over sizes of recurrent products with a
// batch, and the gradients of weights.
#include "autograd/kernels/packed_product.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "autograd/array.hpp"
#include "autograd/kernels/gemm.hpp"
#include "report.hpp"

namespace {

using namespace benchmark;

struct Size {
  int m, k, n;
};

/// y = x Wᵀ for x (m, k) and W (n, k), and packing W.
std::vector<Contestant> packed_product(const Size& size) {
  const auto rows = static_cast<std::size_t>(size.m), depth = static_cast<std::size_t>(size.k),
             columns = static_cast<std::size_t>(size.n);
  struct Matrices {
    std::vector<float> x, weight, y, z;
    autograd::Array<float> packed;
  };
  const auto with = std::make_shared<Matrices>(
      Matrices{std::vector<float>(rows * depth, 0.5f), std::vector<float>(columns * depth, 0.25f),
               std::vector<float>(rows * columns), std::vector<float>(rows * columns),
               autograd::make_array<float>({autograd::kernels::packed_size<float>(depth, columns)})});
  const auto pack = [=] { autograd::kernels::pack(true, depth, columns, with->weight.data(), with->packed.data()); };
  pack();
  return {{.engine = "wengert",
           .name = "packed",
           .work =
               [=] {
                 autograd::kernels::packed_product<float>(rows, columns, depth, with->x.data(), with->packed.data(),
                                                          nullptr, 0, with->y.data());
               }},
          {.engine = "blas",
           .name = "sgemm",
           .work =
               [=] {
                 cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size.m, size.n, size.k, 1, with->x.data(), size.k,
                             with->weight.data(), size.k, 0, with->z.data(), size.n);
               }},
          {.engine = "wengert", .name = "packing", .work = pack}};
}

/// dW = gᵀ x for g (k, m) and x (k, n).
std::vector<Contestant> weight_gradient(const Size& size) {
  const auto rows = static_cast<std::size_t>(size.m), depth = static_cast<std::size_t>(size.k),
             columns = static_cast<std::size_t>(size.n);
  struct Matrices {
    std::vector<float> g, x, y, z;
  };
  const auto with = std::make_shared<Matrices>(
      Matrices{std::vector<float>(rows * depth, 0.5f), std::vector<float>(columns * depth, 0.25f),
               std::vector<float>(rows * columns), std::vector<float>(rows * columns)});
  return {{.engine = "wengert",
           .name = "weight gradient",
           .work =
               [=] {
                 autograd::kernels::gemm(true, false, rows, columns, depth, with->g.data(), with->x.data(),
                                         with->y.data(), false);
               }},
          {.engine = "blas", .name = "sgemm, transposed", .work = [=] {
             cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, size.m, size.n, size.k, 1, with->g.data(), size.m,
                         with->x.data(), size.n, 0, with->z.data(), size.n);
           }}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times products with a packed weight, and gradients of weights, beside BLAS, in GFLOP/s of one thread."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options);
  Report report(options, "packed_product", {"product", "own, GFLOP/s", "BLAS", "packing, us"});
  const auto measure = [&](const std::string& title, const Size& size, const std::vector<Contestant>& contestants) {
    const std::vector<Times> times = take_turns(contestants, options.rounds);
    std::vector<std::string> cells{title};
    for (std::size_t c = 0; c < contestants.size(); ++c) {
      const double us = times[c].median_us, flops = 2e-3 * size.m * size.k * size.n / us;
      cells.push_back(c == 2 ? text(us, 1) : text(flops, 0));
      report.row({{"engine", contestants[c].engine},
                  {"product", contestants[c].name},
                  {"rows", size.m},
                  {"depth", size.k},
                  {"columns", size.n},
                  {"dtype", "float"},
                  {"threads", 1},
                  {"median_us", us}});
    }
    cells.resize(4, text(std::nullopt, 0));
    report.line(cells);
  };
  for (const Size& size :
       {Size{8, 64, 256}, Size{20, 200, 800}, Size{32, 64, 256}, Size{32, 128, 512}, Size{64, 256, 1024},
        Size{64, 512, 2048}, Size{700, 200, 800}, Size{1600, 64, 512}, Size{4096, 512, 2048}})
    measure(fmt::format("{} by ({}, {})", size.m, size.k, size.n), size, packed_product(size));
  for (const Size& size : {Size{64, 50, 8}, Size{64, 50, 16}, Size{128, 100, 32}, Size{256, 896, 28},
                           Size{256, 896, 64}, Size{512, 1600, 64}, Size{512, 1600, 128}, Size{800, 700, 200},
                           Size{1024, 6400, 128}, Size{1024, 6400, 256}, Size{2048, 4096, 512}})
    measure(fmt::format("({}, {})^T by ({}, {})", size.k, size.m, size.k, size.n), size, weight_gradient(size));
  report.finish();
}
