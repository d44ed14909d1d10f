// A small graph of every op that a graph can have.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "autograd/graph/graph.hpp"
#include "autograd/ops.hpp"
#include "nn/graph/step_graph.hpp"

namespace graphs {

using autograd::Index;
using autograd::Shape;
using autograd::Tape;
using autograd::Variable;

constexpr std::size_t op_features = 12;

/// The graph of y = f(x), x (batch, 12), beside which a state counts steps.
template <class T, class F>
nn::Graph<T> op_graph(F f) {
  return nn::step_graph<T>([&](Variable<T> x, Variable<T> count) { return std::pair(f(x), count + 1); },
                           [](Tape<T>& tape, std::size_t batch) {
                             return tape.constant({batch, 1}, T(0));
                           },
                           {.input_size = op_features});
}

/// Attributes of elementwise ops that have some.
inline const std::map<std::string, std::vector<autograd::GraphAttribute>>& elementwise_attributes() {
  static const std::map<std::string, std::vector<autograd::GraphAttribute>> all{
      {"affine", {{"scale", 0.75}, {"shift", -0.5}}},
      {"divided_by", {{"divisor", 3.0}}},
      {"divided_into", {{"dividend", 3.0}}},
      {"pow", {{"exponent", 1.5}}},
      {"greater_than", {{"threshold", 0.25}}},
      {"equal_to", {{"value", 0.25}}},
      {"clip", {{"low", -0.5}, {"high", 0.75}}},
      {"softplus", {{"beta", 1.5}, {"threshold", 2.0}}},
      {"leaky_relu", {{"slope", 0.1}}},
      {"elu", {{"alpha", 1.25}}},
      {"celu", {{"alpha", 1.25}}},
      {"hard_tanh", {{"low", -0.5}, {"high", 0.75}}}};
  return all;
}

template <class T>
nn::Graph<T> elementwise_graph(const autograd::GraphOp<T>& op) {
  const auto found = elementwise_attributes().find(std::string(op.name()));
  const auto rule =
      op.make(found == elementwise_attributes().end() ? std::vector<autograd::GraphAttribute>() : found->second);
  return op_graph<T>([&](Variable<T> x) {
    std::vector<Variable<T>> operands;
    for (Index k = 0; k < op.info->inputs; ++k) operands.push_back(slice(x, 1, 4 * k, 4 * k + 4));
    return autograd::forms_of(op).record(rule.get(), operands)[0];
  });
}

/// f(name of the op, graph) for each structural op, for some more than once.
template <class T, class F>
void for_each_structural(F f) {
  using V = Variable<T>;
  const auto give = [&](const std::string& name, auto function) { f(name, op_graph<T>(function)); };
  const auto part = [](V x, Index from, Index to) { return slice(x, 1, from, to); };
  const auto matrix = [](V x, std::size_t rows) { return reshape(x, {x.shape()[0], rows, op_features / rows}); };
  const auto row = [](V x) { return x.tape().constant({4}, T(0.5)); };
  const auto index = [](const Shape& shape, std::initializer_list<Index> values) {
    autograd::Array<Index> result = autograd::zeros<Index>(shape);
    std::copy(values.begin(), values.end(), result.data());
    return result;
  };
  give("matmul", [&](V x) { return matmul(matrix(x, 3), matrix(sin(x), 4)); });
  const auto weight = [](V x) { return x.tape().constant(autograd::Array<T>({{0.5, -1, 2}, {1, 0.25, -0.75}})); };
  give("linear", [&](V x) { return linear(part(x, 0, 3), weight(x)); });
  give("linear", [&](V x) { return linear(part(x, 0, 3), weight(x), part(x, 3, 5)); });
  give("linear", [&](V x) { return linear(matrix(x, 4), weight(x), x.tape().constant({2}, T(0.5))); });
  give("reshape", [&](V x) { return matrix(x, 2); });
  give("broadcast_to", [&](V x) {
    return autograd::concat({part(x, 0, 4), broadcast_to(row(x), part(x, 0, 4).shape())}, 1);
  });
  autograd::Parameter<T> scale(autograd::full<T>({4}, T(0.25)));
  give("broadcast_to", [&](V x) {
    const V repeated = exp(broadcast_to(beside(x, scale), part(x, 0, 4).shape()));
    return autograd::concat({part(x, 0, 4), repeated}, 1) + autograd::concat({repeated, repeated * 2}, 1);
  });
  give("broadcast_to", [&](V x) { return exp(broadcast_to(row(x), part(x, 0, 4).shape())); });
  give("broadcast_to", [&](V x) { return broadcast_to(part(x, 0, 1), x.shape()) + x; });
  give("sum_to", [&](V x) { return sum_to(x, {x.shape()[0], 1}); });
  give("sum_to", [&](V x) { return sum_to(x, {op_features}); });
  give("sum_to", [&](V x) { return sum_to(matrix(x, 3), {1, 1, 4}); });
  give("permute", [&](V x) { return permute(matrix(x, 3), {0, 2, 1}); });
  give("detach", [&](V x) { return detach(x); });
  give("slice", [&](V x) { return slice(x, 1, 9, 2, -3); });
  give("slice", [&](V x) { return slice(x, 1, -1, -13, -1); });
  give("slice", [&](V x) { return slice(x, 1, 1, 8, 2); });
  give("select", [&](V x) { return select(matrix(x, 3), 1, 2); });
  give("split", [&](V x) {
    const auto parts = split(x, {3, 5, 4}, 1);
    return autograd::concat({parts[1], parts[0]}, 1);
  });
  give("unbind", [&](V x) {
    const auto parts = autograd::unbind(matrix(x, 3), 1);
    return parts[2] - parts[0];
  });
  give("unbind", [&](V x) {
    const auto parts = autograd::unbind(permute(matrix(x, 3), {1, 0, 2}));
    return parts[2] - parts[0];
  });
  give("concat", [&](V x) { return autograd::concat({part(x, 3, 5), x}, 1); });
  give("stack", [&](V x) { return autograd::stack({part(x, 3, 5), part(x, 1, 3)}, 1); });
  give("max", [&](V x) { return max(matrix(x, 3), 1, true); });
  give("logsumexp", [&](V x) { return logsumexp(matrix(x, 3), {1, 2}); });
  give("mean", [&](V x) { return mean(matrix(x, 3), {1}); });
  give("centered", [&](V x) { return autograd::centered(x, {1}); });
  give("softmax", [&](V x) { return softmax(matrix(x, 3), 1); });
  give("log_softmax", [&](V x) { return log_softmax(matrix(x, 3), 2); });
  give("cumsum", [&](V x) { return cumsum(matrix(x, 3), 1); });
  give("cumsum", [&](V x) { return flip(cumsum(flip(x, {1}), 1), {1}); });
  give("take", [&](V x) { return take(matrix(x, 3), index({2, 2}, {2, 0, 1, 1}), 1); });
  give("gather", [&](V x) { return gather(x, index({1, 3}, {7, 0, 7}), 1); });
  give("embedding", [&](V x) { return embedding(weight(x), floor(x)); });
}

/// f(name, graph) for every op, by the operands that its domain allows: x is in (-1, 1) then.
template <class T, class F>
void for_each_op(F f) {
  for (const auto& op : autograd::graph_ops<T>())
    if (op.elementwise) f(std::string(op.name()), elementwise_graph<T>(op));
  for_each_structural<T>(f);
}

}  // namespace graphs
