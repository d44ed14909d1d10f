// From a tape to a Graph, and from a Graph onto a tape.
#pragma once

#include <string>
#include <vector>

#include "autograd/graph/graph.hpp"
#include "autograd/tape.hpp"

namespace autograd {

/// What of a recording becomes which part of a graph. Parameters without a name are called parameter_0 and so on; any
/// other leaf becomes a constant.
template <class T>
struct GraphEnds {
  struct End {
    std::string name;
    Variable<T> value;
  };
  struct State {
    std::string name;
    Variable<T> input, output;  ///< before the step, a leaf, and after it
  };
  std::vector<End> inputs, parameters, outputs;
  std::vector<State> states;
};

/// What the outputs and the next states were computed from. Record with Tape::record_op_by_op(): a graph has no fused
/// steps. Throws ValueError, naming the op, for one that a graph can not have, and for random numbers.
template <class T>
Graph<T> graph_of(Tape<T>& tape, const GraphEnds<T>& ends);

/// Marks the values of `one`, recorded for a batch of one sequence, that have the batch as their first axis: those
/// whose first extent is 2 in `two`, the same recorded for a batch of two. Where the two differ in anything else, none
/// is marked, and the graph is one for a single sequence. Whether it is for any batch is returned.
template <class T>
bool mark_batch(Graph<T>& one, const Graph<T>& two);

/// What a graph yields on a tape.
template <class T>
struct GraphResult {
  std::vector<Variable<T>> outputs, states;
};

/// Records the steps of a graph, op by op. Inputs, states and parameters are in the order of the graph's; where the
/// graph is batched(), the batch is that of the first input, or of the first state.
/// Throws ShapeError for a value of another shape than the graph's, ValueError for another number of them.
template <class T>
GraphResult<T> record(const Graph<T>& graph, Tape<T>& tape, std::span<const Variable<T>> inputs,
                      std::span<const Variable<T>> states, std::span<const Variable<T>> parameters);

}  // namespace autograd
