#include "nn/graph/network_graph.hpp"

#include <cmath>
#include <deque>
#include <variant>

#include "nn/graph/step_graph.hpp"
#include "nn/io/faults.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm_cell.hpp"
#include "nn/recurrent/rnn.hpp"

namespace nn {

using autograd::Array;
using autograd::Graph;
using autograd::GraphEnds;
using autograd::ValueError;
using io::Arrays;
using io::Layer;
using io::Network;
using io::Tensor;

namespace {

template <class T>
using AnyLayer = std::variant<LSTMCell<T>, GRUCell<T>, GRUResetBeforeCell<T>, RNNCell<T>, Linear<T>>;

template <class T>
Array<T> array_of(const Tensor& tensor, const Shape& shape) {
  Array<T> array = autograd::zeros<T>(shape);  // which an array that the layer lacks is
  std::transform(tensor.values.begin(), tensor.values.end(), array.data(), [](double x) { return static_cast<T>(x); });
  return array;
}

template <class T>
void set(Parameter<T>& parameter, const Tensor& tensor) {
  parameter = Parameter<T>(array_of<T>(tensor, parameter.shape()));
}

template <class Cell>
Cell cell_of(const Layer& layer) {
  const Arrays& arrays = layer.directions[0];
  Generator generator(0);
  CellOptions options{.input_size = layer.input_size,
                      .hidden_size = layer.size,
                      .bias = !arrays.bias_ih.empty() || !arrays.bias_hh.empty(),
                      .proj_size = layer.projection()};
  if (layer.kind == Layer::Kind::rnn) options.nonlinearities.hidden = layer.activation;
  Cell cell(options, generator);
  set(cell.weight_ih, arrays.weight_ih);
  set(cell.weight_hh, arrays.weight_hh);
  if (options.bias) {
    set(*cell.bias_ih, arrays.bias_ih);
    set(*cell.bias_hh, arrays.bias_hh);
  }
  if constexpr (requires { cell.weight_hr; })
    if (cell.weight_hr) set(*cell.weight_hr, arrays.weight_hr);
  return cell;
}

template <class T>
AnyLayer<T> module_of(const Layer& layer) {
  switch (layer.kind) {
    case Layer::Kind::lstm:
      return cell_of<LSTMCell<T>>(layer);
    case Layer::Kind::gru:
      if (layer.reset_after) return cell_of<GRUCell<T>>(layer);
      return cell_of<GRUResetBeforeCell<T>>(layer);
    case Layer::Kind::rnn:
      return cell_of<RNNCell<T>>(layer);
    case Layer::Kind::linear:
      break;
  }
  const Arrays& arrays = layer.directions[0];
  Generator generator(0);
  Linear<T> linear(layer.input_size, layer.size, generator, !arrays.bias_ih.empty());
  set(linear.weight, arrays.weight_ih);
  if (linear.bias) set(*linear.bias, arrays.bias_ih);
  return linear;
}

/// What the names of a layer's arrays end with.
std::vector<std::string> suffixes_of(const Network& network) {
  std::vector<std::string> result;
  std::size_t level = 0;
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    level = k > 0 && network.layers[k - 1].name == layer.name ? level + 1 : 0;
    result.push_back(layer.cell || !layer.recurrent() ? "" : "_l" + std::to_string(level));
  }
  return result;
}

/// One row for each sequence of the batch.
template <class T>
Variable<T> initial(Tape<T>& tape, std::size_t batch, const Tensor& tensor, std::size_t size) {
  return tape.constant({batch, size}, [&](std::span<T> values) {
    for (std::size_t k = 0; !tensor.empty() && k < values.size(); ++k)
      values[k] = static_cast<T>(tensor.values[k % size]);
  });
}

template <class T>
Variable<T> scaled(Variable<T> x, double decibel) {
  return decibel == 0 ? x : x * std::pow(10.0, decibel / 20);
}

template <class T>
class Recorded {
 public:
  explicit Recorded(const Network& network) : network_(network), suffixes_(suffixes_of(network)) {
    for (const Layer& layer : network.layers) modules_.push_back(module_of<T>(layer));
  }

