// One step of training, in full: record, sweep, update.
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
  const auto loss = [&] { return mse(lstm(tape.constant(x)).output, tape.constant(target)); };

  const auto before = loss();
  tape.backward(before);
  fmt::print("loss before {:.6f}\n", before.item());

  nn::for_each_parameter(lstm, [](const std::string&, auto& parameter) {
    parameter.update([&](auto& values) { values -= 0.01f * parameter.grad(); });
  });
  tape.clear();
  fmt::print("loss after  {:.6f}\n", loss().item());
  return 0;
}

}  // namespace

int main() { return run_program("first_training_step", 2, run); }
