// RecurrentLayers: cells stacked in layers, in one or both directions; what LSTM, GRU and RNN have in common.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "autograd/ops/random.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "nn/recurrent/recurrent_weights.hpp"

namespace nn {

/// How to make an LSTM, GRU or RNN, or layers of other cells.
struct LayersOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  std::size_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  ///< input and output are (batch, time, feature); states are not affected
  bool bidirectional = false;
  std::size_t proj_size = 0;     ///< of each cell, see CellOptions
  double dropout = 0;            ///< between layers, in training
  double input_dropout = 0;      ///< variational, in training: see Recurrent
  double recurrent_dropout = 0;  ///< the same of what cells carry from step to step
  bool residual = false;         ///< every layer's input is added to its output
  double forget_bias = 0;        ///< of each cell, see CellOptions
  Nonlinearities nonlinearities = {};
  std::string name = {};  ///< for error texts

  std::size_t directions() const { return bidirectional ? 2 : 1; }
  /// Those of one cell.
  CellOptions cell(std::size_t cell_input_size) const {
    return {cell_input_size, hidden_size, bias, proj_size, forget_bias, nonlinearities};
  }
};

namespace detail {

/// `lstm "encoder"`, how errors begin. Throws ValueError for no layer, or a dropout outside [0, 1), ShapeError for a
/// residual connection that does not fit.
std::string check_layers(const char* network, const LayersOptions& options, std::size_t output_size);
/// Throws ShapeError or ValueError for an input or lengths that do not fit.
void check_layers_input(const std::string& label, const LayersOptions& options, const Shape& input,
                        std::span<const std::size_t> lengths, const Shape* mask);
/// Throws ShapeError for an initial state `what` of another shape; `width` is the option that its last axis is.
void check_layers_state(const std::string& label, const char* what, const Shape& shape, const Shape& expected,
                        const char* width);

/// Throws ShapeError unless there are as many initial states as cells, or none.
void check_initial_count(const std::string& label, std::size_t given, std::size_t cells);

}  // namespace detail

/// L layers in D directions of any cell, each on the output of the layer below; states are at index layer D +
/// direction. The steps, and what lengths and dropout mean, are the cell's and Recurrent's.
template <class T, class C>
class RecurrentLayers {
 public:
  using State = StateOf<C, T>;

  /// The initial states are those of every cell, at layer D + direction.
  using Call = SequenceCall<T, std::span<const State>>;
  /// Output (T, B, D R), or (B, T, D R) with batch_first; in each row first forward, then reverse. The states live as
  /// long as the recording.
  using Result = SequenceResult<T, std::span<const State>>;

  /// make(input_size) is a new cell, whose output has `output_size` features. `network` is how error texts begin.
  /// Throws ValueError for no layers or a dropout outside [0, 1), ShapeError for a residual connection between
  /// different numbers of features.
  RecurrentLayers(const char* network, const LayersOptions& options, std::size_t output_size, auto make)
      : options_(options), label_(detail::check_layers(network, options, output_size)) {
    for (std::size_t layer = 0; layer < options.num_layers; ++layer)
      for (std::size_t direction = 0; direction < options.directions(); ++direction)
        cells_.emplace_back(make(layer == 0 ? options.input_size : options.directions() * output_size),
                            RecurrentOptions{.reverse = direction == 1,
                                             .input_dropout = options.input_dropout,
                                             .recurrent_dropout = options.recurrent_dropout});
  }

  const LayersOptions& options() const { return options_; }
  const std::string& label() const { return label_; }
  std::size_t count() const { return cells_.size(); }
  C& cell(std::size_t k) { return cells_[k].cell; }
  const C& cell(std::size_t k) const { return cells_[k].cell; }

  /// How many sequences x has. Throws ShapeError or ValueError where x, the lengths or the mask do not fit.
  std::size_t check(Variable<T> x, std::span<const std::size_t> lengths, Variable<T> mask) const {
    detail::check_layers_input(label_, options_, x.shape(), lengths, mask ? &mask.shape() : nullptr);
    return x.shape()[options_.batch_first ? 0 : 1];
  }

