#include "nn/recurrent_weights.hpp"

#include <string>

#include "autograd/error.hpp"

namespace nn {

template <class T>
RecurrentWeights<T>::RecurrentWeights(const char* cell, std::size_t gates, const CellOptions& options,
                                      Generator& generator, std::size_t output_size) {
  const std::size_t input = options.input_size, hidden = options.hidden_size;
  const std::size_t rows = autograd::extent_product(cell, gates, hidden);
  if (input == 0 || hidden == 0)
    throw autograd::ValueError(std::string(cell) + ": input_size and hidden_size must be positive, got " +
                               std::to_string(input) + " and " + std::to_string(hidden));
  const auto draw = [&](const Shape& shape) { return Parameter<T>(uniform_fan<T>(shape, hidden, generator)); };
  weight_ih = draw({rows, input});
  weight_hh = draw({rows, output_size ? output_size : hidden});
  if (options.bias) {
    bias_ih = draw({rows});
    bias_hh = draw({rows});
  }
}

template struct RecurrentWeights<float>;
template struct RecurrentWeights<double>;

}  // namespace nn
