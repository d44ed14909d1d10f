// Models of which tests make graphs: those of the library, and some that it does not have.
#pragma once

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "autograd/ops.hpp"
#include "nn/graph/step_graph.hpp"
#include "nn/nn.hpp"

namespace graphs {

using autograd::Tape;
using autograd::Variable;

/// A user's cell: the minimal gated unit, of Linear layers.
template <class T>
struct UserCell {
  std::size_t hidden;
  nn::Linear<T> W_f, U_f, W_g, U_g;

  UserCell(std::size_t input, std::size_t size, nn::Generator& generator)
      : hidden(size),
        W_f(input, size, generator),
        U_f(size, size, generator, false),
        W_g(input, size, generator),
        U_g(size, size, generator, false) {}
  Variable<T> operator()(Variable<T> x, Variable<T> h) {
    const auto f = named("f", sigmoid(named("zf", W_f(x) + U_f(h))));
    const auto g = named("g", tanh(named("zg", W_g(x) + U_g(f * h))));
    return named("h", (1 - f) * h + f * g);
  }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return tape.constant({batch, hidden}, T(0)); }
  static void visit(auto& self, auto&& visitor) {
    visitor("W_f", self.W_f);
    visitor("U_f", self.U_f);
    visitor("W_g", self.W_g);
    visitor("U_g", self.U_g);
  }
};

/// The sLSTM (Beck et al. 2024), whose exponential gates are kept in range by a stabiliser m:
///
///   m = max(zf + m', zi),  i = exp(zi - m),  f = exp(zf + m' - m)
///   c = f c' + i tanh(zg),  n = f n' + i,  h = σ(zo) c / n
template <class T>
struct SLSTMCell {
  struct State {
    Variable<T> h, c, n, m;
    static State map(auto&& f, const auto&... s) { return {f(s.h...), f(s.c...), f(s.n...), f(s.m...)}; }
  };
  std::size_t hidden;
  nn::Linear<T> W, R;

  SLSTMCell(std::size_t input, std::size_t size, nn::Generator& generator)
      : hidden(size), W(input, 4 * size, generator), R(size, 4 * size, generator, false) {}
  State operator()(Variable<T> x, const State& s) {
    const auto [zi, zf, zg, zo] = autograd::split<4>(W(x) + R(s.h), 1);
    const auto m = named("m", maximum(zf + s.m, zi));
    const auto i = named("i", exp(zi - m)), f = named("f", exp(zf + s.m - m));
    const auto c = named("c", f * s.c + i * tanh(zg));
    const auto n = named("n", f * s.n + i);
    return {named("h", sigmoid(zo) * (c / n)), c, n, m};
  }
  State zero_state(Tape<T>& tape, std::size_t batch) const {
    const auto zeros = [&] { return tape.constant({batch, hidden}, T(0)); };
    const auto h = zeros(), c = zeros(), m = zeros();
    return {h, c, tape.constant({batch, hidden}, T(1)), m};
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("W", self.W);
    visitor("R", self.R);
  }
};

/// A cell with an external memory of N slots of width M: it reads by attention over the slots, erases and adds.
template <class T>
struct MemoryCell {
  struct State {
    Variable<T> h, memory;
    static State map(auto&& f, const auto&... s) { return {f(s.h...), f(s.memory...)}; }
  };
  std::size_t hidden, slots, width;
  nn::Linear<T> key, mix, write, erase;

  MemoryCell(std::size_t input, std::size_t size, nn::Generator& generator)
      : hidden(size),
        slots(3),
        width(4),
        key(size, width, generator),
        mix(input + width + size, size, generator),
        write(size, width, generator),
        erase(size, width, generator) {}
  State operator()(Variable<T> x, const State& s) {
    const std::size_t batch = x.shape()[0];
    const auto k = reshape(key(s.h), {batch, width, 1});
    const auto attention = named("attention", softmax(reshape(matmul(s.memory, k), {batch, slots}), 1));
    const auto weight = reshape(attention, {batch, slots, 1});
    const auto read = sum(s.memory * weight, 1);
    const auto h = named("h", tanh(mix(autograd::concat({x, read, s.h}, 1))));
    const auto forget = reshape(sigmoid(erase(h)), {batch, 1, width});
    const auto add = reshape(tanh(write(h)), {batch, 1, width});
    return {h, named("memory", s.memory * (1 - weight * forget) + weight * add)};
  }
  State zero_state(Tape<T>& tape, std::size_t batch) const {
    const auto h = tape.constant({batch, hidden}, T(0));
    return {h, tape.constant({batch, slots, width}, T(0.125))};
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("key", self.key);
    visitor("mix", self.mix);
    visitor("write", self.write);
    visitor("erase", self.erase);
  }
};

/// Two states of different sizes, a slow one that a fast one reads.
template <class T>
struct TwoRateCell {
  struct State {
    Variable<T> h, slow;
    static State map(auto&& f, const auto&... s) { return {f(s.h...), f(s.slow...)}; }
  };
  std::size_t hidden, slow;
  nn::Linear<T> fast, drift;

  TwoRateCell(std::size_t input, std::size_t size, nn::Generator& generator)
      : hidden(size), slow(3), fast(input + size + 3, size, generator), drift(size, 3, generator) {}
  State operator()(Variable<T> x, const State& s) {
    const auto h = named("h", tanh(fast(autograd::concat({x, s.h, s.slow}, 1))));
    return {h, named("slow", s.slow * 0.9 + 0.1 * drift(h))};
  }
  State zero_state(Tape<T>& tape, std::size_t batch) const {
    const auto h = tape.constant({batch, hidden}, T(0));
    return {h, tape.constant({batch, slow}, T(0))};
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("fast", self.fast);
    visitor("drift", self.drift);
  }
};

