// Keras's description of layers in a row, which TensorFlow.js shares.
#pragma once

#include <vector>

#include "nn/io/dialects/dialects.hpp"

namespace nn::io::dialects {

/// The keys "class_name" and "config".
void write_sequential(JsonWriter& json, const Network& network);

/// What Keras calls the arrays of its layout.
std::vector<std::string> array_names(const Layer& layer);

/// The layers without their arrays, under the names of the file; what can not be converted is a problem.
std::vector<Layer> read_sequential(const JsonNode& node);

}  // namespace nn::io::dialects
