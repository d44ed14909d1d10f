// LSTM: layers of LSTM cells, in one or both directions, with the names and results of PyTorch's.
#pragma once

#include <span>
#include <string>

#include "nn/cells.hpp"
#include "nn/description.hpp"
#include "nn/layers.hpp"

namespace nn {

struct LSTMOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  std::size_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  ///< input and output are (batch, time, feature); states are not affected
  bool bidirectional = false;
  std::size_t proj_size = 0;     ///< width of a projection of h, 0 for none
  double dropout = 0;            ///< between layers, in training
  double input_dropout = 0;      ///< variational, in training: see Recurrent
  double recurrent_dropout = 0;  ///< the same of the h that cells carry from step to step
  bool residual = false;         ///< every layer's input is added to its output
  double forget_bias = 0;        ///< added to the initial bias_ih of every forget gate
  GateNonlinearities nonlinearities = {};
  std::string name = {};  ///< for error texts
};

/// How to run one batch.
template <class T>
struct LSTMCall {
  LSTMState<T> initial = {};                  ///< h (L D, B, R) and c (L D, B, H); zeros where not given
  std::span<const std::size_t> lengths = {};  ///< of each sequence; all steps if not given
  Variable<T> mask = {};                      ///< instead of lengths: 1 where a sequence has a step; axes as of x
  Generator* dropout = nullptr;               ///< given in training: draws the dropout
};

template <class T>
struct LSTMResult {
  Variable<T> output;  ///< (T, B, D R), or (B, T, D R) with batch_first; in each row first forward, then reverse
  Variable<T> h_n;     ///< (L D, B, R)
  Variable<T> c_n;     ///< (L D, B, H)
};

/// L layers in D directions, each on the output of the layer below. R = H, or P with a projection. States are at index
/// layer D + direction. The steps, and what different lengths mean, are LSTMCell's and Recurrent's.
template <class T>
class LSTM {
 public:
  /// PyTorch's default: everything uniform within ± 1 / sqrt(H), drawn in the order of visit().
  /// Throws ValueError for a size or a number of layers of 0, proj_size >= hidden_size, a dropout outside [0, 1), or a
  /// forget bias without a bias; ShapeError for a residual connection between different numbers of features.
  LSTM(LSTMOptions options, Generator& generator);

  const LSTMOptions& options() const { return options_; }

  /// Throws ShapeError where x, the mask or an initial state does not fit, ValueError for a length beyond the steps of
  /// x.
  LSTMResult<T> operator()(Variable<T> x, const LSTMCall<T>& call = {});

  Description describe() const {
    const LSTMOptions& o = options_;
    Description description{"LSTM",
                            {{"input_size", o.input_size},
                             {"hidden_size", o.hidden_size},
                             {"num_layers", o.num_layers},
                             {"bidirectional", o.bidirectional},
                             {"residual", o.residual},
                             {"proj_size", o.proj_size},
                             {"gate_order", "ifgo"}}};
    add_to(description, o.nonlinearities);
    return description;
  }

  /// `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_hr_l0`, and so on with `_l0_reverse`, `_l1`.
  static void visit(auto& self, auto&& visitor) { self.layers_.visit(self.layers_, visitor); }

 private:
  LSTMOptions options_;
  RecurrentLayers<T, LSTMCell<T>> layers_;
};

extern template class LSTM<float>;
extern template class LSTM<double>;

}  // namespace nn