  Variable<T> output(detail::StepRecorder<T>& recorder, Variable<T> x) {
    x = scaled(x, network_.input_gain_db);
    Variable<T> y = x;
    for (std::size_t k = 0; k < modules_.size(); ++k)
      y = std::visit([&](auto& module) { return advance(recorder, k, module, y); }, modules_[k]);
    return scaled(skipped(x, y), network_.output_gain_db);
  }

  void name(Tape<T>& tape, GraphEnds<T>& ends) {
    for (std::size_t k = 0; k < modules_.size(); ++k)
      std::visit(
          [&](auto& module) {
            const std::string& layer = network_.layers[k].name;
            for_each_parameter(module, [&](const std::string& name, Parameter<T>& parameter) {
              if (const Variable<T> held = tape.held(parameter))
                ends.parameters.push_back({(layer.empty() ? "" : layer + ".") + name + suffixes_[k], held});
            });
          },
          modules_[k]);
  }

 private:
  Variable<T> advance(detail::StepRecorder<T>&, std::size_t k, Linear<T>& linear, Variable<T> x) {
    const Nonlinearity f = network_.layers[k].activation;
    return f == Nonlinearity::identity ? linear(x) : activate(f, linear(x));
  }
  template <class Cell>
  Variable<T> advance(detail::StepRecorder<T>& recorder, std::size_t k, Cell& cell, Variable<T> x) {
    const Layer& layer = network_.layers[k];
    const std::size_t batch = x.shape()[0];
    const auto run = [&](Variable<T> in, const auto& state) {
      const auto next = cell(in, state);
      return std::pair{nn::output(next), next};
    };
    const Variable<T> h = initial(x.tape(), batch, layer.directions[0].h0, layer.output_size());
    if constexpr (std::is_same_v<Cell, LSTMCell<T>>) {
      const Variable<T> c = initial(x.tape(), batch, layer.directions[0].c0, layer.size);
      return recorder.step(layer.name, suffixes_[k], LSTMState<T>{h, c}, x, run);
    } else {
      return recorder.step(layer.name, suffixes_[k], h, x, run);
    }
  }
  /// The first inputs are added to the first outputs.
  Variable<T> skipped(Variable<T> x, Variable<T> y) const {
    const auto skip = static_cast<autograd::Index>(network_.skip);
    if (skip == 0) return y;
    const auto outputs = static_cast<autograd::Index>(network_.output_size());
    const Variable<T> sum = slice(y, 1, 0, skip) + slice(x, 1, 0, skip);
    return skip == outputs ? sum : autograd::concat({sum, slice(y, 1, skip, outputs)}, 1);
  }

  const Network& network_;
  std::vector<std::string> suffixes_;
  std::deque<AnyLayer<T>> modules_;
};

}  // namespace

template <class T>
Graph<T> network_graph(const Network& network, bool any_batch) {
  if (const auto found = io::faults(network); !found.empty()) throw ValueError("infer: " + io::joined(found));
  for (const Layer& layer : network.layers)
    if (layer.directions.size() != 1)
      throw ValueError("infer: " + layer.name + " is bidirectional, and a stream has no end to begin at; evaluate() " +
                       "takes whole sequences");
  Recorded<T> recorded(network);
  return detail::graph_of_step<T>(
      network.input_size(),
      [&](detail::StepRecorder<T>& recorder, Variable<T> x) { return recorded.output(recorder, x); },
      [&](Tape<T>& tape, GraphEnds<T>& ends) { recorded.name(tape, ends); }, any_batch);
}

template Graph<float> network_graph(const Network&, bool);
template Graph<double> network_graph(const Network&, bool);

}  // namespace nn
