#include "nn/graph/c_source.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/graph/fold.hpp"
#include "autograd/kernels/strided.hpp"
#include "autograd/version.hpp"
#include "nn/graph/c_expression.hpp"
#include "nn/io/file.hpp"

namespace nn::io {

using autograd::Graph;
using autograd::Index;
using autograd::Shape;
using autograd::ValueError;
using autograd::kernels::broadcast_strides;
using autograd::kernels::contiguous_strides;
using autograd::kernels::Strides;

namespace {

/// Columns that are summed side by side: whole registers of every instruction set.
constexpr std::size_t panel = 16;

std::string text(std::size_t number) { return std::to_string(number); }

bool is_identifier(const std::string& name) {
  static const std::set<std::string> words{
      "auto",   "bool",   "break",    "case",      "char",     "class",    "const",   "continue",  "default",
      "delete", "do",     "double",   "else",      "enum",     "extern",   "float",   "for",       "goto",
      "if",     "inline", "int",      "long",      "new",      "operator", "public",  "return",    "short",
      "signed", "sizeof", "static",   "struct",    "switch",   "this",     "typedef", "union",     "unsigned",
      "using",  "void",   "volatile", "while",     "restrict", "register", "private", "protected", "template",
      "throw",  "try",    "catch",    "namespace", "true",     "false"};
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) && !words.count(name) &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '_'); });
}

template <class T>
class CWriter {
 public:
  CWriter(const Graph<T>& graph, const std::string& name)
      : graph_(graph),
        name_(name),
        folded_(fold_constants(graph)),
        expressions_(name, sizeof(T) == 4),
        place_(graph.values.size()),
        uses_(graph.values.size()) {}

  std::string source() {
    find_places();
    choose_products();
    write_step();
    std::string header = "/* One step of a model, written by Wengert " + std::string(autograd::version()) +
                         ". Compile without -ffast-math. */\n#ifndef " + name_ + "_H\n#define " + name_ +
                         "_H\n\n#include <math.h>\n\n#define " + name_ + "_INPUT_SIZE " + text(graph_.input_size()) +
                         "\n#define " + name_ + "_OUTPUT_SIZE " + text(graph_.output_size()) + "\n\n";
    header += "typedef struct {\n";
    for (std::size_t k = 0; k < graph_.states.size(); ++k)
      header += "  " + type() + " s" + text(k) + "[" + text(room(graph_.states[k].input)) + "];" +
                comment(graph_.states[k].name) + "\n";
    if (graph_.states.empty()) header += "  char none;\n";
    header += "} " + name_ + "_state;\n\n";
    return header + arrays_ + expressions_.functions() + "\n" + reset() + "\nstatic inline void " + name_ + "_step(" +
           name_ + "_state* s, const " + type() + "* x, " + type() + "* y) {\n" + step_ + "}\n\n#endif\n";
  }

 private:
  using Id = typename Graph<T>::Id;
  using Step = typename Graph<T>::Step;

  std::string type() const { return expressions_.type(); }
  std::size_t size(Id id) const { return graph_.shape(id).elements(); }
  /// C has no arrays without elements.
  std::size_t room(Id id) const { return std::max<std::size_t>(1, size(id)); }
  bool constant(Id id) const { return folded_.is_constant[id]; }

  /// Names of programs may hold anything.
  static std::string comment(const std::string& what) {
    std::string safe;
    for (const char c : what) safe += std::isalnum(static_cast<unsigned char>(c)) || std::strchr("._- []", c) ? c : '?';
    return safe.empty() ? "" : "  /* " + safe + " */";
  }

  // Where values are.

  struct Place {
    std::optional<Id> within;
    std::size_t offset = 0;
  };
  std::pair<Id, std::size_t> origin(Id id) const {
    std::size_t offset = 0;
    for (; place_[id].within; id = *place_[id].within) offset += place_[id].offset;
    return {id, offset};
  }
  void find_places() {
    for (const Step& step : graph_.steps) {
      if (constant(step.outputs[0])) continue;
      const auto aliases = aliases_of(graph_, step);
      for (std::size_t k = 0; k < aliases.size(); ++k) place_[step.outputs[k]] = {aliases[k].source, aliases[k].offset};
    }
    for (std::size_t k = 0; k < graph_.steps.size(); ++k)
      for (const Id id : graph_.steps[k].inputs) uses_[id].push_back(k);
    for (const auto& output : graph_.outputs) kept_.insert(output.value);
    for (const auto& state : graph_.states) kept_.insert(state.output);
  }

