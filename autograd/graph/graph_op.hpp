// GraphOp: an op of the library by name, with what runs it (GraphOp) and what else is made of it (GraphOpForms).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/graph/attributes.hpp"
#include "autograd/op.hpp"
#include "autograd/values/equation.hpp"
#include "autograd/variable.hpp"

namespace autograd {

/// What runs a step of a Graph<T>. `rule` is what make() gave.
template <class T>
struct GraphOp {
  const OpInfo* info;
  bool elementwise;
  /// Throws ValueError, naming the op and the attribute, for one that is missing, unknown, or of another kind.
  std::shared_ptr<const void> (*make)(const std::vector<GraphAttribute>& attributes);
  /// The shapes of the outputs. Throws ShapeError or ValueError for operands, or their number, that do not fit.
  std::vector<Shape> (*infer)(const void* rule, std::span<const Shape* const> inputs);
  void (*forward)(const void* rule, const ForwardCall<T>& call);
  /// Of an elementwise op: what it computes.
  Equation (*formula)(const void* rule, std::span<const Equation> inputs);

  std::string_view name() const { return info->name; }
};

/// What a step of a tape becomes a step of a graph by, and back.
template <class T>
struct GraphOpForms {
  const OpInfo* info;
  std::vector<GraphAttribute> (*attributes)(const void* rule);
  /// Records it. Throws what the op throws.
  std::vector<Variable<T>> (*record)(const void* rule, std::span<const Variable<T>> inputs);
  /// Of an elementwise op: its vjp, given the gradient g and the output y; nothing for an input that gets none.
  std::vector<std::optional<Equation>> (*gradients)(const void* rule, const Equation& g, const Equation& y,
                                                    std::span<const Equation> inputs);
};

/// Every op that a graph can have, in the order of their families.
template <class T>
const std::vector<GraphOp<T>>& graph_ops();
/// Null for a name that no op has.
template <class T>
const GraphOp<T>* find_graph_op(std::string_view name);
/// Null for an op that no graph can have.
template <class T>
const GraphOpForms<T>* forms_of(const OpInfo* info);
template <class T>
const GraphOpForms<T>& forms_of(const GraphOp<T>& op) {
  return *forms_of<T>(op.info);
}

/// What every rule that a Graph has in the library adds to one of the two lists. Each family's source has its own.
namespace detail {
template <class Entry>
void add_activation_ops(std::vector<Entry>& to);
template <class Entry>
void add_arithmetic_ops(std::vector<Entry>& to);
template <class Entry>
void add_cumulative_ops(std::vector<Entry>& to);
template <class Entry>
void add_elementary_ops(std::vector<Entry>& to);
template <class Entry>
void add_indexing_ops(std::vector<Entry>& to);
template <class Entry>
void add_linear_ops(std::vector<Entry>& to);
template <class Entry>
void add_mean_ops(std::vector<Entry>& to);
template <class Entry>
void add_piece_ops(std::vector<Entry>& to);
template <class Entry>
void add_reduction_ops(std::vector<Entry>& to);
template <class Entry>
void add_selection_ops(std::vector<Entry>& to);
template <class Entry>
void add_shape_ops(std::vector<Entry>& to);
template <class Entry>
void add_softmax_ops(std::vector<Entry>& to);
template <class Entry>
void add_trigonometric_ops(std::vector<Entry>& to);
}  // namespace detail

}  // namespace autograd
