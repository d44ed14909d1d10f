// The layers in a row that a graph turns out to be, taken in the order of its nodes.
#pragma once

#include <optional>

#include "nn/io/formats/onnx/folding.hpp"
#include "nn/io/formats/onnx/signal.hpp"
#include "nn/io/network.hpp"

namespace nn::io::formats::onnx {

/// Each step takes what the one before gave and gives what the next one takes. All throw Refusal for what is no part
/// of a Network: another order, another array, other axes.
class Row {
 public:
  /// Of an input of that shape; the arrays of all layers may take so many bytes.
  Row(const Extents& shape, Type type, std::size_t limit);

  const Signal& input() const { return input_; }
  Type type() const { return type_; }

  /// weight (inputs, outputs), from the last axis.
  Signal multiplied(const Signal& x, const Tensor& weight);
  /// A bias, directly after a product.
  Signal shifted(const Signal& x, const Constant& bias, Folding& folding);
  /// `axes` of x are those that the activation takes together, all for one that takes each number alone.
  Signal activated(const Signal& x, Nonlinearity activation);
  /// A gain, before all layers or after them; `label` is what messages call it.
  Signal scaled(const Signal& x, const Constant& factor, Folding& folding, const std::string& label);
  /// The first inputs, added to the outputs.
  Signal added(const Signal& left, const Signal& right);
  /// Gives (time, directions, batch, features), or (batch, time, directions, features).
  Signal recurrent(const Signal& x, Layer layer, bool batch_first);

  /// Whether an axis is the features of x, whole.
  bool are_features(const Axis& axis) const { return axis == features_; }

  /// The network whose output that is.
  Network finish(const Signal& output) &&;

 private:
  enum class Last { input, product, other, gain };

  void require_now(const Signal& x) const;
  void require_layers_allowed(const Signal& x) const;
  void require_features(const Signal& x, std::size_t count);
  void push(Layer layer);
  Signal next(Signal x, Last last);

  Network network_;
  Signal input_;  ///< with its gain
  Type type_;
  std::size_t left_;
  std::size_t stage_ = 0;
  Last last_ = Last::input;
  std::string gain_ = {};          ///< label of the gain after the layers
  Axis features_ = {};             ///< of what the last layer gave
  Axis input_features_ = {};       ///< of the input, once a layer has read it
  std::optional<Axis> time_ = {};  ///< of the input, once a recurrent layer has read it
};

}  // namespace nn::io::formats::onnx
