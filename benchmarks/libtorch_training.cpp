#include "libtorch_training.hpp"

#ifdef WENGERT_WITH_TORCH

#include <torch/torch.h>
#include <torch/version.h>

#include <cmath>
#include <memory>

namespace benchmark {

namespace {

using torch::Tensor;

template <class T>
Tensor tensor(const std::vector<T>& values, torch::IntArrayRef shape) {
  const auto type = std::is_same_v<T, double> ? torch::kDouble : torch::kFloat;
  return torch::from_blob(const_cast<T*>(values.data()), shape, torch::TensorOptions().dtype(type)).clone();
}

/// Of one layer, in PyTorch's layouts.
struct Weights {
  Tensor weight_ih, weight_hh, bias;
};

struct State {
  Tensor h, c;
};

//   z = x W^T + b + h' U^T,   c = sigmoid(zf) c' + sigmoid(zi) tanh(zg),   h = sigmoid(zo) tanh(c)
State lstm(const Tensor& projected, const State& state, const Weights& w) {
  const auto z = torch::addmm(projected, state.h, w.weight_hh.t()).chunk(4, 1);
  const Tensor c = torch::sigmoid(z[1]) * state.c + torch::sigmoid(z[0]) * torch::tanh(z[2]);
  return {torch::sigmoid(z[3]) * torch::tanh(c), c};
}

//   r = sigmoid(xr + pr),   u = sigmoid(xu + pu),   n = tanh(xn + r pn),   h = n + u (h' - n)
State gru(const Tensor& projected, const State& state, const Weights& w) {
  const auto x = projected.chunk(3, 1), p = torch::mm(state.h, w.weight_hh.t()).chunk(3, 1);
  const Tensor r = torch::sigmoid(x[0] + p[0]), u = torch::sigmoid(x[1] + p[1]), n = torch::tanh(x[2] + r * p[2]);
  return {n + u * (state.h - n), {}};
}

//   f = sigmoid(xf + h' Uf^T),   n = tanh(xn + (f h') Un^T),   h = h' + f (n - h')
State minimal_gated(const Tensor& projected, const State& state, const Weights& w) {
  const auto x = projected.chunk(2, 1), weights = w.weight_hh.chunk(2, 0);
  const Tensor f = torch::sigmoid(torch::addmm(x[0], state.h, weights[0].t()));
  const Tensor n = torch::tanh(torch::addmm(x[1], f * state.h, weights[1].t()));
  return {state.h + f * (n - state.h), {}};
}

Tensor run(Unit unit, const std::vector<Weights>& layers, Tensor x) {
  for (const Weights& w : layers) {
    const Tensor zeros = torch::zeros({x.size(1), w.weight_hh.size(1)}, x.options());
    State state{zeros, zeros};
    std::vector<Tensor> outputs;
    for (const Tensor& projected : torch::linear(x, w.weight_ih, w.bias).unbind(0)) {
      state = unit == Unit::lstm  ? lstm(projected, state, w)
              : unit == Unit::gru ? gru(projected, state, w)
                                  : minimal_gated(projected, state, w);
      outputs.push_back(state.h);
    }
    x = torch::stack(outputs);
  }
  return x;
}

/// What every step works on.
struct Training {
  std::function<Tensor(const Tensor&)> model;
  std::vector<Tensor> parameters;
  std::vector<Tensor> weights;  ///< the parameters without biases
  Tensor x, target, loss;

  void step() {
    for (Tensor& parameter : parameters)
      if (parameter.grad().defined()) parameter.mutable_grad().zero_();
    loss = torch::mse_loss(model(x), target);
    loss.backward();
  }

  std::vector<double> results() const {
    double squares = 0;
    for (const Tensor& weight : weights) squares += weight.grad().to(torch::kDouble).square().sum().item().toDouble();
    return {loss.item().toDouble(), std::sqrt(squares)};
  }
};

template <class Module, class T>
void make_stock(Training& training, Module module, const Problem<T>& problem) {
  module->to(training.x.scalar_type());
  training.parameters = module->parameters();
  const torch::NoGradGuard no_gradients;
  for (std::size_t k = 0; k < problem.layers.size(); ++k) {
    Tensor* const p = &training.parameters[4 * k];
    const auto& layer = problem.layers[k];
    p[0].copy_(tensor(layer.weight_ih, p[0].sizes()));
    p[1].copy_(tensor(layer.weight_hh, p[1].sizes()));
    p[2].copy_(tensor(layer.bias, p[2].sizes()));
    p[3].zero_();
    training.weights.insert(training.weights.end(), {p[0], p[1]});
  }
  module->flatten_parameters();
  training.model = [module](const Tensor& x) mutable { return std::get<0>(module->forward(x)); };
}

}  // namespace

std::string libtorch_version() {
  std::string capability = at::show_config();
  const std::size_t at = capability.find("CPU capability usage: ");
  capability = at == std::string::npos ? "" : ", " + capability.substr(at, capability.find('\n', at) - at);
  return std::string("libtorch ") + TORCH_VERSION + capability;
}

template <class T>
std::optional<Contestant> libtorch_training(Unit unit, Cell cell, const Problem<T>& problem, int threads) {
  torch::set_num_threads(threads);
  const Sizes& s = problem.sizes;
  auto training = std::make_shared<Training>();
  training->x = tensor(problem.x, {s.T, s.B, s.I});
  training->target = tensor(problem.target, {s.T, s.B, s.H});
  if (cell == Cell::user) {
    std::vector<Weights> layers;
    for (const auto& layer : problem.layers) {
      const std::int64_t rows = problem.gates * s.H;
      layers.push_back({tensor(layer.weight_ih, {rows, std::int64_t(layer.weight_ih.size()) / rows}),
                        tensor(layer.weight_hh, {rows, s.H}), tensor(layer.bias, {rows})});
      for (Tensor* parameter : {&layers.back().weight_ih, &layers.back().weight_hh, &layers.back().bias})
        training->parameters.push_back(parameter->set_requires_grad(true));
      training->weights.insert(training->weights.end(), {layers.back().weight_ih, layers.back().weight_hh});
    }
    training->model = [unit, layers](const Tensor& x) { return run(unit, layers, x); };
  } else if (unit == Unit::lstm) {
    make_stock(*training, torch::nn::LSTM(torch::nn::LSTMOptions(s.I, s.H).num_layers(s.layers)), problem);
  } else if (unit == Unit::gru) {
    make_stock(*training, torch::nn::GRU(torch::nn::GRUOptions(s.I, s.H).num_layers(s.layers)), problem);
  } else {
    return std::nullopt;
  }
  return Contestant{.engine = "libtorch",
                    .name = cell == Cell::stock ? "stock" : "user",
                    .work = [training] { training->step(); },
                    .threads = threads,
                    .results = [training] { return training->results(); }};
}

#else

namespace benchmark {

std::string libtorch_version() { return "libtorch was not found when this was built (Debian: libtorch-dev)"; }

template <class T>
std::optional<Contestant> libtorch_training(Unit, Cell, const Problem<T>&, int) {
  return std::nullopt;
}

#endif

template std::optional<Contestant> libtorch_training(Unit, Cell, const Problem<float>&, int);
template std::optional<Contestant> libtorch_training(Unit, Cell, const Problem<double>&, int);

}  // namespace benchmark
