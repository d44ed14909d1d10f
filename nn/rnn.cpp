#include "nn/rnn.hpp"

namespace nn {

template <class T>
RNN<T>::RNN(const LayersOptions& options, Generator& generator, Nonlinearity nonlinearity)
    : layers_("rnn", options, options.hidden_size, [&](std::size_t input_size) {
        return RNNCell<T>({input_size, options.hidden_size, options.bias}, generator, nonlinearity);
      }) {}

template <class T>
HiddenResult<T> RNN<T>::operator()(Variable<T> x, const HiddenCall<T>& call) {
  return run_hidden(layers_, x, call);
}

template class RNN<float>;
template class RNN<double>;

}  // namespace nn
