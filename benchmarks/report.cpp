#include "report.hpp"

#include <cblas.h>
#include <fmt/format.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "autograd/array.hpp"
#include "autograd/kernels/blas_threads.hpp"
#include "autograd/values/instruction_set.hpp"
#include "autograd/version.hpp"

#if __has_include(<xtensor/core/xtensor_config.hpp>)
#include <xtensor/core/xtensor_config.hpp>
#else
#include <xtensor/xtensor_config.hpp>
#endif

namespace benchmark {

namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

using Clock = std::chrono::steady_clock;

double microseconds(const std::function<void()>& work, int repeats) {
  const auto start = Clock::now();
  for (int k = 0; k < repeats; ++k) work();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / repeats;
}

void use_threads_of(const Contestant& contestant) { use_threads(contestant.divides ? 1 : contestant.threads); }

}  // namespace

void add_options(CLI::App& app, Options& options) {
  app.set_version_flag("--version", autograd::build_description());
  app.add_flag("--json", options.json, "print one JSON array of rows instead of the table");
  app.add_option("--rounds", options.rounds, "turns of each contestant")->check(CLI::PositiveNumber);
}

void use_threads([[maybe_unused]] int count) {
#ifdef OPENBLAS_VERSION
  openblas_set_num_threads(count);
#endif
#ifdef _OPENMP
  omp_set_num_threads(count);
#endif
}

std::vector<Times> take_turns(const std::vector<Contestant>& contestants, int rounds, double seconds_per_turn) {
  std::vector<int> repeats;
  for (const Contestant& contestant : contestants) {
    use_threads_of(contestant);
    contestant.work();
    const double once = std::max(microseconds(contestant.work, 3), 0.01);
    repeats.push_back(std::max(1, static_cast<int>(seconds_per_turn * 1e6 / once)));
  }
  std::vector<std::vector<double>> samples(contestants.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t k = 0; k < contestants.size(); ++k) {
      use_threads_of(contestants[k]);
      samples[k].push_back(microseconds(contestants[k].work, repeats[k]));
      // Threads of a pool go on looking for work for a while, which is not to be the next one's trouble.
      if (contestants[k].threads > 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  std::vector<Times> times;
  for (std::vector<double>& of_one : samples) {
    std::sort(of_one.begin(), of_one.end());
    times.push_back({of_one[static_cast<std::size_t>(rounds / 2)], of_one.front()});
  }
  return times;
}

void check_results(const std::vector<Contestant>& contestants, double tolerance) {
  const Contestant* first = nullptr;
  for (const Contestant& contestant : contestants) {
    if (!contestant.results) continue;
    if (!first) first = &contestant;
    const std::vector<double> expected = first->results(), results = contestant.results();
    for (std::size_t k = 0; k < expected.size(); ++k)
      if (!(std::abs(results.at(k) - expected[k]) <= tolerance * std::abs(expected[k])))
        throw std::runtime_error(fmt::format("result {} of {} {}, {} thread(s), is {}, and that of {} {} is {}", k,
                                             contestant.engine, contestant.name, contestant.threads, results[k],
                                             first->engine, first->name, expected[k]));
  }
}

void print_environment(const Options& options, const std::vector<std::string>& peers) {
  std::FILE* const out = options.json ? stderr : stdout;
  fmt::print(
      out,
      "CPU       {}\nSIMD      library {}, program {}\nBLAS      {}\ncompiler  {}\nversions  xtensor {}.{}.{}, xsimd "
      "{}.{}.{}\n",
      cpu_model(), autograd::instruction_set(), autograd::detail::InstructionSet::name,
      autograd::kernels::blas_description(), __VERSION__, XTENSOR_VERSION_MAJOR, XTENSOR_VERSION_MINOR,
      XTENSOR_VERSION_PATCH, XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH);
  for (const std::string& peer : peers) fmt::print(out, "peer      {}\n", peer);
  for (const char* name : {"OPENBLAS_CORETYPE", "DNNL_MAX_CPU_ISA"})
    if (const char* value = std::getenv(name))
      fmt::print(stderr, "warning   {}={} is set: these are not the best times of this machine\n", name, value);
  fmt::print(out, "\n");
}

Report::Report(const Options& options, std::string benchmark, std::vector<std::string> columns)
    : json_(options.json),
      benchmark_(std::move(benchmark)),
      rows_(std::make_unique<nlohmann::ordered_json>(nlohmann::ordered_json::array())) {
  for (const std::string& column : columns)
    widths_.push_back(widths_.empty() ? 24 : std::max<std::size_t>(column.size() + 2, 10));
  line(columns);
}

Report::~Report() = default;

void Report::line(const std::vector<std::string>& cells) {
  if (json_) return;
  std::string text;
  for (std::size_t k = 0; k < cells.size(); ++k)
    text += k == 0 ? fmt::format("{:{}}", cells[k], widths_[k]) : fmt::format("{:>{}}", cells[k], widths_[k]);
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Report::row(const nlohmann::ordered_json& fields) {
  nlohmann::ordered_json row{{"benchmark", benchmark_}};
  row.update(fields);
  rows_->push_back(std::move(row));
}

void Report::finish() {
  if (json_) fmt::print("{}\n", rows_->dump(2));
}

std::optional<double> ratio(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return std::nullopt;
  return *a / *b;
}

std::string text(std::optional<double> number, int digits, const char* unit) {
  return number ? fmt::format("{:.{}f}{}", *number, digits, unit) : "-";
}

}  // namespace benchmark
