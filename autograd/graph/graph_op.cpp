#include "autograd/graph/graph_op.hpp"

#include <algorithm>
#include <string>

#include "autograd/error.hpp"
#include "autograd/ops/on_graph.hpp"

namespace autograd {

void detail::throw_operand_count(const OpInfo& info, std::size_t count) {
  throw ShapeError(std::string(info.name) + ": it has " + std::to_string(count) + " inputs, expected " +
                   (info.inputs == OpInfo::any ? "at least one" : std::to_string(info.inputs)));
}

void detail::throw_unequal(const OpInfo& info, const Shape& first, const Shape& other) {
  throw ShapeError(std::string(info.name) + ": operands have shapes " + to_string(first) + " and " + to_string(other) +
                   "; in a graph they are equal, and broadcast_to is a step of its own");
}

namespace {

template <class Entry>
const std::vector<Entry>& all() {
  static const std::vector<Entry> entries = [] {
    std::vector<Entry> list;
    detail::add_arithmetic_ops(list);
    detail::add_elementary_ops(list);
    detail::add_trigonometric_ops(list);
    detail::add_activation_ops(list);
    detail::add_selection_ops(list);
    detail::add_linear_ops(list);
    detail::add_shape_ops(list);
    detail::add_piece_ops(list);
    detail::add_reduction_ops(list);
    detail::add_mean_ops(list);
    detail::add_softmax_ops(list);
    detail::add_cumulative_ops(list);
    detail::add_indexing_ops(list);
    return list;
  }();
  return entries;
}

template <class Entry, class Is>
const Entry* find(Is is) {
  const auto found = std::find_if(all<Entry>().begin(), all<Entry>().end(), is);
  return found == all<Entry>().end() ? nullptr : &*found;
}

}  // namespace

template <class T>
const std::vector<GraphOp<T>>& graph_ops() {
  return all<GraphOp<T>>();
}

template <class T>
const GraphOp<T>* find_graph_op(std::string_view name) {
  return find<GraphOp<T>>([&](const GraphOp<T>& op) { return op.name() == name; });
}

template <class T>
const GraphOpForms<T>* forms_of(const OpInfo* info) {
  return find<GraphOpForms<T>>([&](const GraphOpForms<T>& op) { return op.info == info; });
}

#define INSTANTIATE(T)                                           \
  template const std::vector<GraphOp<T>>& graph_ops();           \
  template const GraphOp<T>* find_graph_op<T>(std::string_view); \
  template const GraphOpForms<T>* forms_of<T>(const OpInfo*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