  /// The array that a value is in, to be indexed from `offset` on.
  struct Base {
    std::string array;
    std::size_t offset;
  };
  Base base(Id id) {
    const auto [source, offset] = origin(id);
    if (constant(source)) return {constant_array(source), offset};
    for (std::size_t k = 0; k < graph_.states.size(); ++k)
      if (graph_.states[k].input == source) return {"s->s" + text(k), offset};
    return {"v" + text(source), offset};
  }
  std::string element(Id id, const std::string& index) {
    const Base at = base(id);
    return at.array + "[" + (at.offset ? text(at.offset) + " + " : "") + index + "]";
  }
  std::string constant_array(Id id) {
    if (const auto known = constants_.find(id); known != constants_.end()) return known->second;
    return constants_[id] =
               add_array(std::vector<T>(folded_.data[id], folded_.data[id] + size(id)), graph_.values[id].name);
  }
  template <class Values>
  std::string add_array(const Values& values, const std::string& what) {
    const std::string array = name_ + "_a" + text(array_count_++);
    const bool numbers = std::is_same_v<typename Values::value_type, T>;
    std::string list;
    std::size_t column = 0;
    for (const auto value : values) {
      const std::string number =
          numbers ? c_number_of(static_cast<double>(value)) : std::to_string(static_cast<long long>(value));
      if (column + number.size() > 110) {
        list += "\n  ";
        column = 0;
      }
      list += number + ", ";
      column += number.size() + 2;
    }
    if (values.empty()) list = "0";
    arrays_ += "static const " + (numbers ? type() : std::string("int")) + " " + array + "[" +
               text(std::max<std::size_t>(1, values.size())) + "] = {" + comment(what) + "\n  " + list + "};\n";
    return array;
  }
  std::string c_number_of(double value) const { return expressions_.number(value); }

  // Products of one row with weights that do not change. Where one starts from another they are one sum.

  bool is_product(std::size_t k) const {
    const Step& step = graph_.steps[k];
    return step.op->name() == "linear" && constant(step.inputs[1]) && !constant(step.outputs[0]) &&
           size(step.inputs[1]) > 0 && size(step.inputs[0]) == graph_.shape(step.inputs[1])[1];
  }
  void choose_products() {
    std::map<Id, std::size_t> maker;
    for (std::size_t k = 0; k < graph_.steps.size(); ++k)
      for (const Id id : graph_.steps[k].outputs) maker[id] = k;
    for (std::size_t k = 0; k < graph_.steps.size(); ++k) {
      if (!is_product(k) || graph_.steps[k].inputs.size() < 3) continue;
      const Id start = graph_.steps[k].inputs[2];
      if (constant(start) || uses_[start].size() != 1 || kept_.count(start) || !maker.count(start)) continue;
      if (is_product(maker[start])) continued_[k] = maker[start], merged_.insert(maker[start]);
    }
  }

  // The step.

  void line(const std::string& code) { step_ += "  " + code + "\n"; }

  void write_step() {
    const Id x = graph_.inputs[0].value;
    line(type() + " v" + text(x) + "[" + text(room(x)) + "];");
    line("int i;");
    declare_values();
    line(loop("i", size(x)) + " v" + text(x) + "[i] = x[i];");
    if (uses_[x].empty() && !kept_.count(x)) line("(void)v" + text(x) + ";");
    if (graph_.states.empty()) line("(void)s;");
    for (std::size_t k = 0; k < graph_.steps.size(); ++k) {
      const Step& step = graph_.steps[k];
      if (constant(step.outputs[0]) || merged_.count(k)) continue;
      if (step.op->elementwise) {
        add_to_group(k);
        continue;
      }
      if (!aliases_of(graph_, step).empty()) continue;  // it is where it is
      close_group();
      if (is_product(k))
        product(k);
      else
        structural(step);
    }
    close_group();
    finish();
  }

