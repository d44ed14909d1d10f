#include "nn/io/formats/onnx/row.hpp"

#include <algorithm>
#include <cmath>

#include "nn/io/formats/onnx/protobuf.hpp"
#include "nn/io/layout.hpp"

namespace nn::io::formats::onnx {

Row::Row(const Extents& shape, Type type, std::size_t limit) : type_(type), left_(limit) {
  network_.dtype = type == Type::float64 ? Dtype::float64 : Dtype::float32;
  input_.lengths.resize(features_atom + 1);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    input_.lengths[axis] = shape[axis];
    input_.axes.push_back(shape[axis].is(1) ? Axis{} : Axis{static_cast<Atom>(axis)});
  }
}

Signal Row::multiplied(const Signal& x, const Tensor& weight) {
  require_layers_allowed(x);
  if (weight.values.empty())  // else its extents are no larger than the array
    throw Refusal("its weight has the shape " + to_string(weight.shape) + "; a layer has inputs and outputs");
  Layer layer;
  layer.input_size = weight.shape[0];
  layer.size = weight.shape[1];
  require_features(x, layer.input_size);
  layer.directions[0].weight_ih = transposed(weight);
  push(std::move(layer));
  Signal result = x;
  result.axes.back() = features_;
  return next(std::move(result), Last::product);
}

Signal Row::shifted(const Signal& x, const Constant& bias, Folding& folding) {
  require_now(x);
  if (last_ != Last::product || network_.skip)
    throw Refusal("it adds a constant where no product with a matrix has just been taken, which is no bias");
  if (bias.type != type_) throw Refusal("its constant has another type than its other input");
  Layer& layer = network_.layers.back();
  bool fits = bias.rank() <= x.rank();
  for (std::size_t k = 0; fits && k < bias.rank(); ++k) {
    const Axis& axis = x.axes[x.rank() - bias.rank() + k];
    fits = bias.shape[k].is(1) || (axis == features_ && bias.shape[k].is(static_cast<std::int64_t>(layer.size)));
  }
  if (!fits)
    throw Refusal("it adds a constant of shape " + to_string(bias.shape) + " to an array of shape " +
                  to_string(x.shape()) + "; a bias has one number for each feature, of which there are " +
                  std::to_string(layer.size));
  const Tensor values = folding.tensor(bias);
  Tensor& sum = layer.directions[0].bias_ih;
  if (sum.empty()) sum = zero_tensor({layer.size});
  for (std::size_t k = 0; k < layer.size; ++k)
    sum.values[k] = rounded(sum.values[k] + values.values[values.values.size() == 1 ? 0 : k], network_.dtype);
  return next(x, Last::product);
}

Signal Row::activated(const Signal& x, Nonlinearity activation) {
  require_now(x);
  if (last_ != Last::product || network_.skip)
    throw Refusal("an activation that follows no linear layer can not be converted");
  network_.layers.back().activation = activation;
  return next(x, Last::other);
}

Signal Row::scaled(const Signal& x, const Constant& factor, Folding& folding, const std::string& label) {
  require_now(x);
  const bool single = std::all_of(factor.shape.begin(), factor.shape.end(), [](const Extent& e) { return e.is(1); });
  if (!single || factor.rank() > x.rank() || factor.type != type_)
    throw Refusal("it multiplies by a constant of shape " + to_string(factor.shape) +
                  "; only one number, a gain, can be converted");
  const double value = folding.tensor(factor).values[0];
  if (value == 1) return x;
  if (!(value > 0) || !std::isfinite(value))
    throw Refusal("it multiplies by " + std::to_string(value) + ", and a gain is positive");
  (network_.layers.empty() ? network_.input_gain_db : network_.output_gain_db) += 20 * std::log10(value);
  gain_ = label;
  if (!network_.layers.empty()) return next(x, Last::gain);
  input_ = next(x, Last::input);
  return input_;
}

