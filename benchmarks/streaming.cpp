// One step of a trained LSTM with one input, as an audio thread runs it, beside libtorch's LSTMCell and RTNeural.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "libtorch_cell.hpp"
#include "nn/infer/stream.hpp"
#include "nn/io/module_weights.hpp"
#include "nn/lstm.hpp"
#include "report.hpp"
#include "rtneural_cell.hpp"

int main(int argc, char** argv) {
  CLI::App app{
      "Times one step of an LSTM beside libtorch's and RTNeural's, one thread, in the same run, taking turns."};
  bool json = false;
  int rounds = 15;
  app.add_flag("--json", json, "print one JSON array of rows instead of the table");
  app.add_option("--rounds", rounds, "turns of each contestant")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  if (!json)
    fmt::print(
        "{}\none step of an LSTM with one input, float, in us (0.000: not there when this was built)\n"
        "{:>6} {:>10} {:>10} {:>10}\n",
        benchmark::environment(), "H", "Wengert", "libtorch", "RTNeural");
  nlohmann::json rows = nlohmann::json::array();
  for (const int hidden : {8, 16, 32, 64}) {
    nn::Generator generator(1);
    const nn::LSTM<float> lstm({.input_size = 1, .hidden_size = std::size_t(hidden)}, generator);
    nn::infer::Stream<float> stream(nn::io::network_of(lstm));
    const float x = 0.5f;
    std::vector<float> y(stream.output_size());
    std::vector<std::function<void()>> contestants{[&] { stream.step(&x, y.data()); }};
    const std::function<void()> others[]{benchmark::libtorch_cell_step(1, hidden), benchmark::rtneural_step(hidden)};
    for (const auto& other : others)
      if (other) contestants.push_back(other);
    const std::vector<double> us = benchmark::interleaved_medians(contestants, rounds);
    std::size_t next = 1;
    const double torch = others[0] ? us[next++] : 0, rtneural = others[1] ? us[next] : 0;
    if (json)
      rows.push_back({{"H", hidden}, {"wengert_us", us[0]}, {"libtorch_us", torch}, {"rtneural_us", rtneural}});
    else
      fmt::print("{:>6} {:>10.3f} {:>10.3f} {:>10.3f}\n", hidden, us[0], torch, rtneural);
  }
  if (json) fmt::print("{}\n", rows.dump(2));
}
