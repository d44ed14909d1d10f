#include "nn/io/formats/onnx/recurrent.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/layout.hpp"

namespace nn::io::formats::onnx {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool all_zero(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return value == 0; });
}

/// The names of the activations, one direction after the other, must be those of a Layer.
void read_activations(Node& node, Layer& layer, std::size_t directions) {
  if (layer.kind == Layer::Kind::rnn) layer.activation = Nonlinearity::tanh;
  for (const char* const scale : {"activation_alpha", "activation_beta"})
    if (const auto values = node.reals(scale); values && !values->empty())
      throw Refusal(std::string("its attribute ") + scale + " can not be converted");
  const auto names = node.texts("activations");
  if (!names) return;
  const std::vector<std::string> usual = layer.kind == Layer::Kind::lstm
                                             ? std::vector<std::string>{"sigmoid", "tanh", "tanh"}
                                         : layer.kind == Layer::Kind::gru ? std::vector<std::string>{"sigmoid", "tanh"}
                                                                          : std::vector<std::string>{"tanh"};
  std::vector<std::string> one_direction = usual;
  if (layer.kind == Layer::Kind::rnn && !names->empty() && lower(names->front()) == "relu") {
    layer.activation = Nonlinearity::relu;
    one_direction = {"relu"};
  }
  bool fits = names->size() == directions * usual.size();
  std::string all;
  for (std::size_t k = 0; k < names->size(); ++k) {
    all += (k ? ", " : "") + shown((*names)[k]);
    fits = fits && lower((*names)[k]) == one_direction[k % usual.size()];
  }
  if (!fits)
    throw Refusal("its activations are " + all + "; only " +
                  (layer.kind == Layer::Kind::lstm  ? "Sigmoid, Tanh, Tanh"
                   : layer.kind == Layer::Kind::gru ? "Sigmoid, Tanh"
                                                    : "Tanh or Relu") +
                  " for each direction can be converted");
}

/// Whether an array for a batch is one for the batch of the input; its length may be known to that array alone.
bool fits_batch(Extent length, const Recurrent& what) {
  return length == what.batch || (length.known() && !what.batch.known());
}

/// An initial state (directions, batch, features) that is the same for the whole batch: (directions, features), empty
/// if it is zero.
std::vector<double> initial_state(const Constant& given, const char* name, const Recurrent& what, const Layer& layer,
                                  std::size_t directions, Folding& folding) {
  if (given.rank() != 3)
    throw Refusal(std::string(name) + " has shape " + to_string(given.shape) + ", expected three axes");
  const Constant state = what.batch_first ? folding.permuted(given, {1, 0, 2}) : given;
  const Extent size{static_cast<std::int64_t>(layer.size)};
  if (!state.shape[0].is(static_cast<std::int64_t>(directions)) || !fits_batch(state.shape[1], what) ||
      state.shape[2] != size)
    throw Refusal(std::string(name) + " has shape " + to_string(state.shape) +
                  " as (directions, batch, features), expected " +
                  to_string({{static_cast<std::int64_t>(directions)}, what.batch, size}));
  Constant first = state;
  if (state.stored[1] == 1) {
    first.shape[1] = {1};
  } else {
    first = folding.sliced(state, 1, 0, 1, 1);
    const Extents same = folding.combined('=', state, first).wholes();
    if (!std::all_of(same.begin(), same.end(), [](const Extent& e) { return e.is(1); }))
      throw Refusal(std::string(name) + " is not the same for the whole batch");
  }
  std::vector<double> values = folding.tensor(first).values;
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }))
    throw Refusal(std::string(name) + " has a number that is not finite");
  return all_zero(values) ? std::vector<double>() : values;
}

}  // namespace

bool is_batch_first(Node& node, std::int64_t opset) {
  if (opset < 14) return false;
  const std::int64_t layout = node.integer("layout").value_or(0);
  if (layout != 0 && layout != 1) throw Refusal("its layout is " + std::to_string(layout) + ", expected 0 or 1");
  return layout == 1;
}

