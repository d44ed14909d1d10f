#include "nn/recurrent/gru.hpp"

namespace nn {

template <class T>
GRU<T>::GRU(const LayersOptions& options, Generator& generator)
    : HiddenLayers<T, GRUCell<T>>("gru", options, generator) {}

template class HiddenLayers<float, GRUCell<float>>;
template class HiddenLayers<double, GRUCell<double>>;
template class GRU<float>;
template class GRU<double>;

}  // namespace nn