  /// Throws ShapeError or ValueError where x, the lengths, the mask or the number of initial states do not fit.
  Result operator()(Variable<T> x, const Call& call = {}) {
    check(x, call.lengths, call.mask);
    if (call.initial) detail::check_initial_count(label_, call.initial->size(), count());
    const std::span<State> states = x.tape().recording().template list<State>(count());
    const Variable<T> mask = call.mask && options_.batch_first ? transpose(call.mask, 0, 1) : call.mask;
    if (options_.batch_first) x = transpose(x, 0, 1);
    for (std::size_t k = 0; k < count();) {
      std::array<Variable<T>, 2> sides;
      for (std::size_t direction = 0; direction < options_.directions(); ++direction, ++k) {
        const auto result =
            cells_[k](x, {.initial = call.initial ? std::optional<State>((*call.initial)[k]) : std::optional<State>(),
                          .lengths = call.lengths,
                          .mask = mask,
                          .dropout = call.dropout});
        sides[direction] = result.output;
        states[k] = result.state;
      }
      const Variable<T> y = options_.bidirectional ? autograd::concat({sides[0], sides[1]}, 2) : sides[0];
      if (options_.residual)
        x = detail::Presence<T>(x.tape(), call.lengths, mask, x.shape()[0]).residual(label_, y, x);
      else
        x = y;
      if (call.dropout && options_.dropout > 0 && k < count()) x = dropout(x, options_.dropout, *call.dropout);
    }
    if (options_.batch_first) x = transpose(x, 0, 1);
    return {x, states};
  }

  /// The cells' names with `_l0`, `_l0_reverse`, `_l1`, and so on.
  static void visit(auto& self, auto&& visitor) {
    const std::size_t directions = self.options_.directions();
    for (std::size_t k = 0; k < self.cells_.size(); ++k) {
      const std::string suffix = "_l" + std::to_string(k / directions) + (k % directions ? "_reverse" : "");
      auto& cell = self.cells_[k].cell;
      cell.visit(cell, [&](const std::string& name, auto& parameter) { visitor(name + suffix, parameter); });
    }
  }

 private:
  LayersOptions options_;
  std::string label_;
  std::vector<Recurrent<C>> cells_;  ///< at layer D + direction
};

/// RecurrentLayers of cells whose state is h (B, H), with the results of PyTorch's GRU and RNN.
template <class T, class C>
class HiddenLayers {
 public:
  const LayersOptions& options() const { return layers_.options(); }
  /// Its cells.
  RecurrentLayers<T, C>& layers() { return layers_; }

  /// The state is h (L D, B, H); zeros for an initial one that refers to nothing.
  using Call = SequenceCall<T, Variable<T>>;
  /// Output (T, B, D H), or (B, T, D H) with batch_first; in each row first forward, then reverse.
  using Result = SequenceResult<T, Variable<T>>;

  /// Throws ShapeError where x, the mask or the initial state does not fit, ValueError for a length beyond the steps
  /// of x.
  Result operator()(Variable<T> x, const Call& call = {}) {
    Tape<T>& tape = autograd::tape_of(layers_.label().c_str(), x);
    const std::size_t batch = layers_.check(x, call.lengths, call.mask), count = layers_.count();
    std::optional<std::span<const Variable<T>>> initial;
    if (call.initial && *call.initial) {
      detail::check_layers_state(layers_.label(), "h", call.initial->shape(), {count, batch, options().hidden_size},
                                 "hidden_size");
      const std::span<Variable<T>> each = tape.recording().template list<Variable<T>>(count);
      autograd::unbind(*call.initial, each);
      initial = each;
    }
    const auto [output, states] =
        layers_(x, {.initial = initial, .lengths = call.lengths, .mask = call.mask, .dropout = call.dropout});
    return {output, autograd::stack<T>(states, 0)};
  }

  /// `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, and so on with `_l0_reverse`, `_l1`.
  static void visit(auto& self, auto&& visitor) { self.layers_.visit(self.layers_, visitor); }

 protected:
  HiddenLayers(const char* network, const LayersOptions& options, Generator& generator)
      : layers_(network, options, options.hidden_size,
                [&](std::size_t input_size) { return C(options.cell(input_size), generator); }) {}

  RecurrentLayers<T, C> layers_;
};

}  // namespace nn
