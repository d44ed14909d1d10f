// The simple RNN by hand, line by line as in the header.
#include "nn/manual/rnn_bptt.hpp"

namespace nn::manual {

using autograd::make_array;
using autograd::Shape;
using autograd::shape_of;
using autograd::ShapeError;
using autograd::zeros;

namespace {

/// Throws ShapeError unless weights, input and state fit together. Gives (time, batch, hidden).
template <class T>
Shape check(const RnnWeights<T>& w, const Array<T>& x, const Array<T>& h0) {
  const Shape Wx = shape_of(w.Wx), input = shape_of(x);
  if (Wx.rank() != 2) throw ShapeError("rnn_bptt: Wx is " + to_string(Wx) + ", expected (hidden, features)");
  const std::string because = "for a hidden size of " + std::to_string(Wx[0]);
  expect("rnn_bptt", "Wh", shape_of(w.Wh), {Wx[0], Wx[0]}, because);
  expect("rnn_bptt", "b", shape_of(w.b), {Wx[0]}, because);
  if (input.rank() != 3 || input[2] != Wx[1])
    throw ShapeError("rnn_bptt: x is " + to_string(input) + ", expected (time, batch, " + std::to_string(Wx[1]) + ")");
  expect("rnn_bptt", "h0", shape_of(h0), {input[1], Wx[0]}, because);
  return {input[0], input[1], Wx[0]};
}

}  // namespace

template <class T>
RnnForward<T> rnn_forward(const RnnWeights<T>& w, const Array<T>& x, const Array<T>& h0, const Sequences& sequences) {
  const Shape states = check(w, x, h0);
  const Walk walk("rnn_bptt", sequences, states[0], states[1]);
  RnnForward<T> result{x, h0, make_array<T>(states), zeros<T>(states), h0};
  Array<T> z = make_array<T>({states[1], states[2]});
  const auto before = whole(result.h_n);  // h', and h at the end
  for (std::size_t k = 0; k < states[0]; ++k) {
    const std::size_t t = walk[k];
    const auto state = step(result.states, t), h = step(result.h, t), z_t = whole(z);
    for (std::size_t row = 0; row < z_t.rows; ++row)
      for (std::size_t j = 0; j < z_t.columns; ++j) z_t(row, j) = w.b(j);
    add_product(z_t, step(x, t), transpose(whole(w.Wx)));
    add_product(z_t, before, transpose(whole(w.Wh)));
    for (std::size_t row = 0; row < z_t.rows; ++row)
      for (std::size_t j = 0; j < z_t.columns; ++j) {
        if (walk.reaches(row, t))
          before(row, j) = h(row, j) = w.relu ? std::max(z_t(row, j), T(0)) : std::tanh(z_t(row, j));
        state(row, j) = before(row, j);
      }
  }
  return result;
}

template <class T>
RnnBackward<T> rnn_backward(const RnnWeights<T>& w, const RnnForward<T>& forward, const Array<T>& direct,
                            const Array<T>& dh_n, const Sequences& sequences) {
  const Shape states = check(w, forward.x, forward.h0);
  expect("rnn_bptt", "direct", shape_of(direct), states, "like the output (time, batch, hidden)");
  expect("rnn_bptt", "dh_n", shape_of(dh_n), {states[1], states[2]}, "like h_n");
  const Walk walk("rnn_bptt", sequences, states[0], states[1]);
  RnnBackward<T> result{
      zeros<T>(shape_of(w.Wx)), zeros<T>(shape_of(w.Wh)), zeros<T>(shape_of(w.b)), zeros<T>(shape_of(forward.x)), dh_n,
      make_array<T>(states),    make_array<T>(states)};
  const auto h_bar = whole(result.dh0);
  for (std::size_t k = states[0]; k-- > 0;) {
    const std::size_t t = walk[k];
    const auto h = step(forward.h, t), l = step(direct, t);
    const auto dh = step(result.dh, t), dz = step(result.dz, t);
    const auto h_previous = k == 0 ? whole(forward.h0) : step(forward.states, walk[k - 1]);
    for (std::size_t row = 0; row < dh.rows; ++row)
      for (std::size_t j = 0; j < dh.columns; ++j) {
        const bool takes_part = walk.reaches(row, t);
        dh(row, j) = takes_part ? l(row, j) + h_bar(row, j) : T(0);
        const T slope = w.relu ? T(h(row, j) > 0) : 1 - h(row, j) * h(row, j);
        dz(row, j) = dh(row, j) * slope;
        if (takes_part) h_bar(row, j) = 0;
      }
    add_product(whole(result.dWx), transpose(dz), step(forward.x, t));
    add_product(whole(result.dWh), transpose(dz), h_previous);
    add_rows(by_gate(result.db, 1), dz);
    add_product(step(result.dx, t), dz, whole(w.Wx));
    add_product(h_bar, dz, whole(w.Wh));
  }
  return result;
}

#define INSTANTIATE(T)                                                                                               \
  template RnnForward<T> rnn_forward(const RnnWeights<T>&, const Array<T>&, const Array<T>&, const Sequences&);      \
  template RnnBackward<T> rnn_backward(const RnnWeights<T>&, const RnnForward<T>&, const Array<T>&, const Array<T>&, \
                                       const Sequences&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::manual
