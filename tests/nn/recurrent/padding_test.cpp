// Padding may hold anything: neither the loss nor any gradient depends on it.
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "autograd/gradient.hpp"
#include "autograd/ops.hpp"
#include "catch.hpp"
#include "nn/audit/input_gated_cell.hpp"
#include "nn/nn.hpp"
#include "nn/parameters.hpp"

using autograd::Array;
using autograd::Generator;
using autograd::Shape;
using autograd::Tape;
using autograd::Variable;

namespace {

constexpr std::size_t steps = 5, batch = 3, inputs = 2, hidden = 4;
const std::vector<std::size_t> lengths{5, 2, 0};

template <class T>
const std::vector<T> paddings{0, std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                              -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::max()};

/// Numbers, and `padding` where a sequence has no step.
template <class T>
Array<T> padded(std::size_t features, T padding, std::uint64_t seed) {
  Generator generator(seed);
  Array<T> result = nn::normal<T>({steps, batch, features}, 0, 1, generator);
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t b = 0; b < batch; ++b)
      for (std::size_t k = 0; t >= lengths[b] && k < features; ++k) result(t, b, k) = padding;
  return result;
}

/// How a program says which steps there are.
enum class Given { lengths, mask };

template <class T, class Model>
struct Net {
  Model body;
  nn::Linear<T> head;
  static void visit(auto& self, auto&& visitor) {
    visitor("body", self.body);
    visitor("head", self.head);
  }
};

/// Everything that training sees: the loss, the gradient of the input, and those of all parameters.
template <class T, class Model, class Loss>
std::vector<Array<T>> trained(Net<T, Model>& net, Given given, T padding, bool pad_target, Loss loss_of) {
  Tape<T> tape;
  const Variable<T> x = tape.variable(padded<T>(inputs, padding, 1));
  const Variable<T> mask = nn::sequence_mask<T>(tape, lengths, steps);
  nn::zero_grad(net);
  Variable<T> y;
  if (given == Given::lengths)
    y = net.body(x, {.lengths = lengths}).output;
  else
    y = net.body(x, {.mask = mask}).output;
  const Variable<T> target = tape.constant(padded<T>(3, pad_target ? padding : T(0.5), 2));
  const Variable<T> loss = loss_of(net.head(y), target, mask);
  tape.backward(loss);
  std::vector<Array<T>> result{loss.copy(), tape.gradient(x)};
  nn::for_each_parameter(net, [&](const std::string&, auto& parameter) { result.push_back(parameter.grad()); });
  return result;
}

template <class T, class Model>
void check(const std::string& name, Model model) {
  Generator generator(3);
  const std::size_t width = [&] {
    Tape<T> tape;
    return model(tape.constant(padded<T>(inputs, 0, 1))).output.shape()[2];
  }();
  Net<T, Model> net{std::move(model), nn::Linear<T>(width, 3, generator)};
  const auto loss = [](Variable<T> y, Variable<T> t, Variable<T> mask) {
    return nn::reduce(nn::mse_loss(y, t, nn::Reduction::none), mask, nn::Reduction::mean);
  };
  for (const Given given : {Given::lengths, Given::mask}) {
    const std::vector<Array<T>> expected = trained<T>(net, given, T(0), true, loss);
    for (const T padding : paddings<T>)
      for (const bool pad_target : {false, true}) {
        INFO(name << ", padding " << padding << (pad_target ? ", of the target, too" : ""));
        CHECK(trained<T>(net, given, padding, pad_target, loss) == expected);
      }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("padding of any value leaves losses and gradients as they are", "[padding]", float, double) {
  using T = TestType;
  Generator generator(7);
  for (const bool both : {false, true}) {
    check<T>("lstm", nn::LSTM<T>({.input_size = inputs, .hidden_size = hidden, .num_layers = 2, .bidirectional = both},
                                 generator));
    check<T>("gru", nn::GRU<T>({.input_size = inputs, .hidden_size = hidden, .num_layers = 2, .bidirectional = both},
                               generator));
    check<T>("rnn", nn::RNN<T>({.input_size = inputs, .hidden_size = hidden, .bidirectional = both}, generator));
  }
  check<T>("residual lstm", nn::LSTM<T>({.input_size = inputs, .hidden_size = inputs, .residual = true}, generator));
  for (const bool reverse : {false, true}) {
    const nn::RecurrentOptions options{.reverse = reverse, .residual = true};
    const auto cell = [&]<class Cell>(const char* name, Cell made) {
      check<T>(name, nn::Recurrent<Cell>(std::move(made), options));
    };
    cell("lstm cell", nn::LSTMCell<T>({.input_size = inputs, .hidden_size = inputs}, generator));
    cell("gru cell", nn::GRUCell<T>({.input_size = inputs, .hidden_size = inputs}, generator));
    cell("rnn cell", nn::RNNCell<T>({.input_size = inputs, .hidden_size = inputs}, generator));
    cell("minimal gated cell", nn::MinimalGatedCell<T>({.input_size = inputs, .hidden_size = inputs}, generator));
    cell("input gated cell", nn::InputGatedCell<T>({.input_size = inputs, .hidden_size = inputs}, generator));
  }
}
