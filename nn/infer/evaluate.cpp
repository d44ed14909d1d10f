#include "nn/infer/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/error.hpp"
#include "nn/graph/network_graph.hpp"
#include "nn/io/faults.hpp"

namespace nn::infer {

using autograd::ShapeError;
using autograd::ValueError;
using io::Layer;
using io::Network;
using io::Tensor;

namespace {

/// 10^(dB / 20).
double factor(double decibel) { return std::pow(10.0, decibel / 20); }

/// A layer that runs in one direction, as a network.
Network alone(Layer layer, std::size_t direction) {
  layer.directions = {layer.directions[direction]};
  return {.layers = {std::move(layer)}};
}

}  // namespace

template <class T>
Evaluation<T>::Evaluation(const Network& network, const Tensor& input, bool gains)
    : input_(input),
      width_(network.input_size()),
      skip_(network.skip),
      output_size_(network.output_size()),
      input_gain_(gains ? static_cast<T>(factor(network.input_gain_db)) : 1),
      output_gain_(gains ? static_cast<T>(factor(network.output_gain_db)) : 1) {
  if (const auto found = io::faults(network); !found.empty()) throw ValueError("infer: " + io::joined(found));
  if (input.shape.rank() != 2 || input.shape[1] != network.input_size())
    throw ShapeError("infer: input has shape " + to_string(input.shape) + ", expected (time, " +
                     std::to_string(network.input_size()) + ")");
  first_.resize(width_);
  output_.resize(output_size_);
  const std::size_t steps = input.shape[0];
  Network row;
  const auto finish_row = [&] {
    if (!row.layers.empty()) stream_.emplace(network_graph<T>(row, false));
    row.layers.clear();
  };
  for (const Layer& layer : network.layers) {
    if (layer.directions.size() == 1) {
      row.layers.push_back(layer);
      continue;
    }
    finish_row();
    std::vector<T> read(steps * layer.input_size), answer(steps * layer.output_size());
    for (at_ = 0; at_ < steps; ++at_) std::copy_n(advance(), layer.input_size, read.data() + at_ * layer.input_size);
    stream_.reset();
    for (std::size_t direction = 0; direction < 2; ++direction) {
      Stream<T> stream(network_graph<T>(alone(layer, direction), false));
      for (std::size_t k = 0; k < steps; ++k) {
        const std::size_t t = direction == 0 ? k : steps - 1 - k;
        stream.step(read.data() + t * layer.input_size,
                    answer.data() + t * layer.output_size() + direction * stream.output_size());
      }
    }
    sequence_ = std::move(answer);
    width_ = layer.output_size();
  }
  finish_row();
  at_ = 0;
}

template <class T>
const T* Evaluation<T>::advance() {
  const double* const x = input_.values.data() + at_ * first_.size();
  for (std::size_t k = 0; k < first_.size(); ++k) first_[k] = input_gain_ * static_cast<T>(x[k]);
  const T* const features = sequence_.empty() ? first_.data() : sequence_.data() + at_ * width_;
  if (!stream_) return features;
  features_.resize(stream_->output_size());
  stream_->step(features, features_.data());
  return features_.data();
}

template <class T>
const T* Evaluation<T>::next() {
  const T* const features = advance();
  for (std::size_t k = 0; k < output_size_; ++k)
    output_[k] = output_gain_ * (k < skip_ ? features[k] + first_[k] : features[k]);
  ++at_;
  return output_.data();
}

Tensor evaluate(const Network& network, const Tensor& input) {
  Evaluation<double> evaluation(network, input);
  Tensor output = io::zero_tensor({input.shape[0], network.output_size()});
  for (auto to = output.values.begin(); to != output.values.end();)
    to = std::copy_n(evaluation.next(), network.output_size(), to);
  return output;
}

Network burnt_in(Network network, std::size_t steps) {
  Stream<double> stream(network);
  const std::vector<double> silence(stream.input_size());
  std::vector<double> output(stream.output_size());
  for (std::size_t t = 0; t < steps; ++t) stream.step(silence.data(), output.data());
  std::size_t state = 0;
  const auto take = [&](Tensor& to, std::size_t size) {
    const double* const values = stream.state(state++);
    to = {{size}, {values, values + size}};
    for (double& value : to.values) value = io::rounded(value, network.dtype);
  };
  for (Layer& layer : network.layers) {
    if (!layer.recurrent()) continue;
    take(layer.directions[0].h0, layer.output_size());
    if (layer.kind == Layer::Kind::lstm) take(layer.directions[0].c0, layer.size);
  }
  return network;
}

template class Evaluation<float>;
template class Evaluation<double>;

}  // namespace nn::infer
