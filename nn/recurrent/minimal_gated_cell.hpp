// MinimalGatedCell: the recurrent cell with a single gate.
#pragma once

#include "nn/recurrent/gated_update.hpp"
#include "nn/recurrent/recurrent_weights.hpp"

namespace nn {

inline constexpr GatedUpdate minimal_gated_forget([](auto gate, auto, auto) {
  return [=](auto xf, auto hf, auto h_previous) {
    const auto f = named("f", gate(named("zf", xf + hf)));
    return std::tuple{f, f * h_previous};
  };
});
inline constexpr GatedUpdate minimal_gated_mix([](auto, auto candidate, auto) {
  return [=](auto xn, auto hn, auto f, auto h_previous) {
    const auto n = named("n", candidate(named("zn", xn + hn)));
    return named("h", (1 - f) * h_previous + f * n);
  };
});

/// The minimal gated unit (Zhou, Wu, Zhang and Zhou 2016), row blocks f, n:
///
///   [xf | xn] = x W_ihᵀ + b_ih + b_hh,  W_hh = [U_f; U_n]
///   f = σ(xf + h' U_fᵀ),  n = tanh(xn + (f h') U_nᵀ)
///   h = (1 - f) h' + f n
///
/// with other nonlinearities in the places of σ and tanh, if they are given.
template <class T>
struct MinimalGatedCell : RecurrentWeights<T> {
  /// Has neither proj_size, forget_bias nor a hidden nonlinearity. Throws ValueError as RecurrentWeights.
  MinimalGatedCell(const CellOptions& options, Generator& generator)
      : RecurrentWeights<T>({.name = "minimal_gated", .gates = 2}, options, generator) {}

  /// The next state (batch, H), from a projected input (batch, 2H).
  Variable<T> step(Variable<T> projected, Variable<T> h) {
    const Variable<T> weight = beside(projected, this->weight_hh);
    const autograd::Index hidden = static_cast<autograd::Index>(this->hidden_size());
    const auto [xf, xn] = autograd::blocks<2>(projected);
    const auto [f, fh] = minimal_gated_forget(this->nonlinearities, xf, linear(h, slice(weight, 0, 0, hidden)), h);
    return minimal_gated_mix(this->nonlinearities, xn, linear(fh, slice(weight, 0, hidden, 2 * hidden)), f, h);
  }
  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(this->project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }

  Description describe() const { return this->described("MinimalGatedCell", "fn"); }
};

}  // namespace nn
