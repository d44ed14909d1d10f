#include "forecast/gradients.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "forecast/train.hpp"
#include "nn/io/save_load.hpp"
#include "nn/manual/lstm_bptt.hpp"

namespace forecast {

namespace {

using autograd::make_array;
using autograd::shape_of;
using autograd::zeros;
using nn::manual::LstmBackward;
using nn::manual::LstmForward;
using nn::manual::LstmWeights;
using Gradients = std::map<std::string, Array<double>>;

/// The same network in double; JSON keeps every bit.
Forecaster<double> in_double(const Forecaster<float>& model) {
  const nn::LayersOptions& options = model.lstm.options();
  nn::Generator generator;
  Forecaster<double> result(options.hidden_size, options.num_layers, generator);
  nn::io::from_bytes(result, nn::io::to_bytes(model));
  return result;
}

double digits(const Array<double>& got, const Array<double>& expected) {
  double largest = 0, squares = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    largest = std::max(largest, std::abs(got.data()[k] - expected.data()[k]));
    squares += expected.data()[k] * expected.data()[k];
  }
  if (largest == 0) return 16;
  return squares == 0 ? 0 : std::clamp(-std::log10(largest / std::sqrt(squares)), 0.0, 16.0);
}

/// One state of every layer, (L, B, H).
Array<double> stack(const auto& layers, auto member) {
  const std::size_t batch = (layers[0].*member).shape(0), hidden = (layers[0].*member).shape(1);
  Array<double> result = make_array<double>({layers.size(), batch, hidden});
  for (std::size_t l = 0; l < layers.size(); ++l)
    std::copy_n((layers[l].*member).data(), batch * hidden, result.data() + l * batch * hidden);
  return result;
}

/// The loss of training differentiated by hand. Part 0 of the forward pass is the history; part k > 0 is the one step
/// that reads forecast k. With W, b the head, h_k the last output of part k and y_k what is to be forecast:
///
///   x_{k+1} = x_k + h_k Wᵀ + b        loss = 1/(KB) Σ (x_k - y_k)²
///
///   δx_k = 2/(KB) (x_k - y_k) + δx_{k+1} + (the δx of part k)      the path around the LSTM, and the one through it
///   δh_{k-1} = δx_k W    δW += δx_kᵀ h_{k-1}    δb += Σ_batch δx_k
class ByHand {
 public:
  explicit ByHand(const Forecaster<double>& model) {
    nn::for_each_parameter(model, [&](const std::string& name, const auto& parameter) {
      values_.emplace(name, parameter.value());
      gradients_.emplace(name, zeros<double>(parameter.shape()));
    });
    for (std::size_t l = 0; l < model.lstm.options().num_layers; ++l)
      weights_.push_back({value("weight_ih", l), value("weight_hh", l), value("bias_ih", l) + value("bias_hh", l)});
  }

  Gradients operator()(const Array<double>& history, const Array<double>& future) {
    run(history, future.shape(0));
    const std::size_t steps = future.shape(0), batch = future.shape(1);
    Array<double> dh_n = zeros<double>({weights_.size(), batch, hidden()}), dc_n = dh_n;
    Array<double> dx = zeros<double>({1, batch, 1});
    for (std::size_t k = steps; k > 0; --k) {
      for (std::size_t b = 0; b < batch; ++b)
        dx(0, b, 0) += 2 * (forecasts_[k](0, b, 0) - future(k - 1, b, 0)) / static_cast<double>(steps * batch);
      const auto& part = parts_[k - 1];
      const auto back =
          nn::manual::lstm_stack_backward(weights_, part, back_through_head(part.back().h, dx), dh_n, dc_n);
      add(back);
      if (k > 1) dx += back.front().dx;
      dh_n = stack(back, &LstmBackward<double>::dh0);
      dc_n = stack(back, &LstmBackward<double>::dc0);
    }
    return gradients_;
  }

 private:
  const Array<double>& value(const std::string& name, std::size_t layer) const {
    return values_.at("lstm." + name + "_l" + std::to_string(layer));
  }
  std::size_t hidden() const { return weights_[0].Wh.shape(1); }

  void run(const Array<double>& history, std::size_t steps) {
    const std::size_t last = history.shape(0) - 1, batch = history.shape(1);
    const Array<double>&w = values_.at("head.weight"), &bias = values_.at("head.bias");
    Array<double> input = history, h = zeros<double>({weights_.size(), batch, hidden()}), c = h;
    Array<double> x = make_array<double>({1, batch, 1});
    for (std::size_t b = 0; b < batch; ++b) x(0, b, 0) = history(last, b, 0);
    forecasts_ = {x};
    for (std::size_t k = 0; k < steps; ++k) {
      parts_.push_back(nn::manual::lstm_stack_forward(weights_, input, h, c));
      h = stack(parts_.back(), &LstmForward<double>::h_n);
      c = stack(parts_.back(), &LstmForward<double>::c_n);
      for (std::size_t b = 0; b < batch; ++b) {
        x(0, b, 0) += bias(0);
        for (std::size_t j = 0; j < hidden(); ++j) x(0, b, 0) += w(0, j) * h(weights_.size() - 1, b, j);
      }
      forecasts_.push_back(x);
      input = x;
    }
  }

  /// The gradients of the head at one step, and what the last output h (T, B, H) of a part receives.
  Array<double> back_through_head(const Array<double>& h, const Array<double>& dx) {
    Array<double>&dw = gradients_.at("head.weight"), &db = gradients_.at("head.bias");
    const Array<double>& w = values_.at("head.weight");
    const std::size_t last = h.shape(0) - 1;
    Array<double> direct = zeros<double>(shape_of(h));
    for (std::size_t b = 0; b < h.shape(1); ++b) {
      db(0) += dx(0, b, 0);
      for (std::size_t j = 0; j < hidden(); ++j) {
        dw(0, j) += dx(0, b, 0) * h(last, b, j);
        direct(last, b, j) = dx(0, b, 0) * w(0, j);
      }
    }
    return direct;
  }

  void add(const std::vector<LstmBackward<double>>& back) {
    for (std::size_t l = 0; l < back.size(); ++l) {
      const auto gradient = [&](const std::string& name) -> Array<double>& {
        return gradients_.at("lstm." + name + "_l" + std::to_string(l));
      };
      gradient("weight_ih") += back[l].dWx;
      gradient("weight_hh") += back[l].dWh;
      gradient("bias_ih") += back[l].db;
      gradient("bias_hh") += back[l].db;
    }
  }

  Gradients values_, gradients_;
  std::vector<LstmWeights<double>> weights_;
  std::vector<std::vector<LstmForward<double>>> parts_;
  std::vector<Array<double>> forecasts_;  ///< x_0, the last value of the history, and then the forecasts
};

}  // namespace

std::vector<Agreement> compare_gradients(const Forecaster<float>& model, const Data& data,
                                         std::span<const std::size_t> origins) {
  Forecaster<double> exact = in_double(model);
  autograd::Tape<double> tape;
  const Array<double> histories = data.histories<double>(origins);
  tape.backward(rollout_loss(tape, exact, data, histories, origins));
  const Gradients by_hand = ByHand(exact)(histories, data.futures<double>(origins, data.rollout));

  std::vector<Agreement> result;
  nn::for_each_parameter(exact, [&](const std::string& name, const auto& parameter) {
    result.push_back({name, digits(by_hand.at(name), parameter.grad())});
  });
  return result;
}

}  // namespace forecast
