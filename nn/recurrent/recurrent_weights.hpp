// RecurrentWeights: the parameters that most cells have, under PyTorch's names, and their product with the input.
#pragma once

#include <optional>
#include <vector>

#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/linear_algebra.hpp"
#include "nn/description.hpp"
#include "nn/initialize.hpp"
#include "nn/module.hpp"
#include "nn/nonlinearity.hpp"
#include "nn/recurrent/cell.hpp"

namespace nn {

/// How to make a cell. One that lacks what an option is about refuses any value but the default.
struct CellOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  bool bias = true;
  std::size_t proj_size = 0;  ///< P, the width of a projection of h; 0 for none
  double forget_bias = 0;     ///< added to the initial bias_ih of the forget gate; needs a bias
  Nonlinearities nonlinearities = {};
};

/// Which of the options a cell has.
struct CellTraits {
  const char* name;                                    ///< for error texts
  std::size_t gates = 1;                               ///< G
  bool projection = false;                             ///< proj_size
  std::size_t forget_gate = 0;                         ///< its row block, 0 for none that forget_bias would be of
  bool gate = true, candidate = true, hidden = false;  ///< the nonlinearities
};

/// The parameters of a cell with G gates, in row blocks of H each whose order the cell states.
template <class T>
struct RecurrentWeights {
  Parameter<T> weight_ih;                        ///< (G H, I)
  Parameter<T> weight_hh;                        ///< (G H, H), or (G H, R) where h is R wide
  std::optional<Parameter<T>> bias_ih, bias_hh;  ///< (G H)

  Nonlinearities nonlinearities;

  /// Everything uniform within ± 1 / sqrt(H), PyTorch's default. Throws ValueError, naming the cell, for a size of 0,
  /// an option that the cell lacks, a projection not smaller than H, and a forget bias without a bias.
  RecurrentWeights(const CellTraits& cell, const CellOptions& options, Generator& generator);

  std::size_t input_size() const { return weight_ih.value().shape(1); }
  /// H.
  std::size_t hidden_size() const { return weight_ih.value().shape(0) / gates_; }
  /// R, the width of h: P with a projection, otherwise H.
  std::size_t output_size() const { return weight_hh.value().shape(1); }

  /// x W_ihᵀ + b_ih + b_hh, for a step (batch, I) or a whole sequence (time, batch, I).
  Variable<T> project(Variable<T> x) {
    return bias_ih ? linear(x, weight_ih, beside(x, *bias_ih) + *bias_hh) : linear(x, weight_ih);
  }

  /// Zeros (batch, H).
  Variable<T> zeros(Tape<T>& tape, std::size_t batch) const { return tape.constant({batch, hidden_size()}, T(0)); }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("weight_hh", self.weight_hh);
    if (self.bias_ih) visitor("bias_ih", *self.bias_ih);
    if (self.bias_hh) visitor("bias_hh", *self.bias_hh);
  }

 protected:
  /// The sizes, the order of the row blocks, what else decides what the weights mean, and the nonlinearities.
  Description described(const char* type, const char* gate_order, std::vector<Attribute> more = {}) const;

 private:
  std::size_t gates_;
};

extern template struct RecurrentWeights<float>;
extern template struct RecurrentWeights<double>;

}  // namespace nn
