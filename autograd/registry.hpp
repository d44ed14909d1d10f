// Registry: every op with ways to call it right and wrong. One harness walks it, so an op is tested by being listed.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/op.hpp"
#include "autograd/variable.hpp"

namespace autograd {

template <class T>
using Call = std::function<Variable<T>(std::span<const Variable<T>>)>;

/// One call of an op on inputs of the given shapes, drawn from `domain`.
struct Sample {
  std::string description;
  std::vector<Shape> inputs;
  Call<double> call;
  Call<float> call_float;
  Interval domain;

  /// `call` takes a span of Variables of either type.
  template <class F>
  Sample(std::string what, std::vector<Shape> shapes, F f, Interval drawn_from = {-2, 2})
      : description(std::move(what)), inputs(std::move(shapes)), call(f), call_float(f), domain(drawn_from) {}
};

/// A call that has to throw exactly this text.
struct ErrorSample {
  std::vector<Shape> inputs;
  Call<double> call;
  std::string text;
};

struct RegisteredOp {
  const OpInfo* info;
  std::vector<Sample> samples;
  std::vector<ErrorSample> errors;
};

/// An elementwise op, with samples of many shapes and, for several inputs, of shapes that broadcast.
template <class Rule, class F>
RegisteredOp elementwise_op(F call) {
  RegisteredOp op{&Rule::info, {}, {}};
  const auto add = [&](std::vector<Shape> shapes) {
    op.samples.emplace_back(Rule::info.name, std::move(shapes), call, Rule::info.domain);
  };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 19}, Shape{0}, Shape{4, 0}})
    add(std::vector<Shape>(static_cast<std::size_t>(Rule::info.inputs), shape));
  if (Rule::info.inputs >= 2) {
    const std::vector<std::pair<Shape, Shape>> pairs{{{3, 4}, {4}},    {{4}, {3, 4}},       {{3, 4}, {}},
                                                     {{3, 1}, {1, 4}}, {{2, 1, 4}, {3, 1}}, {{1, 1}, {3, 4}}};
    for (const auto& [left, right] : pairs) {
      std::vector<Shape> shapes{left, right};
      shapes.resize(static_cast<std::size_t>(Rule::info.inputs), left);
      add(std::move(shapes));
    }
    std::vector<Shape> unfit(static_cast<std::size_t>(Rule::info.inputs), Shape{3, 4});
    unfit[1] = Shape{3, 5};
    op.errors.push_back({unfit, call,
                         std::string(Rule::info.name) + ": shapes (3, 4) and (3, 5) do not broadcast: axis 1 has "
                                                        "extents 4 and 5; make them equal, or one of them 1"});
  }
  return op;
}

std::vector<RegisteredOp> arithmetic_ops();
std::vector<RegisteredOp> elementary_ops();
std::vector<RegisteredOp> trigonometric_ops();
std::vector<RegisteredOp> activation_ops();
std::vector<RegisteredOp> selection_ops();
std::vector<RegisteredOp> shape_ops();
std::vector<RegisteredOp> arrangement_ops();
std::vector<RegisteredOp> reduction_ops();
std::vector<RegisteredOp> mean_ops();
std::vector<RegisteredOp> cumulative_ops();
std::vector<RegisteredOp> normalization_ops();
std::vector<RegisteredOp> linear_algebra_ops();
std::vector<RegisteredOp> einsum_ops();
std::vector<RegisteredOp> indexing_ops();
std::vector<RegisteredOp> softmax_ops();
std::vector<RegisteredOp> loss_ops();
std::vector<RegisteredOp> random_ops();
std::vector<RegisteredOp> hook_ops();

/// All of them.
std::vector<RegisteredOp> registered_ops();

}  // namespace autograd
