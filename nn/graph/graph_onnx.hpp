// save_onnx(): any graph as an ONNX model, to be run over a sequence or step by step.
#pragma once

#include <filesystem>

#include "autograd/graph/graph.hpp"
#include "nn/io/metadata.hpp"

namespace nn::io {

struct OnnxGraphOptions {
  bool step_model = false;  ///< one step, with the states as inputs and outputs, in the place of a whole sequence
  Metadata metadata = {};
};

/// Writes a model of opset 14 and IR version 8, of the graph's element type, with the names of its inputs and outputs:
/// x (time, batch, ...) and y (time, batch, ...), a Scan over the graph's steps that begins with the initial states.
/// With `step_model` x (batch, ...) and each state by its name are inputs, y and NAME_next for each state outputs; what
/// the states are at first, of one sequence, is in the metadata: "initial_states" is {"NAME": [numbers], ...} in JSON.
/// The batch is free if the graph is batched(), otherwise 1. Parameters are initializers under their paths, with _2 and
/// so on behind a path that an input, output or state has.
///
/// Throws what check() throws, and ValueError, naming the step: for atan2 and erfc, which ONNX does not have; for
/// functions that ONNX Runtime has for float alone in a graph of double (erf and the trigonometric and hyperbolic ones
/// but sin, cos and tanh); for values without elements; for an input, output or state with the name of another, a graph
/// without an input unless it is a step_model, and metadata that no file may have. Throws Error if the file can not be
/// written.
template <class T>
void save_onnx(const autograd::Graph<T>& graph, const std::filesystem::path& path,
               const OnnxGraphOptions& options = {});

}  // namespace nn::io
