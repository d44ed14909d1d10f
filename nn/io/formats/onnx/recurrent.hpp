// LSTM, GRU and RNN nodes.
#pragma once

#include <array>
#include <optional>

#include "nn/io/formats/onnx/folding.hpp"
#include "nn/io/formats/onnx/node.hpp"
#include "nn/io/network.hpp"

namespace nn::io::formats::onnx {

/// What a node LSTM, GRU or RNN has besides its input.
struct Recurrent {
  static constexpr std::size_t weight = 1, recurrence = 2, bias = 3, lengths = 4, initial_h = 5, initial_c = 6,
                               peepholes = 7;  ///< places of inputs

  std::array<std::optional<Constant>, 8> inputs = {};
  bool batch_first = false;
  Extent time = {}, batch = {};  ///< of the input
};

/// Whether a node's arrays have the batch as first axis: its attribute `layout`, since opset 14.
bool is_batch_first(Node& node, std::int64_t opset);

/// The layer. Throws Refusal for what a Layer can not express.
Layer layer_of(Node& node, const Recurrent& what, Folding& folding);

}  // namespace nn::io::formats::onnx
