#include "report.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "autograd/array.hpp"

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

std::string blas() {
#ifdef OPENBLAS_VERSION
  return fmt::format("{}, core type {}, {} thread(s)", openblas_get_config(), openblas_get_corename(),
                     openblas_get_num_threads());
#else
  return "a CBLAS without a name";
#endif
}

using Clock = std::chrono::steady_clock;

double microseconds(const std::function<void()>& work, int repeats) {
  const auto start = Clock::now();
  for (int k = 0; k < repeats; ++k) work();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / repeats;
}

}  // namespace

std::string environment() {
  const char* core = std::getenv("OPENBLAS_CORETYPE");
  return fmt::format(
      "CPU       {}\nSIMD      {} ({} floats)\nBLAS      {}{}\ncompiler  {}\nversions  xtensor {}.{}.{}, xsimd "
      "{}.{}.{}\n",
      cpu_model(), xsimd::default_arch::name(), xsimd::batch<float>::size, blas(),
      core ? fmt::format(" (OPENBLAS_CORETYPE={})", core) : "", __VERSION__, XTENSOR_VERSION_MAJOR,
      XTENSOR_VERSION_MINOR, XTENSOR_VERSION_PATCH, XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH);
}

std::vector<double> interleaved_medians(const std::vector<std::function<void()>>& contestants, int rounds,
                                        double seconds_per_turn) {
  std::vector<int> repeats;
  for (const auto& work : contestants) {
    work();
    const double once = std::max(microseconds(work, 3), 0.01);
    repeats.push_back(std::max(1, static_cast<int>(seconds_per_turn * 1e6 / once)));
  }
  std::vector<std::vector<double>> times(contestants.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t k = 0; k < contestants.size(); ++k) times[k].push_back(microseconds(contestants[k], repeats[k]));
  std::vector<double> medians;
  for (std::vector<double>& samples : times) {
    std::nth_element(samples.begin(), samples.begin() + rounds / 2, samples.end());
    medians.push_back(samples[static_cast<std::size_t>(rounds / 2)]);
  }
  return medians;
}

}  // namespace benchmark
