#include "nn/gru.hpp"

namespace nn {

template <class T>
GRU<T>::GRU(const LayersOptions& options, Generator& generator)
    : layers_("gru", options, options.hidden_size, [&](std::size_t input_size) {
        return GRUCell<T>({input_size, options.hidden_size, options.bias}, generator);
      }) {}

template <class T>
HiddenResult<T> GRU<T>::operator()(Variable<T> x, const HiddenCall<T>& call) {
  return run_hidden(layers_, x, call);
}

template class GRU<float>;
template class GRU<double>;

}  // namespace nn
