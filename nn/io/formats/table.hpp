// What each format can hold: the one table, from which come refusals, advice, and the table of docs/formats.md.
#pragma once

#include <string>

#include "nn/io/format.hpp"
#include "nn/io/formats/formats.hpp"

namespace nn::io::formats {

/// What a network, or the options of save() and load(), may have that not every format can express.
enum class Feature {
  lstm,
  gru_after,
  gru_before,
  rnn_tanh,
  rnn_relu,
  bidirectional,
  projection,
  activation,
  skip,
  gain,
  initial_state,
  float64,       ///< rounded to float32 where a format has none
  says_float64,  ///< a file of float64 numbers says so
  notes,
};

bool can_express(Format format, Feature feature);

/// Whether it holds named arrays of any module, and not a row of layers.
bool holds_names(Format format);
/// "native, state_dict and safetensors".
std::string holders_of_any_module();

/// "burn_in makes an initial state, which an ONNX model can not express; nam can".
std::string refusal(const std::string& what, Format format, Feature feature);

/// Why the format can not express the network, and what can be done; empty if it can.
std::string inexpressible(const Network& network, Format format);

// Of a format that holds a row of layers.
Files write(const Output& output, Format format);
Network read(const Input& input, Format format);

}  // namespace nn::io::formats
