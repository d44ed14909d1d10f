// The LSTM's variants, derived by hand, on plain arrays: peepholes, coupled gates, projection, layer normalization, in
// any combination. Where nothing is said the lines are those of lstm_bptt.hpp.
//
// Peepholes          zi += pi c'    zf += pf c'    zo += po c, with the new c, so o comes after c.
//                    δzo first, then δc += δzo po before lines 4 and 5.
//                    δpi += Σ δzi c'    δpf += Σ δzf c'    δpo += Σ δzo c    c̄ += δzi pi + δzf pf
// Coupled            f = 1 - i, row blocks i, g, o.    δi = δc (g - c'), no δzf.
// Projection         r = h Wpᵀ in the place of h in the recurrence, the output and the state.
//                    δr = ℓ + r̄    δWp += δrᵀ h    δh = δr Wp
// Layer norm         z = LN(x Wxᵀ; gx, bx) + LN(h' Whᵀ; gh, bh) + b    u = tanh(LN(c; gc, bc)), or, with `carry`,
//                    c = LN(f c' + i g; gc, bc) itself. Statistics over all columns of z, or over each gate's.
//                    LN(a; γ, β) = γ â + β,  â = (a - mean) s,  s = 1 / sqrt(var + ε), and for δy
//                    δγ += Σ δy â    δβ += Σ δy    δa = s (δâ - mean(δâ) - â mean(δâ â)), δâ = γ δy
// Lengths            as in rnn_bptt.hpp, for c as for r.
#pragma once

#include "nn/manual/sequence.hpp"

namespace nn::manual {

/// A gain and a bias of one normalization; empty for none.
template <class T>
struct NormWeights {
  Array<T> gain, bias;
};

/// Row blocks i, f, g, o, or i, g, o if coupled. What is empty is not there. The same struct holds the gradients.
template <class T>
struct LstmVariantWeights {
  Array<T> Wx;                         ///< (4H, I)
  Array<T> Wh;                         ///< (4H, R)
  Array<T> b;                          ///< (4H)
  Array<T> pi = {}, pf = {}, po = {};  ///< peepholes (H)
  Array<T> Wp = {};                    ///< projection (P, H)
  NormWeights<T> nx = {}, nh = {};     ///< (4H)
  NormWeights<T> nc = {};              ///< (H)
};

struct LstmVariant {
  bool peephole = false;
  bool coupled = false;
  bool projection = false;
  std::size_t norm_groups = 0;  ///< 0: no layer norm; 1: over all columns of z; the number of gates: over each gate's
  bool carry = false;           ///< the normalised cell is what is carried on
  double eps = 1e-5;
  Sequences sequences = {};

  std::size_t gates() const { return coupled ? 3 : 4; }
};

/// â and s of one normalization at every step.
template <class T>
struct Normalized {
  Array<T> hat;    ///< like what was normalised
  Array<T> scale;  ///< (T, B, groups)
};

template <class T>
struct LstmVariantForward {
  Array<T> x, h0, c0;    ///< (T, B, I), (B, R), (B, H)
  Array<T> i, f, g, o;   ///< (T, B, H)
  Array<T> c;            ///< the cell of every step as the peephole and the tanh see it, before lengths, (T, B, H)
  Array<T> u;            ///< (T, B, H)
  Array<T> unprojected;  ///< o u, (T, B, H)
  Normalized<T> nx, nh, nc;
  Array<T> states, cells;  ///< what is carried on after every step, (T, B, R), (T, B, H)
  Array<T> h;              ///< the output: the state, 0 in padding, (T, B, R)
  Array<T> h_n, c_n;
};

template <class T>
struct LstmVariantBackward {
  LstmVariantWeights<T> weights;  ///< the gradient of each weight
  Array<T> dx, dh0, dc0;
  Array<T> dh, dc;              ///< of h before projection, and of f c' + i g, at every step, (T, B, H)
  Array<T> dzi, dzf, dzg, dzo;  ///< (T, B, H); dzf is 0 if coupled
};

/// Throws ShapeError where the shapes do not fit.
template <class T>
LstmVariantForward<T> lstm_variant_forward(const LstmVariant& variant, const LstmVariantWeights<T>& weights,
                                           const Array<T>& x, const Array<T>& h0, const Array<T>& c0);

/// `direct` (T, B, R) is ℓ, `dh_n` (B, R) and `dc_n` (B, H) what the loss reads of the final state.
/// Throws ShapeError where the shapes do not fit.
template <class T>
LstmVariantBackward<T> lstm_variant_backward(const LstmVariant& variant, const LstmVariantWeights<T>& weights,
                                             const LstmVariantForward<T>& forward, const Array<T>& direct,
                                             const Array<T>& dh_n, const Array<T>& dc_n);

}  // namespace nn::manual
