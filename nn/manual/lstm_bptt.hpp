// The LSTM's forward and backward pass, derived by hand, on plain arrays: what the tape's gradients are compared with.
//
// Time-major rows. h' and c' are the states of step t-1; δq is the total derivative ∂L/∂q; products are elementwise
// unless a matrix (Wx, Wh) or a transpose is involved; the blocks of z, Wx, Wh and b are in the order i, f, g, o.
//
// Forward   z = x Wxᵀ + h' Whᵀ + b = [zi | zf | zg | zo]
//           i = σ(zi)   f = σ(zf)   g = tanh(zg)   o = σ(zo)
//           c = f c' + i g   u = tanh(c)   h = o u
//
// Backward, for t = T, ..., 1. ℓ is the direct derivative: what the loss itself reads of h at this step. h̄ and c̄ come
// from step t+1; they start as ∂L/∂h_n and ∂L/∂c_n, and what is left of them at the end is δh0 and δc0.
//
//     (1)   δh = ℓ + h̄
//     (2)   δo = δh u
//     (3)   δc = c̄ + δh o (1 - u²)
//     (4)   δi = δc g             δf = δc c'            δg = δc i
//     (5)   δzi = δi i (1 - i)    δzf = δf f (1 - f)    δzg = δg (1 - g²)    δzo = δo o (1 - o)
//     (6)   δWx += δzᵀ x          δWh += δzᵀ h'
//     (7)   δb += Σ_batch δz
//     (8)   δx = δz Wx
//     (9)   h̄ := δz Wh
//     (10)  c̄ := δc f
//
// Stacks    Layer n reads the h of layer n-1, and the δx of layer n is the ℓ of layer n-1.
//
// Numbers   σ is computed from exp(-|z|), which can not overflow.
//
// Nothing here knows the tape, and every product is a plain loop: an error in the engine can not hide in both.
#pragma once

#include <vector>

#include "autograd/array.hpp"

namespace nn::manual {

using autograd::Array;

/// One layer's weights, row blocks i, f, g, o. Where there are two biases, `b` is their sum and each receives `db`.
template <class T>
struct LstmWeights {
  Array<T> Wx;  ///< (4H, I)
  Array<T> Wh;  ///< (4H, H)
  Array<T> b;   ///< (4H)
};

/// All that one layer computed forward, and so all that its backward pass needs.
template <class T>
struct LstmForward {
  Array<T> x;           ///< the input, (T, B, I)
  Array<T> h0, c0;      ///< the initial state, (B, H)
  Array<T> i, f, g, o;  ///< the gates of every step, (T, B, H)
  Array<T> c, u;        ///< the cell and tanh(c) of every step, (T, B, H)
  Array<T> h;           ///< the layer's output: the hidden state of every step, (T, B, H)
  Array<T> h_n, c_n;    ///< the final state, (B, H); the initial one if there are no steps
};

/// Every derivative of one layer, those inside the recurrence included.
template <class T>
struct LstmBackward {
  Array<T> dWx, dWh, db;        ///< shaped like the weights
  Array<T> dx;                  ///< (T, B, I)
  Array<T> dh0, dc0;            ///< (B, H)
  Array<T> dh, dc;              ///< the total derivatives of the hidden state and the cell of every step, (T, B, H)
  Array<T> dzi, dzf, dzg, dzo;  ///< the derivatives of the pre-activations of every step, (T, B, H)
};

/// A slip to make on purpose, to see that a comparison notices it. All of them are taken from published derivations.
enum class Slip {
  none,
  sign,   ///< Line 5, δzf = -δf f (1 - f). The wrong sign of source 004 (004.B1 has y - h for h - y), at one gate.
  carry,  ///< Line 10, c̄ := 0: no path from c to the next c. Sources 001 (001.B1) and 004 (004.B3 to 004.B7).
  transpose,  ///< Line 9, h̄ := Σ δz Whᵀ, each gate's block transposed. Source 002 (002.B11) read with column deltas.
  candidate,  ///< Lines 6 and 7, the rows of g get δc in the place of δzg. Source 002 as printed (002.B9, 002.B10).
};

/// Runs one layer over x (T, B, I) from h0, c0 (B, H).
/// Throws ShapeError where the shapes do not fit.
template <class T>
LstmForward<T> lstm_forward(const LstmWeights<T>& weights, const Array<T>& x, const Array<T>& h0, const Array<T>& c0);

/// Back-propagates through time. `direct` (T, B, H) is ℓ, the derivative of the loss with respect to the output as the
/// loss reads it; `dh_n` and `dc_n` (B, H) those of the final state, zeros if the loss does not read it. `weights` are
/// the ones `forward` was run with. Equations (1) to (10). Throws ShapeError where the shapes do not fit.
template <class T>
LstmBackward<T> lstm_backward(const LstmWeights<T>& weights, const LstmForward<T>& forward, const Array<T>& direct,
                              const Array<T>& dh_n, const Array<T>& dc_n, Slip slip = Slip::none);

/// Runs L layers of one hidden size, each on the output of the one before, from h0, c0 (L, B, H). One result per layer;
/// the last one's `h` is the output of the stack.
/// Throws ShapeError where the shapes do not fit, or without layers.
template <class T>
std::vector<LstmForward<T>> lstm_stack_forward(const std::vector<LstmWeights<T>>& weights, const Array<T>& x,
                                               const Array<T>& h0, const Array<T>& c0);

/// Back-propagates through a stack. `direct` (T, B, H) belongs to the last layer; `dh_n`, `dc_n` are (L, B, H). One
/// result per layer; the first one's `dx` is that of the stack. Every layer makes the slip.
/// Throws ShapeError where the shapes do not fit, or without layers.
template <class T>
std::vector<LstmBackward<T>> lstm_stack_backward(const std::vector<LstmWeights<T>>& weights,
                                                 const std::vector<LstmForward<T>>& forward, const Array<T>& direct,
                                                 const Array<T>& dh_n, const Array<T>& dc_n, Slip slip = Slip::none);

extern template LstmForward<float> lstm_forward(const LstmWeights<float>&, const Array<float>&, const Array<float>&,
                                                const Array<float>&);
extern template LstmForward<double> lstm_forward(const LstmWeights<double>&, const Array<double>&, const Array<double>&,
                                                 const Array<double>&);
extern template LstmBackward<float> lstm_backward(const LstmWeights<float>&, const LstmForward<float>&,
                                                  const Array<float>&, const Array<float>&, const Array<float>&, Slip);
extern template LstmBackward<double> lstm_backward(const LstmWeights<double>&, const LstmForward<double>&,
                                                   const Array<double>&, const Array<double>&, const Array<double>&,
                                                   Slip);
extern template std::vector<LstmForward<float>> lstm_stack_forward(const std::vector<LstmWeights<float>>&,
                                                                   const Array<float>&, const Array<float>&,
                                                                   const Array<float>&);
extern template std::vector<LstmForward<double>> lstm_stack_forward(const std::vector<LstmWeights<double>>&,
                                                                    const Array<double>&, const Array<double>&,
                                                                    const Array<double>&);
extern template std::vector<LstmBackward<float>> lstm_stack_backward(const std::vector<LstmWeights<float>>&,
                                                                     const std::vector<LstmForward<float>>&,
                                                                     const Array<float>&, const Array<float>&,
                                                                     const Array<float>&, Slip);
extern template std::vector<LstmBackward<double>> lstm_stack_backward(const std::vector<LstmWeights<double>>&,
                                                                      const std::vector<LstmForward<double>>&,
                                                                      const Array<double>&, const Array<double>&,
                                                                      const Array<double>&, Slip);

}  // namespace nn::manual
