#include "samples.hpp"

#include <iterator>
#include <stdexcept>

#include "autograd/tape.hpp"

namespace autograd::testing {

namespace {

/// Of the step of that name that a sample records.
const OpInfo& info_of(std::string_view rule, const std::vector<Sample>& samples) {
  Tape<double> tape;
  for (const Sample& sample : samples) {
    tape.clear();
    std::vector<Variable<double>> x;
    for (const Shape& shape : sample.inputs)
      x.push_back(tape.variable(full<double>(shape, (sample.domain.low + sample.domain.high) / 2)));
    sample.call(x);
    for (std::size_t index = 0; index < tape.size(); ++index)
      if (const OpInfo& info = *tape.recording().step(index).op->info; info.name == rule) return info;
  }
  throw std::logic_error("no sample of " + std::string(rule) + " records it");
}

}  // namespace

RegisteredOp::RegisteredOp(std::string_view rule, std::vector<Sample> calls, std::vector<ErrorSample> wrong_calls)
    : info(&info_of(rule, calls)), samples(std::move(calls)), errors(std::move(wrong_calls)) {}

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

}  // namespace autograd::testing
