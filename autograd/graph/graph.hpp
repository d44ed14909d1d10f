// Graph: a recorded computation as a value: one step of a model, to be run, saved, written in other languages, derived.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "autograd/compiled_function.hpp"
#include "autograd/graph/graph_op.hpp"

namespace autograd {

/// Owns everything it refers to, and can be copied. What is made of it outlives it.
template <class T>
struct Graph {
  using Id = std::uint32_t;  ///< an index of `values`

  struct Value {
    Shape shape;            ///< for a batch of one
    bool batched = false;   ///< its first axis is the batch, which may have any extent
    std::string name = {};  ///< that the program gave, or empty
  };
  struct Port {
    std::string name;
    Id value;
  };
  /// What is carried from step to step.
  struct State {
    std::string name;
    Id input;                ///< before the step
    Id output;               ///< after it
    std::vector<T> initial;  ///< before the first step, of one sequence
  };
  struct Tensor {
    std::string name;
    Id value;
    std::vector<T> data;  ///< row-major
  };
  struct Step {
    const GraphOp<T>* op;
    std::shared_ptr<const void> rule;  ///< that op->make() made of the attributes
    std::vector<GraphAttribute> attributes;
    std::vector<Id> inputs, outputs;
  };

  std::vector<Value> values;
  std::vector<Port> inputs, outputs;
  std::vector<State> states;
  std::vector<Tensor> parameters;  ///< by their dotted paths
  std::vector<Tensor> constants;
  std::vector<Step> steps;  ///< in the order in which they compute
  /// Pointwise functions of the program that recorded it: whoever runs it calls them in the place of their steps. A
  /// file does not have them.
  std::vector<CompiledFunction<T>> functions;

  const Shape& shape(Id value) const { return values[value].shape; }
  /// Elements of the first input, and of the first output, for one sequence.
  std::size_t input_size() const { return inputs.empty() ? 0 : shape(inputs[0].value).elements(); }
  std::size_t output_size() const { return outputs.empty() ? 0 : shape(outputs[0].value).elements(); }
  std::size_t parameter_count() const;
  /// Whether every input and state has a batch of any extent.
  bool batched() const;

  /// The numbered list, as that of a tape: `%7:f = sigmoid(%5)  (1, 16)`.
  void print(std::ostream& out) const;
  std::string print() const;
};

/// Throws ValueError or ShapeError, which names the step, for a graph that can not run: a value that is used before it
/// is computed, computed twice or not at all, a shape or a number of elements that its op, input or state does not
/// have, two ports, states or parameters of one name.
template <class T>
void check(const Graph<T>& graph);

/// A value by its name in print(): "%7:f".
template <class T>
std::string label(const Graph<T>& graph, typename Graph<T>::Id value);

/// The shape of a value for a batch of so many.
template <class T>
Shape shape_for(const Graph<T>& graph, typename Graph<T>::Id value, std::size_t batch);

extern template struct Graph<float>;
extern template struct Graph<double>;

}  // namespace autograd