  /// C99 lets declarations stand anywhere; those of arrays stand first, where they are easy to add up.
  void declare_values() {
    for (std::size_t k = 0; k < graph_.steps.size(); ++k)
      if (!merged_.count(k))
        for (const Id id : graph_.steps[k].outputs)
          if (!constant(id) && !place_[id].within && aliases_of(graph_, graph_.steps[k]).empty() && is_stored(k, id))
            line(type() + " v" + text(id) + "[" + text(room(id)) + "];" + comment(graph_.values[id].name));
  }

  /// Whether somebody reads a value from its array: all but the steps of its own group of elementwise ones.
  bool is_stored(std::size_t k, Id id) {
    if (!graph_.steps[k].op->elementwise || kept_.count(id)) return true;
    const std::size_t own = group_of(k);
    return uses_[id].empty() || std::any_of(uses_[id].begin(), uses_[id].end(), [&](std::size_t use) {
             return !graph_.steps[use].op->elementwise || group_of(use) != own;
           });
  }

  /// Elementwise steps of one size that follow one another, with nothing between that computes.
  std::size_t group_of(std::size_t k) {
    if (groups_.empty()) {
      groups_.resize(graph_.steps.size());
      std::size_t group = 0, current = ~std::size_t(0);
      for (std::size_t at = 0; at < graph_.steps.size(); ++at) {
        const Step& step = graph_.steps[at];
        if (constant(step.outputs[0]) || merged_.count(at) || !aliases_of(graph_, step).empty()) continue;
        if (!step.op->elementwise || size(step.outputs[0]) != current) ++group;
        // A part of what the loop computes is complete only behind it.
        for (const Id id : step.inputs)
          if (origin(id).first != id && in_group(origin(id).first, group, at)) ++group;
        current = step.op->elementwise ? size(step.outputs[0]) : ~std::size_t(0);
        groups_[at] = group;
      }
    }
    return groups_[k];
  }
  bool in_group(Id id, std::size_t group, std::size_t before) const {
    for (std::size_t k = 0; k < before; ++k)
      if (groups_[k] == group && graph_.steps[k].outputs[0] == id && graph_.steps[k].op->elementwise) return true;
    return false;
  }

  void add_to_group(std::size_t k) {
    if (!open_.empty() && group_of(open_.back()) != group_of(k)) close_group();
    open_.push_back(k);
  }

  void close_group() {
    if (open_.empty()) return;
    const std::size_t count = size(graph_.steps[open_[0]].outputs[0]);
    line(loop("i", count) + " {");
    std::set<Id> local;
    for (const std::size_t k : open_) {
      const Step& step = graph_.steps[k];
      const Id result = step.outputs[0];
      std::vector<autograd::Equation> operands;
      for (std::size_t m = 0; m < step.inputs.size(); ++m) operands.push_back(autograd::Equation::operand(m));
      std::size_t part = 0;
      const std::string formula = expressions_.text(
          step.op->formula(step.rule.get(), operands),
          [&](std::size_t m) {
            const Id id = step.inputs[m];
            if (local.count(id)) return "e" + text(id);
            if (const auto number = equal_elements(id)) return c_number_of(*number);
            return element(id, "i");
          },
          [&](const std::string& code) {
            const std::string variable = "e" + text(result) + "_" + text(part++);
            line("  const " + type() + " " + variable + " = " + code + ";");
            return variable;
          });
      line("  const " + type() + " e" + text(result) + " = " + stripped(formula) + ";" +
           comment(graph_.values[result].name));
      if (is_stored(k, result)) line("  v" + text(result) + "[i] = e" + text(result) + ";");
      local.insert(result);
    }
    line("}");
    open_.clear();
  }
  /// The number that all elements of a constant are.
  std::optional<double> equal_elements(Id id) const {
    const auto [source, offset] = origin(id);
    if (!constant(source) || size(id) == 0) return {};
    const T* const data = folded_.data[source] + offset;
    if (!std::all_of(data, data + size(id), [&](T value) { return std::memcmp(&value, data, sizeof(T)) == 0; }))
      return {};
    return static_cast<double>(data[0]);
  }
  static std::string stripped(const std::string& formula) {
    if (formula.front() != '(' || formula.back() != ')') return formula;
    int depth = 0;
    for (std::size_t k = 0; k + 1 < formula.size(); ++k) {
      depth += formula[k] == '(' ? 1 : formula[k] == ')' ? -1 : 0;
      if (depth == 0) return formula;
    }
    return formula.substr(1, formula.size() - 2);
  }

