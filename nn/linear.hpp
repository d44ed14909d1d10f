// Linear: a fully connected layer.
#pragma once

#include <optional>

#include "autograd/ops/linear_algebra.hpp"
#include "nn/description.hpp"
#include "nn/initialize.hpp"
#include "nn/module.hpp"

namespace nn {

using autograd::Variable;

/// x Wᵀ + b, for x (..., in). Starts from PyTorch's default, uniform within ± 1 / sqrt(in).
template <class T>
struct Linear {
  Parameter<T> weight;               ///< (out, in)
  std::optional<Parameter<T>> bias;  ///< (out)

  Linear(std::size_t in, std::size_t out, Generator& generator, bool with_bias = true)
      : weight(uniform_fan<T>({out, in}, in, generator)) {
    if (with_bias) bias.emplace(uniform_fan<T>({out}, in, generator));
  }

  /// (..., out). Throws ShapeError unless the last axis of x has `in` elements.
  Variable<T> operator()(Variable<T> x) { return linear(x, weight, bias); }

  Description describe() const {
    return {"Linear", {{"in_features", weight.value().shape(1)}, {"out_features", weight.value().shape(0)}}};
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight", self.weight);
    if (self.bias) visitor("bias", *self.bias);
  }
};

}  // namespace nn
