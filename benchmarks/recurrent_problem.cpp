#include "recurrent_problem.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "autograd/kernels/gemm.hpp"
#include "nn/train/data_parallel.hpp"

namespace benchmark {

namespace {

constexpr int gemm_size = 2048;
constexpr double gemm_flops = 2.0 * gemm_size * gemm_size * gemm_size;

constexpr const char* limit = "limit";  ///< the engine of those that only say how fast products can be

/// By BLAS, and by the library's own kernel, which divides the rows among the threads.
template <class T>
std::vector<Contestant> large_products(int threads) {
  struct Matrices {
    std::vector<T> a, b, c;
  };
  constexpr int n = gemm_size;
  const std::vector<T> ones(n * n, T(1));
  const auto m = std::make_shared<Matrices>(Matrices{ones, ones, ones});
  const auto workers = std::make_shared<nn::Workers>(static_cast<std::size_t>(threads));
  const auto by_blas = [m] {
    if constexpr (std::is_same_v<T, float>)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, m->a.data(), n, m->b.data(), n, 0, m->c.data(),
                  n);
    else
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, m->a.data(), n, m->b.data(), n, 0, m->c.data(),
                  n);
  };
  const auto by_wengert = [m, workers, tasks = static_cast<std::size_t>(threads)] {
    workers->run(tasks, [&](std::size_t task) {
      const std::size_t row = n * task / tasks, end = n * (task + 1) / tasks;
      autograd::kernels::gemm(false, false, end - row, n, n, m->a.data() + row * n, m->b.data(), m->c.data() + row * n,
                              false);
    });
  };
  return {{.engine = limit, .name = "blas", .work = by_blas, .threads = threads},
          {.engine = limit, .name = "wengert", .work = by_wengert, .threads = threads, .divides = true}};
}

}  // namespace

std::string to_string(const Sizes& s) { return fmt::format("{}, {}, {}, {}, {}", s.T, s.B, s.I, s.H, s.layers); }

std::vector<Sizes> parse_grid(const std::vector<std::string>& points) {
  if (points.empty())
    return {{50, 1, 8, 16, 1},     {100, 1, 16, 32, 1},    {28, 32, 28, 64, 1},  {50, 32, 64, 128, 1},
            {35, 20, 200, 200, 2}, {100, 64, 128, 256, 2}, {64, 64, 512, 512, 1}};
  std::vector<Sizes> grid;
  for (const std::string& point : points) {
    Sizes s;
    int length = 0;
    if (std::sscanf(point.c_str(), "%d,%d,%d,%d,%d%n", &s.T, &s.B, &s.I, &s.H, &s.layers, &length) != 5 ||
        length != static_cast<int>(point.size()) || s.T < 1 || s.B < 1 || s.I < 1 || s.H < 1 || s.layers < 1)
      throw std::invalid_argument("a grid point has the form T,B,I,H,layers, not " + point);
    grid.push_back(s);
  }
  return grid;
}

template <class T>
Problem<T>::Problem(const Sizes& s, int gates) : sizes(s), gates(gates) {
  std::mt19937 generator(1);
  const auto uniform = [&](int rows, int columns, double bound) {
    std::uniform_real_distribution<T> distribution(T(-bound), T(bound));
    std::vector<T> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
    for (T& value : values) value = distribution(generator);
    return values;
  };
  const double bound = 1 / std::sqrt(s.H);
  for (int k = 0; k < s.layers; ++k)
    layers.push_back({uniform(gates * s.H, s.input_of(static_cast<std::size_t>(k)), bound),
                      uniform(gates * s.H, s.H, bound), uniform(gates * s.H, 1, bound)});
  x = uniform(s.T * s.B, s.I, 1);
  target = uniform(s.T * s.B, s.H, 1);
}

double training_flops(const Sizes& s, int gates) {
  const double product = 2.0 * s.T * s.B * gates * s.H;  // per column of the other matrix
  double flops = 0;
  for (int k = 0; k < s.layers; ++k) {
    const int input = s.input_of(static_cast<std::size_t>(k));
    flops += product * 3 * s.H + product * (k == 0 ? 2 : 3) * input;
  }
  return flops;
}

Measurement::Measurement(std::vector<Contestant> contestants, double flops, bool use_double, int rounds)
    : contestants_(std::move(contestants)), flops_(flops), use_double_(use_double) {
  const std::size_t count = contestants_.size();
  for (std::size_t k = 0; k < count; ++k) {
    const int threads = contestants_[k].threads;
    const auto same = [&](const Contestant& other) { return other.engine == limit && other.threads == threads; };
    if (std::none_of(contestants_.begin(), contestants_.end(), same))
      for (Contestant& product : use_double ? large_products<double>(threads) : large_products<float>(threads))
        contestants_.push_back(std::move(product));
  }
  times_ = take_turns(contestants_, rounds);
  check_results(contestants_, use_double ? 1e-9 : 1e-4);
}

const Times* Measurement::times(const std::string& engine, const std::string& cell, int threads) const {
  for (std::size_t k = 0; k < contestants_.size(); ++k)
    if (contestants_[k].engine == engine && contestants_[k].name == cell && contestants_[k].threads == threads)
      return &times_[k];
  return nullptr;
}

std::optional<double> Measurement::median_us(const std::string& engine, const std::string& cell, int threads) const {
  const Times* const found = times(engine, cell, threads);
  return found ? std::optional(found->median_us) : std::nullopt;
}

double Measurement::limit_us(int threads) const {
  double fastest_us = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < contestants_.size(); ++k)
    if (contestants_[k].engine == limit && contestants_[k].threads == threads)
      fastest_us = std::min(fastest_us, times_[k].fastest_us);
  if (std::isinf(fastest_us)) throw std::logic_error("limit_us: no contestant has this number of threads");
  return flops_ / gemm_flops * fastest_us;
}

void Measurement::add_rows(Report& report, const Sizes& s, const std::string& unit) const {
  for (std::size_t k = 0; k < contestants_.size(); ++k) {
    const Contestant& contestant = contestants_[k];
    if (contestant.engine == limit) continue;
    nlohmann::ordered_json row{{"engine", contestant.engine},
                               {"cell", contestant.name},
                               {"T", s.T},
                               {"B", s.B},
                               {"I", s.I},
                               {"H", s.H},
                               {"layers", s.layers},
                               {"dtype", use_double_ ? "double" : "float"},
                               {"threads", contestant.threads},
                               {"median_us", times_[k].median_us},
                               {"fastest_us", times_[k].fastest_us},
                               {"limit_us", limit_us(contestant.threads)}};
    if (!unit.empty()) row["unit"] = unit;
    report.row(row);
  }
}

void add_training_options(CLI::App& app, TrainingOptions& options) {
  add_options(app, options);
  app.add_option("--grid", options.grid, "points to run, each as T,B,I,H,layers; all of them if not given")
      ->check([](const std::string& point) {
        try {
          parse_grid({point});
          return std::string();
        } catch (const std::invalid_argument& error) {
          return std::string(error.what());
        }
      });
  app.add_option("--dtype", options.dtypes, "float, double or both")
      ->delimiter(',')
      ->check(CLI::IsMember({"float", "double"}));
  app.add_option("--threads", options.threads, "numbers of threads, such as 1,2")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
}

template struct Problem<float>;
template struct Problem<double>;

}  // namespace benchmark