  static std::string loop(const std::string& index, std::size_t count) {
    return "for (" + index + " = 0; " + index + " < " + text(count) + "; ++" + index + ")";
  }
  static std::string loop_of_own(const std::string& index, std::size_t count) {
    return "for (int " + index + " = 0; " + index + " < " + text(count) + "; ++" + index + ")";
  }

  /// y = start + x_1 B_1 + x_2 B_2 + ..., in panels of columns whose sums a compiler keeps in registers; the weights
  /// lie in the order in which they are read.
  void product(std::size_t k) {
    const Id y = graph_.steps[k].outputs[0];
    const std::size_t n = size(y);
    std::vector<const Step*> factors;
    std::optional<Id> start;
    for (std::size_t at = k;;) {
      const Step& step = graph_.steps[at];
      factors.push_back(&step);
      if (const auto more = continued_.find(at); more != continued_.end()) {
        at = more->second;
        continue;
      }
      if (step.inputs.size() == 3) start = step.inputs[2];
      break;
    }
    if (n < 4) return dots(y, factors, start);
    std::size_t groups = 4;
    while (n % groups != 0 || n / groups < 4) --groups;
    const std::size_t width = n / groups;
    for (std::size_t first = 0; first < width; first += panel) {
      const std::size_t columns = std::min(panel, width - first);
      const auto place = [&](std::size_t group) {
        const std::size_t at = group * width + first;
        return (at ? text(at) + " + " : "") + "i";
      };
      line(loop("i", columns) + " {");
      for (std::size_t group = 0; group < groups; ++group)
        line("  " + type() + " t" + text(group) + " = " + (start ? element(*start, place(group)) : zero()) + ";");
      for (const Step* const step : factors) {
        const T* const weight = folded_.data[step->inputs[1]];
        const std::size_t rows = graph_.shape(step->inputs[1])[1];
        std::vector<T> packed;
        for (std::size_t row = 0; row < rows; ++row)
          for (std::size_t group = 0; group < groups; ++group)
            for (std::size_t column = 0; column < columns; ++column)
              packed.push_back(weight[(group * width + first + column) * rows + row]);
        const std::string array = add_array(packed, graph_.values[step->inputs[1]].name);
        line("  " + loop_of_own("k", rows) + " {");
        line("    const " + type() + " f = " + element(step->inputs[0], "k") + ";");
        for (std::size_t group = 0; group < groups; ++group)
          line("    t" + text(group) + " += f * " + array + "[k * " + text(groups * columns) + " + " +
               (group ? text(group * columns) + " + " : "") + "i];");
        line("  }");
      }
      for (std::size_t group = 0; group < groups; ++group)
        line("  v" + text(y) + "[" + place(group) + "] = t" + text(group) + ";");
      line("}");
    }
  }

  /// Few columns: each is the sum of products along a row, in partial sums that a compiler makes a register of.
  void dots(Id y, const std::vector<const Step*>& factors, std::optional<Id> start) {
    for (std::size_t column = 0; column < size(y); ++column) {
      line("{");
      line("  " + type() + " sum[" + text(panel) + "], total = " + (start ? element(*start, text(column)) : zero()) +
           ";");
      line("  " + loop("i", panel) + " sum[i] = " + zero() + ";");
      for (const Step* const step : factors) {
        const std::size_t rows = graph_.shape(step->inputs[1])[1], whole = rows / panel * panel;
        const auto term = [&](const std::string& k) {
          return element(step->inputs[0], k) + " * " +
                 element(step->inputs[1], (column ? text(column * rows) + " + " : "") + k) + ";";
        };
        if (whole > 0)
          line("  for (int k = 0; k < " + text(whole) + "; k += " + text(panel) + ") " + loop("i", panel) +
               " sum[i] += " + term("k + i"));
        if (whole < rows)
          line("  for (int k = " + text(whole) + "; k < " + text(rows) + "; ++k) sum[k - " + text(whole) +
               "] += " + term("k"));
      }
      for (std::size_t half = panel / 2; half > 0; half /= 2)
        line("  " + loop("i", half) + " sum[i] += sum[i + " + text(half) + "];");
      line("  total += sum[0];");
      line("  v" + text(y) + "[" + text(column) + "] = total;");
      line("}");
    }
  }

