// GraphCell: a Graph as a cell, to be trained on.
#pragma once

#include <string>
#include <vector>

#include "autograd/graph/record.hpp"
#include "nn/module.hpp"
#include "nn/recurrent/cell.hpp"

namespace nn {

/// A graph with one input and at least one output, the first of which the next layer reads. Its parameters are those of
/// the graph, under their names; it is run op by op.
template <class T>
class GraphCell {
 public:
  struct State {
    Variable<T> h;                     ///< the first output
    std::vector<Variable<T>> carried;  ///< the graph's states, in their order

    static State map(auto&& f, const auto&... states) {
      State result{f(states.h...), {}};
      const std::size_t count = std::min({states.carried.size()...});
      for (std::size_t k = 0; k < count; ++k) result.carried.push_back(f(states.carried[k]...));
      return result;
    }
  };

  /// Throws what check() throws, and ValueError unless there is one input and an output.
  explicit GraphCell(autograd::Graph<T> graph);

  /// Throws ShapeError for an x of another shape than (batch, features); for a batch of more than one where the graph
  /// is not batched().
  State operator()(Variable<T> x, const State& state);
  /// The graph's initial states, and an output of zeros.
  State zero_state(Tape<T>& tape, std::size_t batch) const;
  std::size_t input_size() const { return graph_.input_size(); }

  /// With the parameters as they are now.
  autograd::Graph<T> graph() const;

  static void visit(auto& self, auto&& visitor) {
    for (std::size_t k = 0; k < self.parameters_.size(); ++k)
      visitor(self.graph_.parameters[k].name, self.parameters_[k]);
  }

 private:
  autograd::Graph<T> graph_;
  std::vector<Parameter<T>> parameters_;
};

extern template class GraphCell<float>;
extern template class GraphCell<double>;

}  // namespace nn
