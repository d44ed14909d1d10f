// What an op costs on the tape: record and backward of chains over 8-element arrays.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "autograd/autograd.hpp"
#include "report.hpp"

namespace {

using namespace benchmark;
using autograd::Array;
using autograd::Tape;
using autograd::Variable;

constexpr int chain_length = 10000;
constexpr std::size_t elements = 8;

template <class T>
void compare(const char* dtype, const Options& options, Report& report) {
  Tape<T> tape;
  const Array<T> start = autograd::full<T>({elements}, T(0.5));
  using Op = std::function<Variable<T>(Variable<T>, Variable<T>)>;
  const std::vector<std::pair<const char*, Op>> ops{{"add", [](auto y, auto x) { return y + x; }},
                                                    {"mul", [](auto y, auto x) { return y * x; }},
                                                    {"affine", [](auto y, auto) { return y * 0.999; }},
                                                    {"tanh", [](auto y, auto) { return tanh(y); }},
                                                    {"sigmoid", [](auto y, auto) { return sigmoid(y); }}};
  std::vector<Contestant> contestants;
  for (const auto& [name, op] : ops)
    for (const bool backward : {false, true})
      contestants.push_back({.engine = "wengert", .name = name, .work = [&tape, &start, &op = op, backward] {
                               tape.clear();
                               const Variable<T> x = tape.variable(start);
                               Variable<T> y = x;
                               for (int k = 0; k < chain_length; ++k) y = op(y, x);
                               if (backward) tape.backward(y, start);
                             }});
  const std::vector<Times> times = take_turns(contestants, options.rounds);
  for (std::size_t k = 0; k < contestants.size(); ++k) {
    const bool backward = k % 2 == 1;
    report.row({{"engine", "wengert"},
                {"op", contestants[k].name},
                {"elements", elements},
                {"backward", backward},
                {"dtype", dtype},
                {"threads", 1},
                {"median_us", times[k].median_us / chain_length}});
    if (backward)
      report.line({contestants[k].name, dtype, text(times[k - 1].median_us * 1e3 / chain_length, 1),
                   text(times[k].median_us * 1e3 / chain_length, 1)});
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times an op on arrays of 8 elements, in chains of 10000."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options);
  Report report(options, "op_overhead", {"op on 8 elements", "dtype", "record, ns", "record + backward"});
  compare<float>("float", options, report);
  compare<double>("double", options, report);
  report.finish();
}
