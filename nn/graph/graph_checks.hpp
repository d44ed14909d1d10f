// What the writer and the reader of wengert/2 agree on beside check(): the batch, and self-tests.
#pragma once

#include <cstddef>
#include <vector>

#include "autograd/graph/graph.hpp"

namespace nn::io::detail {

inline constexpr std::size_t max_graph_steps = 4096;

/// Throws ValueError or ShapeError, which names the op, for a step whose outputs do not have the shapes that its op
/// gives them for a batch of so many.
template <class T>
void check_step(const autograd::Graph<T>& graph, const typename autograd::Graph<T>::Step& step, std::size_t batch);

/// Throws ValueError unless a graph has the batch everywhere or nowhere: as the first axis of every input and state,
/// and of no parameter.
template <class T>
void check_batch(const autograd::Graph<T>& graph);

/// Inputs and outputs in the order of the graph's, each step by step, row-major.
template <class T>
struct GraphSelfTest {
  std::size_t steps = 0;
  std::vector<std::vector<T>> inputs, outputs;
  double tolerance = 0;  ///< the largest difference that passes
};

/// Of numbers of [-1, 1), and of rows where an Embedding reads an input; with a tolerance for programs that compute in
/// float. Throws ValueError for an answer that is not finite, and for more steps than are run.
template <class T>
GraphSelfTest<T> make_self_test(const autograd::Graph<T>& graph, std::size_t steps);

/// Throws ValueError for another answer, another number of values, and a test that would take longer than in
/// proportion to the graph.
template <class T>
void verify_self_test(const autograd::Graph<T>& graph, const GraphSelfTest<T>& test);

}  // namespace nn::io::detail
