// The simple RNN's forward and backward pass, derived by hand, on plain arrays.
//
//           h = φ(x Wxᵀ + h' Whᵀ + b),   φ = tanh or max(., 0)
//
//           δh = ℓ + h̄
//           δz = δh (1 - h²), or δh where h > 0
//           δWx += δzᵀ x    δWh += δzᵀ h'    δb += Σ_batch δz    δx = δz Wx    h̄ := δz Wh
//
// Lengths and direction: h = m h~ + (1 - m) h', the output is m h~; δh~ = m (ℓ + h̄), and (1 - m) h̄ is added
// to the new h̄.
#pragma once

#include "nn/manual/sequence.hpp"

namespace nn::manual {

/// Where there are two biases, `b` is their sum and each receives `db`.
template <class T>
struct RnnWeights {
  Array<T> Wx;        ///< (H, I)
  Array<T> Wh;        ///< (H, H)
  Array<T> b;         ///< (H)
  bool relu = false;  ///< φ = max(., 0) in the place of tanh
};

template <class T>
struct RnnForward {
  Array<T> x, h0;   ///< (T, B, I), (B, H)
  Array<T> states;  ///< the hidden state after every step, (T, B, H)
  Array<T> h;       ///< the output: the state, 0 in padding
  Array<T> h_n;     ///< (B, H)
};

template <class T>
struct RnnBackward {
  Array<T> dWx, dWh, db;
  Array<T> dx, dh0;
  Array<T> dh, dz;  ///< of every step, (T, B, H)
};

/// Throws ShapeError where the shapes do not fit.
template <class T>
RnnForward<T> rnn_forward(const RnnWeights<T>& weights, const Array<T>& x, const Array<T>& h0,
                          const Sequences& sequences = {});

/// `direct` (T, B, H) is ℓ, `dh_n` (B, H) what the loss reads of the final state. Throws ShapeError as above.
template <class T>
RnnBackward<T> rnn_backward(const RnnWeights<T>& weights, const RnnForward<T>& forward, const Array<T>& direct,
                            const Array<T>& dh_n, const Sequences& sequences = {});

}  // namespace nn::manual
