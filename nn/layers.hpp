// RecurrentLayers: cells stacked in layers, in one or both directions; what LSTM, GRU and RNN have in common.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "autograd/ops/random.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/initialize.hpp"
#include "nn/recurrent.hpp"

namespace nn {

struct LayersOptions {
  std::size_t input_size;
  std::size_t hidden_size;
  std::size_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  ///< input and output are (batch, time, feature); states are not affected
  bool bidirectional = false;
  double dropout = 0;     ///< between layers, in training
  std::string name = {};  ///< for error texts

  std::size_t directions() const { return bidirectional ? 2 : 1; }
};

namespace detail {

/// `lstm "encoder"`, how errors begin. Throws ValueError for no layer, or a dropout outside [0, 1).
std::string check_layers(const char* network, const LayersOptions& options);
/// Throws ShapeError or ValueError for an input or lengths that do not fit.
void check_layers_input(const std::string& label, const LayersOptions& options, const Shape& input,
                        std::span<const std::size_t> lengths);
/// Throws ShapeError for an initial state `what` of another shape; `width` is the option that its last axis is.
void check_layers_state(const std::string& label, const char* what, const Shape& shape, const Shape& expected,
                        const char* width);

}  // namespace detail

/// L layers in D directions, each on the output of the layer below; states are at index layer D + direction. The steps,
/// and what different lengths mean, are the cell's and Recurrent's.
template <class T, class C>
class RecurrentLayers {
 public:
  using State = StateOf<C, T>;

  struct Result {
    Variable<T> output;             ///< (T, B, D R), or (B, T, D R) with batch_first; first forward, then reverse
    std::span<const State> states;  ///< after the last step of each cell; they live as long as the recording
  };

  /// make(input_size) is a new cell, whose output has `output_size` features.
  RecurrentLayers(const char* network, const LayersOptions& options, std::size_t output_size, auto make)
      : options_(options), label_(detail::check_layers(network, options)) {
    for (std::size_t layer = 0; layer < options.num_layers; ++layer)
      for (std::size_t direction = 0; direction < options.directions(); ++direction)
        cells_.emplace_back(make(layer == 0 ? options.input_size : options.directions() * output_size),
                            RecurrentOptions{.reverse = direction == 1});
  }

  const LayersOptions& options() const { return options_; }
  const std::string& label() const { return label_; }
  std::size_t count() const { return cells_.size(); }
  const C& cell(std::size_t k) const { return cells_[k].cell; }

  /// How many sequences x has. Throws ShapeError or ValueError where x or the lengths do not fit.
  std::size_t check(Variable<T> x, std::span<const std::size_t> lengths) const {
    detail::check_layers_input(label_, options_, x.shape(), lengths);
    return x.shape()[options_.batch_first ? 0 : 1];
  }

  /// initial(k) is the first state of cell k. `generator` is given in training: it draws the dropout between layers.
  Result operator()(Variable<T> x, auto initial, std::span<const std::size_t> lengths, Generator* generator) {
    const std::span<State> states = x.tape().template list<State>(count());
    if (options_.batch_first) x = transpose(x, 0, 1);
    for (std::size_t k = 0; k < count();) {
      std::array<Variable<T>, 2> sides;
      for (std::size_t direction = 0; direction < options_.directions(); ++direction, ++k) {
        const auto result = cells_[k](x, {.initial = initial(k), .lengths = lengths});
        sides[direction] = result.output;
        states[k] = result.state;
      }
      x = options_.bidirectional ? autograd::concat({sides[0], sides[1]}, 2) : sides[0];
      if (generator && options_.dropout > 0 && k < count()) x = dropout(x, options_.dropout, *generator);
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

/// How to run one batch through layers whose state is h.
template <class T>
struct HiddenCall {
  Variable<T> initial = {};                   ///< h (L D, B, H); zeros where not given
  std::span<const std::size_t> lengths = {};  ///< of each sequence; all steps if not given
  Generator* dropout = nullptr;               ///< given in training: draws the dropout between layers
};

template <class T>
struct HiddenResult {
  Variable<T> output;  ///< (T, B, D H), or (B, T, D H) with batch_first; in each row first forward, then reverse
  Variable<T> h_n;     ///< (L D, B, H)
};

/// Throws ShapeError where x or the initial state does not fit, ValueError for a length beyond the steps of x.
template <class T, class C>
HiddenResult<T> run_hidden(RecurrentLayers<T, C>& layers, Variable<T> x, const HiddenCall<T>& call) {
  Tape<T>& tape = autograd::tape_of(layers.label().c_str(), x);
  const std::size_t batch = layers.check(x, call.lengths), hidden = layers.options().hidden_size;
  if (call.initial)
    detail::check_layers_state(layers.label(), "h", call.initial.shape(), {layers.count(), batch, hidden},
                               "hidden_size");
  const auto initial = [&](std::size_t k) {
    return call.initial ? select(call.initial, 0, static_cast<Index>(k)) : layers.cell(k).zero_state(tape, batch);
  };
  const auto [output, states] = layers(x, initial, call.lengths, call.dropout);
  return {output, autograd::stack<T>(states, 0)};
}

}  // namespace nn