  /// The next states, once nobody reads the old ones any more, and the output.
  void finish() {
    const Id y = graph_.outputs[0].value;
    std::vector<std::size_t> second;
    // A next state that is the value of some state is put by until all are read.
    for (std::size_t k = 0; k < graph_.states.size(); ++k) {
      const auto [source, offset] = origin(graph_.states[k].output);
      const bool is_state = std::any_of(graph_.states.begin(), graph_.states.end(),
                                        [source = source](const auto& state) { return state.input == source; });
      if (!is_state || (source == graph_.states[k].input && offset == 0)) continue;
      line(type() + " next" + text(k) + "[" + text(room(graph_.states[k].input)) + "];");
      line(loop("i", size(graph_.states[k].input)) + " next" + text(k) +
           "[i] = " + element(graph_.states[k].output, "i") + ";");
      second.push_back(k);
    }
    line(loop("i", size(y)) + " y[i] = " + element(y, "i") + ";");
    for (std::size_t k = 0; k < graph_.states.size(); ++k) {
      const auto& state = graph_.states[k];
      const bool waits = std::find(second.begin(), second.end(), k) != second.end();
      if (!waits && origin(state.output).first == state.input) continue;
      line(loop("i", size(state.input)) + " s->s" + text(k) +
           "[i] = " + (waits ? "next" + text(k) + "[i]" : element(state.output, "i")) + ";");
    }
  }

  std::string reset() {
    std::string code = "static inline void " + name_ + "_reset(" + name_ + "_state* s) {\n";
    if (graph_.states.empty()) code += "  s->none = 0;\n";
    for (std::size_t k = 0; k < graph_.states.size(); ++k) {
      const auto& initial = graph_.states[k].initial;
      const bool equal = std::all_of(initial.begin(), initial.end(), [&](T value) { return value == initial[0]; });
      const std::string from =
          equal ? c_number_of(initial.empty() ? 0.0 : static_cast<double>(initial[0])) : initial_array(k) + "[i]";
      code += "  for (int i = 0; i < " + text(initial.size()) + "; ++i) s->s" + text(k) + "[i] = " + from + ";\n";
    }
    return code + "}\n";
  }
  std::string initial_array(std::size_t k) { return add_array(graph_.states[k].initial, ""); }

  // Structural ops.

  std::size_t whole(const Step& step, const char* name) const {
    return static_cast<std::size_t>(whole_attribute(step.attributes, name));
  }

