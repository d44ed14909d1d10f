#include "autograd/graph/matching.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <unordered_set>

namespace autograd::detail {

namespace {
constexpr std::size_t unbound = ~std::size_t(0);
}

/// What a pattern's parts are found to be.
template <class T>
struct Formulas<T>::Binding {
  std::vector<std::size_t> arguments;                  ///< the value of each, or unbound
  std::unordered_map<const void*, const void*> parts;  ///< a part of the pattern is this part of a formula
};

template <class T>
Formulas<T>::Formulas(const Graph<T>& graph, const std::vector<bool>& is_constant)
    : graph_(graph), of_(graph.values.size()) {
  // No function is as deep as a chain of so many steps, and formulas are walked through by recursion.
  constexpr std::size_t deepest = 64;
  std::vector<std::size_t> depth(graph.values.size());
  for (std::size_t id = 0; id < of_.size(); ++id) of_[id] = Equation::operand(id);
  for (const auto& step : graph.steps) {
    const Id result = step.outputs[0];
    if (!step.op->elementwise || is_constant[result]) continue;
    std::vector<Equation> operands;
    for (const Id id : step.inputs) {
      operands.push_back(of_[id]);
      depth[result] = std::max(depth[result], depth[id] + 1);
    }
    if (depth[result] > deepest) depth[result] = 0;
    if (depth[result] == 0) continue;
    of_[result] = step.op->formula(step.rule.get(), operands);
  }
  for (std::size_t id = 0; id < of_.size(); ++id) value_of_.try_emplace(of_[id].identity(), static_cast<Id>(id));
}

template <class T>
bool Formulas<T>::unify(const Equation& pattern, const Equation& formula, Binding& binding) const {
  if (const auto known = binding.parts.find(pattern.identity()); known != binding.parts.end())
    return known->second == formula.identity();
  if (pattern.kind() == Equation::Kind::operand) {
    const auto value = value_of_.find(formula.identity());
    if (value == value_of_.end()) return false;
    std::size_t& bound = binding.arguments[pattern.index()];
    if (bound != unbound && bound != value->second) return false;
    bound = value->second;
  } else {
    if (pattern.kind() != formula.kind()) return false;
    if (pattern.kind() == Equation::Kind::number)
      return std::bit_cast<std::uint64_t>(pattern.number()) == std::bit_cast<std::uint64_t>(formula.number());
    if (pattern.function() != formula.function() || pattern.arguments().size() != formula.arguments().size())
      return false;
    for (std::size_t k = 0; k < pattern.arguments().size(); ++k)
      if (!unify(pattern.arguments()[k], formula.arguments()[k], binding)) return false;
  }
  binding.parts.emplace(pattern.identity(), formula.identity());
  return true;
}

template <class T>
auto Formulas<T>::match(const CompiledFunction<T>& function, Id root) const -> std::optional<Match> {
  for (std::size_t first = 0; first < function.results.size(); ++first) {
    Binding binding{std::vector<std::size_t>(function.arguments, unbound), {}};
    if (!unify(function.results[first], of_[root], binding)) continue;
    Match match{{}, std::vector<std::optional<Id>>(function.results.size())};
    match.results[first] = root;
    for (std::size_t m = 0; m < function.results.size(); ++m) {
      if (m == first) continue;
      const Equation& result = function.results[m];
      if (const auto part = binding.parts.find(result.identity()); part != binding.parts.end()) {
        if (const auto value = value_of_.find(part->second); value != value_of_.end()) match.results[m] = value->second;
        continue;
      }
      // Results that are not made of one another: a value of that form over the same arguments, but no inner one.
      std::unordered_set<const void*> inner;
      for (const auto& [pattern, formula] : binding.parts) inner.insert(formula);
      for (std::size_t id = 0; id < of_.size() && !match.results[m]; ++id) {
        if (of_[id].kind() != Equation::Kind::call || inner.count(of_[id].identity())) continue;
        Binding tried = binding;
        if (!unify(result, of_[id], tried)) continue;
        binding = std::move(tried);
        match.results[m] = static_cast<Id>(id);
      }
    }
    bool whole = true;
    for (const std::size_t argument : binding.arguments) {
      whole &= argument != unbound && graph_.shape(static_cast<Id>(argument)) == graph_.shape(root);
      match.arguments.push_back(static_cast<Id>(argument));
    }
    if (whole) return match;
  }
  return {};
}

template class Formulas<float>;
template class Formulas<double>;

}  // namespace autograd::detail
