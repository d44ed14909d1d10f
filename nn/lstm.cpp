#include "nn/lstm.hpp"

namespace nn {

template <class T>
LSTM<T>::LSTM(LSTMOptions options, Generator& generator)
    : options_(std::move(options)),
      layers_("lstm",
              {options_.input_size, options_.hidden_size, options_.num_layers, options_.bias, options_.batch_first,
               options_.bidirectional, options_.dropout, options_.name},
              options_.proj_size ? options_.proj_size : options_.hidden_size, [&](std::size_t input_size) {
                return LSTMCell<T>(
                    {input_size, options_.hidden_size, options_.bias, options_.proj_size, options_.forget_bias},
                    generator);
              }) {}

template <class T>
LSTMResult<T> LSTM<T>::operator()(Variable<T> x, const LSTMCall<T>& call) {
  Tape<T>& tape = autograd::tape_of("lstm", x);
  const std::size_t batch = layers_.check(x, call.lengths), count = layers_.count();
  const auto check = [&](const char* what, Variable<T> state, std::size_t width, const char* option) {
    if (state) detail::check_layers_state(layers_.label(), what, state.shape(), {count, batch, width}, option);
  };
  const std::size_t output_size = layers_.cell(0).output_size(), hidden_size = options_.hidden_size;
  check("h", call.initial.h, output_size, options_.proj_size ? "proj_size" : "hidden_size");
  check("c", call.initial.c, hidden_size, "hidden_size");

  const auto initial = [&](std::size_t k) {
    const auto given_or_zeros = [&](Variable<T> given, std::size_t width) {
      return given ? select(given, 0, static_cast<Index>(k)) : tape.constant({batch, width}, T(0));
    };
    return LSTMState<T>{given_or_zeros(call.initial.h, output_size), given_or_zeros(call.initial.c, hidden_size)};
  };
  const auto [output, states] = layers_(x, initial, call.lengths, call.dropout);
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
