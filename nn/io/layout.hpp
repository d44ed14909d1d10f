// The one table of how formats lay out the arrays of a layer, and the two conversions that use it.
#pragma once

#include <string_view>
#include <vector>

#include "nn/io/network.hpp"

namespace nn::io {

/// What becomes of the two biases of a recurrent layer.
enum class Bias {
  separate,  ///< two arrays of n
  summed,    ///< one array of n
  stacked,   ///< one array (2, n)
  joined,    ///< one array of 2 n
};

/// Gate blocks are named as in Arrays: i, f, g, o and r, z, n.
struct Layout {
  std::string_view lstm, gru;  ///< the order of the blocks
  bool transposed;             ///< weights are (in, out) instead of (out, in)
  Bias bias;                   ///< of LSTM and RNN
  Bias gru_bias;               ///< of a GRU that resets after the product; one that resets before has one bias
};

inline constexpr Layout torch_layout{"ifgo", "rzn", false, Bias::separate, Bias::separate};
inline constexpr Layout keras_layout{"ifgo", "zrn", true, Bias::summed, Bias::stacked};  // and RTNeural, tfjs
inline constexpr Layout onnx_layout{"iofg", "zrn", false, Bias::joined, Bias::joined};
inline constexpr Layout nam_layout{"ifgo", "", false, Bias::summed, Bias::summed};

/// The arrays of a layer in a layout: weight_ih, weight_hh and the bias or biases; of a linear layer weight and bias.
/// A bias that the layer lacks is zeros. Sums are rounded to the dtype. Throws ValueError where the biases of a GRU are
/// to be summed though it resets after the product.
std::vector<Tensor> to_layout(const Layer& layer, const Arrays& arrays, const Layout& layout, Dtype dtype);

/// The inverse; of a summed bias, bias_ih is the sum and bias_hh zeros. Sizes must fit the layer.
Arrays from_layout(const Layer& layer, std::vector<Tensor> tensors, const Layout& layout);

/// The shapes that to_layout gives.
std::vector<Shape> layout_shapes(const Layer& layer, const Layout& layout);

/// A matrix with rows and columns exchanged.
Tensor transposed(const Tensor& matrix);

}  // namespace nn::io