/// A model of several parts that says what a step is.
template <class T>
struct SteppedModel {
  nn::Linear<T> encode;
  nn::LSTMCell<T> first;
  nn::LayerNorm<T> norm;
  nn::GRUCell<T> second;
  nn::Linear<T> head;

  using State = std::pair<nn::LSTMState<T>, Variable<T>>;
  struct Result {
    Variable<T> output;
    State state;
  };
  SteppedModel(std::size_t input, std::size_t size, nn::Generator& generator)
      : encode(input, size, generator),
        first({.input_size = size, .hidden_size = size}, generator),
        norm(size),
        second({.input_size = size, .hidden_size = size}, generator),
        head(size, 2, generator) {}
  std::size_t input_size() const { return encode.weight.value().shape(1); }
  State zero_state(Tape<T>& tape, std::size_t batch) {
    const auto a = first.zero_state(tape, batch);
    return {a, second.zero_state(tape, batch)};
  }
  Result step(Variable<T> x, const State& state) {
    const Variable<T> e = relu(encode(x));
    const auto a = first(e, state.first);
    const auto b = second(norm(a.h) + e, state.second);
    return {head(b), {a, b}};
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("encode", self.encode);
    visitor("first", self.first);
    visitor("norm", self.norm);
    visitor("second", self.second);
    visitor("head", self.head);
  }
};

/// f(name, cell, input_size) for every cell of the library in its forms, and for those above.
template <class T, class F>
void for_each_cell(std::size_t input, std::size_t hidden, F f) {
  nn::Generator generator(3);
  const nn::CellOptions plain{.input_size = input, .hidden_size = hidden};
  const auto give = [&](const std::string& name, auto cell) { f(name, cell, input); };
  give("LSTMCell", nn::LSTMCell<T>(plain, generator));
  give("LSTMCell projected",
       nn::LSTMCell<T>({.input_size = input, .hidden_size = hidden, .proj_size = hidden - 1}, generator));
  give("LSTMCell without bias",
       nn::LSTMCell<T>({.input_size = input, .hidden_size = hidden, .bias = false}, generator));
  give("LSTMCell of other nonlinearities",
       nn::LSTMCell<T>(
           {.input_size = input,
            .hidden_size = hidden,
            .nonlinearities = {nn::Nonlinearity::hard_sigmoid, nn::Nonlinearity::softsign, nn::Nonlinearity::elu}},
           generator));
  give("PeepholeLSTMCell", nn::PeepholeLSTMCell<T>(plain, generator));
  give("CoupledLSTMCell", nn::CoupledLSTMCell<T>(plain, generator));
  give("GRUCell", nn::GRUCell<T>(plain, generator));
  give("GRUResetBeforeCell", nn::GRUResetBeforeCell<T>(plain, generator));
  give("MinimalGatedCell", nn::MinimalGatedCell<T>(plain, generator));
  give("RNNCell", nn::RNNCell<T>(plain, generator));
  for (const bool carry : {false, true})
    for (const std::size_t groups : {0, 1, 4})
      give("LSTMVariantCell of " + std::to_string(groups) + (carry ? " groups, carried" : " groups"),
           nn::LSTMVariantCell<T>({.input_size = input,
                                   .hidden_size = hidden,
                                   .peephole = true,
                                   .proj_size = hidden - 1,
                                   .norm_groups = groups,
                                   .carry = groups > 0 && carry},
                                  generator));
  give("LearnedState", nn::LearnedState<T, nn::LSTMCell<T>>(nn::LSTMCell<T>(plain, generator)));
  give("UserCell", UserCell<T>(input, hidden, generator));
  give("SLSTMCell", SLSTMCell<T>(input, hidden, generator));
  give("MemoryCell", MemoryCell<T>(input, hidden, generator));
  give("TwoRateCell", TwoRateCell<T>(input, hidden, generator));
}

/// f(name, model, input_size, answer) for models that are no cells; answer(x) runs a copy of it over a sequence
/// (time, batch, features) on the tape.
template <class T, class F>
void for_each_model(std::size_t input, std::size_t hidden, F f) {
  nn::Generator generator(4);
  const nn::LayersOptions plain{.input_size = input, .hidden_size = hidden, .num_layers = 2};
  const auto give = [&](const std::string& name, auto model) {
    f(name, model, nn::detail::input_size_of(model), [&model](Variable<T> x) { return model(x).output; });
  };
  give("LSTM", nn::LSTM<T>(plain, generator));
  give(
      "LSTM projected, residual",
      nn::LSTM<T>(
          {.input_size = hidden - 1, .hidden_size = hidden, .num_layers = 2, .proj_size = hidden - 1, .residual = true},
          generator));
  give("GRU", nn::GRU<T>(plain, generator));
  give("RNN", nn::RNN<T>(plain, generator));
  give("Recurrent", nn::Recurrent(nn::PeepholeLSTMCell<T>({.input_size = input, .hidden_size = hidden}, generator)));
  give("Recurrent, residual",
       nn::Recurrent(nn::GRUCell<T>({.input_size = hidden, .hidden_size = hidden}, generator), {.residual = true}));
  nn::Sequential row(nn::LSTM<T>(plain, generator), nn::Dropout<T>(0.5), nn::LayerNorm<T>(hidden),
                     nn::Linear<T>(hidden, 3, generator));
  f("Sequential", row, input, [&row](Variable<T> x) { return row(x); });
}

}  // namespace graphs
