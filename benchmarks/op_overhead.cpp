// What an op costs on the tape: record and backward of chains over 8-element arrays.
#include <fmt/format.h>

#include "autograd/autograd.hpp"
#include "report.hpp"

namespace {

using autograd::Array;
using autograd::Tape;
using autograd::Variable;

constexpr int chain_length = 10000;

template <class T>
void run(const char* dtype) {
  Tape<T> tape;
  const Array<T> start = autograd::full<T>({8}, T(0.5));
  using Op = std::function<Variable<T>(Variable<T>, Variable<T>)>;
  const std::vector<std::pair<const char*, Op>> ops{{"add", [](auto y, auto x) { return y + x; }},
                                                    {"mul", [](auto y, auto x) { return y * x; }},
                                                    {"affine", [](auto y, auto) { return y * 0.999; }},
                                                    {"tanh", [](auto y, auto) { return tanh(y); }},
                                                    {"sigmoid", [](auto y, auto) { return sigmoid(y); }}};
  std::vector<std::function<void()>> contestants;
  for (const auto& entry : ops)
    for (const bool backward : {false, true})
      contestants.push_back([&tape, &start, &op = entry.second, backward] {
        tape.clear();
        const Variable<T> x = tape.variable(start);
        Variable<T> y = x;
        for (int k = 0; k < chain_length; ++k) y = op(y, x);
        if (backward) tape.backward(y, start);
      });
  const std::vector<double> medians = benchmark::interleaved_medians(contestants);
  for (std::size_t k = 0; k < ops.size(); ++k)
    fmt::print("{:8} {:8} {:9.1f} {:19.1f}\n", dtype, ops[k].first, medians[2 * k] * 1e3 / chain_length,
               medians[2 * k + 1] * 1e3 / chain_length);
}

}  // namespace

int main() {
  fmt::print("{}\nns per op, 8 elements, chains of {}\n{:8} {:8} {:>9} {:>19}\n", benchmark::environment(),
             chain_length, "dtype", "op", "record", "record + backward");
  run<float>("float");
  run<double>("double");
}
