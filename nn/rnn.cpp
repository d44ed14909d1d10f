#include "nn/rnn.hpp"

namespace nn {

template <class T>
RNN<T>::RNN(const LayersOptions& options, Generator& generator, Nonlinearity nonlinearity)
    : HiddenLayers<T, RNNCell<T>>("rnn", options, [&](std::size_t input_size) {
        return RNNCell<T>({input_size, options.hidden_size, options.bias}, generator, nonlinearity);
      }) {}

template class HiddenLayers<float, RNNCell<float>>;
template class HiddenLayers<double, RNNCell<double>>;
template class RNN<float>;
template class RNN<double>;

}  // namespace nn
