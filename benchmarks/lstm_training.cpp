// A training step of an LSTM: the stock one, one that a user writes, and the same op by op, beside libtorch and oneDNN.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "libtorch_training.hpp"
#include "nn/recurrent/lstm.hpp"
#include "onednn_training.hpp"
#include "wengert_training.hpp"

namespace {

using namespace benchmark;

template <class T>
struct Stock {
  nn::Generator generator{1};
  nn::LSTM<T> lstm;

  explicit Stock(const Problem<T>& problem)
      : lstm({.input_size = Extents(problem.sizes).input,
              .hidden_size = Extents(problem.sizes).hidden,
              .num_layers = problem.layers.size()},
             generator) {
    const auto parameters = nn::parameters<T>(lstm);  // of each layer two weights and two biases, of which one counts
    for (std::size_t k = 0; k < problem.layers.size(); ++k) {
      const auto& layer = problem.layers[k];
      set(*parameters[4 * k], layer.weight_ih);
      set(*parameters[4 * k + 1], layer.weight_hh);
      set(*parameters[4 * k + 2], layer.bias);
      set(*parameters[4 * k + 3], std::vector<T>(layer.bias.size()));
    }
  }

  Variable<T> operator()(Variable<T> x) { return lstm(x).output; }

  static void visit(auto& self, auto&& visitor) { visitor("lstm", self.lstm); }

 private:
  static void set(Parameter<T>& parameter, const std::vector<T>& values) {
    parameter.update([&](auto&& view) { std::copy(values.begin(), values.end(), view.begin()); });
  }
};

constexpr auto equations = [](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
  auto c = sigmoid(zf) * c_previous + sigmoid(zi) * tanh(zg);
  auto h = sigmoid(zo) * tanh(c);
  return std::tuple{h, c};
};

template <class T>
struct State {
  Variable<T> h, c;
};

/// An LSTM as a user writes it.
template <class T, bool Fused>
struct UserCell : CellParameters<T> {
  using CellParameters<T>::CellParameters;

  State<T> step(Variable<T> projected, const State<T>& state) {
    constexpr auto update = as_steps<Fused>(equations);
    const Variable<T> z = linear(state.h, projected.tape().parameter(this->weight_hh), donate(projected));
    const auto [zi, zf, zg, zo] = gates_of<Fused, 4>(z);
    const auto [h, c] = update(zi, zf, zg, zo, state.c);
    return {h, c};
  }

  State<T> operator()(Variable<T> x, const State<T>& state) { return step(this->project(x), state); }

  State<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return {this->zeros(tape, batch), this->zeros(tape, batch)};
  }
};

template <class T>
using UserModel = Stack<UserCell<T, true>, T>;
template <class T>
using OpByOpModel = Stack<UserCell<T, false>, T>;

constexpr int gates = 4;

template <class T>
void compare(const Sizes& sizes, const TrainingOptions& options, Report& report) {
  const Problem<T> problem(sizes, gates);
  std::vector<Contestant> contestants;
  for (const int threads : options.threads) {
    contestants.push_back(wengert_training<T, Stock<T>>("stock", problem, threads));
    contestants.push_back(wengert_training<T, UserModel<T>>("user", problem, threads));
    contestants.push_back(wengert_training<T, OpByOpModel<T>>("op_by_op", problem, threads));
    for (std::optional<Contestant>& peer :
         std::vector{libtorch_training(Unit::lstm, Cell::stock, problem, threads),
                     libtorch_training(Unit::lstm, Cell::user, problem, threads), onednn_lstm(problem, threads)})
      if (peer) contestants.push_back(std::move(*peer));
  }
  constexpr bool use_double = std::is_same_v<T, double>;
  const Measurement measured(std::move(contestants), training_flops(sizes, gates), use_double, options.rounds);
  measured.add_rows(report, sizes);
  for (const int threads : options.threads) {
    const auto us = [&](const char* engine, const char* cell) { return measured.median_us(engine, cell, threads); };
    const auto ours = us("wengert", "stock"), theirs = us("libtorch", "stock");
    const double limit = measured.limit_us(threads);
    report.line({to_string(sizes), use_double ? "double" : "float", std::to_string(threads), text(ours, 1),
                 text(us("wengert", "user"), 1), text(us("wengert", "op_by_op"), 1), text(theirs, 1),
                 text(us("libtorch", "user"), 1), text(us("onednn", "stock"), 1), text(limit, 1),
                 text(ratio(theirs, ours), 2, "x"), text(ratio(limit, ours), 2),
                 text(limit / measured.times("wengert", "stock", threads)->fastest_us, 2)});
  }
}

/// What a training step holds, against parameters, gradients and T B (I + 8H) values a layer.
template <class T>
void print_memory(const Sizes& sizes, Report& report) {
  Training<T, Stock<T>> training{Problem<T>(sizes, gates)};
  for (int k = 0; k < 2; ++k) training.step();
  std::size_t parameters = 0;
  for (const Parameter<T>* parameter : training.parameters) parameters += 2 * parameter->size() * sizeof(T);
  std::size_t values = 0;
  for (std::size_t k = 0; k < std::size_t(sizes.layers); ++k)
    values += std::size_t(sizes.T) * std::size_t(sizes.B) * std::size_t(sizes.input_of(k) + 8 * sizes.H) * sizeof(T);
  const double held = double(parameters + training.tape.memory()), aim = double(parameters + values);
  const char* dtype = std::is_same_v<T, double> ? "double" : "float";
  report.line({to_string(sizes), dtype, text(double(training.tape.memory()) / 1024, 0),
               text(double(parameters) / 1024, 0), text(double(values) / 1024, 0), text(held / aim, 2)});
  report.row({{"cell", "stock"},
              {"T", sizes.T},
              {"B", sizes.B},
              {"I", sizes.I},
              {"H", sizes.H},
              {"layers", sizes.layers},
              {"dtype", dtype},
              {"tape_bytes", training.tape.memory()},
              {"parameter_bytes", parameters},
              {"value_bytes", values},
              {"ratio", held / aim}});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times a training step of an LSTM beside libtorch and oneDNN, in the same run, taking turns."};
  TrainingOptions options;
  bool memory = false;
  add_training_options(app, options);
  app.add_flag("--memory", memory, "print the memory that a step holds instead of its time");
  CLI11_PARSE(app, argc, argv);

  print_environment(options, {libtorch_version(), onednn_version()});
  const std::string sizes = "T, B, I, H, layers";
  Report report = memory ? Report(options, "lstm_training_memory",
                                  {sizes, "dtype", "tape, KiB", "parameters", "values", "held / aim"})
                         : Report(options, "lstm_training",
                                  {sizes, "dtype", "threads", "stock, us", "user", "op by op", "libtorch", "its user",
                                   "oneDNN", "limit", "speedup", "of limit", "at best"});
  for (const Sizes& point : parse_grid(options.grid))
    for (const std::string& dtype : options.dtypes) {
      const bool use_double = dtype == "double";
      if (memory)
        use_double ? print_memory<double>(point, report) : print_memory<float>(point, report);
      else
        use_double ? compare<double>(point, options, report) : compare<float>(point, options, report);
    }
  report.finish();
}
