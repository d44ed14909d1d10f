// One sample of a trained model with one input and a linear output, as an audio thread runs it: our Stream, of a graph
// and of a file read at run time, and its C header, beside RTNeural's models and libtorch.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "compiled_c.hpp"
#include "libtorch_cell.hpp"
#include "libtorch_training.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/graph/step_graph.hpp"
#include "nn/infer/stream.hpp"
#include "nn/nn.hpp"
#include "recurrent_problem.hpp"
#include "rtneural_cell.hpp"

namespace {

using namespace benchmark;
using autograd::Graph;
using autograd::Variable;

/// A cell as a user writes it, with a function of the library's kind for its elementwise part.
template <class T>
struct UserCell {
  static constexpr auto update = autograd::pointwise([](auto xf, auto hf, auto xg, auto hg, auto h) {
    const auto f = named("f", sigmoid(xf + hf));
    const auto g = named("g", softsign(xg + hg * f));
    return named("h", h + f * (g - h));
  });
  std::size_t hidden;
  nn::Linear<T> input, recurrent;

  UserCell(std::size_t in, std::size_t size, nn::Generator& generator)
      : hidden(size), input(in, 2 * size, generator), recurrent(size, 2 * size, generator, false) {}
  Variable<T> operator()(Variable<T> x, Variable<T> h) {
    const auto [xf, xg] = autograd::blocks<2>(input(x));
    const auto [hf, hg] = autograd::blocks<2>(recurrent(h));
    return update(xf, hf, xg, hg, h);
  }
  Variable<T> zero_state(nn::Tape<T>& tape, std::size_t batch) const { return tape.constant({batch, hidden}, T(0)); }
  std::size_t input_size() const { return input.weight.value().shape(1); }
  static void visit(auto& self, auto&& visitor) {
    visitor("input", self.input);
    visitor("recurrent", self.recurrent);
  }
};

/// The cell with a linear output.
Graph<float> graph_of_cell(const std::string& cell, std::size_t hidden) {
  nn::Generator generator(1);
  const nn::CellOptions options{.input_size = 1, .hidden_size = hidden};
  const auto with_head = [&](auto made) {
    nn::Sequential model(nn::Recurrent(std::move(made)), nn::Linear<float>(hidden, 1, generator));
    return nn::step_graph<float>(model);
  };
  if (cell == "lstm")
    return with_head(nn::LSTMCell<float>({.input_size = 1, .hidden_size = hidden, .forget_bias = 2}, generator));
  if (cell == "gru") return with_head(nn::GRUCell<float>(options, generator));
  if (cell == "peephole") return with_head(nn::PeepholeLSTMCell<float>(options, generator));
  if (cell == "coupled") return with_head(nn::CoupledLSTMCell<float>(options, generator));
  if (cell == "minimal_gated") return with_head(nn::MinimalGatedCell<float>(options, generator));
  return with_head(UserCell<float>(1, hidden, generator));
}

void measure(const Options& options, Report& report, const std::string& cell, int hidden) {
  const Graph<float> graph = graph_of_cell(cell, static_cast<std::size_t>(hidden));
  nn::infer::Stream<float> stream(graph), loaded(nn::io::graph_from_text<float>(nn::io::graph_text(graph)).graph);
  float y = 0;
  const auto step_of = [&](nn::infer::Stream<float>& s) { return [&s, &y, x = 0.5f] { s.step(&x, &y); }; };
  std::vector<Contestant> contestants{{.engine = "wengert", .name = "stream", .work = step_of(stream)},
                                      {.engine = "wengert", .name = "from a file", .work = step_of(loaded)}};
  if (auto step = compiled_c_step(graph))
    contestants.push_back({.engine = "wengert", .name = "C", .work = std::move(step)});
  if (cell == "lstm" || cell == "gru")
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
  std::vector<std::string> cells{cell + " " + std::to_string(hidden)};
  for (const char* name : {"stream", "from a file", "C"}) cells.push_back(text(time_of("wengert", name), 1));
  std::optional<double> best;
  for (const char* name : {"eigen, compiled", "eigen, at run time", "xsimd, compiled", "xsimd, at run time"}) {
    const auto time = time_of("rtneural", name);
    cells.push_back(text(time, 1));
    if (time && (!best || *time < *best)) best = time;
  }
  cells.push_back(text(ratio(time_of("wengert", "from a file"), best), 2));
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

/// How much longer a step takes in silence that follows noise.
void measure_silence(Report& report, const std::string& cell, int hidden) {
  nn::infer::Stream<float> stream(graph_of_cell(cell, static_cast<std::size_t>(hidden)));
  float state = 1;
  const auto noise = [&] { return state = state > 0.7f ? state - 1.3f : state + 0.37f; };
  const auto nanoseconds = [&](bool silent) {
    constexpr int steps = 1'000'000;
    const auto begin = std::chrono::steady_clock::now();
    for (int t = 0; t < steps; ++t) {
      const float x = silent ? 0.0f : noise();
      float y = 0;
      stream.step(&x, &y);
    }
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / steps;
  };
  const double signal = nanoseconds(false), silence = nanoseconds(true);
  report.line({cell + " " + std::to_string(hidden) + ", silence", text(silence, 1), "", "", "", "", "", "",
               text(silence / signal, 2), ""});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times one sample of recurrent models beside RTNeural's and libtorch's, in the same run, taking turns."};
  Options options{.rounds = 500};
  const std::vector<std::string> known{"lstm", "gru", "peephole", "coupled", "minimal_gated", "user"};
  std::vector<std::string> cells = known;
  std::vector<int> sizes{8, 16, 32, 40, 64};
  add_options(app, options);
  app.add_option("--cells", cells, "some of them")->check(CLI::IsMember(known))->delimiter(',');
  app.add_option("--sizes", sizes, "hidden sizes")->check(CLI::PositiveNumber)->delimiter(',');
  CLI11_PARSE(app, argc, argv);

  print_environment(options, {libtorch_version()});
  Report report(options, "lstm_streaming",
                {"one sample, float, ns", "Wengert", "of a file", "in C", "RT eigen", "at run time", "RT xsimd",
                 "at run time", "of best", "libtorch"});
  for (const std::string& cell : cells)
    for (const int hidden : sizes) measure(options, report, cell, hidden);
  for (const std::string& cell : cells)
    if (cell == "lstm" || cell == "gru") measure_silence(report, cell, 64);
  report.finish();
}
