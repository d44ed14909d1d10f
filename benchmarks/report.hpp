// What every benchmark shares: its options, the environment it prints, contestants that take turns, tables and rows.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace benchmark {

struct Options {
  bool json = false;
  int rounds = 15;
};

/// --json and --rounds.
void add_options(CLI::App& app, Options& options);

/// One of those that take turns.
struct Contestant {
  std::string engine;  ///< wengert, libtorch, onednn, ...
  std::string name;    ///< what it does: a cell, an op, a function
  std::function<void()> work = {};
  int threads = 1;
  bool divides = false;                               ///< runs threads of its own, in which BLAS must not
  std::function<std::vector<double>()> results = {};  ///< numbers of the last work that all should agree on
};

struct Times {
  double median_us;
  double fastest_us;
};

/// How long the work of each takes. They take turns, `rounds` times, each turn long enough to measure, so that a change
/// of the machine's speed meets all of them.
std::vector<Times> take_turns(const std::vector<Contestant>& contestants, int rounds, double seconds_per_turn = 0.02);

/// Throws std::runtime_error where a contestant's results are not those of the first.
void check_results(const std::vector<Contestant>& contestants, double tolerance);

/// From here on BLAS and OpenMP, with which libtorch and oneDNN work, run this many threads.
void use_threads(int count);

/// CPU, instruction set, BLAS and its core type, compiler, versions, and these peers, one per line; a warning for
/// settings that would slow a peer down.
void print_environment(const Options& options, const std::vector<std::string>& peers = {});

/// A table of which lines are printed as they come, or with --json one array of rows at the end.
class Report {
 public:
  /// `benchmark` is the first field of each row. The first column is wide and set left, the others are set right.
  Report(const Options& options, std::string benchmark, std::vector<std::string> columns);
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  /// Nothing with --json.
  void line(const std::vector<std::string>& cells);
  void row(const nlohmann::ordered_json& fields);
  void finish();

 private:
  bool json_;
  std::string benchmark_;
  std::vector<std::size_t> widths_;
  std::unique_ptr<nlohmann::ordered_json> rows_;
};

/// a / b where there are both.
std::optional<double> ratio(std::optional<double> a, std::optional<double> b);

/// Rounded to `digits` behind the point and followed by `unit`; a dash where there is no number.
std::string text(std::optional<double> number, int digits, const char* unit = "");

}  // namespace benchmark
