#include "autograd/registry.hpp"

#include <iterator>

namespace autograd {

std::vector<RegisteredOp> registered_ops() {
  std::vector<RegisteredOp> all;
  for (const auto family :
       {arithmetic_ops, elementary_ops, trigonometric_ops, activation_ops, selection_ops, shape_ops, arrangement_ops,
        reduction_ops, mean_ops, cumulative_ops, normalization_ops, linear_algebra_ops, einsum_ops, indexing_ops,
        softmax_ops, loss_ops, random_ops, hook_ops}) {
    std::vector<RegisteredOp> ops = family();
    all.insert(all.end(), std::make_move_iterator(ops.begin()), std::make_move_iterator(ops.end()));
  }
  return all;
}

}  // namespace autograd
