// A recurrent cell of one's own: the minimal gated unit (Zhou, Wu, Zhang and Zhou 2016), checked and trained, then
// streamed, and saved as files that run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <sstream>

#include "autograd/autograd.hpp"
#include "autograd/version.hpp"
#include "command_line.hpp"
#include "nn/audit/audit.hpp"
#include "nn/graph/c_source.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/graph/graph_onnx.hpp"
#include "nn/graph/step_graph.hpp"
#include "nn/infer/stream.hpp"
#include "nn/nn.hpp"
#include "program.hpp"

//   f = σ(x W_fᵀ + h' U_fᵀ + b_f)
//   g = tanh(x W_gᵀ + (f h') U_gᵀ + b_g)
//   h = (1 - f) h' + f g
template <class T>
struct MinimalGatedUnit {
  std::size_t hidden;
  nn::Linear<T> W_f, U_f, W_g, U_g;  // the biases are with W

  MinimalGatedUnit(std::size_t input, std::size_t hidden, nn::Generator& generator)
      : hidden(hidden),
        W_f(input, hidden, generator),
        U_f(hidden, hidden, generator, false),
        W_g(input, hidden, generator),
        U_g(hidden, hidden, generator, false) {}

  nn::Variable<T> operator()(nn::Variable<T> x, nn::Variable<T> h) {
    const auto f = named("f", sigmoid(named("zf", W_f(x) + U_f(h))));
    const auto g = named("g", tanh(named("zg", W_g(x) + U_g(f * h))));
    return (1 - f) * h + f * g;
  }
  nn::Variable<T> zero_state(nn::Tape<T>& tape, std::size_t batch) const {
    return tape.constant({batch, hidden}, T(0));
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("W_f", self.W_f);
    visitor("U_f", self.U_f);
    visitor("W_g", self.W_g);
    visitor("U_g", self.U_g);
  }
};

// Its backward pass by hand, in the names that the cell gave; docs/derivations.md has the language.
constexpr const char* backward_by_hand = R"(
dh[t]  = direct_h[t] + dh[t+1] * (1 - f[t+1]) + dzf[t+1] @ U_f_weight + v[t+1] * f[t+1]
dzg[t] = dh[t] * f[t] * (1 - g[t]**2)
v[t]   = dzg[t] @ U_g_weight
dzf[t] = (dh[t] * (g[t] - h[t-1]) + v[t] * h[t-1]) * f[t] * (1 - f[t])

dW_f_weight = sum_t(dzf[t].T @ x[t])
dU_f_weight = sum_t(dzf[t].T @ h[t-1])
dW_f_bias   = sum_t(sum_batch(dzf[t]))
dW_g_weight = sum_t(dzg[t].T @ x[t])
dU_g_weight = sum_t(dzg[t].T @ (f[t] * h[t-1]))
dW_g_bias   = sum_t(sum_batch(dzg[t]))
dx[t]       = dzf[t] @ W_f_weight + dzg[t] @ W_g_weight
)";

namespace {

/// The whole model: the cell over a sequence, and a linear readout of its last state; or of every state, step by step.
template <class T>
struct Model {
  nn::Recurrent<MinimalGatedUnit<T>> recurrent;
  nn::Linear<T> head;

  Model(std::size_t hidden, nn::Generator& generator)
      : recurrent(MinimalGatedUnit<T>(2, hidden, generator)), head(hidden, 1, generator) {}
  nn::Variable<T> operator()(nn::Variable<T> x) { return head(recurrent(x).state); }

  struct Step {
    nn::Variable<T> output, state;
  };
  Step step(nn::Variable<T> x, nn::Variable<T> h) {
    const auto next = recurrent.cell(x, h);
    return {head(next), next};
  }
  nn::Variable<T> zero_state(nn::Tape<T>& tape, std::size_t batch) const {
    return recurrent.cell.zero_state(tape, batch);
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("recurrent", self.recurrent);
    visitor("head", self.head);
  }
};

/// The adding problem (Hochreiter and Schmidhuber 1997): two of the numbers are marked, the target is their sum.
struct Batch {
  nn::Array<double> x, target;  // (time, batch, [number, mark]) and (batch, 1)