  /// Nested loops over a shape around `body`, which is given the index that strides make of the loops' variables.
  template <class Body>
  void loops(const Shape& shape, Body body, std::string indent = "") {
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      line(indent + loop_of_own("k" + text(axis), shape[axis]));
      indent += "  ";
    }
    const auto index = [&](std::size_t offset, const Strides& strides) {
      std::string sum = offset ? text(offset) : "";
      for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
        if (shape[axis] == 1 || strides[axis] == 0) continue;
        const Index stride = strides[axis];
        const std::string term =
            (stride == 1 || stride == -1 ? "" : std::to_string(stride < 0 ? -stride : stride) + " * ") + "k" +
            text(axis);
        if (sum.empty())
          sum = stride < 0 ? "-" + term : term;
        else
          sum += (stride < 0 ? " - " : " + ") + term;
      }
      return sum.empty() ? std::string("0") : sum;
    };
    line(indent + body(index));
  }

  void copy(Id to, const Shape& shape, std::size_t to_offset, const Strides& to_strides, Id from,
            std::size_t from_offset, const Strides& from_strides) {
    if (shape.elements() == 0) return;
    loops(shape, [&](auto index) {
      return element(to, index(to_offset, to_strides)) + " = " + element(from, index(from_offset, from_strides)) + ";";
    });
  }

  /// An array as lines along the axes from `first` to before `last`.
  struct Lines {
    std::size_t outer, extent, inner;
  };
  static Lines lines(const Shape& shape, std::size_t first, std::size_t last) {
    return {shape.elements(0, first), shape.elements(first, last), shape.elements(last, shape.rank())};
  }
  /// The loops over all lines, with `at` the index of a line's first element in an array of that shape, and `o` that of
  /// an array of one element for each line.
  template <class Body>
  void for_each_line(const Lines& l, Body body) {
    line(loop_of_own("a", l.outer) + " " + loop_of_own("b", l.inner) + " {");
    line("  const int at = a * " + text(l.extent * l.inner) + " + b;");
    body("at + k * " + text(l.inner), "a * " + text(l.inner) + " + b", "  " + loop_of_own("k", l.extent));
    line("}");
  }

  std::string zero() const { return c_number_of(0); }
  void fill(Id id, const std::string& value) { line(loop("i", size(id)) + " v" + text(id) + "[i] = " + value + ";"); }

  void structural(const Step& step) {
    const std::string op(step.op->name());
    const Id x = step.inputs[0], y = step.outputs[0];
    const Shape &from = graph_.shape(x), &to = graph_.shape(y);
    const std::string out = "v" + text(y);
    if (op == "reshape" || op == "detach") {
      // Where it is, see aliases_of().
    } else if (op == "broadcast_to") {
      copy(y, to, 0, contiguous_strides(to), x, 0, broadcast_strides(from, to));
    } else if (op == "sum_to") {
      fill(y, zero());
      if (from.elements() > 0)
        loops(from, [&](auto index) {
          return element(y, index(0, broadcast_strides(to, from))) +
                 " += " + element(x, index(0, contiguous_strides(from))) + ";";
        });
    } else if (op == "permute") {
      const Strides own = contiguous_strides(from);
      Strides strides{};
      const auto& axes = list_attribute(step.attributes, "axes");
      for (std::size_t k = 0; k < axes.size(); ++k) strides[k] = own[static_cast<std::size_t>(axes[k])];
      copy(y, to, 0, contiguous_strides(to), x, 0, strides);
    } else if (op == "slice" || op == "select" || op == "split" || op == "unbind") {
      pieces(step, op);
    } else if (op == "concat" || op == "stack") {
      join(step, op == "stack");
    } else if (op == "linear") {
      linear(step);
    } else if (op == "matmul") {
      matmul(step);
    } else if (op == "mean" || op == "centered") {
      // The mean of what is left after a first one is taken off corrects the rounding of the first sum.
      const Lines l = lines(from, whole(step, "first"), whole(step, "last"));
      const std::string count = c_number_of(static_cast<double>(l.extent));
      for_each_line(l, [&](const std::string& at, const std::string& o, const std::string& along) {
        line("  " + type() + " mean = " + zero() + ", rest = " + zero() + ";");
        line(along + " mean += " + element(x, at) + ";");
        line("  mean /= " + count + ";");
        line(along + " rest += " + element(x, at) + " - mean;");
        line("  rest /= " + count + ";");
        line(op == "mean" ? "  " + out + "[" + o + "] = mean + rest;"
                          : along + " " + out + "[" + at + "] = (" + element(x, at) + " - mean) - rest;");
      });
    } else if (op == "softmax" || op == "log_softmax") {
      const std::size_t axis = whole(step, "axis");
      for_each_line(
          lines(from, axis, axis + 1), [&](const std::string& at, const std::string&, const std::string& along) {
            line("  " + type() + " most = -INFINITY, sum = " + zero() + ";");
            line(along + " most = " + element(x, at) + " > most ? " + element(x, at) + " : most;");
            line(along + " " + out + "[" + at + "] = " + expressions_.call("exp", element(x, at) + " - most") + ";");
            line(along + " sum += " + out + "[" + at + "];");
            if (op == "softmax")
              line(along + " " + out + "[" + at + "] /= sum;");
            else
              line(along + " " + out + "[" + at + "] = (" + element(x, at) + " - most) - " +
                   expressions_.call("log", "sum") + ";");
          });
    } else if (op == "max" || op == "logsumexp") {
      over_axes(step, op == "logsumexp");
    } else if (op == "cumsum") {
      const std::size_t axis = whole(step, "axis");
      const Lines l = lines(from, axis, axis + 1);
      const bool reverse = std::get<bool>(step.attributes[1].value);
      for_each_line(l, [&](const std::string& at, const std::string&, const std::string& along) {
        const std::string place = reverse ? "at + (" + text(l.extent) + " - 1 - k) * " + text(l.inner) : at;
        line("  " + type() + " sum = " + zero() + ";");
        line(along + " {");
        line("    sum += " + element(x, place) + ";");
        line("    " + out + "[" + place + "] = sum;");
        line("  }");
      });
    } else if (op == "take" || op == "gather") {
      indexed(step, op == "gather");
    } else if (op == "embedding") {
      const std::string rows = c_number_of(static_cast<double>(from[0])), features = text(from[1]);
      const Id index = step.inputs[1];
      line(loop_of_own("k", size(index)) + " {");
      line("  const " + type() + " row = " + element(index, "k") + ";");
      line("  const int good = row >= " + zero() + " && row < " + rows +
           " && row == " + expressions_.call("floor", "row") + ";");
      line("  const int first = good ? (int)row * " + features + " : 0;");
      line("  " + loop("i", from[1]) + " " + out + "[k * " + features + " + i] = good ? " + element(x, "first + i") +
           " : " + c_number_of(std::numeric_limits<double>::quiet_NaN()) + ";");
      line("}");
    } else {
      throw ValueError("c_source: the op " + op + " is not written in C; write the graph as ONNX or as a graph file");
    }
  }

  void pieces(const Step& step, const std::string& op) {
    const Id x = step.inputs[0];
    const Shape& from = graph_.shape(x);
    const std::size_t axis = op == "unbind" ? 0 : whole(step, "axis");
    std::size_t start = op == "select" ? whole(step, "index") : op == "slice" ? whole(step, "start") : 0;
    const Index by = op == "slice" ? whole_attribute(step.attributes, "step") : 1;
    for (const Id y : step.outputs) {
      Shape shape = graph_.shape(y);
      if (op == "select" || op == "unbind") shape.insert(axis, 1);
      Strides strides = contiguous_strides(from);
      const std::size_t offset = start * static_cast<std::size_t>(strides[axis]);
      strides[axis] *= by;
      copy(y, shape, 0, contiguous_strides(shape), x, offset, strides);
      start += shape[axis];
    }
  }

  void join(const Step& step, bool stacks) {
    const Id y = step.outputs[0];
    const std::size_t axis = whole(step, "axis");
    const Strides strides = contiguous_strides(graph_.shape(y));
    std::size_t start = 0;
    for (const Id x : step.inputs) {
      Shape shape = graph_.shape(x);
      if (stacks) shape.insert(axis, 1);
      copy(y, shape, start * static_cast<std::size_t>(strides[axis]), strides, x, 0, contiguous_strides(shape));
      start += shape[axis];
    }
  }

  void linear(const Step& step) {
    const Id x = step.inputs[0], w = step.inputs[1], y = step.outputs[0];
    const std::size_t out = graph_.shape(w)[0], in = graph_.shape(w)[1];
    const std::size_t rows = out ? size(y) / out : 0;
    line(loop_of_own("a", rows) + " " + loop_of_own("b", out) + " {");
    std::string start = zero();
    if (step.inputs.size() == 3)
      start = element(step.inputs[2],
                      graph_.shape(step.inputs[2]) == graph_.shape(y) && rows != 1 ? "a * " + text(out) + " + b" : "b");
    line("  " + type() + " sum = " + start + ";");
    line("  " + loop_of_own("k", in) + " sum += " + element(x, "a * " + text(in) + " + k") + " * " +
         element(w, "b * " + text(in) + " + k") + ";");
    line("  v" + text(y) + "[a * " + text(out) + " + b] = sum;");
    line("}");
  }

  void matmul(const Step& step) {
    const Id a = step.inputs[0], b = step.inputs[1], y = step.outputs[0];
    const Shape &left = graph_.shape(a), &right = graph_.shape(b);
    const std::size_t m = left[left.rank() - 2], k = left.back(), n = right.back();
    const std::size_t batch = left.elements(0, left.rank() - 2);
    line(loop_of_own("p", batch) + " " + loop_of_own("a", m) + " " + loop_of_own("b", n) + " {");
    line("  " + type() + " sum = " + zero() + ";");
    line("  " + loop_of_own("k", k) + " sum += " + element(a, "p * " + text(m * k) + " + a * " + text(k) + " + k") +
         " * " + element(b, "p * " + text(k * n) + " + k * " + text(n) + " + b") + ";");
    line("  v" + text(y) + "[p * " + text(m * n) + " + a * " + text(n) + " + b] = sum;");
    line("}");
  }

  void over_axes(const Step& step, bool sums) {
    const Id x = step.inputs[0], y = step.outputs[0];
    const Shape &from = graph_.shape(x), &to = graph_.shape(y);
    const Strides own = contiguous_strides(from), kept = broadcast_strides(to, from);
    fill(y, "-INFINITY");
    loops(from, [&](auto index) {
      const std::string value = element(x, index(0, own)), largest = element(y, index(0, kept));
      return "if (" + value + " > " + largest + " || (" + value + " != " + value + " && " + largest + " == " + largest +
             ")) " + largest + " = " + value + ";";
    });
    if (!sums) return;
    line("{");
    line("  " + type() + " sum[" + text(room(y)) + "];");
    line("  " + loop("i", size(y)) + " sum[i] = " + zero() + ";");
    loops(
        from,
        [&](auto index) {
          const std::string largest = element(y, index(0, kept));
          return "sum[" + index(0, kept) + "] += " +
                 expressions_.call("exp", element(x, index(0, own)) + " - (" + largest + " == -INFINITY ? " + zero() +
                                              " : " + largest + ")") +
                 ";";
        },
        "  ");
    const std::string out = element(y, "i");
    line("  " + loop("i", size(y)) + " if (" + out + " < INFINITY && " + out + " > -INFINITY) " + out +
         " += " + expressions_.call("log", "sum[i]") + ";");
    line("}");
  }

  void indexed(const Step& step, bool gathers) {
    const Id x = step.inputs[0], y = step.outputs[0];
    const Shape &from = graph_.shape(x), &to = graph_.shape(y);
    const std::size_t axis = whole(step, "axis");
    const std::string indices = add_array(list_attribute(step.attributes, "indices"), "");
    if (!gathers) {
      const std::size_t outer = from.elements(0, axis), extent = from[axis];
      const std::size_t inner = from.elements(axis + 1, from.rank());
      const std::size_t count = list_attribute(step.attributes, "indices").size();
      line(loop_of_own("a", outer) + " " + loop_of_own("k", count) + " " + loop("i", inner));
      line("  v" + text(y) + "[(a * " + text(count) + " + k) * " + text(inner) +
           " + i] = " + element(x, "(a * " + text(extent) + " + " + indices + "[k]) * " + text(inner) + " + i") + ";");
      return;
    }
    Strides strides = contiguous_strides(from);
    const std::string by = std::to_string(strides[axis]);
    strides[axis] = 0;
    if (to.elements() == 0) return;
    loops(to, [&](auto index) {
      const std::string at = index(0, contiguous_strides(to));
      return element(y, at) + " = " + element(x, index(0, strides) + " + " + indices + "[" + at + "] * " + by) + ";";
    });
  }

  const Graph<T>& graph_;
  std::string name_;
  autograd::Folded<T> folded_;
  detail::CExpressions expressions_;
  std::vector<Place> place_;
  std::vector<std::vector<std::size_t>> uses_;    ///< the steps that read a value
  std::set<Id> kept_;                             ///< outputs and next states
  std::map<std::size_t, std::size_t> continued_;  ///< a product starts from another's sum
  std::set<std::size_t> merged_;                  ///< those that others start from
  std::vector<std::size_t> groups_;               ///< of each step that computes
  std::vector<std::size_t> open_;                 ///< elementwise steps to be written as one loop
  std::map<Id, std::string> constants_;
  std::size_t array_count_ = 0;
  std::string arrays_, step_;
};

std::string name_of(const std::filesystem::path& path) {
  std::string name = path.stem().string();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

}  // namespace

template <class T>
std::string c_source(const Graph<T>& graph, const std::string& name) {
  check(graph);
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1)
    throw ValueError("c_source: the graph has " + std::to_string(graph.inputs.size()) + " inputs and " +
                     std::to_string(graph.outputs.size()) + " outputs; a step in C has one of each");
  if (!is_identifier(name))
    throw ValueError("c_source: \"" + name + "\" is no name of C; give one of letters, digits and _");
  return CWriter<T>(graph, name).source();
}

template <class T>
void save_c(const Graph<T>& graph, const std::filesystem::path& path, const COptions& options) {
  replace_file(path, c_source(graph, options.name.empty() ? name_of(path) : options.name));
}

#define INSTANTIATE(T)                                                \
  template std::string c_source(const Graph<T>&, const std::string&); \
  template void save_c(const Graph<T>&, const std::filesystem::path&, const COptions&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::io
