#include "nn/lstm.hpp"

#include <array>

#include "autograd/error.hpp"

namespace nn {

using autograd::ShapeError;
using autograd::ValueError;

template <class T>
LSTM<T>::LSTM(LSTMOptions options, Generator& generator) : options_(std::move(options)) {
  const LSTMOptions& o = options_;
  label_ = o.name.empty() ? "lstm" : "lstm \"" + o.name + "\"";
  if (o.num_layers == 0) throw ValueError(label_ + ": num_layers must be positive, got 0");
  if (!(o.dropout >= 0 && o.dropout < 1))
    throw ValueError(label_ + ": dropout must be in [0, 1), got " + std::to_string(o.dropout));
  const std::size_t output_size = o.proj_size ? o.proj_size : o.hidden_size;
  for (std::size_t layer = 0; layer < o.num_layers; ++layer)
    for (std::size_t direction = 0; direction < directions(); ++direction) {
      const std::size_t input_size = layer == 0 ? o.input_size : directions() * output_size;
      cells_.emplace_back(LSTMCell<T>({input_size, o.hidden_size, o.bias, o.proj_size, o.forget_bias}, generator),
                          RecurrentOptions{.reverse = direction == 1});
    }
}

template <class T>
LSTMResult<T> LSTM<T>::operator()(Variable<T> x, const LSTMCall<T>& call) {
  Tape<T>& tape = autograd::tape_of("lstm", x);
  check(x, call);
  const std::size_t count = cells_.size();
  const std::span<Variable<T>> h = tape.template list<Variable<T>>(count), c = tape.template list<Variable<T>>(count);
  if (options_.batch_first) x = transpose(x, 0, 1);
  const std::size_t batch = x.shape()[1];
  for (std::size_t k = 0; k < count;) {
    std::array<Variable<T>, 2> sides;
    for (std::size_t direction = 0; direction < directions(); ++direction, ++k) {
      const auto initial = [&](Variable<T> given, std::size_t width) {
        return given ? select(given, 0, static_cast<Index>(k)) : tape.constant({batch, width}, T(0));
      };
      const LSTMCell<T>& cell = cells_[k].cell;
      const LSTMState<T> state{initial(call.initial.h, cell.output_size()),
                               initial(call.initial.c, cell.hidden_size())};
      const auto result = cells_[k](x, {.initial = state, .lengths = call.lengths});
      sides[direction] = result.output;
      h[k] = result.state.h;
      c[k] = result.state.c;
    }
    x = options_.bidirectional ? autograd::concat({sides[0], sides[1]}, 2) : sides[0];
    if (call.dropout && options_.dropout > 0 && k < count) x = dropout(x, options_.dropout, *call.dropout);
  }
  if (options_.batch_first) x = transpose(x, 0, 1);
  return {x, autograd::stack<T>(h, 0), autograd::stack<T>(c, 0)};
}

template <class T>
void LSTM<T>::check(Variable<T> x, const LSTMCall<T>& call) const {
  const Shape shape = x.shape();
  const char* const axes = options_.batch_first ? "(batch, time, feature)" : "(time, batch, feature)";
  if (shape.rank() != 3)
    throw ShapeError(label_ + ": input has shape " + to_string(shape) + ", expected three axes " + axes);
  const auto fail = [&](const std::string& what) {
    throw ShapeError(label_ + ": input has " + what + "; input shape " + to_string(shape) + " read as " + axes);
  };
  if (shape[2] != options_.input_size)
    fail(std::to_string(shape[2]) + " features, expected " + std::to_string(options_.input_size));
  const std::size_t steps = shape[options_.batch_first ? 1 : 0], batch = shape[options_.batch_first ? 0 : 1];
  if (steps == 0) fail("no steps");
  if (!call.lengths.empty()) detail::check_lengths(label_, call.lengths, steps, batch);

  const auto& cell = cells_.front().cell;
  if (call.initial.h)
    check_initial("h", call.initial.h, {cells_.size(), batch, cell.output_size()},
                  options_.proj_size ? "proj_size" : "hidden_size");
  if (call.initial.c) check_initial("c", call.initial.c, {cells_.size(), batch, cell.hidden_size()}, "hidden_size");
}

template <class T>
void LSTM<T>::check_initial(const char* what, Variable<T> state, const Shape& expected, const char* width) const {
  if (!(state.shape() == expected))
    throw ShapeError(label_ + ": initial " + what + " has shape " + to_string(state.shape()) + ", expected " +
                     to_string(expected) + ", that is (layers * directions, batch, " + width + ")");
}

template class LSTM<float>;
template class LSTM<double>;

}  // namespace nn
