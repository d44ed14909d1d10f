// Truth: every value and derivative of a cell's run over a sequence, by autograd, under the names of a derivation.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/array.hpp"
#include "autograd/gradient.hpp"
#include "autograd/ops/shape.hpp"
#include "nn/audit/values.hpp"
#include "nn/description.hpp"
#include "nn/module.hpp"
#include "nn/recurrent/cell.hpp"

namespace nn::audit {

using autograd::Array;

/// From the outputs (time, batch, R) to a scalar.
using Loss = std::function<Variable<double>(Variable<double>)>;

/// x[t], the states from step 0 on, what the cell names; weights; the derivative d... of each; direct_h[t], the
/// derivative of the loss with respect to h[t] as the loss reads it.
///
/// Among the parameters weight_ih is Wx, weight_hh Wh, bias_ih bx, bias_hh bh, their sum (or bias) b, peephole_i pi,
/// and so on; others keep their names, with _ for dots. Where the cell's Description has a gate_order, Wx, Wh and the
/// biases are there in row blocks as well, Wxi and so on, and Wi is [Whi, Wxi].
struct Truth {
  std::string cell;
  std::string gates;  ///< a letter for each, in the order of the blocks
  Values values;
  std::size_t hidden = 0;
  /// |autograd - complex step| relative to its norm, over what the sequence starts from; negative where it was not run:
  /// the cell has an op that is not analytic, or the run is long.
  double complex_error = -1;
};

namespace detail {

struct NamedParameter {
  std::string name;
  Array<double> value, gradient;
};

/// The steps of a run, as they are recorded.
class RunRecord {
 public:
  RunRecord(Tape<double>& tape, std::size_t steps);
  /// A value of step t. Of a name that a step gives to several the last one counts.
  void add(const std::string& name, int t, Variable<double> value);
  /// What the tape has named since slot `begin`.
  void add_named(int t, std::size_t begin);
  /// Sweeps, and fills in the truth.
  void finish(Truth& truth, Variable<double> outputs, const Loss& loss, const std::vector<Variable<double>>& leaves);
  void add_parameters(Truth& truth, const std::vector<NamedParameter>& parameters) const;

 private:
  Tape<double>& tape_;
  std::size_t steps_;
  std::map<std::string, std::map<int, Variable<double>>> recorded_;
};

}  // namespace detail

/// Runs the cell over x (time, batch, I). `initial` makes the first state's components, in the order of map(), from
/// zeros of their shape. States are called h and c where the state has these, h where it is a Variable, and otherwise
/// state_0 and so on.
/// Throws what the cell and the loss throw.
template <Cell<double> C>
Truth truth_of(const std::string& name, C& cell, const Array<double>& x,
               const std::function<Array<double>(const autograd::Shape&)>& initial, const Loss& loss) {
  Tape<double> tape;
  tape.record_op_by_op();  // so that names inside pointwise functions are recorded
  const autograd::Shape shape = autograd::shape_of(x);
  detail::RunRecord record(tape, shape[0]);
  std::vector<Variable<double>> leaves;
  const auto leaf = [&](const Array<double>& value) {
    leaves.push_back(tape.variable(value));
    return leaves.back();
  };
  const auto record_state = [&](const StateOf<C, double>& state, int t) {
    if constexpr (std::is_same_v<StateOf<C, double>, Variable<double>>) {
      record.add("h", t, state);
    } else if constexpr (requires { state.h, state.c; }) {
      record.add("h", t, state.h);
      record.add("c", t, state.c);
    } else {
      std::size_t k = 0;
      const auto note = [&](Variable<double> component) {
        record.add("state_" + std::to_string(k++), t, component);
        return component;
      };
      map_state(note, state);
    }
  };
  const auto start = [&](Variable<double> zeros) { return leaf(initial(zeros.shape())); };
  auto state = map_state(start, cell.zero_state(tape, shape[1]));
  record_state(state, 0);
  std::vector<Variable<double>> outputs;
  for (std::size_t t = 1; t <= shape[0]; ++t) {
    Array<double> row = autograd::make_array<double>({shape[1], shape[2]});
    std::copy_n(x.data() + (t - 1) * row.size(), row.size(), row.data());
    const Variable<double> x_t = t == 1 ? leaf(row) : tape.variable(row);
    record.add("x", static_cast<int>(t), x_t);
    const std::size_t begin = tape.recording().slot_count();
    state = cell(x_t, state);
    record.add_named(static_cast<int>(t), begin);
    record_state(state, static_cast<int>(t));
    outputs.push_back(output(state));
  }

  Truth truth{.cell = name, .gates = {}, .values = {static_cast<int>(shape[0]), {}}};
  if constexpr (Described<C>)
    for (const Attribute& attribute : cell.describe().attributes)
      if (attribute.name == "gate_order") truth.gates = attribute.text;
  for_each_parameter(cell, [](const std::string&, Parameter<double>& p) { p.zero_grad(); });
  record.finish(truth, autograd::stack(std::span<const Variable<double>>(outputs), 0), loss, leaves);
  std::vector<detail::NamedParameter> parameters;
  for_each_parameter(cell, [&](const std::string& path, Parameter<double>& p) {
    parameters.push_back({path, p.value(), p.grad()});
  });
  record.add_parameters(truth, parameters);
  return truth;
}

}  // namespace nn::audit
