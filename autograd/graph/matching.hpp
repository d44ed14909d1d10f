// Where in a graph a compiled function is computed: the steps that it can take the place of.
#pragma once

#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "autograd/graph/graph.hpp"

namespace autograd::detail {

/// The formulas of all values that elementwise steps compute, of what other steps and leaves give.
template <class T>
class Formulas {
 public:
  using Id = typename Graph<T>::Id;

  /// `is_constant` says which values do not change: they are operands, whatever computed them.
  Formulas(const Graph<T>& graph, const std::vector<bool>& is_constant);

  /// Where a function's arguments are, and its results; a result that no value has is missing.
  struct Match {
    std::vector<Id> arguments;
    std::vector<std::optional<Id>> results;
  };
  /// The function with one of its results at `root`, and all arguments of its shape.
  std::optional<Match> match(const CompiledFunction<T>& function, Id root) const;

 private:
  struct Binding;
  bool unify(const Equation& pattern, const Equation& formula, Binding& binding) const;

  const Graph<T>& graph_;
  std::vector<Equation> of_;                      ///< of each value
  std::unordered_map<const void*, Id> value_of_;  ///< of a formula's identity
};

extern template class Formulas<float>;
extern template class Formulas<double>;

}  // namespace autograd::detail
