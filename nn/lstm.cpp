#include "nn/lstm.hpp"

namespace nn {

template <class T>
LSTM<T>::LSTM(LSTMOptions options, Generator& generator)
    : options_(std::move(options)),
      layers_("lstm",
              {.input_size = options_.input_size,
               .hidden_size = options_.hidden_size,
               .num_layers = options_.num_layers,
               .bias = options_.bias,
               .batch_first = options_.batch_first,
               .bidirectional = options_.bidirectional,
               .dropout = options_.dropout,
               .input_dropout = options_.input_dropout,
               .recurrent_dropout = options_.recurrent_dropout,
               .residual = options_.residual,
               .name = options_.name},
              options_.proj_size ? options_.proj_size : options_.hidden_size, [&](std::size_t input_size) {
                return LSTMCell<T>({.input_size = input_size,
                                    .hidden_size = options_.hidden_size,
                                    .bias = options_.bias,
                                    .proj_size = options_.proj_size,
                                    .forget_bias = options_.forget_bias,
                                    .nonlinearities = options_.nonlinearities},
                                   generator);
              }) {}

template <class T>
LSTMResult<T> LSTM<T>::operator()(Variable<T> x, const LSTMCall<T>& call) {
  Tape<T>& tape = autograd::tape_of("lstm", x);
  const std::size_t batch = layers_.check(x, call.lengths, call.mask), count = layers_.count();
  const auto check = [&](const char* what, Variable<T> state, std::size_t width, const char* option) {
    if (state) detail::check_layers_state(layers_.label(), what, state.shape(), {count, batch, width}, option);
  };
  check("h", call.initial.h, layers_.cell(0).output_size(), options_.proj_size ? "proj_size" : "hidden_size");
  check("c", call.initial.c, options_.hidden_size, "hidden_size");

  std::span<LSTMState<T>> initial;
  if (call.initial.h || call.initial.c) {
    initial = tape.template list<LSTMState<T>>(count);
    for (std::size_t k = 0; k < count; ++k) {
      initial[k] = layers_.cell(k).zero_state(tape, batch);
      if (call.initial.h) initial[k].h = select(call.initial.h, 0, static_cast<Index>(k));
      if (call.initial.c) initial[k].c = select(call.initial.c, 0, static_cast<Index>(k));
    }
  }
  const auto [output, states] =
      layers_(x, {.initial = initial, .lengths = call.lengths, .mask = call.mask, .dropout = call.dropout});
  const std::span<Variable<T>> h = tape.template list<Variable<T>>(count), c = tape.template list<Variable<T>>(count);
  for (std::size_t k = 0; k < count; ++k) {
    h[k] = states[k].h;
    c[k] = states[k].c;
  }
  return {output, autograd::stack<T>(h, 0), autograd::stack<T>(c, 0)};
}

template class LSTM<float>;
template class LSTM<double>;

}  // namespace nn
