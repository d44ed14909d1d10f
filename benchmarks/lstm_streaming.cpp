// One sample of a trained LSTM or GRU with one input and a linear output, as an audio thread runs it: our Stream, of a
// file read at run time, beside RTNeural's models and libtorch.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "libtorch_cell.hpp"
#include "libtorch_training.hpp"
#include "nn/infer/stream.hpp"
#include "nn/io/module_weights.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm.hpp"
#include "nn/sequential.hpp"
#include "recurrent_problem.hpp"
#include "rtneural_cell.hpp"

namespace {

using namespace benchmark;

template <class Layers>
nn::infer::Stream<float> stream_of(int hidden) {
  nn::Generator generator(1);
  const auto size = static_cast<std::size_t>(hidden);
  const nn::Sequential model(Layers({.input_size = 1, .hidden_size = size}, generator),
                             nn::Linear<float>(size, 1, generator));
  return nn::infer::Stream<float>(nn::io::network_of(model));
}

void measure(const Options& options, Report& report, const std::string& cell, int hidden) {
  auto stream = cell == "lstm" ? stream_of<nn::LSTM<float>>(hidden) : stream_of<nn::GRU<float>>(hidden);
  float y = 0;
  std::vector<Contestant> contestants{
      {.engine = "wengert", .name = cell, .work = [&, x = 0.5f] { stream.step(&x, &y); }}};
  for (RtneuralModel& model : rtneural_models(cell, hidden))
    contestants.push_back({.engine = "rtneural", .name = model.name, .work = std::move(model.step)});
  if (cell == "lstm")
    if (auto step = libtorch_cell_step(1, hidden))
      contestants.push_back({.engine = "libtorch", .name = cell, .work = std::move(step)});
  const std::vector<Times> times = take_turns(contestants, options.rounds, 0.002);
  const auto time_of = [&](const std::string& engine, const std::string& name) -> std::optional<double> {
    for (std::size_t k = 0; k < contestants.size(); ++k)
      if (contestants[k].engine == engine && contestants[k].name == name) return 1000 * times[k].median_us;
    return {};
  };
  std::optional<double> best;
  std::vector<std::string> cells{cell + " " + std::to_string(hidden), text(time_of("wengert", cell), 1)};
  for (const char* name : {"eigen, compiled", "eigen, at run time", "xsimd, compiled", "xsimd, at run time"}) {
    const auto time = time_of("rtneural", name);
    cells.push_back(text(time, 1));
    if (time && (!best || *time < *best)) best = time;
  }
  cells.push_back(text(ratio(time_of("wengert", cell), best), 2));
  cells.push_back(text(time_of("libtorch", cell), 0));
  report.line(cells);
  for (std::size_t k = 0; k < contestants.size(); ++k)
    report.row({{"engine", contestants[k].engine},
                {"model", contestants[k].name},
                {"cell", cell},
                {"H", hidden},
                {"median_ns", 1000 * times[k].median_us},
                {"fastest_ns", 1000 * times[k].fastest_us}});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Times one sample of an LSTM and a GRU beside RTNeural's and libtorch's, in the same run, taking turns."};
  Options options{.rounds = 500};
  std::vector<std::string> cells{"lstm", "gru"};
  std::vector<int> sizes{8, 16, 32, 40, 64};
  add_options(app, options);
  app.add_option("--cells", cells, "of lstm, gru")->check(CLI::IsMember({"lstm", "gru"}));
  app.add_option("--sizes", sizes, "hidden sizes")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  print_environment(options, {libtorch_version()});
  Report report(options, "lstm_streaming",
                {"one sample, float, ns", "Wengert", "RT eigen", "at run time", "RT xsimd", "at run time", "of best",
                 "libtorch"});
  for (const std::string& cell : cells)
    for (const int hidden : sizes) measure(options, report, cell, hidden);
  report.finish();
}
