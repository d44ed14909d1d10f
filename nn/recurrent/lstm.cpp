#include "nn/recurrent/lstm.hpp"

namespace nn {

template <class T>
LSTM<T>::LSTM(const LayersOptions& options, Generator& generator)
    : layers_("lstm", options, options.proj_size ? options.proj_size : options.hidden_size,
              [&](std::size_t input_size) { return LSTMCell<T>(options.cell(input_size), generator); }) {}

template <class T>
auto LSTM<T>::operator()(Variable<T> x, const Call& call) -> Result {
  Tape<T>& tape = autograd::tape_of("lstm", x);
  const std::size_t batch = layers_.check(x, call.lengths, call.mask), count = layers_.count();
  const LSTMState<T> given = call.initial.value_or(LSTMState<T>());
  const auto check = [&](const char* what, Variable<T> state, std::size_t width, const char* option) {
    if (state) detail::check_layers_state(layers_.label(), what, state.shape(), {count, batch, width}, option);
  };
  check("h", given.h, layers_.cell(0).output_size(), options().proj_size ? "proj_size" : "hidden_size");
  check("c", given.c, options().hidden_size, "hidden_size");

  std::optional<std::span<const LSTMState<T>>> initial;
  if (given.h || given.c) {
    const std::span<LSTMState<T>> each = tape.recording().template list<LSTMState<T>>(count);
    for (std::size_t k = 0; k < count; ++k) {
      each[k] = layers_.cell(k).zero_state(tape, batch);
      if (given.h) each[k].h = select(given.h, 0, static_cast<Index>(k));
      if (given.c) each[k].c = select(given.c, 0, static_cast<Index>(k));
    }
    initial = each;
  }
  const auto [output, states] =
      layers_(x, {.initial = initial, .lengths = call.lengths, .mask = call.mask, .dropout = call.dropout});
  const std::span<Variable<T>> h = tape.recording().template list<Variable<T>>(count),
                               c = tape.recording().template list<Variable<T>>(count);
  for (std::size_t k = 0; k < count; ++k) {
    h[k] = states[k].h;
    c[k] = states[k].c;
  }
  return {output, {autograd::stack<T>(h, 0), autograd::stack<T>(c, 0)}};
}

template class LSTM<float>;
template class LSTM<double>;

}  // namespace nn
