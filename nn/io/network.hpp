// Network: layers in a row, the one form between which all formats are converted. It needs no module of nn::, so a file
// is converted whatever cells the library has.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nn/io/weights.hpp"
#include "nn/nonlinearity.hpp"

namespace nn::io {

/// Whether it is one that files keep after a linear layer, and Stream runs: the identity, tanh, relu, sigmoid, elu and
/// softmax.
bool is_activation(Nonlinearity f);
/// One of these by its name in files, where the identity is "" or "linear". Empty for any other name.
std::optional<Nonlinearity> activation_named(const std::string& name);

/// The arrays of one direction of one layer in PyTorch's layout: rows in gate blocks, i, f, g, o of an LSTM and r, z, n
/// of a GRU. An array that the layer lacks is empty. A linear layer has weight_ih and bias_ih alone.
struct Arrays {
  Tensor weight_ih = {};              ///< (G H, I), G = 4 of an LSTM, 3 of a GRU, 1 otherwise
  Tensor weight_hh = {};              ///< (G H, R), R = P with a projection, otherwise H
  Tensor bias_ih = {}, bias_hh = {};  ///< (G H)
  Tensor weight_hr = {};              ///< (P, H), a projection of an LSTM
  Tensor h0 = {}, c0 = {};            ///< (R), (H): the state before the first step, zeros if empty

  bool starts_from_zero() const;
};

struct Layer {
  enum class Kind { lstm, gru, rnn, linear };

  Kind kind = Kind::linear;
  std::string name = {};  ///< "lstm", "head"; layers of one name that follow one another are one module
  bool cell = false;      ///< its arrays are named without `_l0`
  std::size_t input_size = 0;
  std::size_t size = 0;                              ///< H, or the features of a linear layer
  Nonlinearity activation = Nonlinearity::identity;  ///< after a linear layer; tanh or relu in an RNN
  bool reset_after = true;  ///< GRU: n = tanh(.. + r (U h + b_hh)), otherwise tanh(.. + U (r h) + b_hh)
  std::vector<Arrays> directions = {Arrays()};  ///< forward, and in reverse

  bool recurrent() const { return kind != Kind::linear; }
  /// 4, 3 or 1.
  std::size_t gates() const { return kind == Kind::lstm ? 4 : kind == Kind::gru ? 3 : 1; }
  std::size_t projection() const {
    return directions.empty() || directions[0].weight_hr.empty() ? 0 : directions[0].weight_hr.shape[0];
  }
  /// What the next layer reads.
  std::size_t output_size() const { return directions.size() * (projection() ? projection() : size); }
};

/// "LSTM", "GRU", "RNN", "Linear".
const char* name(Layer::Kind kind);
/// "ifgo", "rzn", "".
const char* gate_order(Layer::Kind kind);

struct Network {
  Dtype dtype = Dtype::float32;
  std::vector<Layer> layers = {};
  std::size_t skip = 0;       ///< that many first inputs are added to the outputs
  double input_gain_db = 0;   ///< before everything else
  double output_gain_db = 0;  ///< after everything else
  double sample_rate = 0;     ///< 0 where unknown
  Metadata metadata = {};
  std::optional<SelfTest> self_test = {};
  std::vector<std::string> notes = {};  ///< what the reader of a file had to conclude, and from what

  std::size_t input_size() const { return layers.empty() ? 0 : layers.front().input_size; }
  std::size_t output_size() const { return layers.empty() ? 0 : layers.back().output_size(); }
  std::size_t parameter_count() const;
};

/// Every sentence that says what is wrong with a network, which neither writers nor readers let pass: shapes, sizes,
/// names, numbers that are not finite. None if it can run.
std::vector<std::string> faults(const Network& network);

/// The layers that the descriptions name (LSTM, GRU, RNN, Linear, and the first three as ...Cell, also within a
/// Recurrent that runs them forward), or, without descriptions, those that PyTorch's names and the shapes tell. Of a
/// description gate_order is compared, reset_after of a GRU (true if not given) and nonlinearity of an RNN (tanh if not
/// given) are used; sizes are those of the arrays.
///
/// What the layers compute is known only where every description is. Throws ValueError, with the path of the module,
/// for any other type and for arrays of none of the layers: that is no row of LSTM, GRU, RNN and Linear layers.
///
/// Without descriptions the order of the layers is that of `order`, their names, or else what order_of() makes of it.
Network network_of(const Weights& weights, const std::vector<std::string>& order = {});

/// The descriptions that a file of names and arrays must have beside them, so that nobody takes the model for another:
/// none where names and shapes tell the same layers in the same order, otherwise all; of a module that is no row of
/// layers one without a type, which says why.
std::vector<std::pair<std::string, Description>> untold_by_names(const Weights& weights);

/// Under PyTorch's names: `lstm.weight_ih_l0`, `head.weight`.
/// Throws ValueError for faults(), and for what wengert/1 can not express, see format_table().
Weights weights_of(const Network& network);

/// f(name, tensor) for every array, under PyTorch's names, whatever else the network has.
void for_each_tensor(const Network& network, const std::function<void(const std::string&, const Tensor&)>& f);

/// Copies of all of them.
std::vector<std::pair<std::string, Tensor>> named_tensors(const Network& network);

/// Rounds every number to the type; a self-test stays as it is.
void set_dtype(Network& network, Dtype dtype);

/// Gives every layer a name: "lstm", "gru", "rnn", "linear", counted from the second one on. Layers of the same kind
/// and sizes that follow one another are one module.
void name_layers(Network& network);

}  // namespace nn::io
