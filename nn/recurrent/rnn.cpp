#include "nn/recurrent/rnn.hpp"

namespace nn {

template <class T>
RNN<T>::RNN(const LayersOptions& options, Generator& generator)
    : HiddenLayers<T, RNNCell<T>>("rnn", options, generator) {}

template class HiddenLayers<float, RNNCell<float>>;
template class HiddenLayers<double, RNNCell<double>>;
template class RNN<float>;
template class RNN<double>;

}  // namespace nn
