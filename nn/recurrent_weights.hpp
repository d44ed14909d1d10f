// RecurrentWeights: the parameters that most cells have, under PyTorch's names, and their product with the input.
#pragma once

#include <optional>

#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/linear_algebra.hpp"
#include "nn/cell.hpp"
#include "nn/initialize.hpp"
#include "nn/module.hpp"

namespace nn {

struct CellOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  bool bias = true;
};

/// Of a cell with G gates: row blocks of H each, in the order that the cell states.
template <class T>
struct RecurrentWeights {
  Parameter<T> weight_ih;                        ///< (G H, I)
  Parameter<T> weight_hh;                        ///< (G H, H), or (G H, R) where h is R wide
  std::optional<Parameter<T>> bias_ih, bias_hh;  ///< (G H)

  /// Everything uniform within ± 1 / sqrt(H), PyTorch's default. Throws ValueError, naming the cell, for a size of 0.
  /// h is `output_size` wide if that is not 0, otherwise H.
  RecurrentWeights(const char* cell, std::size_t gates, const CellOptions& options, Generator& generator,
                   std::size_t output_size = 0);

  std::size_t input_size() const { return weight_ih.value().shape(1); }
  std::size_t hidden_size() const { return weight_hh.value().shape(1); }

  /// x W_ihᵀ + b_ih + b_hh, for a step (batch, I) or a whole sequence (time, batch, I).
  Variable<T> project(Variable<T> x) {
    Tape<T>& tape = autograd::tape_of("project", x);
    if (!bias_ih) return linear(x, tape.parameter(weight_ih));
    return linear(x, tape.parameter(weight_ih), tape.parameter(*bias_ih) + tape.parameter(*bias_hh));
  }

  /// Zeros (batch, H).
  Variable<T> zeros(Tape<T>& tape, std::size_t batch) const { return tape.constant({batch, hidden_size()}, T(0)); }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("weight_hh", self.weight_hh);
    if (self.bias_ih) visitor("bias_ih", *self.bias_ih);
    if (self.bias_hh) visitor("bias_hh", *self.bias_hh);
  }
};

extern template struct RecurrentWeights<float>;
extern template struct RecurrentWeights<double>;

}  // namespace nn
