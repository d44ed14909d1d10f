// One step of a trained LSTM with one input, as an audio thread runs it, beside libtorch's LSTMCell and RTNeural.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "libtorch_cell.hpp"
#include "libtorch_training.hpp"
#include "nn/infer/stream.hpp"
#include "nn/io/module_weights.hpp"
#include "nn/recurrent/lstm.hpp"
#include "recurrent_problem.hpp"
#include "rtneural_cell.hpp"

int main(int argc, char** argv) {
  using namespace benchmark;
  CLI::App app{"Times one step of an LSTM beside libtorch's and RTNeural's, in the same run, taking turns."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options, {libtorch_version()});
  Report report(options, "lstm_streaming",
                {"one step, float, H", "Wengert, us", "libtorch", "RTNeural", "limit", "speedup"});
  for (const int hidden : {8, 16, 32, 64}) {
    nn::Generator generator(1);
    const nn::LSTM<float> lstm({.input_size = 1, .hidden_size = std::size_t(hidden)}, generator);
    nn::infer::Stream<float> stream(nn::io::network_of(lstm));
    const float x = 0.5f;
    std::vector<float> y(stream.output_size());
    std::vector<Contestant> contestants{
        {.engine = "wengert", .name = "stock", .work = [&] { stream.step(&x, y.data()); }}};
    if (auto step = libtorch_cell_step(1, hidden))
      contestants.push_back({.engine = "libtorch", .name = "stock", .work = std::move(step)});
    if (auto step = rtneural_step(hidden))
      contestants.push_back({.engine = "rtneural", .name = "stock", .work = std::move(step)});
    const double flops = 2.0 * 4 * hidden * (1 + hidden);
    const Measurement measured(std::move(contestants), flops, false, options.rounds);
    measured.add_rows(report, {1, 1, 1, hidden, 1});
    const auto ours = measured.median_us("wengert", "stock"), theirs = measured.median_us("libtorch", "stock");
    report.line({std::to_string(hidden), text(ours, 3), text(theirs, 3),
                 text(measured.median_us("rtneural", "stock"), 3), text(measured.limit_us(), 3),
                 text(ratio(theirs, ours), 1, "x")});
  }
  report.finish();
}
