#include "nn/audit/coverage.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "nn/audit/evaluate.hpp"

namespace nn::audit {

using autograd::FormatError;

namespace {

void collect_names(const Formula& formula, std::set<std::string>& names) {
  if (formula->kind == Expression::Kind::name) names.insert(formula->text);
  for (const Formula& part : formula->parts) collect_names(part, names);
}

/// Every name that is read for the sake of equations whose left sides the cell has. A value of the user's own whose
/// derivative is read, q of dq, says what that is, and counts as read.
std::set<std::string> used_names(const Derivation& derivation, const Values& values, const Reads& reads) {
  Reads all = reads;
  std::set<std::string> used;
  std::vector<std::string> open;
  for (const Equation& equation : derivation.equations) {
    if (equation.formula) collect_names(equation.formula, all[equation.name]);
    if (values.find(equation.name)) open.push_back(equation.name);
  }
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (const auto found = all.find(name); found != all.end())
      for (const std::string& read : found->second)
        for (const std::string& name_read : {read, read[0] == 'd' ? read.substr(1) : read})
          if (used.insert(name_read).second) open.push_back(name_read);
  }
  return used;
}

class Gradients {
 public:
  Gradients(const Given& given, const Values& values) : given_(given), values_(values) {
    for (const auto& [name, quantity] : values.named) {
      for (const std::string& whole : quantity.part_of) parts_[whole].push_back(name);
      for (const std::string& held : quantity.holds) holders_[held].push_back(name);
    }
  }

  std::vector<std::string> missing() const {
    std::vector<std::string> result;
    for (const auto& [name, quantity] : values_.named) {
      if (const auto steps = given_.find(name); quantity.steps && steps != given_.end())
        add_missing_steps(name, steps->second, result);
      else if (is_end(name, quantity) && !complete(name))
        add_missing_parts(name, quantity, result);
    }
    return result;
  }

 private:
  /// Whether it is the gradient of something that the run starts from, and no part of another.
  bool is_end(const std::string& name, const Quantity& quantity) const {
    if (!is_derivative(name, values_)) return false;
    if (quantity.steps) return name == "dx";
    // Two biases have one gradient, and it is asked for once.
    if (quantity.part_of.empty() && quantity.holds.empty()) return !holders_.contains(name);
    const auto ends = [&](const std::string& other) { return values_.find(other)->part_of.empty(); };
    return quantity.part_of.empty() ? std::all_of(quantity.holds.begin(), quantity.holds.end(), ends)
                                    : values_.find(quantity.part_of[0])->steps;
  }

  bool is_given(const std::string& name) const { return given_.contains(name); }

  bool complete(const std::string& name) const {
    const Quantity& quantity = *values_.find(name);
    const auto given = [&](const std::string& other) { return !values_.find(other)->steps && is_given(other); };
    const auto within = [&](const std::string& part) { return part_complete(part); };
    if (given(name) || std::any_of(quantity.part_of.begin(), quantity.part_of.end(), given)) return true;
    if (!quantity.steps && !quantity.part_of.empty() && is_given_at(quantity.part_of[0], 0)) return true;
    if (const auto holders = holders_.find(name);
        holders != holders_.end() && std::any_of(holders->second.begin(), holders->second.end(), given))
      return true;
    if (!quantity.holds.empty() && std::all_of(quantity.holds.begin(), quantity.holds.end(), within)) return true;
    const auto parts = parts_.find(name);
    return parts != parts_.end() && std::all_of(parts->second.begin(), parts->second.end(), within);
  }
  bool part_complete(const std::string& part) const { return !values_.find(part)->steps && complete(part); }

  bool is_given_at(const std::string& name, int t) const {
    const auto steps = given_.find(name);
    return steps != given_.end() && values_.find(name)->steps && steps->second.contains(t);
  }

  /// Of what is given in part the rest, of anything else the whole.
  void add_missing_parts(const std::string& name, const Quantity& quantity, std::vector<std::string>& result) const {
    std::vector<std::vector<std::string>> ways{quantity.holds};
    if (const auto parts = parts_.find(name); parts != parts_.end()) ways.push_back(parts->second);
    for (const std::vector<std::string>& pieces : ways) {
      std::vector<std::string> rest;
      for (const std::string& piece : pieces)
        if (!part_complete(piece)) rest.push_back(piece);
      if (rest.size() == pieces.size()) continue;
      result.insert(result.end(), rest.begin(), rest.end());
      return;
    }
    result.push_back(name + (quantity.steps ? "[t]" : ""));
  }

  void add_missing_steps(const std::string& name, const std::set<int>& given, std::vector<std::string>& result) const {
    for (int t = 1; t <= values_.steps; ++t) {
      if (given.contains(t)) continue;
      int last = t;
      while (last < values_.steps && !given.contains(last + 1)) ++last;
      result.push_back(name + "[" + std::to_string(t) +
                       (last > t ? (last > t + 1 ? "..." : ", ") + std::to_string(last) : "") + "]");
      t = last;
    }
  }

  const Given& given_;
  const Values& values_;
  std::map<std::string, std::vector<std::string>> parts_, holders_;
};

}  // namespace

void check_left_sides(const Derivation& derivation, const std::string& cell, const Values& values, const Reads& reads) {
  const std::set<std::string> used = used_names(derivation, values, reads);
  const auto& equations = derivation.equations;
  const bool any = std::any_of(equations.begin(), equations.end(), [&](const Equation& equation) {
    return values.find(equation.name) && (is_derivative(equation.name, values) || equation.name == "direct_h");
  });
  std::string text;
  for (const Equation& equation : equations) {
    if (values.find(equation.name) || used.contains(equation.name)) continue;
    text = (equation.line ? "line " + std::to_string(equation.line) + ": " : "") + "there is no " + equation.name +
           " in the " + cell + " cell, and no equation that is compared uses it; " + values.near(equation.name);
    break;
  }
  if (!any)
    throw FormatError(
        "the derivation has no term to compare; " +
        (text.empty() ? "write equations for derivatives of the " + cell + " cell: " + values.near("d") : text));
  if (!text.empty()) throw FormatError(text);
}

std::vector<std::string> not_given(const Given& given, const Values& values) {
  return Gradients(given, values).missing();
}

}  // namespace nn::audit