Signal Row::added(const Signal& left, const Signal& right) {
  const bool left_is_input = left.stage == input_.stage && left.stage != stage_;
  const Signal& first = left_is_input ? left : right;
  const Signal& now = left_is_input ? right : left;
  require_layers_allowed(now);
  if (network_.layers.empty() || first.stage != input_.stage)
    throw Refusal("it adds two arrays, of which neither is the graph's input; only that can be added, at the end");
  const std::size_t count =
      first.part ? static_cast<std::size_t>(first.lengths[first.part_of].factor) : network_.input_size();
  const Axis mark{0xFF};
  const auto marked = [&mark](std::vector<Axis> axes, const Axis& features) {
    for (Axis& axis : axes)
      if (axis == features && !features.empty()) axis = mark;
    return axes;
  };
  if (count != network_.output_size() || (first.part && Axis{first.part_of} != input_features_) ||
      marked(first.axes, input_features_) != marked(now.axes, features_))
    throw Refusal("it adds an array of shape " + to_string(first.shape()) +
                  ", made of the graph's input, to one of shape " + to_string(now.shape()) +
                  "; only the first inputs, one for each output, can be added");
  network_.skip = count;
  return next(now, Last::other);
}

Signal Row::recurrent(const Signal& x, Layer layer, bool batch_first) {
  require_layers_allowed(x);
  if (x.rank() != 3) throw Refusal("its input has the shape " + to_string(x.shape()) + ", expected three axes");
  const Axis time = x.axes[batch_first ? 1 : 0], batch = x.axes[batch_first ? 0 : 1];
  if (time.size() > 1 || (time.empty() && !batch.empty()) || (time_ && time != *time_))
    throw Refusal("it does not run over one axis of the graph's input as a whole, and the same as all layers");
  require_features(x, layer.input_size);
  time_ = time;
  const Axis directions = layer.directions.size() == 2 ? Axis{directions_atom} : Axis{};
  const Axis each = layer.size == 1 ? Axis{} : Axis{features_atom};
  push(std::move(layer));
  Signal result = x;
  if (batch_first)
    result.axes = {batch, time, directions, each};
  else
    result.axes = {time, directions, batch, each};
  return next(std::move(result), Last::other);
}

Network Row::finish(const Signal& output) && {
  require_now(output);
  if (network_.layers.empty()) throw Refusal("no layer leads to it");
  Axis order;
  for (const Axis& axis : output.axes) order.insert(order.end(), axis.begin(), axis.end());
  const auto features = std::find(order.begin(), order.end(), features_atom);
  if (std::find(features, order.end(), directions_atom) != order.end())
    throw Refusal("its directions come after its features");
  return std::move(network_);
}

void Row::require_now(const Signal& x) const {
  if (x.part) throw Refusal("it reads a part of an array; only whole sequences can be converted");
  if (x.stage != stage_)
    throw Refusal("it does not read what the last layer gives; only layers in a row can be converted");
}

void Row::require_layers_allowed(const Signal& x) const {
  require_now(x);
  if (last_ == Last::gain)
    throw Refusal("it follows " + gain_ + ", a product with a number, which can be converted before or after all else");
  if (network_.skip) throw Refusal("it follows the sum with the graph's input, which comes after all layers");
}

/// That the last axis of x are its features, and so many.
void Row::require_features(const Signal& x, std::size_t count) {
  const bool first = network_.layers.empty();
  const Axis axis = x.axes.empty() ? Axis{} : x.axes.back();
  const Extent extent = x.extent(axis);
  const bool fits = !x.axes.empty() && (first ? axis.size() <= 1 : axis == features_) &&
                    (extent.is(static_cast<std::int64_t>(count)) || (first && !extent.known()));
  if (!fits)
    throw Refusal("its weights are for " + std::to_string(count) + " features, and its input has the shape " +
                  to_string(x.shape()) + (extent.known() ? "" : ", where the last axis is not the features"));
  if (first) input_features_ = axis;
}

void Row::push(Layer layer) {
  std::size_t size = 0;
  for (const Arrays& arrays : layer.directions)
    for (const Tensor* const tensor : {&arrays.weight_ih, &arrays.weight_hh, &arrays.bias_ih, &arrays.bias_hh})
      size += tensor->values.size() * sizeof(double);
  if (size > left_) throw Refusal("the layers have many more numbers than the file: an array is used by many nodes");
  left_ -= size;
  features_ = layer.directions.size() == 2 ? Axis{directions_atom} : Axis{};
  if (layer.size != 1) features_.push_back(features_atom);
  network_.layers.push_back(std::move(layer));
}

Signal Row::next(Signal x, Last last) {
  if (!network_.layers.empty()) {
    x.lengths[features_atom] = {static_cast<std::int64_t>(network_.layers.back().size)};
    x.lengths[directions_atom] = {static_cast<std::int64_t>(network_.layers.back().directions.size())};
  }
  x.stage = ++stage_;
  last_ = last;
  return x;
}

}  // namespace nn::io::formats::onnx
