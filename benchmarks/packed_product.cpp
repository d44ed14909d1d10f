// Products with a weight that was packed once beside BLAS, over sizes of recurrent products with a batch.
#include "autograd/kernels/packed_product.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "autograd/array.hpp"
#include "report.hpp"

int main(int argc, char** argv) {
  using namespace benchmark;
  CLI::App app{"Times products with a packed weight beside BLAS, in GFLOP/s of one thread."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options);
  Report report(options, "packed_product", {"rows", "weight", "packed, GFLOP/s", "BLAS", "packing, us"});
  struct Size {
    int m, k, n;
  };
  for (const auto& [m, k, n] :
       {Size{8, 64, 256}, Size{20, 200, 800}, Size{32, 64, 256}, Size{32, 128, 512}, Size{64, 256, 1024},
        Size{64, 512, 2048}, Size{700, 200, 800}, Size{1600, 64, 512}, Size{4096, 512, 2048}}) {
    const auto rows = static_cast<std::size_t>(m), depth = static_cast<std::size_t>(k),
               columns = static_cast<std::size_t>(n);
    const std::vector<float> x(rows * depth, 0.5f), weight(columns * depth, 0.25f);
    auto packed = autograd::make_array<float>({autograd::kernels::packed_size<float>(depth, columns)});
    std::vector<float> y(rows * columns), z = y;
    const auto pack = [&] { autograd::kernels::pack(true, depth, columns, weight.data(), packed.data()); };
    pack();
    const std::vector<Contestant> contestants{
        {.engine = "wengert",
         .name = "packed",
         .work =
             [&] {
               autograd::kernels::packed_product<float>(rows, columns, depth, x.data(), packed.data(), nullptr, 0,
                                                        y.data());
             }},
        {.engine = "blas",
         .name = "sgemm",
         .work =
             [&, m = m, k = k, n = n] {
               cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, x.data(), k, weight.data(), k, 0,
                           z.data(), n);
             }},
        {.engine = "wengert", .name = "packing", .work = pack},
    };
    const std::vector<Times> times = take_turns(contestants, options.rounds);
    std::vector<std::string> cells{fmt::format("{}", m), fmt::format("({}, {})", k, n)};
    for (std::size_t c = 0; c < contestants.size(); ++c) {
      const double us = times[c].median_us, flops = 2e-3 * m * k * n / us;
      cells.push_back(c == 2 ? text(us, 1) : text(flops, 0));
      report.row({{"engine", contestants[c].engine},
                  {"product", contestants[c].name},
                  {"rows", m},
                  {"depth", k},
                  {"columns", n},
                  {"dtype", "float"},
                  {"threads", 1},
                  {"median_us", us}});
    }
    report.line(cells);
  }
  report.finish();
}
