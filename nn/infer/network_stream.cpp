// A Stream of the layers of a file: apart from the others, so that a program which streams a graph links no formats.
#include "autograd/graph/run.hpp"
#include "nn/graph/network_graph.hpp"
#include "nn/infer/stream.hpp"

namespace nn::infer {

template <class T>
Stream<T>::Stream(const io::Network& network) : Stream(network_graph<T>(network, false)) {}

template Stream<float>::Stream(const io::Network&);
template Stream<double>::Stream(const io::Network&);

}  // namespace nn::infer
