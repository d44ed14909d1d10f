#include "nn/recurrent/lstm_cell.hpp"

namespace nn {

template <class T>
LSTMCell<T>::LSTMCell(const CellOptions& options, Generator& generator)
    : LSTMWeights<T>({.name = "lstm", .gates = 4, .projection = true, .forget_gate = 1, .hidden = true}, options,
                     generator) {
  const std::size_t hidden = options.hidden_size;
  if (options.proj_size) weight_hr = Parameter<T>(uniform_fan<T>({options.proj_size, hidden}, hidden, generator));
}

template struct LSTMCell<float>;
template struct LSTMCell<double>;

}  // namespace nn
