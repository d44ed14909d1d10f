// What the source files of the families make of each of their rules for graphs: an entry of GraphOp and GraphOpForms.
#pragma once

#include "autograd/apply.hpp"
#include "autograd/error.hpp"
#include "autograd/graph/graph_op.hpp"
#include "autograd/values/value.hpp"

namespace autograd::detail {

[[noreturn]] void throw_operand_count(const OpInfo& info, std::size_t count);
[[noreturn]] void throw_unequal(const OpInfo& info, const Shape& first, const Shape& other);

/// A rule, and the lists that it refers to.
template <class Rule>
struct KeptRule {
  Rule rule{};
  std::vector<std::vector<std::size_t>> lists;
};

template <class Rule>
std::shared_ptr<const void> make_rule(const std::vector<GraphAttribute>& attributes) {
  auto kept = std::make_shared<KeptRule<Rule>>();
  AttributeSetter setter(Rule::info.name, attributes, kept->lists);
  if constexpr (Visited<Rule>) Rule::visit(kept->rule, setter);
  setter.check_all_used();
  const Rule* const rule = &kept->rule;
  return {std::move(kept), rule};
}

template <class Rule>
const Rule& rule_of(const void* pointer) {
  if constexpr (std::is_empty_v<Rule>) {
    static const Rule empty{};
    return empty;
  } else {
    return *static_cast<const Rule*>(pointer);
  }
}

inline void check_operand_count(const OpInfo& info, std::size_t count) {
  if (count == 0 || (info.inputs != OpInfo::any && count != static_cast<std::size_t>(info.inputs)))
    throw_operand_count(info, count);
}

template <class Rule, class Entry>
struct OnGraph;

template <class Rule, class T>
struct OnGraph<Rule, GraphOp<T>> {
  static constexpr std::size_t arity = Rule::info.inputs == OpInfo::any ? 0 : Rule::info.inputs;

  static std::vector<Shape> infer_elementwise(const void*, Shapes inputs) {
    check_operand_count(Rule::info, inputs.size());
    for (const Shape* const shape : inputs)
      if (!(*shape == *inputs[0])) throw_unequal(Rule::info, *inputs[0], *shape);
    return {*inputs[0]};
  }
  static Equation formula(const void* pointer, std::span<const Equation> x) {
    return kernels::with_indices<arity>(
        [&](auto... k) { return rule_of<Rule>(pointer).forward(Formula{x[k]}...).value; });
  }
  static GraphOp<T> elementwise() {
    return {&Rule::info, true, &make_rule<Rule>, &infer_elementwise, &Table<Rule, T>::forward, &formula};
  }

  /// check(rule, shapes) throws for operands that do not fit; outputs(rule, shapes) are the shapes of the results.
  template <class Check, class Outputs>
  static GraphOp<T> structural(Check, Outputs) {
    const auto infer = [](const void* pointer, Shapes inputs) -> std::vector<Shape> {
      check_operand_count(Rule::info, inputs.size());
      Check{}(rule_of<Rule>(pointer), inputs);
      std::vector<Shape> shapes = Outputs{}(rule_of<Rule>(pointer), inputs);
      for (const Shape& shape : shapes) shape.require_elements(Rule::info.name);
      return shapes;
    };
    return {&Rule::info, false, &make_rule<Rule>, infer, &Table<Rule, T>::forward, nullptr};
  }
};

template <class Rule, class T>
struct OnGraph<Rule, GraphOpForms<T>> {
  static constexpr std::size_t arity = Rule::info.inputs == OpInfo::any ? 0 : Rule::info.inputs;

  static std::vector<GraphAttribute> attributes(const void* pointer) {
    AttributeCollector collector;
    if constexpr (Visited<Rule>) Rule::visit(rule_of<Rule>(pointer), collector);
    return std::move(collector.all);
  }
  static std::vector<Variable<T>> record_elementwise(const void* pointer, std::span<const Variable<T>> x) {
    check_operand_count(Rule::info, x.size());
    return kernels::with_indices<arity>(
        [&](auto... k) { return std::vector<Variable<T>>{OnTape<Rule>::record(rule_of<Rule>(pointer), x[k]...)}; });
  }
  static std::vector<std::optional<Equation>> gradients(const void* pointer, const Equation& g, const Equation& y,
                                                        std::span<const Equation> x) {
    const auto parts = kernels::with_indices<arity>(
        [&](auto... k) { return rule_of<Rule>(pointer).vjp(Formula{g}, Formula{y}, Formula{x[k]}...); });
    std::vector<std::optional<Equation>> result;
    const auto add = [&](const auto& part) {
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(part)>, Absent>)
        result.emplace_back();
      else
        result.emplace_back(part.value);
    };
    std::apply([&](const auto&... part) { (add(part), ...); }, parts);
    return result;
  }
  static GraphOpForms<T> elementwise() { return {&Rule::info, &attributes, &record_elementwise, &gradients}; }

  template <class Record>
  static GraphOpForms<T> structural(Record) {
    const auto record = [](const void* pointer, std::span<const Variable<T>> x) -> std::vector<Variable<T>> {
      return Record{}(rule_of<Rule>(pointer), x);
    };
    return {&Rule::info, &attributes, record, nullptr};
  }
};

template <class Entry>
inline constexpr bool runs = false;
template <class T>
inline constexpr bool runs<GraphOp<T>> = true;

/// Lists elementwise rules.
template <class... Rules, class Entry>
void add_elementwise(std::vector<Entry>& to) {
  (to.push_back(OnGraph<Rules, Entry>::elementwise()), ...);
}

struct OneOutput {
  std::vector<Shape> operator()(const auto& rule, Shapes inputs) const { return {rule.infer(inputs)}; }
};
struct ApplyRule {
  template <class Rule, class T>
  std::vector<Variable<T>> operator()(const Rule& rule, std::span<const Variable<T>> x) const {
    return {autograd::apply(rule, x)};
  }
};

/// Lists a structural rule. `check` throws for operands that do not fit, where its infer() relies on the functions that
/// record it; `record` is for a rule that apply() does not record.
template <class Rule, class Entry, class Check, class Record = ApplyRule, class Outputs = OneOutput>
void add_structural(std::vector<Entry>& to, Check check, Record record = {}, Outputs outputs = {}) {
  if constexpr (runs<Entry>)
    to.push_back(OnGraph<Rule, Entry>::structural(check, outputs));
  else
    to.push_back(OnGraph<Rule, Entry>::structural(record));
}

/// Compiles the list of a family for both element types.
#define WENGERT_GRAPH_OPS(add)                          \
  template void add(std::vector<GraphOp<float>>&);      \
  template void add(std::vector<GraphOp<double>>&);     \
  template void add(std::vector<GraphOpForms<float>>&); \
  template void add(std::vector<GraphOpForms<double>>&);

}  // namespace autograd::detail
