// Autograd, the derivation by hand and the complex step, side by side: does every term of an LSTM's gradient agree?
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "autograd/autograd.hpp"
#include "autograd/version.hpp"
#include "command_line.hpp"
#include "nn/manual/lstm_bptt.hpp"
#include "nn/nn.hpp"
#include "program.hpp"

namespace {

using nn::Array;
using nn::Variable;
using nn::manual::LstmBackward;
using nn::manual::LstmForward;
using nn::manual::LstmWeights;
using nn::manual::Slip;

struct Options {
  std::size_t T = 5, B = 3, I = 4, H = 5, layers = 2;
  std::uint64_t seed = 1;
  Slip slip = Slip::none;
  bool json = false;
};

/// Agreement of one quantity: of a parameter, or of one quantity of one layer at one time step.
struct Row {
  std::string quantity;
  std::size_t layer;
  std::optional<std::size_t> t;  // 1, ..., T as in the derivation
  double digits_bptt;
  double digits_complex;
};

/// The decimal digits to which two arrays agree: -log10(largest difference / norm), 16 where they are the same.
double digits(const Array<double>& got, const Array<double>& expected) {
  double largest = 0, squares = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    largest = std::max(largest, std::abs(got.data()[k] - expected.data()[k]));
    squares += expected.data()[k] * expected.data()[k];
  }
  if (largest == 0) return 16;
  return squares == 0 ? 0 : std::clamp(-std::log10(largest / std::sqrt(squares)), 0.0, 16.0);
}

/// Step t of a (T, B, H) array.
Array<double> step_of(const Array<double>& values, std::size_t t) {
  const autograd::Shape shape = autograd::shape_of(values);
  Array<double> step = autograd::make_array<double>({shape[1], shape[2]});
  std::copy_n(values.data() + t * step.size(), step.size(), step.data());
  return step;
}

/// The comparison of one random LSTM, read by a loss at every output and at the final states.
class Comparison {
 public:
  explicit Comparison(const Options& options)
      : options_(options),
        generator_(options.seed),
        lstm_({.input_size = options.I, .hidden_size = options.H, .num_layers = options.layers}, generator_),
        x_(random({options.T, options.B, options.I})),
        h0_(random({options.layers, options.B, options.H})),
        c0_(random({options.layers, options.B, options.H})),
        output_weights_(random({options.T, options.B, options.H})),
        h_weights_(random({options.layers, options.B, options.H})),
        c_weights_(random({options.layers, options.B, options.H})) {
    nn::for_each_parameter(lstm_, [&](const std::string& name, nn::Parameter<double>& parameter) {
      parameters_.emplace(name, &parameter);
    });
  }

  /// Parameters and states from the tape as it trains; then once more op by op, for what is inside each step.
  std::vector<Row> run() {
    const Array<double> output = sweep();
    const auto [forward, backward] = by_hand(output);
    for (std::size_t layer = 0; layer < options_.layers; ++layer) compare_parameters(layer, backward[layer]);
    compare_states(backward);
    for (const char* name : {"zi", "zf", "zg", "zo", "c", "h"}) tape_.watch(name);
    nn::zero_grad(lstm_);
    tape_.clear();
    sweep();
    for (std::size_t layer = 0; layer < options_.layers; ++layer) compare_steps(layer, backward[layer]);
    return std::move(rows_);
  }

 private:
  /// loss = <a, output> + 1/2 |output|^2 + <b, h_n> + <d, c_n>
  Array<double> sweep() {
    x_variable_ = tape_.variable(x_);
    h0_variable_ = tape_.variable(h0_);
    c0_variable_ = tape_.variable(c0_);
    const auto result = lstm_(x_variable_, {.initial = {{h0_variable_, c0_variable_}}});
    loss_ = sum(result.output * tape_.constant(output_weights_) + square(result.output) * 0.5) +
            sum(result.state.h * tape_.constant(h_weights_)) + sum(result.state.c * tape_.constant(c_weights_));
    tape_.backward(loss_);
    return result.output.copy();
  }

  Array<double> random(const autograd::Shape& shape) { return nn::normal<double>(shape, 0, 1, generator_); }

