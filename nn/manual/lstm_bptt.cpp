// The LSTM's forward and backward pass, line by line as derived by hand in the header.
#include "nn/manual/lstm_bptt.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "nn/manual/matrix.hpp"

namespace nn::manual {

using autograd::make_array;
using autograd::Shape;
using autograd::shape_of;
using autograd::ShapeError;
using autograd::zeros;

namespace {

constexpr std::size_t gate_count = 4;  // i, f, g, o

struct Extents {
  std::size_t steps, batch, hidden;

  Shape state() const { return {batch, hidden}; }
  Shape states() const { return {steps, batch, hidden}; }
};

/// The extents of a layer whose weights, input and initial state fit together.
template <class T>
Extents extents(const std::string& name, const LstmWeights<T>& weights, const Array<T>& x, const Array<T>& h0,
                const Array<T>& c0) {
  const Shape Wx = shape_of(weights.Wx), input = shape_of(x);
  if (Wx.rank() != 2 || Wx[0] % gate_count != 0)
    throw ShapeError(name + ": Wx is " + to_string(Wx) +
                     ", expected (4 * hidden, features): the rows of the gates i, f, g, o");
  const std::size_t rows = Wx[0], hidden = rows / gate_count, features = Wx[1];
  const std::string for_hidden = "for a hidden size of " + std::to_string(hidden);
  expect(name, "Wh", shape_of(weights.Wh), {rows, hidden}, for_hidden);
  expect(name, "b", shape_of(weights.b), {rows}, for_hidden);

  if (input.rank() != 3 || input[2] != features)
    throw ShapeError(name + ": x is " + to_string(input) + ", expected (time, batch, " + std::to_string(features) +
                     ") for Wx " + to_string(Wx));
  const std::string for_batch = "for a batch of " + std::to_string(input[1]) + " and a hidden size of " +
                                std::to_string(hidden) + "; pass zeros for no initial state";
  expect(name, "h0", shape_of(h0), {input[1], hidden}, for_batch);
  expect(name, "c0", shape_of(c0), {input[1], hidden}, for_batch);
  return {input[0], input[1], hidden};
}

template <class T>
LstmForward<T> forward_layer(const std::string& name, const LstmWeights<T>& weights, const Array<T>& x,
                             const Array<T>& h0, const Array<T>& c0) {
  const Extents n = extents(name, weights, x, h0, c0);
  const auto states = [&] { return make_array<T>(n.states()); };
  LstmForward<T> result{.x = x,
                        .h0 = h0,
                        .c0 = c0,
                        .i = states(),
                        .f = states(),
                        .g = states(),
                        .o = states(),
                        .c = states(),
                        .u = states(),
                        .h = states(),
                        .h_n = {},
                        .c_n = {}};
  const auto Wx = whole(weights.Wx), Wh = whole(weights.Wh);
  const auto b = by_gate(weights.b, gate_count);
  Array<T> z = make_array<T>({gate_count, n.batch, n.hidden});
  const auto zi = step(z, 0), zf = step(z, 1), zg = step(z, 2), zo = step(z, 3);

  for (std::size_t t = 0; t < n.steps; ++t) {
    const auto x_t = step(x, t), h_previous = before(h0, result.h, t), c_previous = before(c0, result.c, t);
    const auto i = step(result.i, t), f = step(result.f, t), g = step(result.g, t), o = step(result.o, t);
    const auto c = step(result.c, t), u = step(result.u, t), h = step(result.h, t);

    for (std::size_t gate = 0; gate < gate_count; ++gate) {
      const auto z_gate = step(z, gate);
      for (std::size_t row = 0; row < n.batch; ++row)
        for (std::size_t k = 0; k < n.hidden; ++k) z_gate(row, k) = b(gate, k);
      add_product(z_gate, x_t, transpose(block(Wx, gate, gate_count)));
      add_product(z_gate, h_previous, transpose(block(Wh, gate, gate_count)));  // forward  z = x Wxᵀ + h' Whᵀ + b
    }
    for (std::size_t k = 0; k < h.size(); ++k) {
      i[k] = sigmoid(zi[k]);                      // forward  i = σ(zi)
      f[k] = sigmoid(zf[k]);                      // forward  f = σ(zf)
      g[k] = std::tanh(zg[k]);                    // forward  g = tanh(zg)
      o[k] = sigmoid(zo[k]);                      // forward  o = σ(zo)
      c[k] = f[k] * c_previous[k] + i[k] * g[k];  // forward  c = f c' + i g
      u[k] = std::tanh(c[k]);                     // forward  u = tanh(c)
      h[k] = o[k] * u[k];                         // forward  h = o u
    }
  }
  result.h_n = copy(before(h0, result.h, n.steps));
  result.c_n = copy(before(c0, result.c, n.steps));
  return result;
}

template <class T>
LstmBackward<T> backward_layer(const std::string& name, const LstmWeights<T>& weights, const LstmForward<T>& forward,
                               const Array<T>& direct, const Array<T>& dh_n, const Array<T>& dc_n, Slip slip) {
  const Extents n = extents(name, weights, forward.x, forward.h0, forward.c0);
  expect(name, "direct", shape_of(direct), n.states(), "like the output (time, batch, hidden)");
  expect(name, "dh_n", shape_of(dh_n), n.state(), "like h_n; pass zeros if the loss does not read it");
  expect(name, "dc_n", shape_of(dc_n), n.state(), "like c_n; pass zeros if the loss does not read it");

  const auto states = [&] { return make_array<T>(n.states()); };
  LstmBackward<T> result{.dWx = zeros<T>(shape_of(weights.Wx)),
                         .dWh = zeros<T>(shape_of(weights.Wh)),
                         .db = zeros<T>(shape_of(weights.b)),
                         .dx = zeros<T>(shape_of(forward.x)),
                         .dh0 = dh_n,
                         .dc0 = dc_n,
                         .dh = states(),
                         .dc = states(),
                         .dzi = states(),
                         .dzf = states(),
                         .dzg = states(),
                         .dzo = states()};
  const auto Wx = whole(weights.Wx), Wh = whole(weights.Wh);
  const auto dWx = whole(result.dWx), dWh = whole(result.dWh), db = by_gate(result.db, gate_count);
  const auto h_bar = whole(result.dh0), c_bar = whole(result.dc0);

  for (std::size_t t = n.steps; t-- > 0;) {
    const auto x = step(forward.x, t);
    const auto h_previous = before(forward.h0, forward.h, t), c_previous = before(forward.c0, forward.c, t);
    const auto i = step(forward.i, t), f = step(forward.f, t), g = step(forward.g, t), o = step(forward.o, t);
    const auto u = step(forward.u, t), l = step(direct, t);
    const auto dh = step(result.dh, t), dc = step(result.dc, t), dx = step(result.dx, t);
    const auto dzi = step(result.dzi, t), dzf = step(result.dzf, t);
    const auto dzg = step(result.dzg, t), dzo = step(result.dzo, t);

    for (std::size_t k = 0; k < dh.size(); ++k) {
      dh[k] = l[k] + h_bar[k];                              // (1)   δh = ℓ + h̄
      const T d_o = dh[k] * u[k];                           // (2)   δo = δh u
      dc[k] = c_bar[k] + dh[k] * o[k] * (1 - u[k] * u[k]);  // (3)   δc = c̄ + δh o (1 - u²)
      const T d_i = dc[k] * g[k];                           // (4)   δi = δc g
      const T d_f = dc[k] * c_previous[k];                  // (4)   δf = δc c'
      const T d_g = dc[k] * i[k];                           // (4)   δg = δc i
      dzi[k] = d_i * i[k] * (1 - i[k]);                     // (5)   δzi = δi i (1 - i)
      dzf[k] = d_f * f[k] * (1 - f[k]);                     // (5)   δzf = δf f (1 - f)
      dzg[k] = d_g * (1 - g[k] * g[k]);                     // (5)   δzg = δg (1 - g²)
      dzo[k] = d_o * o[k] * (1 - o[k]);                     // (5)   δzo = δo o (1 - o)
      c_bar[k] = dc[k] * f[k];                              // (10)  c̄ := δc f

      // Where a slip is asked for, it takes the place of the right value here.
      if (slip == Slip::sign) dzf[k] = -dzf[k];
      if (slip == Slip::carry) c_bar[k] = 0;
    }

    const std::array dz = {dzi, dzf, dzg, dzo};
    std::fill_n(h_bar.data, h_bar.size(), T(0));
    for (std::size_t gate = 0; gate < gate_count; ++gate) {
      auto dz_weights = dz[gate];  // what lines 6 and 7 read: δz
      auto Wh_gate = block(Wh, gate, gate_count);
      // The same for the slips of whole matrices.
      if (slip == Slip::candidate && gate == 2) dz_weights = dc;
      if (slip == Slip::transpose) Wh_gate = transpose(Wh_gate);

      add_product(block(dWx, gate, gate_count), transpose(dz_weights), x);           // (6)   δWx += δzᵀ x
      add_product(block(dWh, gate, gate_count), transpose(dz_weights), h_previous);  // (6)   δWh += δzᵀ h'
      add_rows(block(db, gate, gate_count), dz_weights);                             // (7)   δb += Σ_batch δz
      add_product(dx, dz[gate], block(Wx, gate, gate_count));                        // (8)   δx = δz Wx
      add_product(h_bar, dz[gate], Wh_gate);                                         // (9)   h̄ := δz Wh
    }
  }
  return result;  // δh0 = h̄ and δc0 = c̄
}

/// The l-th slice of a state (L, B, H).
template <class T>
Array<T> layer_of(const Array<T>& states, std::size_t l) {
  return copy(step(states, l));
}

std::string layer_name(std::size_t l) { return "lstm_bptt: layer " + std::to_string(l); }

void expect_layers(const char* what, const Shape& got, std::size_t layers) {
  if (got.rank() != 3 || got[0] != layers)
    throw ShapeError(std::string("lstm_bptt: ") + what + " is " + to_string(got) + ", expected (" +
                     std::to_string(layers) + ", batch, hidden): one slice for each layer");
}

}  // namespace

template <class T>
LstmForward<T> lstm_forward(const LstmWeights<T>& weights, const Array<T>& x, const Array<T>& h0, const Array<T>& c0) {
  return forward_layer("lstm_bptt", weights, x, h0, c0);
}

template <class T>
LstmBackward<T> lstm_backward(const LstmWeights<T>& weights, const LstmForward<T>& forward, const Array<T>& direct,
                              const Array<T>& dh_n, const Array<T>& dc_n, Slip slip) {
  return backward_layer("lstm_bptt", weights, forward, direct, dh_n, dc_n, slip);
}

template <class T>
std::vector<LstmForward<T>> lstm_stack_forward(const std::vector<LstmWeights<T>>& weights, const Array<T>& x,
                                               const Array<T>& h0, const Array<T>& c0) {
  if (weights.empty()) throw ShapeError("lstm_bptt: no layers; pass the weights of at least one");
  expect_layers("h0", shape_of(h0), weights.size());
  expect_layers("c0", shape_of(c0), weights.size());
  std::vector<LstmForward<T>> layers;
  layers.reserve(weights.size());
  for (std::size_t l = 0; l < weights.size(); ++l) {
    const Array<T>& input = l == 0 ? x : layers[l - 1].h;  // stacks  layer l reads the output of layer l-1
    layers.push_back(forward_layer(layer_name(l), weights[l], input, layer_of(h0, l), layer_of(c0, l)));
  }
  return layers;
}

template <class T>
std::vector<LstmBackward<T>> lstm_stack_backward(const std::vector<LstmWeights<T>>& weights,
                                                 const std::vector<LstmForward<T>>& forward, const Array<T>& direct,
                                                 const Array<T>& dh_n, const Array<T>& dc_n, Slip slip) {
  const std::size_t count = weights.size();
  if (count == 0 || forward.size() != count)
    throw ShapeError("lstm_bptt: weights of " + std::to_string(count) + " layers and the forward pass of " +
                     std::to_string(forward.size()) + "; pass the weights that the forward pass was run with");
  expect_layers("dh_n", shape_of(dh_n), count);
  expect_layers("dc_n", shape_of(dc_n), count);
  std::vector<LstmBackward<T>> layers(count);
  for (std::size_t l = count; l-- > 0;) {
    const Array<T>& above = l == count - 1 ? direct : layers[l + 1].dx;  // stacks  ℓ of layer l is δx of layer l+1
    layers[l] =
        backward_layer(layer_name(l), weights[l], forward[l], above, layer_of(dh_n, l), layer_of(dc_n, l), slip);
  }
  return layers;
}

template LstmForward<float> lstm_forward(const LstmWeights<float>&, const Array<float>&, const Array<float>&,
                                         const Array<float>&);
template LstmForward<double> lstm_forward(const LstmWeights<double>&, const Array<double>&, const Array<double>&,
                                          const Array<double>&);
template LstmBackward<float> lstm_backward(const LstmWeights<float>&, const LstmForward<float>&, const Array<float>&,
                                           const Array<float>&, const Array<float>&, Slip);
template LstmBackward<double> lstm_backward(const LstmWeights<double>&, const LstmForward<double>&,
                                            const Array<double>&, const Array<double>&, const Array<double>&, Slip);
template std::vector<LstmForward<float>> lstm_stack_forward(const std::vector<LstmWeights<float>>&, const Array<float>&,
                                                            const Array<float>&, const Array<float>&);
template std::vector<LstmForward<double>> lstm_stack_forward(const std::vector<LstmWeights<double>>&,
                                                             const Array<double>&, const Array<double>&,
                                                             const Array<double>&);
template std::vector<LstmBackward<float>> lstm_stack_backward(const std::vector<LstmWeights<float>>&,
                                                              const std::vector<LstmForward<float>>&,
                                                              const Array<float>&, const Array<float>&,
                                                              const Array<float>&, Slip);
template std::vector<LstmBackward<double>> lstm_stack_backward(const std::vector<LstmWeights<double>>&,
                                                               const std::vector<LstmForward<double>>&,
                                                               const Array<double>&, const Array<double>&,
                                                               const Array<double>&, Slip);

}  // namespace nn::manual
