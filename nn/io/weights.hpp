// Weights: named arrays as a file holds them, whatever the model.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/shape.hpp"
#include "nn/description.hpp"
#include "nn/io/metadata.hpp"

namespace nn::io {

using autograd::Shape;

enum class Dtype { float32, float64 };

/// The value, rounded if the type is float32.
inline double rounded(double value, Dtype dtype) {
  return dtype == Dtype::float32 ? static_cast<double>(static_cast<float>(value)) : value;
}

/// An array in row-major order. Of float32 weights each value is a float.
struct Tensor {
  Shape shape = {};
  std::vector<double> values = {};

  /// A tensor that was never set. (An array without axes has one value.)
  bool empty() const { return values.empty() && shape.rank() == 0; }
  friend bool operator==(const Tensor&, const Tensor&) = default;
};

/// A tensor of zeros.
inline Tensor zero_tensor(const Shape& shape) { return {shape, std::vector<double>(shape.elements())}; }

/// What a model answers to an input, from its initial state: (time, features) each.
struct SelfTest {
  Tensor input, output;
  double tolerance = 0;  ///< the largest difference that passes
  bool gains = true;     ///< false: of the network without its gains, as AIDA-X tests

  friend bool operator==(const SelfTest&, const SelfTest&) = default;
};

struct Weights {
  Dtype dtype = Dtype::float32;
  std::vector<std::pair<std::string, Description>> modules = {};  ///< path, description; from the input to the output
  std::vector<std::pair<std::string, Tensor>> tensors = {};       ///< under PyTorch's names
  Metadata metadata = {};
  std::optional<SelfTest> self_test = {};

  /// Null if there is none of that name.
  const Tensor* find(const std::string& name) const {
    for (const auto& [own, tensor] : tensors)
      if (own == name) return &tensor;
    return nullptr;
  }
};

}  // namespace nn::io
