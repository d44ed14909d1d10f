// The GRU by hand, line by line as in the header.
#include "nn/manual/gru_bptt.hpp"

#include <array>

namespace nn::manual {

using autograd::make_array;
using autograd::Shape;
using autograd::shape_of;
using autograd::ShapeError;
using autograd::zeros;

namespace {

constexpr std::size_t gates = 3;  // r, z, n

/// Throws ShapeError unless weights, input and state fit together. Gives (time, batch, hidden).
template <class T>
Shape check(const GruWeights<T>& w, const Array<T>& x, const Array<T>& h0) {
  const Shape Wx = shape_of(w.Wx), input = shape_of(x);
  if (Wx.rank() != 2 || Wx[0] % gates != 0)
    throw ShapeError("gru_bptt: Wx is " + to_string(Wx) +
                     ", expected (3 * hidden, features): the rows of the gates r, z, n");
  const std::size_t hidden = Wx[0] / gates;
  const std::string because = "for a hidden size of " + std::to_string(hidden);
  expect("gru_bptt", "Wh", shape_of(w.Wh), {Wx[0], hidden}, because);
  expect("gru_bptt", "bx", shape_of(w.bx), {Wx[0]}, because);
  expect("gru_bptt", "bh", shape_of(w.bh), {Wx[0]}, because);
  if (input.rank() != 3 || input[2] != Wx[1])
    throw ShapeError("gru_bptt: x is " + to_string(input) + ", expected (time, batch, " + std::to_string(Wx[1]) + ")");
  expect("gru_bptt", "h0", shape_of(h0), {input[1], hidden}, because);
  return {input[0], input[1], hidden};
}

/// out = in Wᵀ + b for one gate.
template <class T, class X>
void project(const MatrixView<T>& out, const MatrixView<X>& in, const Array<T>& W, const Array<T>& b,
             std::size_t gate) {
  const auto bias = by_gate(b, gates);
  for (std::size_t row = 0; row < out.rows; ++row)
    for (std::size_t k = 0; k < out.columns; ++k) out(row, k) = bias(gate, k);
  add_product(out, in, transpose(block(whole(W), gate, gates)));
}

}  // namespace

template <class T>
GruForward<T> gru_forward(const GruWeights<T>& w, const Array<T>& x, const Array<T>& h0, const Sequences& sequences) {
  const Shape states = check(w, x, h0);
  const Walk walk("gru_bptt", sequences, states[0], states[1]);
  const auto fresh = [&] { return make_array<T>(states); };
  GruForward<T> result{x, h0, fresh(), fresh(), fresh(), fresh(), fresh(), zeros<T>(states), h0};
  Array<T> a = make_array<T>({gates, states[1], states[2]}), d = a, reset = make_array<T>({states[1], states[2]});
  const auto before = whole(result.h_n);  // h', and h at the end
  const auto a_r = step(a, 0), a_z = step(a, 1), a_n = step(a, 2), d_r = step(d, 0), d_z = step(d, 1);
  for (std::size_t k = 0; k < states[0]; ++k) {
    const std::size_t t = walk[k];
    const auto r = step(result.r, t), z = step(result.z, t), n = step(result.n, t), q = step(result.q, t);
    const auto state = step(result.states, t), h = step(result.h, t);
    for (std::size_t gate = 0; gate < gates; ++gate) project(step(a, gate), step(x, t), w.Wx, w.bx, gate);
    project(d_r, before, w.Wh, w.bh, 0);
    project(d_z, before, w.Wh, w.bh, 1);
    for (std::size_t j = 0; j < r.size(); ++j) {
      r[j] = sigmoid(a_r[j] + d_r[j]);
      z[j] = sigmoid(a_z[j] + d_z[j]);
      reset(j / r.columns, j % r.columns) = w.reset_after ? before[j] : r[j] * before[j];
    }
    project(q, whole(reset), w.Wh, w.bh, 2);
    for (std::size_t row = 0; row < r.rows; ++row)
      for (std::size_t c = 0; c < r.columns; ++c) {
        n(row, c) = std::tanh(a_n(row, c) + (w.reset_after ? r(row, c) : T(1)) * q(row, c));
        if (walk.reaches(row, t)) before(row, c) = h(row, c) = (1 - z(row, c)) * n(row, c) + z(row, c) * before(row, c);
        state(row, c) = before(row, c);
      }
  }
  return result;
}

template <class T>
GruBackward<T> gru_backward(const GruWeights<T>& w, const GruForward<T>& forward, const Array<T>& direct,
                            const Array<T>& dh_n, const Sequences& sequences) {
  const Shape states = check(w, forward.x, forward.h0);
  expect("gru_bptt", "direct", shape_of(direct), states, "like the output (time, batch, hidden)");
  expect("gru_bptt", "dh_n", shape_of(dh_n), {states[1], states[2]}, "like h_n");
  const Walk walk("gru_bptt", sequences, states[0], states[1]);
  const auto like = [](const Array<T>& a) { return zeros<T>(shape_of(a)); };
  const auto fresh = [&] { return make_array<T>(states); };
  GruBackward<T> result{like(w.Wx), like(w.Wh), like(w.bx), like(w.bh), like(forward.x), dh_n,
                        fresh(),    fresh(),    fresh(),    fresh(),    fresh()};
  const auto Wx = whole(w.Wx), Wh = whole(w.Wh);
  const auto dWx = whole(result.dWx), dWh = whole(result.dWh);
  const auto dbx = by_gate(result.dbx, gates), dbh = by_gate(result.dbh, gates), h_bar = whole(result.dh0);
  Array<T> v_array = make_array<T>({states[1], states[2]}), reset_array = v_array;
  const auto v = whole(v_array), reset = whole(reset_array);

  for (std::size_t k = states[0]; k-- > 0;) {
    const std::size_t t = walk[k];
    const auto r = step(forward.r, t), z = step(forward.z, t), n = step(forward.n, t), q = step(forward.q, t);
    const auto h_previous = k == 0 ? whole(forward.h0) : step(forward.states, walk[k - 1]);
    const auto x = step(forward.x, t), l = step(direct, t);
    const auto dx = step(result.dx, t), dh = step(result.dh, t);
    const auto dzr = step(result.dzr, t), dzz = step(result.dzz, t), dzn = step(result.dzn, t), dq = step(result.dq, t);
    for (std::size_t row = 0; row < dh.rows; ++row)
      for (std::size_t c = 0; c < dh.columns; ++c) {
        const bool takes_part = walk.reaches(row, t);
        dh(row, c) = takes_part ? l(row, c) + h_bar(row, c) : T(0);
        dzn(row, c) = dh(row, c) * (1 - z(row, c)) * (1 - n(row, c) * n(row, c));
        dzz(row, c) = dh(row, c) * (h_previous(row, c) - n(row, c)) * z(row, c) * (1 - z(row, c));
        if (takes_part) h_bar(row, c) = dh(row, c) * z(row, c);
      }
    if (w.reset_after) {
      for (std::size_t j = 0; j < dh.size(); ++j) {
        dq[j] = dzn[j] * r[j];
        dzr[j] = dzn[j] * q[j] * r[j] * (1 - r[j]);
        reset[j] = h_previous[j];
      }
      add_product(h_bar, dq, block(Wh, 2, gates));
    } else {
      std::fill_n(v.data, v.size(), T(0));
      add_product(v, dzn, block(Wh, 2, gates));
      for (std::size_t j = 0; j < dh.size(); ++j) {
        dq[j] = dzn[j];
        dzr[j] = v[j] * h_previous[j] * r[j] * (1 - r[j]);
        reset[j] = r[j] * h_previous[j];
        h_bar[j] += v[j] * r[j];
      }
    }
    const std::array da = {dzr, dzz, dzn}, dd = {dzr, dzz, dq};
    for (std::size_t gate = 0; gate < gates; ++gate) {
      add_product(block(dWx, gate, gates), transpose(da[gate]), x);
      add_rows(block(dbx, gate, gates), da[gate]);
      add_rows(block(dbh, gate, gates), dd[gate]);
      add_product(dx, da[gate], block(Wx, gate, gates));
    }
    for (std::size_t gate = 0; gate < 2; ++gate) {
      add_product(block(dWh, gate, gates), transpose(dd[gate]), h_previous);
      add_product(h_bar, dd[gate], block(Wh, gate, gates));
    }
    add_product(block(dWh, 2, gates), transpose(dq), reset);
  }
  return result;
}

#define INSTANTIATE(T)                                                                                               \
  template GruForward<T> gru_forward(const GruWeights<T>&, const Array<T>&, const Array<T>&, const Sequences&);      \
  template GruBackward<T> gru_backward(const GruWeights<T>&, const GruForward<T>&, const Array<T>&, const Array<T>&, \
                                       const Sequences&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::manual
