// network_graph(): the layers of a file as a Graph, whatever format it has.
#pragma once

#include "autograd/graph/graph.hpp"
#include "nn/io/network.hpp"

namespace nn {

/// One step of a network: input x (batch, features), its states, output y; gains and the skip connection included. The
/// layers are the library's own cells; parameters have PyTorch's names, states are `lstm.h_l0`, `lstm.c_l0` and so on,
/// in the order of the layers. Numbers are rounded to T. Throws ValueError for a bidirectional network, and for one
/// that has faults().
template <class T>
autograd::Graph<T> network_graph(const io::Network& network, bool any_batch = true);

}  // namespace nn
