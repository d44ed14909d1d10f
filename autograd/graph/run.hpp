// GraphRun: a Graph that runs, step after step, without allocating.
#pragma once

#include <memory>
#include <string>

#include "autograd/graph/graph.hpp"

namespace autograd {

/// For a batch of one sequence. All memory is taken when it is made; it refers to nothing of the graph.
template <class T>
class GraphRun {
 public:
  /// `functions` are called in the place of steps, as the graph's own are. Throws what check() throws.
  explicit GraphRun(const Graph<T>& graph, const std::vector<CompiledFunction<T>>& functions = {});
  GraphRun(GraphRun&&) noexcept;
  GraphRun& operator=(GraphRun&&) noexcept;
  ~GraphRun();

  /// Where input k is read, row-major.
  T* input(std::size_t k = 0) noexcept;
  /// Where output k is after a step, until the next one.
  const T* output(std::size_t k = 0) const noexcept;
  /// State k, as the graph's.
  const T* state(std::size_t k) const noexcept;

  /// From the inputs and the states to the outputs and the next states.
  void step() noexcept;
  /// To the initial states.
  void reset() noexcept;

  /// What a step is made of, a line each: "product (17) -> (64)", "function of 5 -> 2 x (16)", "softmax".
  std::string print() const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

extern template class GraphRun<float>;
extern template class GraphRun<double>;

}  // namespace autograd
