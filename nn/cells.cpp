#include "nn/cells.hpp"

#include <string>

#include "autograd/error.hpp"

namespace nn {

using autograd::ValueError;

template <class T>
LSTMCell<T>::LSTMCell(const LSTMCellOptions& options, Generator& generator) {
  const std::size_t input = options.input_size, hidden = options.hidden_size, projection = options.proj_size;
  if (input == 0 || hidden == 0)
    throw ValueError("lstm: input_size and hidden_size must be positive, got " + std::to_string(input) + " and " +
                     std::to_string(hidden));
  if (projection >= hidden)
    throw ValueError("lstm: proj_size must be smaller than hidden_size, got " + std::to_string(projection) + " and " +
                     std::to_string(hidden));
  if (options.forget_bias != 0 && !options.bias)
    throw ValueError("lstm: forget_bias is an initial value of bias_ih; it needs bias = true");

  const std::size_t rows = 4 * hidden, recurrent = projection ? projection : hidden;
  const auto draw = [&](const Shape& shape) { return Parameter<T>(uniform_fan<T>(shape, hidden, generator)); };
  weight_ih = draw({rows, input});
  weight_hh = draw({rows, recurrent});
  if (options.bias) {
    bias_ih = draw({rows});
    bias_hh = draw({rows});
    bias_ih->update([&](auto& values) {
      for (std::size_t k = hidden; k < 2 * hidden; ++k) values(k) += static_cast<T>(options.forget_bias);
    });
  }
  if (projection) weight_hr = draw({projection, hidden});
}

template struct LSTMCell<float>;
template struct LSTMCell<double>;

}  // namespace nn