Layer layer_of(Node& node, const Recurrent& what, Folding& folding) {
  Layer layer{.kind = node.op == "LSTM" ? Layer::Kind::lstm : node.op == "GRU" ? Layer::Kind::gru : Layer::Kind::rnn};
  const std::string_view direction = node.text("direction").value_or("forward");
  if (direction != "forward" && direction != "bidirectional")
    throw Refusal("its direction is " + quoted(direction) + "; only forward and bidirectional can be converted");
  const std::size_t directions = direction == "bidirectional" ? 2 : 1;
  if (layer.kind == Layer::Kind::gru) {
    const std::int64_t reset = node.integer("linear_before_reset").value_or(0);
    if (reset != 0 && reset != 1) throw Refusal("its linear_before_reset is neither 0 nor 1");
    layer.reset_after = reset == 1;
  }
  read_activations(node, layer, directions);
  if (node.real("clip")) throw Refusal("its attribute clip can not be converted");
  if (layer.kind == Layer::Kind::lstm && node.integer("input_forget").value_or(0) != 0)
    throw Refusal("its attribute input_forget can not be converted");

  const auto& inputs = what.inputs;
  if (!inputs[Recurrent::weight] || !inputs[Recurrent::recurrence]) throw Refusal("it has no weights W and R");
  std::vector<Tensor> all{folding.tensor(*inputs[Recurrent::weight]), folding.tensor(*inputs[Recurrent::recurrence])};
  const auto size = node.integer("hidden_size");
  if (all[0].shape.rank() != 3 || all[1].shape.rank() != 3)
    throw Refusal("W and R have the shapes " + to_string(all[0].shape) + " and " + to_string(all[1].shape) +
                  ", expected three axes");
  layer.size = all[1].shape[2];
  layer.input_size = all[0].shape[2];
  if (size && *size != static_cast<std::int64_t>(layer.size))
    throw Refusal("its hidden_size is " + std::to_string(*size) + ", and R has the shape " + to_string(all[1].shape));
  if (layer.size == 0 || layer.input_size == 0) throw Refusal("it has no inputs or no units");
  const bool biased = inputs[Recurrent::bias].has_value();
  if (biased) all.push_back(folding.tensor(*inputs[Recurrent::bias]));
  const std::vector<Shape> shapes = layout_shapes(layer, onnx_layout);
  constexpr const char* names[]{"W", "R", "B"};
  for (std::size_t k = 0; k < all.size(); ++k) {
    Shape expected = shapes[k];
    expected.insert(0, directions);
    if (all[k].shape != expected)
      throw Refusal(std::string(names[k]) + " has shape " + to_string(all[k].shape) + ", expected " +
                    to_string(expected));
  }

  if (const auto& lengths = inputs[Recurrent::lengths]) {
    const bool whole = lengths->type == Type::int32 && lengths->rank() == 1 && fits_batch(lengths->shape[0], what) &&
                       std::all_of(lengths->wholes().begin(), lengths->wholes().end(),
                                   [&](const Extent& length) { return length == what.time; });
    if (!whole) throw Refusal("its sequence_lens are not the length of the whole input");
  }
  if (inputs[Recurrent::peepholes] && !all_zero(folding.tensor(*inputs[Recurrent::peepholes]).values))
    throw Refusal("its peepholes P can not be converted");
  std::vector<double> h, c;
  if (inputs[Recurrent::initial_h])
    h = initial_state(*inputs[Recurrent::initial_h], "initial_h", what, layer, directions, folding);
  if (inputs[Recurrent::initial_c])
    c = initial_state(*inputs[Recurrent::initial_c], "initial_c", what, layer, directions, folding);

  layer.directions.clear();
  for (std::size_t d = 0; d < directions; ++d) {
    const auto cut = [d](const std::vector<double>& values, const Shape& shape) {
      if (values.empty()) return Tensor();
      const auto from = values.begin() + static_cast<std::ptrdiff_t>(d * shape.elements());
      return Tensor{shape, {from, from + static_cast<std::ptrdiff_t>(shape.elements())}};
    };
    std::vector<Tensor> tensors;
    for (std::size_t k = 0; k < shapes.size(); ++k)
      tensors.push_back(k < all.size() ? cut(all[k].values, shapes[k]) : zero_tensor(shapes[k]));
    Arrays arrays = from_layout(layer, std::move(tensors), onnx_layout);
    if (!biased) arrays.bias_ih = arrays.bias_hh = {};
    arrays.h0 = cut(h, {layer.size});
    arrays.c0 = cut(c, {layer.size});
    layer.directions.push_back(std::move(arrays));
  }
  return layer;
}

}  // namespace nn::io::formats::onnx