  Batch(std::size_t steps, std::size_t size, nn::Generator& generator)
      : x(autograd::zeros<double>({steps, size, 2})), target(autograd::zeros<double>({size, 1})) {
    for (std::size_t b = 0; b < size; ++b) {
      for (std::size_t t = 0; t < steps; ++t) x(t, b, 0) = autograd::uniform(generator);
      for (const std::size_t half : {std::size_t(0), steps / 2}) {
        const std::size_t t = half + static_cast<std::size_t>(autograd::uniform(generator) * double(steps / 2));
        x(t, b, 1) = 1;
        target(b, 0) += x(t, b, 0);
      }
    }
  }
};

/// The largest difference between what the model says of each sequence at its end, and what a stream says.
double difference(Model<double>& model, nn::infer::Stream<double> stream, const Batch& batch) {
  autograd::Tape<double> tape;
  const auto answers = model(tape.constant(batch.x)).copy();
  double largest = 0;
  for (std::size_t b = 0; b < answers.shape(0); ++b) {
    double y = 0;
    stream.reset();
    for (std::size_t t = 0; t < batch.x.shape(0); ++t) stream.step(&batch.x(t, b, 0), &y);
    largest = std::max(largest, std::abs(y - answers(b, 0)));
  }
  return largest;
}

/// From the text of the cell: a stream, a file that runs where the C++ type is unknown, C, and ONNX.
bool save(Model<double>& model, const std::filesystem::path& folder, const Batch& batch) {
  const auto graph = nn::step_graph<double>(model, {.input_size = 2});
  std::filesystem::create_directories(folder);
  nn::io::save_graph(graph, folder / "minimal_gated.json");
  nn::io::save_c(graph, folder / "minimal_gated.h");
  nn::io::save_onnx(graph, folder / "minimal_gated.onnx");
  const auto again = nn::io::load_graph<double>(folder / "minimal_gated.json");
  const bool same = difference(model, nn::infer::Stream<double>(graph), batch) < 1e-12 &&
                    difference(model, nn::infer::Stream<double>(again), batch) < 1e-12;
  fmt::print("streamed step by step, and from minimal_gated.json, its answers are {}; in C and ONNX: {}\n",
             same ? "the same" : "OTHERS", "minimal_gated.h, minimal_gated.onnx");
  return same;
}

int run(int argc, char** argv) {
  CLI::App app{"Trains a minimal gated unit, a cell written in this program, on the adding problem."};
  app.set_version_flag("--version", autograd::build_description());
  std::size_t updates = 600, steps = 10, hidden = 16;
  std::uint64_t seed = 1;
  app.add_option("--updates", updates, "training steps")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--steps", steps, "length of the sequences")->check(CLI::Range(2, 1000))->capture_default_str();
  app.add_option("--hidden", hidden, "width of the state")->check(CLI::PositiveNumber)->capture_default_str();
  bool print_tape = false, print_graph = false;
  std::string out = ".";
  app.add_option("--out", out, "the folder for the trained model")->capture_default_str();
  app.add_option("--seed", seed, "of weights and data")->check(whole_number)->capture_default_str();
  app.add_flag("--print-tape", print_tape, "print what one step of the cell records, and stop");
  app.add_flag("--print-graph", print_graph, "print one step of the model as a graph, and stop");
  if (const auto status = parse(app, argc, argv)) return *status;

  nn::Generator generator(seed);
  Model<double> model(hidden, generator);
  autograd::Tape<double> tape;

  if (print_graph) {
    fmt::print("{}", nn::step_graph<double>(model, {.input_size = 2}).print());
    return 0;
  }
  if (print_tape) {
    const auto x = named("x", tape.constant(nn::normal<double>({3, 2}, 0, 1, generator)));
    const auto h = named("h'", tape.constant(nn::normal<double>({3, hidden}, 0, 1, generator)));
    named("h", model.recurrent.cell(x, h));
    fmt::print("{}", tape.print());
    return 0;
  }

  // Is the gradient of the cell right? In first and second order, against the complex step.
  const auto report = autograd::gradient_check(
      [&](auto in) {
        MinimalGatedUnit<double>& cell = model.recurrent.cell;
        return cell(in[0], cell(in[0], in[1]));
      },
      {nn::normal<double>({3, 2}, 0, 1, generator), nn::normal<double>({3, hidden}, 0, 1, generator)});
  std::ostringstream text;
  text << report;
  fmt::print("gradient check: {}\n", text.str());
  if (!report.agrees(1e-12)) return 1;

  // Is the derivation by hand? Every term of it, at every step, against the gradient.
  const auto random = [&](const autograd::Shape& shape) { return nn::normal<double>(shape, 0, 1, generator); };
  const auto audit =
      nn::audit::audit(nn::audit::parse(backward_by_hand),
                       nn::audit::truth_of("minimal gated unit", model.recurrent.cell, random({5, 3, 2}), random,
                                           [](nn::Variable<double> outputs) { return sum(exp(outputs)); }));
  fmt::print("derivation by hand: {}\n", audit.verdict);
  if (!audit.agrees) return 1;

  nn::Adam<double> optimizer(model, {.learning_rate = 0.01});
  double first = 0, recent = 0;
  for (std::size_t update = 1; update <= updates; ++update) {
    const Batch batch(steps, 32, generator);
    tape.clear();
    const auto loss = mse(model(tape.constant(batch.x)), tape.constant(batch.target));
    optimizer.zero_grad();
    tape.backward(loss);
    nn::clip_grad_norm<double>(optimizer.parameters(), 1.0);
    optimizer.step();
    if (update == 1) first = recent = loss.item();
    recent = 0.95 * recent + 0.05 * loss.item();
    if (update % 100 == 0) fmt::print("update {:4}  mean squared error {:.5f}\n", update, recent);
  }
  fmt::print("{} parameters; the error fell from {:.4f} to {:.4f} (guessing the mean: 0.1667)\n",
             nn::parameter_count(model), first, recent);
  return save(model, out, Batch(steps, 32, generator)) && recent < first ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("custom_cell", 2, [&] { return run(argc, argv); });
}
