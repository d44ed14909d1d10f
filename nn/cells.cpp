#include "nn/cells.hpp"

#include <string>

#include "autograd/error.hpp"

namespace nn {

using autograd::ValueError;

namespace {

CellOptions checked(const LSTMCellOptions& options) {
  const std::size_t hidden = options.hidden_size, projection = options.proj_size;
  if (projection > 0 && projection >= hidden)
    throw ValueError("lstm: proj_size must be smaller than hidden_size, got " + std::to_string(projection) + " and " +
                     std::to_string(hidden));
  if (options.forget_bias != 0 && !options.bias)
    throw ValueError("lstm: forget_bias is an initial value of bias_ih; it needs bias = true");
  return {options.input_size, hidden, options.bias};
}

}  // namespace

template <class T>
LSTMCell<T>::LSTMCell(const LSTMCellOptions& options, Generator& generator)
    : RecurrentWeights<T>("lstm", 4, checked(options), generator, options.proj_size),
      nonlinearities(options.nonlinearities) {
  const std::size_t hidden = options.hidden_size;
  if (this->bias_ih)
    this->bias_ih->update([&](auto& values) {
      for (std::size_t k = hidden; k < 2 * hidden; ++k) values(k) += static_cast<T>(options.forget_bias);
    });
  if (options.proj_size) weight_hr = Parameter<T>(uniform_fan<T>({options.proj_size, hidden}, hidden, generator));
}

template struct LSTMCell<float>;
template struct LSTMCell<double>;

}  // namespace nn
