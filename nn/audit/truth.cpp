#include "nn/audit/truth.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/error.hpp"
#include "autograd/gradient_check.hpp"
#include "autograd/ops/arithmetic.hpp"

namespace nn::audit {

namespace {

Matrix matrix_of(const Array<double>& array) {
  const autograd::Shape shape = autograd::shape_of(array);
  const std::size_t columns = shape.rank() == 0 ? 1 : shape.back();
  const std::size_t rows = columns ? array.size() / columns : 0;
  return {rows, columns, std::vector<double>(array.data(), array.data() + array.size())};
}

/// A name as a derivation can write it.
std::string written(const std::string& path) {
  if (path == "weight_ih") return "Wx";
  if (path == "weight_hh") return "Wh";
  if (path == "weight_hr") return "Wp";
  if (path == "bias_ih") return "bx";
  if (path == "bias_hh") return "bh";
  if (path == "bias") return "b";
  if (path.starts_with("peephole_")) return "p" + path.substr(9);
  std::string result = path;
  std::replace(result.begin(), result.end(), '.', '_');
  return result;
}

/// Runs of more complex steps than this take longer than they are worth: elements times recorded steps.
constexpr std::size_t most_complex_work = 400000;

}  // namespace

namespace detail {

RunRecord::RunRecord(Tape<double>& tape, std::size_t steps) : tape_(tape), steps_(steps) {
  if (steps == 0) throw autograd::ShapeError("audit: the input has no steps; give (time, batch, feature)");
}

void RunRecord::add(const std::string& name, int t, Variable<double> value) {
  if (value.shape().rank() <= 2) recorded_[name].insert_or_assign(t, value);
}

void RunRecord::add_named(int t, std::size_t begin) {
  autograd::Recording<double>& recording = tape_.recording();
  for (std::size_t id = begin; id < recording.slot_count(); ++id) {
    const auto slot = static_cast<autograd::SlotId>(id);
    if (const std::string_view name = recording.name_of(slot); !name.empty())
      add(std::string(name), t, recording.handle(slot));
  }
}

void RunRecord::finish(Truth& truth, Variable<double> outputs, const Loss& loss,
                       const std::vector<Variable<double>>& leaves) {
  const Variable<double> total = loss(outputs);
  for (const auto& [name, steps] : recorded_)
    for (const auto& [t, value] : steps) tape_.watch(value);
  tape_.backward(total);
  for (const auto& [name, steps] : recorded_) {
    const int first = steps.begin()->first;
    if (static_cast<std::size_t>(static_cast<int>(steps_) + 1 - first) != steps.size()) continue;  // not at every step
    std::vector<Matrix> values, derivatives;
    for (const auto& [t, value] : steps) {
      values.push_back(matrix_of(value.copy()));
      derivatives.push_back(matrix_of(tape_.gradient(value)));
    }
    if (first == 0) {
      truth.values.set(name + "0", values[0]).part_of = {name};
      truth.values.set("d" + name + "0", derivatives[0]).part_of = {"d" + name};
    }
    truth.values.set(name, first, std::move(values));
    truth.values.set("d" + name, first, std::move(derivatives));
  }
  truth.hidden = outputs.shape()[2];

  // The complex step over what the sequence starts from: it passes through every step.
  std::size_t elements = 0;
  for (const Variable<double>& leaf : leaves) elements += leaf.shape().elements();
  if (elements * tape_.size() <= most_complex_work) {
    try {
      double off = 0, size = 0;
      for (const Variable<double>& leaf : leaves) {
        const Matrix exact = matrix_of(autograd::complex_step_gradient(total, leaf));
        off = std::hypot(off, distance(matrix_of(tape_.gradient(leaf)), exact));
        size = std::hypot(size, norm(exact.values));
      }
      truth.complex_error = size > 0 ? off / size : off;
    } catch (const autograd::ValueError&) {  // an op that is not analytic, such as relu
    }
  }

  const Array<double> read = outputs.copy();
  Tape<double> apart;
  const Variable<double> leaf = apart.variable(read);
  apart.backward(loss(leaf));
  const Array<double> direct = apart.gradient(leaf);
  const std::size_t size = direct.size() / steps_;
  std::vector<Matrix> steps;
  for (std::size_t t = 0; t < steps_; ++t)
    steps.emplace_back(read.shape(1), read.shape(2),
                       std::vector<double>(direct.data() + t * size, direct.data() + (t + 1) * size));
  truth.values.set("direct_h", 1, std::move(steps));
}

void RunRecord::add_parameters(Truth& truth, const std::vector<NamedParameter>& parameters) const {
  Values& values = truth.values;
  const auto both = [&](const std::string& name, const Matrix& value, const Matrix& derivative) {
    values.set(name, value);
    values.set("d" + name, derivative);
  };
  for (const NamedParameter& p : parameters) both(written(p.name), matrix_of(p.value), matrix_of(p.gradient));
  const auto whole = [&](const std::string& name) { return values.find(name)->whole(); };
  const bool two_biases = values.find("bx") && values.find("bh") && whole("dbx").values == whole("dbh").values;
  if (two_biases) {
    both("b", whole("bx") + whole("bh"), whole("dbx"));
    values.named["db"].holds = {"dbx", "dbh"};
  }

  const std::size_t gates = truth.gates.size();
  if (gates == 0) return;
  for (const char* name : {"Wx", "Wh", "b", "bx", "bh"}) {
    if (!values.find(name)) continue;
    const Matrix value = whole(name), derivative = whole(std::string("d") + name);
    const bool rows = name[0] == 'W';
    const std::size_t size = (rows ? value.rows : value.columns) / gates;
    for (std::size_t k = 0; k < gates; ++k) {
      const auto block = [&](const Matrix& of) {
        return rows ? rows_of(of, k * size, (k + 1) * size) : columns_of(of, k * size, (k + 1) * size);
      };
      const std::string gate(1, truth.gates[k]);
      both(name + gate, block(value), block(derivative));
      values.named[name + gate].part_of = {name};
      values.named["d" + (name + gate)].part_of = {std::string("d") + name};
      if (two_biases && name == std::string("b")) values.named["db" + gate].holds = {"dbx" + gate, "dbh" + gate};
    }
  }
  if (!values.find("Wx") || !values.find("Wh")) return;
  for (const char gate : truth.gates) {
    const std::string g(1, gate);
    both("W" + g, side_by_side({whole("Wh" + g), whole("Wx" + g)}), side_by_side({whole("dWh" + g), whole("dWx" + g)}));
    values.named["W" + g].holds = {"Wh" + g, "Wx" + g};
    values.named["dW" + g].holds = {"dWh" + g, "dWx" + g};
  }
}

}  // namespace detail

}  // namespace nn::audit
