// A training step of a recurrent model on the tape (forward, mean squared error, backward), as a contestant.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/autograd.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "nn/train/data_parallel.hpp"
#include "nn/train/optimizer.hpp"
#include "recurrent_problem.hpp"

namespace benchmark {

using autograd::Array;
using autograd::Parameter;
using autograd::Tape;
using autograd::Variable;

template <class T>
Array<T> array_of(const std::vector<T>& values, const autograd::Shape& shape) {
  Array<T> array = autograd::make_array<T>(shape);
  std::copy(values.begin(), values.end(), array.data());
  return array;
}

/// The extents of a problem, as an array has them.
struct Extents {
  std::size_t steps, batch, input, hidden;
  explicit Extents(const Sizes& s)
      : steps(std::size_t(s.T)), batch(std::size_t(s.B)), input(std::size_t(s.I)), hidden(std::size_t(s.H)) {}
};

/// Of a user's cell: weights as PyTorch lays them out, one bias.
template <class T>
struct CellParameters {
  Parameter<T> weight_ih, weight_hh, bias;

  CellParameters(const typename Problem<T>::Layer& layer, std::size_t hidden)
      : weight_ih(array_of(layer.weight_ih, {layer.bias.size(), layer.weight_ih.size() / layer.bias.size()})),
        weight_hh(array_of(layer.weight_hh, {layer.bias.size(), hidden})),
        bias(array_of(layer.bias, {layer.bias.size()})) {}

  Variable<T> project(Variable<T> x) { return linear(x, x.tape().parameter(weight_ih), x.tape().parameter(bias)); }

  Variable<T> zeros(Tape<T>& tape, std::size_t batch) const {
    return tape.constant({batch, weight_hh.value().shape(1)}, T(0));
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("weight_hh", self.weight_hh);
    visitor("bias", self.bias);
  }
};

/// A cell's equations as one step of the tape, or else one for each of their ops.
template <bool Fused, class F>
constexpr auto as_steps(F equations) {
  if constexpr (Fused)
    return autograd::pointwise(equations);
  else
    return equations;
}

/// The N gates of a step, read where they lie and not after that, or else as values of their own.
template <bool Fused, std::size_t N, class T>
auto gates_of(Variable<T> z) {
  if constexpr (Fused)
    return autograd::blocks<N>(donate(z));
  else
    return autograd::split<N>(z, 1);
}

/// Layers of a user's cell.
template <class C, class T>
struct Stack {
  std::vector<nn::Recurrent<C>> layers;

  explicit Stack(const Problem<T>& problem) {
    for (const auto& layer : problem.layers) layers.emplace_back(C(layer, Extents(problem.sizes).hidden));
  }

  Variable<T> operator()(Variable<T> x) {
    for (auto& layer : layers) x = layer(x).output;
    return x;
  }

  static void visit(auto& self, auto&& visitor) {
    for (std::size_t k = 0; k < self.layers.size(); ++k) visitor(std::to_string(k), self.layers[k]);
  }
};

/// Sequences `rows` of an array (time, batch, feature).
template <class T>
Variable<T> columns(Tape<T>& tape, const Array<T>& x, nn::Rows rows) {
  const std::size_t steps = x.shape(0), batch = x.shape(1), features = x.shape(2);
  return tape.constant({steps, rows.size(), features}, [&](std::span<T> values) {
    for (std::size_t t = 0; t < steps; ++t)
      std::copy_n(x.data() + (t * batch + rows.begin) * features, rows.size() * features,
                  values.data() + t * rows.size() * features);
  });
}

/// A model that maps (T, B, I) to (T, B, H), and what it is trained on; on several threads each has a share of the
/// batch.
template <class T, class Model>
struct Training {
  Tape<T> tape;
  std::optional<nn::DataParallel<T>> parallel;
  Model model;
  std::vector<Parameter<T>*> parameters;
  Array<T> x, target;
  T loss = 0;

  explicit Training(const Problem<T>& problem, int threads = 1) : model(problem), parameters(nn::parameters<T>(model)) {
    const Extents e(problem.sizes);
    x = array_of(problem.x, {e.steps, e.batch, e.input});
    target = array_of(problem.target, {e.steps, e.batch, e.hidden});
    if (threads > 1) parallel.emplace(std::size_t(threads), std::size_t(threads));
  }

  void step() {
    for (Parameter<T>* parameter : parameters) parameter->zero_grad();
    if (parallel) {
      const std::size_t batch = x.shape(1);
      loss = parallel->backward(batch, [&](Tape<T>& shard, nn::Rows rows) {
        const double share = static_cast<double>(rows.size()) / static_cast<double>(batch);
        return mse(model(columns(shard, x, rows)), columns(shard, target, rows)) * share;
      });
    } else {
      tape.clear();
      const Variable<T> result = mse(model(tape.constant(x)), tape.constant(target));
      tape.backward(result);
      loss = result.item();
    }
  }

  /// The loss, and the length of the gradient of all weights.
  std::vector<double> results() {
    double squares = 0;
    nn::for_each_parameter(model, [&](const std::string& path, const Parameter<T>& parameter) {
      if (path.find("weight") == std::string::npos) return;
      for (const T g : parameter.grad()) squares += double(g) * double(g);
    });
    return {double(loss), std::sqrt(squares)};
  }
};

template <class T, class Model>
Contestant wengert_training(const std::string& cell, const Problem<T>& problem, int threads) {
  auto training = std::make_shared<Training<T, Model>>(problem, threads);
  return {.engine = "wengert",
          .name = cell,
          .work = [training] { training->step(); },
          .threads = threads,
          .divides = true,
          .results = [training] { return training->results(); }};
}

}  // namespace benchmark
