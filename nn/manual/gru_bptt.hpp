// The GRU's forward and backward pass, derived by hand, on plain arrays, with the reset gate on either side of the
// product.
//
// Row blocks r, z, n; a = x Wxᵀ + bx, d = h' Whᵀ + bh.
//
//           r = σ(a_r + d_r)    z = σ(a_z + d_z)    h = (1 - z) n + z h'
//   reset after the product     q = d_n             n = tanh(a_n + r q)
//   reset before the product    q = (r h') Whnᵀ + bhn    n = tanh(a_n + q)
//
// Backward, with δh = ℓ + h̄:
//           δzn = δh (1 - z) (1 - n²)
//           δzz = δh (h' - n) z (1 - z)
//   after:  δq = δzn r          δzr = δzn q r (1 - r)
//           δWh += [δzr | δzz | δq]ᵀ h'        h̄ := δh z + [δzr | δzz | δq] Wh
//   before: δq = δzn            v = δzn Whn        δzr = v h' r (1 - r)
//           δWh_rz += [δzr | δzz]ᵀ h'    δWhn += δznᵀ (r h')    h̄ := δh z + [δzr | δzz] Wh_rz + v r
//   both:   δa = [δzr | δzz | δzn]    δWx += δaᵀ x    δbx += Σ δa    δbh += Σ [δzr | δzz | δq]    δx = δa Wx
//
// Lengths and direction as in rnn_bptt.hpp.
#pragma once

#include "nn/manual/sequence.hpp"

namespace nn::manual {

template <class T>
struct GruWeights {
  Array<T> Wx;              ///< (3H, I)
  Array<T> Wh;              ///< (3H, H)
  Array<T> bx, bh;          ///< (3H)
  bool reset_after = true;  ///< PyTorch's and cuDNN's form; false: that of Cho et al. 2014
};

template <class T>
struct GruForward {
  Array<T> x, h0;       ///< (T, B, I), (B, H)
  Array<T> r, z, n, q;  ///< of every step, (T, B, H)
  Array<T> states;      ///< the hidden state after every step, (T, B, H)
  Array<T> h;           ///< the output: the state, 0 in padding
  Array<T> h_n;         ///< (B, H)
};

template <class T>
struct GruBackward {
  Array<T> dWx, dWh, dbx, dbh;
  Array<T> dx, dh0;
  Array<T> dh, dzr, dzz, dzn, dq;  ///< of every step, (T, B, H)
};

/// Throws ShapeError where the shapes do not fit.
template <class T>
GruForward<T> gru_forward(const GruWeights<T>& weights, const Array<T>& x, const Array<T>& h0,
                          const Sequences& sequences = {});

/// `direct` (T, B, H) is ℓ, `dh_n` (B, H) what the loss reads of the final state. Throws ShapeError as above.
template <class T>
GruBackward<T> gru_backward(const GruWeights<T>& weights, const GruForward<T>& forward, const Array<T>& direct,
                            const Array<T>& dh_n, const Sequences& sequences = {});

}  // namespace nn::manual
