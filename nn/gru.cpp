#include "nn/gru.hpp"

namespace nn {

template <class T>
GRU<T>::GRU(const LayersOptions& options, Generator& generator, const GateNonlinearities& nonlinearities)
    : HiddenLayers<T, GRUCell<T>>("gru", options, [&](std::size_t input_size) {
        return GRUCell<T>({input_size, options.hidden_size, options.bias}, generator, nonlinearities);
      }) {}

template class HiddenLayers<float, GRUCell<float>>;
template class HiddenLayers<double, GRUCell<double>>;
template class GRU<float>;
template class GRU<double>;

}  // namespace nn
