// The problems that benchmarks of recurrent networks share, their limit, and one measurement of all contestants.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "report.hpp"

namespace benchmark {

/// Of a network on x (T, B, I) with layers of width H.
struct Sizes {
  int T, B, I, H, layers;

  int input_of(std::size_t layer) const { return layer == 0 ? I : H; }
};

std::string to_string(const Sizes& sizes);

/// "T,B,I,H,layers" each, or the whole grid if there are none. Throws std::invalid_argument for another form.
std::vector<Sizes> parse_grid(const std::vector<std::string>& points);

/// The same numbers for every contestant, in PyTorch's layouts.
template <class T>
struct Problem {
  struct Layer {
    std::vector<T> weight_ih;  ///< (gates H, I), or (gates H, H) above the first layer
    std::vector<T> weight_hh;  ///< (gates H, H)
    std::vector<T> bias;       ///< (gates H)
  };

  Sizes sizes;
  int gates;
  std::vector<Layer> layers;
  std::vector<T> x;       ///< (T, B, I)
  std::vector<T> target;  ///< (T, B, H)

  Problem(const Sizes& sizes, int gates);
};

/// Of a training step: projections, recurrent products, and the gradients of both, without that of x.
double training_flops(const Sizes& sizes, int gates);

/// Adds products of 2048 x 2048 matrices by BLAS and by our own kernel to the contestants for each number of threads
/// among them, and lets all take turns. Throws std::runtime_error if a contestant's results are not those of the first.
class Measurement {
 public:
  Measurement(std::vector<Contestant> contestants, double flops, bool use_double, int rounds);

  /// Times of a step, null if there was no such contestant.
  const Times* times(const std::string& engine, const std::string& cell, int threads = 1) const;
  std::optional<double> median_us(const std::string& engine, const std::string& cell, int threads = 1) const;
  /// The flops of a step at the speed of the fastest large product, whoever multiplied.
  double limit_us(int threads = 1) const;
  /// One row for each contestant; a `unit` becomes a field of its own.
  void add_rows(Report& report, const Sizes& sizes, const std::string& unit = "") const;

 private:
  std::vector<Contestant> contestants_;
  std::vector<Times> times_;
  double flops_;
  bool use_double_;
};

/// The options of benchmarks that train.
struct TrainingOptions : Options {
  std::vector<std::string> grid;
  std::vector<std::string> dtypes{"float", "double"};
  std::vector<int> threads{1, 2};
};
void add_training_options(CLI::App& app, TrainingOptions& options);

extern template struct Problem<float>;
extern template struct Problem<double>;

}  // namespace benchmark
