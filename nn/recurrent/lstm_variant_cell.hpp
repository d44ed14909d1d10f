// LSTMVariantCell: peepholes, coupled gates, a projection and layer normalisation, in any combination.
#pragma once

#include <optional>

#include "autograd/ops/normalization.hpp"
#include "nn/recurrent/lstm_cell.hpp"

namespace nn {

struct LSTMVariantOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  bool peephole = false;
  bool coupled = false;         ///< f = 1 - i; row blocks i, g, o
  std::size_t proj_size = 0;    ///< P, 0 for none
  std::size_t norm_groups = 0;  ///< 0: no layer norm; 1: over all gates; the number of gates: over each one's columns
  bool carry = false;           ///< the normalised cell state is what is carried on
  double eps = 1e-5;            ///< added to the variance
  Nonlinearities nonlinearities = {};

  std::size_t gates() const { return coupled ? 3 : 4; }
};

/// The LSTMCell's equations, with layer normalisation (Ba, Kiros and Hinton 2016), op by op. LN(a; γ, β) normalises
/// the columns of a, or of each gate:
///
///   z = LN(x W_ihᵀ; γx, βx) + LN(h' W_hhᵀ; γh, βh) + b,  or without layer norm  z = x W_ihᵀ + h' W_hhᵀ + b
///   i = σ(zi + p_i c'),  f = σ(zf + p_f c') or 1 - i,  g = tanh(zg)
///   c = f c' + i g,  with `carry`  c = LN(f c' + i g; γc, βc)
///   o = σ(zo + p_o c),  h = o tanh(c),  without `carry`  h = o tanh(LN(c; γc, βc)),  projected  h W_hrᵀ
///
/// PeepholeLSTMCell and CoupledLSTMCell are faster where they suffice.
template <class T>
struct LSTMVariantCell {
  struct Norm {
    Parameter<T> gain, shift;  ///< of the normalised columns
  };

  LSTMVariantOptions options;
  Parameter<T> weight_ih;                                          ///< (G H, I)
  Parameter<T> weight_hh;                                          ///< (G H, H), or (G H, P) with a projection
  Parameter<T> bias;                                               ///< (G H)
  std::optional<Parameter<T>> weight_hr;                           ///< (P, H)
  std::optional<Parameter<T>> peephole_i, peephole_f, peephole_o;  ///< (H); none of f if coupled
  std::optional<Norm> norm_x, norm_h, norm_c;                      ///< (G H), (G H), (H)

  /// Weights uniform within ± 1 / sqrt(H), gains 1, shifts 0. Throws ValueError for a size of 0, a projection not
  /// smaller than H, and groups other than 0, 1 and the number of gates.
  LSTMVariantCell(const LSTMVariantOptions& options, Generator& generator);

  /// What z has of x and b, for a step (batch, I) or a whole sequence (time, batch, I).
  Variable<T> project(Variable<T> x);
  /// The next state, from a projected input (batch, G H), which is donated.
  LSTMState<T> step(Variable<T> projected, const LSTMState<T>& state);
  LSTMState<T> operator()(Variable<T> x, const LSTMState<T>& state) { return step(project(x), state); }
  LSTMState<T> zero_state(Tape<T>& tape, std::size_t batch) const;

  Description describe() const;

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("weight_hh", self.weight_hh);
    visitor("bias", self.bias);
    const auto maybe = [&](const char* name, auto& parameter) {
      if (parameter) visitor(name, *parameter);
    };
    maybe("weight_hr", self.weight_hr);
    maybe("peephole_i", self.peephole_i);
    maybe("peephole_f", self.peephole_f);
    maybe("peephole_o", self.peephole_o);
    const auto norm = [&](const std::string& name, auto& both) {
      if (!both) return;
      visitor(name + "_gain", both->gain);
      visitor(name + "_shift", both->shift);
    };
    norm("norm_x", self.norm_x);
    norm("norm_h", self.norm_h);
    norm("norm_c", self.norm_c);
  }

 private:
  Variable<T> normalized(Variable<T> a, Norm& norm, std::size_t groups) const;
};

extern template struct LSTMVariantCell<float>;
extern template struct LSTMVariantCell<double>;

}  // namespace nn
