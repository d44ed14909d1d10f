// Keras's description of a model, which TensorFlow.js shares.
#pragma once

#include <vector>

#include "nn/io/formats/formats.hpp"

namespace nn::io::formats {

/// Whose description it is. Keras 3 and TensorFlow.js write some things otherwise, and take different values for
/// options that are left out.
enum class KerasFlavour { keras, tfjs };

/// The keys of a model without its arrays: "class_name", "config", and those by which Keras 3 finds its classes.
void write_topology(JsonWriter& json, const Network& network, KerasFlavour flavour);

/// A layer as Keras has it.
struct KerasLayer {
  Layer layer;
  bool bias = true;

  /// What its arrays are called, in the order of get_weights(): "kernel", "recurrent_kernel", "bias"; in both
  /// directions "forward_kernel", ..., "backward_kernel", ...
  std::vector<std::string> names() const;
  std::vector<Shape> shapes() const;
  std::vector<Tensor> tensors(Dtype dtype) const;
  void take(std::vector<Tensor> tensors);
};

/// The layers, without their arrays, of a model whose layers are in a row, under the names of the file. What is not
/// known to leave alone what such a network computes is a problem, by layer and option.
std::vector<KerasLayer> read_topology(const JsonNode& model, KerasFlavour flavour);

/// The network of layers that have their arrays.
Network in_a_row(std::vector<KerasLayer> layers, Dtype dtype);

}  // namespace nn::io::formats
