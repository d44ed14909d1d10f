// What of a graph does not change from step to step: parameters, constants, and what is made of them alone.
#pragma once

#include <deque>
#include <vector>

#include "autograd/graph/graph.hpp"

namespace autograd {

/// Refers to the numbers of the graph, which has to outlive it.
template <class T>
struct Folded {
  std::vector<bool> is_constant;          ///< of each value
  std::vector<const T*> data;             ///< of those, row-major
  std::deque<std::vector<T>> computed{};  ///< those that are no leaves
};

template <class T>
Folded<T> fold_constants(const Graph<T>& graph);

/// A value that is part of another's memory: that of `source` from element `offset` on.
template <class T>
struct GraphAlias {
  typename Graph<T>::Id source;
  std::size_t offset;
};

/// For each output of a step whether its elements are some of the first input's, as they lie: of reshape, detach, and
/// of what takes a contiguous piece. Empty where they are not.
template <class T>
std::vector<GraphAlias<T>> aliases_of(const Graph<T>& graph, const typename Graph<T>::Step& step);

/// An attribute of a step that is a whole number, or a list of them. Throws std::bad_variant_access for another kind.
Index whole_attribute(const std::vector<GraphAttribute>& attributes, const char* name);
const std::vector<Index>& list_attribute(const std::vector<GraphAttribute>& attributes, const char* name);

}  // namespace autograd
