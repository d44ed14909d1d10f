// What a user's program says, against the installed package: it pins the spelling of the public API.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>

#include "autograd/autograd.hpp"
#include "nn/io/save_load.hpp"
#include "nn/nn.hpp"

namespace user {

using autograd::Array;
using autograd::Tape;
using autograd::Variable;

// An op of one's own: y = x^3,   dx = 3 x^2 g
struct Cube {
  static constexpr autograd::OpInfo info{.name = "cube", .vjp_reads = autograd::Reads::inputs};
  static auto forward(const auto& x) { return x * x * x; }
  static auto vjp(const auto& g, const auto&, const auto& x) { return autograd::gradients(3 * x * x * g); }
};

// A cell of one's own: h = tanh(W [x, h'] + b)
template <class T>
struct Cell {
  std::size_t hidden;
  nn::Linear<T> mix;

  Cell(std::size_t input, std::size_t size, nn::Generator& generator)
      : hidden(size), mix(input + size, size, generator) {}
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return tanh(mix(autograd::concat({x, h}, 1))); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return tape.constant({batch, hidden}, T(0)); }
  static void visit(auto& self, auto&& visitor) { visitor("mix", self.mix); }
};

template <class T>
struct Model {
  nn::Recurrent<Cell<T>> recurrent;
  nn::Linear<T> head;

  explicit Model(nn::Generator& generator) : recurrent(Cell<T>(2, 4, generator)), head(4, 1, generator) {}
  static void visit(auto& self, auto&& visitor) {
    visitor("recurrent", self.recurrent);
    visitor("head", self.head);
  }
};

int failures = 0;

void check(bool condition, const char* what) {
  if (condition) return;
  ++failures;
  std::printf("FAILED: %s\n", what);
}

void ops() {
  Tape<double> tape;
  const auto x = tape.variable(Array<double>{0.5, -1.0, 2.0});
  const auto y = sum(autograd::apply(Cube{}, x));
  const auto first = autograd::grad(y, {x})[0];
  const auto second = autograd::grad(sum(first), {x})[0];
  check(std::abs(first.value()(2) - 12) < 1e-14, "the first derivative of a cube");
  check(std::abs(second.value()(1) + 6) < 1e-14, "the second derivative of a cube");
  tape.backward(y);
  check(tape.gradient(x) == first.copy(), "backward() and grad() agree");
  check(!tape.print().empty(), "a tape prints");
  const auto report =
      autograd::gradient_check([](auto in) { return autograd::apply(Cube{}, in[0]); }, {Array<double>{0.3, 0.7}});
  check(report.agrees(1e-13), "gradient_check of a user's op");
}

void training() {
  nn::Generator generator(1);
  Model<float> model(generator);
  nn::Adam<float> optimizer(model, {.learning_rate = 0.02});
  Tape<float> tape;
  const auto x = nn::normal<float>({6, 3, 2}, 0, 1, generator);
  const auto target = nn::normal<float>({3, 1}, 0, 1, generator);
  float first = 0, last = 0;
  for (int update = 0; update < 100; ++update) {
    tape.clear();
    const auto result = model.recurrent(tape.constant(x));
    const auto loss = mse(model.head(result.state), tape.constant(target));
    optimizer.zero_grad();
    tape.backward(loss);
    nn::clip_grad_norm<float>(optimizer.parameters(), 1);
    optimizer.step();
    (update ? last : first) = loss.item();
  }
  check(last < 0.1f * first, "training a cell of one's own");

  const auto file =
      std::filesystem::temp_directory_path() / ("wengert_consumer_" + std::to_string(generator()) + ".json");
  nn::io::save(model, file);
  Model<float> loaded(generator);
  nn::io::load(loaded, file);
  std::filesystem::remove(file);
  check(loaded.head.weight == model.head.weight, "weights through JSON are the same bits");
}

// The update of a stock cell, which the library has compiled too, perhaps for another instruction set.
void pointwise() {
  nn::Generator generator(2);
  const auto z = nn::normal<double>({3, 76}, 0, 1, generator), c = nn::normal<double>({3, 19}, 0, 1, generator);
  const auto update = [](auto in) {
    const auto [zi, zf, zg, zo] = autograd::blocks<4>(in[0]);
    const auto [h, next] = nn::lstm_update(nn::Nonlinearities{}, zi, zf, zg, zo, in[1]);
    return h * next;
  };
  check(autograd::gradient_check(update, {z, c}).agrees(1e-12), "gradient_check of a stock cell's update");
  nn::LSTM<double> lstm({.input_size = 76, .hidden_size = 19}, generator);
  const auto layer = [&](auto in) { return lstm(reshape(in[0], {1, 3, 76})).output; };
  check(autograd::gradient_check(layer, {z}).agrees(1e-12), "gradient_check of a stock layer");
}

void errors() {
  Tape<double> tape, other;
  const auto x = tape.variable(Array<double>{1.0, 2.0});
  const auto throws = [](auto&& f) {
    try {
      f();
    } catch (const autograd::Error&) {
      return true;
    }
    return false;
  };
  check(throws([&] { x + other.constant({2}, 1); }), "operands on different tapes");
  check(throws([&] { tape.backward(x); }), "a loss that is no scalar");
  tape.clear();
  check(throws([&] { x.value(); }), "a stale handle");
}

}  // namespace user

int main() {
  user::ops();
  user::training();
  user::pointwise();
  user::errors();
  std::printf("%d failures, library for %s\n", user::failures, autograd::instruction_set());
  return user::failures ? 1 : 0;
}
