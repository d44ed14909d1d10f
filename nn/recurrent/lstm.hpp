// LSTM: layers of LSTM cells, in one or both directions, with the names and results of PyTorch's.
#pragma once

#include "nn/description.hpp"
#include "nn/recurrent/layers.hpp"
#include "nn/recurrent/lstm_cell.hpp"

namespace nn {

/// L layers in D directions, each on the output of the layer below. R = H, or P with a projection. States are at index
/// layer D + direction. The steps, and what different lengths mean, are LSTMCell's and Recurrent's.
template <class T>
class LSTM {
 public:
  /// PyTorch's default: everything uniform within ± 1 / sqrt(H), drawn in the order of visit().
  /// Throws ValueError for a size or a number of layers of 0, proj_size >= hidden_size, a dropout outside [0, 1), or a
  /// forget bias without a bias; ShapeError for a residual connection between different numbers of features.
  LSTM(const LayersOptions& options, Generator& generator);

  const LayersOptions& options() const { return layers_.options(); }
  /// Its cells.
  RecurrentLayers<T, LSTMCell<T>>& layers() { return layers_; }

  /// The state is h (L D, B, R) and c (L D, B, H); zeros for either that refers to nothing.
  using Call = SequenceCall<T, LSTMState<T>>;
  /// Output (T, B, D R), or (B, T, D R) with batch_first; in each row first forward, then reverse.
  using Result = SequenceResult<T, LSTMState<T>>;

  /// Throws ShapeError where x, the mask or an initial state does not fit, ValueError for a length beyond the steps of
  /// x.
  Result operator()(Variable<T> x, const Call& call = {});

  Description describe() const {
    const LayersOptions& o = options();
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
  RecurrentLayers<T, LSTMCell<T>> layers_;
};

extern template class LSTM<float>;
extern template class LSTM<double>;

}  // namespace nn