  std::pair<std::vector<LstmForward<double>>, std::vector<LstmBackward<double>>> by_hand(const Array<double>& output) {
    std::vector<LstmWeights<double>> weights;
    for (std::size_t layer = 0; layer < options_.layers; ++layer) {
      const auto value = [&](const char* name) { return parameters_.at(name + suffix(layer))->value(); };
      weights.push_back({value("weight_ih"), value("weight_hh"), value("bias_ih") + value("bias_hh")});
    }
    auto forward = nn::manual::lstm_stack_forward(weights, x_, h0_, c0_);
    auto backward = nn::manual::lstm_stack_backward<double>(weights, forward, output_weights_ + output, h_weights_,
                                                            c_weights_, options_.slip);
    return {std::move(forward), std::move(backward)};
  }

  void add(std::string quantity, std::size_t layer, std::optional<std::size_t> t, const Array<double>& recorded,
           const Array<double>& hand, const Array<double>& complex_step) {
    rows_.push_back({std::move(quantity), layer, t, digits(hand, recorded), digits(complex_step, recorded)});
  }

  void compare_parameters(std::size_t layer, const LstmBackward<double>& hand) {
    const std::pair<const char*, const Array<double>*> parts[] = {
        {"weight_ih", &hand.dWx}, {"weight_hh", &hand.dWh}, {"bias_ih", &hand.db}, {"bias_hh", &hand.db}};
    for (const auto& [name, derivative] : parts) {
      nn::Parameter<double>& parameter = *parameters_.at(name + suffix(layer));
      add(name + suffix(layer), layer, {}, parameter.grad(), *derivative,
          complex_step_gradient(loss_, tape_.parameter(parameter)));
    }
  }

  /// The initial states of each layer, and the input.
  void compare_states(const std::vector<LstmBackward<double>>& hand) {
    const auto layer_of = [&](const Array<double>& stacked, std::size_t layer) { return step_of(stacked, layer); };
    const Array<double> dh0 = tape_.gradient(h0_variable_), dc0 = tape_.gradient(c0_variable_);
    const Array<double> dh0_complex = complex_step_gradient(loss_, h0_variable_);
    const Array<double> dc0_complex = complex_step_gradient(loss_, c0_variable_);
    for (std::size_t layer = 0; layer < options_.layers; ++layer) {
      add("dh0", layer, {}, layer_of(dh0, layer), hand[layer].dh0, layer_of(dh0_complex, layer));
      add("dc0", layer, {}, layer_of(dc0, layer), hand[layer].dc0, layer_of(dc0_complex, layer));
    }
    const Array<double> dx = tape_.gradient(x_variable_), dx_complex = complex_step_gradient(loss_, x_variable_);
    for (std::size_t t = 0; t < options_.T; ++t)
      add("dx", 0, t + 1, step_of(dx, t), step_of(hand[0].dx, t), step_of(dx_complex, t));
  }

  void compare_steps(std::size_t layer, const LstmBackward<double>& hand) {
    const std::pair<const char*, const Array<double>*> parts[] = {
        {"zi", &hand.dzi}, {"zf", &hand.dzf}, {"zg", &hand.dzg}, {"zo", &hand.dzo}, {"h", &hand.dh}, {"c", &hand.dc}};
    for (const auto& [name, derivative] : parts) {
      const std::vector<Variable<double>> values = tape_.find(name);
      for (std::size_t t = 0; t < options_.T; ++t) {
        const Variable<double> value = values[layer * options_.T + t];
        add(std::string("d") + name, layer, t + 1, tape_.gradient(value), step_of(*derivative, t),
            complex_step_gradient(loss_, value));
      }
    }
  }

  static std::string suffix(std::size_t layer) { return "_l" + std::to_string(layer); }

  Options options_;
  nn::Generator generator_;
  nn::LSTM<double> lstm_;
  Array<double> x_, h0_, c0_, output_weights_, h_weights_, c_weights_;
  std::map<std::string, nn::Parameter<double>*> parameters_;
  autograd::Tape<double> tape_;
  Variable<double> x_variable_, h0_variable_, c0_variable_, loss_;
  std::vector<Row> rows_;
};

constexpr double enough_digits = 11;

bool agrees(const Row& row) { return std::min(row.digits_bptt, row.digits_complex) >= enough_digits; }

