// A training step of an LSTM (forward, mean squared error, backward), op by op on the tape, beside libtorch's.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "autograd/autograd.hpp"
#include "libtorch_lstm.hpp"
#include "nn/lstm.hpp"
#include "nn/optimizer.hpp"
#include "report.hpp"

namespace {

using autograd::Array;
using autograd::Tape;
using benchmark::LstmSizes;

template <class T>
Array<T> random_array(const autograd::Shape& shape, autograd::Generator& generator) {
  Array<T> values = autograd::make_array<T>(shape);
  for (T& value : values) value = static_cast<T>(2 * autograd::uniform(generator) - 1);
  return values;
}

template <class T>
std::function<void()> wengert_step(const LstmSizes& sizes) {
  struct State {
    autograd::Generator generator{1};
    Tape<T> tape;
    nn::LSTM<T> lstm;
    std::vector<nn::Parameter<T>*> parameters{nn::parameters<T>(lstm)};
    Array<T> x, target;
    explicit State(const LstmSizes& s)
        : lstm({.input_size = std::size_t(s.I), .hidden_size = std::size_t(s.H), .num_layers = std::size_t(s.layers)},
               generator),
          x(random_array<T>({std::size_t(s.T), std::size_t(s.B), std::size_t(s.I)}, generator)),
          target(random_array<T>({std::size_t(s.T), std::size_t(s.B), std::size_t(s.H)}, generator)) {}
  };
  return [state = std::make_shared<State>(sizes)] {
    state->tape.clear();
    for (nn::Parameter<T>* parameter : state->parameters) parameter->zero_grad();
    const auto output = state->lstm(state->tape.constant(state->x)).output;
    state->tape.backward(mse(output, state->tape.constant(state->target)));
  };
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times a training step of an LSTM beside libtorch, one thread, in the same run, taking turns."};
  bool json = false;
  int rounds = 15;
  app.add_flag("--json", json, "print one JSON array of rows instead of the table");
  app.add_option("--rounds", rounds, "turns of each contestant")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const std::vector<LstmSizes> grid{{50, 1, 8, 16, 1},    {100, 1, 16, 32, 1},   {28, 32, 28, 64, 1},
                                    {50, 32, 64, 128, 1}, {35, 20, 200, 200, 2}, {100, 64, 128, 256, 2},
                                    {64, 64, 512, 512, 1}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  if (!json)
    fmt::print("{}peer      {}\n\n{:24} {:7} {:>14} {:>14} {:>8}\n", benchmark::environment(),
               benchmark::libtorch_version(), "T, B, I, H, layers", "dtype", "Wengert, us", "libtorch, us", "ratio");
  for (const LstmSizes& s : grid)
    for (const bool use_double : {false, true}) {
      std::vector<std::function<void()>> contestants{use_double ? wengert_step<double>(s) : wengert_step<float>(s)};
      if (auto peer = benchmark::libtorch_step(s, use_double)) contestants.push_back(std::move(peer));
      const std::vector<double> medians = benchmark::interleaved_medians(contestants, rounds);
      const char* dtype = use_double ? "double" : "float";
      const std::string sizes = fmt::format("{}, {}, {}, {}, {}", s.T, s.B, s.I, s.H, s.layers);
      if (!json)
        fmt::print("{:24} {:7} {:14.1f} {:>14} {:>8}\n", sizes, dtype, medians[0],
                   medians.size() > 1 ? fmt::format("{:.1f}", medians[1]) : "-",
                   medians.size() > 1 ? fmt::format("{:.2f}x", medians[1] / medians[0]) : "-");
      for (std::size_t k = 0; k < medians.size(); ++k)
        rows.push_back({{"benchmark", "lstm_training"},
                        {"engine", k ? "libtorch" : "wengert"},
                        {"cell", "stock"},
                        {"T", s.T},
                        {"B", s.B},
                        {"I", s.I},
                        {"H", s.H},
                        {"layers", s.layers},
                        {"dtype", dtype},
                        {"threads", 1},
                        {"median_us", medians[k]}});
    }
  if (json) std::cout << rows.dump(2) << '\n';
}
