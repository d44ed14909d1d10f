// LayerNorm: features of mean 0 and variance 1, with a learnt gain and bias.
#pragma once

#include "autograd/ops/normalization.hpp"
#include "nn/description.hpp"
#include "nn/module.hpp"

namespace nn {

/// gain (x - mean) / sqrt(var + eps) + bias over the last axis (Ba, Kiros and Hinton 2016), under PyTorch's names.
template <class T>
struct LayerNorm {
  Parameter<T> weight;  ///< the gain (features), 1 at first
  Parameter<T> bias;    ///< (features), 0 at first
  double eps;

  explicit LayerNorm(std::size_t features, double epsilon = 1e-5)
      : weight(autograd::full<T>({features}, T(1))), bias(autograd::zeros<T>({features})), eps(epsilon) {}

  /// Throws ShapeError unless the last axis of x has as many features.
  autograd::Variable<T> operator()(autograd::Variable<T> x) { return layer_norm(x, weight, bias, eps); }

  Description describe() const { return {"LayerNorm", {{"features", weight.value().shape(0)}, {"eps", eps}}}; }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight", self.weight);
    visitor("bias", self.bias);
  }
};

}  // namespace nn