void print_json(const Options& options, const std::vector<Row>& rows) {
  nlohmann::ordered_json out{{"T", options.T},
                             {"B", options.B},
                             {"I", options.I},
                             {"H", options.H},
                             {"layers", options.layers},
                             {"seed", options.seed},
                             {"rows", nlohmann::json::array()}};
  for (const Row& row : rows) {
    nlohmann::ordered_json entry{{"quantity", row.quantity}, {"layer", row.layer}};
    if (row.t) entry["t"] = *row.t;
    entry["digits_bptt"] = row.digits_bptt;
    entry["digits_complex"] = row.digits_complex;
    out["rows"].push_back(std::move(entry));
  }
  fmt::print("{}\n", out.dump(2));
}

void print_table(const std::vector<Row>& rows) {
  fmt::print("Digits to which autograd agrees with the derivation by hand, and with the complex step.\n\n");
  fmt::print("{:16} {:>8} {:>8}\n", "quantity", "by hand", "complex");
  for (const Row& row : rows)
    if (!row.t)
      fmt::print("{:16} {:8.1f} {:8.1f}{}\n",
                 row.quantity.find("_l") == std::string::npos ? fmt::format("{} layer {}", row.quantity, row.layer)
                                                              : row.quantity,
                 row.digits_bptt, row.digits_complex, agrees(row) ? "" : "  <- disagrees");
  // One line for each layer and time step, backwards in time as the derivation runs.
  std::map<std::pair<std::size_t, std::size_t>, std::vector<const Row*>> steps;
  for (const Row& row : rows)
    if (row.t && row.quantity != "dx") steps[{row.layer, *row.t}].push_back(&row);
  fmt::print("\nby hand / complex at every layer and time step\n{:>5} {:>4}", "layer", "t");
  for (const Row* row : steps.begin()->second) fmt::print(" {:>11}", row->quantity);
  fmt::print("\n");
  for (auto entry = steps.rbegin(); entry != steps.rend(); ++entry) {
    fmt::print("{:5} {:4}", entry->first.first, entry->first.second);
    bool fine = true;
    for (const Row* row : entry->second) {
      fmt::print(" {:>11}", fmt::format("{:.1f} / {:.1f}", row->digits_bptt, row->digits_complex));
      fine &= agrees(*row);
    }
    fmt::print("{}\n", fine ? "" : "  <- disagrees");
  }
}

int run(int argc, char** argv) {
  CLI::App app{
      "Compares the gradient of a random LSTM by autograd, by the derivation by hand (nn::manual) and by the complex "
      "step: for every parameter, and for every layer, time step and gate, to how many digits they agree. "
      "Exit status 1 on disagreement."};
  app.set_version_flag("--version", autograd::build_description());
  Options options;
  const std::map<std::string, Slip> slips{
      {"sign", Slip::sign}, {"carry", Slip::carry}, {"transpose", Slip::transpose}, {"candidate", Slip::candidate}};
  app.add_option("--steps", options.T, "time steps")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--batch", options.B, "sequences")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--input", options.I, "input features")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--hidden", options.H, "hidden units")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--layers", options.layers, "layers")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--seed", options.seed, "of weights, inputs and loss")->check(whole_number)->capture_default_str();
  app.add_flag("--json", options.json, "print one JSON object");
  app.add_option("--break", options.slip,
                 "make a mistake in the derivation by hand, to see it noticed: sign, carry, transpose or candidate")
      ->transform(CLI::CheckedTransformer(slips).description(""));
  if (const auto status = parse(app, argc, argv)) return *status;

  const std::vector<Row> rows = Comparison(options).run();
  options.json ? print_json(options, rows) : print_table(rows);
  const Row& worst = *std::min_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::min(a.digits_bptt, a.digits_complex) < std::min(b.digits_bptt, b.digits_complex);
  });
  if (!options.json)
    fmt::print("\n{}: worst is {} of layer {}{}, {:.1f} digits by hand, {:.1f} by the complex step\n",
               agrees(worst) ? "everything agrees" : "DISAGREEMENT", worst.quantity, worst.layer,
               worst.t ? fmt::format(" at t={}", *worst.t) : "", worst.digits_bptt, worst.digits_complex);
  return agrees(worst) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("compare_gradients", 2, [&] { return run(argc, argv); });
}
