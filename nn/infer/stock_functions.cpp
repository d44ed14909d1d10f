#include "nn/infer/stock_functions.hpp"

#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm_cell.hpp"
#include "nn/recurrent/lstm_variants.hpp"
#include "nn/recurrent/minimal_gated_cell.hpp"

namespace nn::infer {

namespace {

/// f, which is an elementwise function of a single value.
template <class T, class F>
autograd::CompiledFunction<T> alone(F f) {
  return autograd::compile_function<T, 1>(f);
}

}  // namespace

template <class T>
const std::vector<autograd::CompiledFunction<T>>& stock_functions() {
  // Those that are made of more come before those that might be a part of them.
  static const std::vector<autograd::CompiledFunction<T>> functions{
      peephole_lstm_update.compiled<T, 8>(),
      lstm_update.compiled<T, 5>(),
      coupled_lstm_update.compiled<T, 4>(),
      gru_update.compiled<T, 7>(),
      gru_reset.compiled<T, 5>(),
      gru_mix.compiled<T, 4>(),
      minimal_gated_forget.compiled<T, 3>(),
      minimal_gated_mix.compiled<T, 4>(),
      alone<T>([](auto x) { return tanh(x); }),
      alone<T>([](auto x) { return sigmoid(x); }),
  };
  return functions;
}

template const std::vector<autograd::CompiledFunction<float>>& stock_functions();
template const std::vector<autograd::CompiledFunction<double>>& stock_functions();

}  // namespace nn::infer
