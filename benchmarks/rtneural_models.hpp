// RTNeural's models on one of the libraries that it computes with; the source that includes it chooses which.
#pragma once

#include <RTNeural/RTNeural.h>

#include <array>
#include <memory>

#include "rtneural_cell.hpp"

namespace benchmark::RTNEURAL_NAMESPACE {

/// A sample for each call; the model is kept.
template <class Model>
std::function<void()> rtneural_step(std::shared_ptr<Model> model) {
  model->reset();
  return [model, input = std::array<float, 16>{0.5f}]() mutable { model->forward(input.data()); };
}

template <template <class, int, int> class Layer, class RunTimeLayer, int hidden>
std::vector<RtneuralModel> rtneural_models_of(const std::string& library) {
  namespace rt = ::RTNEURAL_NAMESPACE;
  using Compiled = rt::ModelT<float, 1, 1, Layer<float, 1, hidden>, rt::DenseT<float, hidden, 1>>;
  auto at_run_time = std::make_shared<rt::Model<float>>(1);
  at_run_time->addLayer(new RunTimeLayer(1, hidden));
  at_run_time->addLayer(new rt::Dense<float>(hidden, 1));
  return {{library + ", compiled", rtneural_step(std::make_shared<Compiled>())},
          {library + ", at run time", rtneural_step(std::move(at_run_time))}};
}

template <template <class, int, int> class Layer, class RunTimeLayer>
std::vector<RtneuralModel> rtneural_models_of(const std::string& library, int hidden) {
  switch (hidden) {
    case 8:
      return rtneural_models_of<Layer, RunTimeLayer, 8>(library);
    case 16:
      return rtneural_models_of<Layer, RunTimeLayer, 16>(library);
    case 32:
      return rtneural_models_of<Layer, RunTimeLayer, 32>(library);
    case 40:
      return rtneural_models_of<Layer, RunTimeLayer, 40>(library);
    case 64:
      return rtneural_models_of<Layer, RunTimeLayer, 64>(library);
    default:
      return {};
  }
}

template <class T, int in, int out>
using RtneuralLstm = ::RTNEURAL_NAMESPACE::LSTMLayerT<T, in, out>;
template <class T, int in, int out>
using RtneuralGru = ::RTNEURAL_NAMESPACE::GRULayerT<T, in, out>;

inline std::vector<RtneuralModel> rtneural_models_on(const std::string& library, const std::string& cell, int hidden) {
  namespace rt = ::RTNEURAL_NAMESPACE;
  return cell == "lstm" ? rtneural_models_of<RtneuralLstm, rt::LSTMLayer<float>>(library, hidden)
                        : rtneural_models_of<RtneuralGru, rt::GRULayer<float>>(library, hidden);
}

}  // namespace benchmark::RTNEURAL_NAMESPACE
