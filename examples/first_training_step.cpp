// Training, in full: record, sweep, update.
#include <fmt/format.h>

#include "autograd/autograd.hpp"
#include "nn/nn.hpp"
#include "program.hpp"

namespace {

int run() {
  autograd::Generator generator(1);
  nn::LSTM<float> lstm({.input_size = 10, .hidden_size = 20, .num_layers = 2}, generator);
  const auto x = nn::normal<float>({5, 3, 10}, 0, 1, generator);       // (time, batch, feature)
  const auto target = nn::normal<float>({5, 3, 20}, 0, 1, generator);  // (time, batch, hidden)

  autograd::Tape<float> tape;
  nn::SGD<float> optimizer(lstm, {.learning_rate = 0.01});
  for (int step = 0; step < 2; ++step) {
    tape.clear();
    const auto output = lstm(tape.constant(x)).output;
    const auto loss = nn::mse(output, tape.constant(target));
    fmt::print("loss {:.6f}\n", loss.item());

    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
  }
  return 0;
}

}  // namespace

int main() { return run_program("first_training_step", 2, run); }
