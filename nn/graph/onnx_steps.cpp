// The steps of a Graph as nodes of ONNX, opset 14.
#include "nn/graph/onnx_steps.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "autograd/error.hpp"
#include "nn/graph/onnx_formula.hpp"

namespace nn::io::formats::onnx {

template <class T>
StepWriter<T>::StepWriter(const autograd::Graph<T>& graph, Names& names, Numbers& numbers, Nodes& once, Nodes& each,
                          std::string batch)
    : graph_(graph),
      names_(names),
      numbers_(numbers),
      once_(once),
      each_(each),
      batch_(std::move(batch)),
      values_(graph.values.size()),
      data_(graph.values.size()) {
  for (const auto& constant : graph.constants) data_[constant.value] = &constant.data;
}

template <class T>
void StepWriter<T>::set(Id id, std::string name, bool steady) {
  values_[id] = {name, name, steady};
}

template <class T>
void StepWriter<T>::write() {
  for (const Step& step : graph_.steps)
    if (!fold(step)) write(step);
}

template <class T>
bool StepWriter<T>::fold(const Step& step) {
  if (!std::all_of(step.inputs.begin(), step.inputs.end(), [&](Id id) { return data_[id]; })) return false;
  std::vector<autograd::Operand<const T>> inputs;
  std::vector<autograd::Operand<T>> outputs;
  for (const Id id : step.inputs) inputs.push_back({data_[id]->data(), &graph_.shape(id)});
  for (const Id id : step.outputs) {
    folded_.push_back(std::make_unique<std::vector<T>>(graph_.shape(id).elements()));
    data_[id] = folded_.back().get();
    outputs.push_back({folded_.back()->data(), &graph_.shape(id)});
  }
  step.op->forward(step.rule.get(), {inputs, outputs});
  return true;
}

template <class T>
void StepWriter<T>::write(const Step& step) {
  step_ = &step;
  const bool steady = std::all_of(step.inputs.begin(), step.inputs.end(), [&](Id id) { return value(id).steady; });
  now_ = steady ? &once_ : &each_;
  try {
    for (const Id id : step.outputs)
      if (graph_.shape(id).elements() == 0) throw Refusal("it has no elements; leave it out");
    if (step.op->elementwise)
      elementwise();
    else if (!structural())
      throw Refusal("ONNX has no such op; write it with other ops");
  } catch (const Refusal& refusal) {
    throw autograd::ValueError("save_onnx: " + autograd::label(graph_, step.outputs[0]) + " = " +
                               std::string(step.op->name()) + ": " + refusal.what());
  }
  for (const Id id : step.outputs) values_[id].steady = steady;
}

template <class T>
void StepWriter<T>::elementwise() {
  std::vector<autograd::Equation> operands;
  Inputs names;
  for (const Id id : step_->inputs) {
    operands.push_back(autograd::Equation::operand(operands.size()));
    names.push_back(value(id).narrow);
  }
  FormulaWriter formula(*now_, numbers_, names);
  const std::string result = formula.write(step_->op->formula(step_->rule.get(), operands), wanted());
  const auto is_whole = [&](std::size_t k) { return value(step_->inputs[k]).narrow == value(step_->inputs[k]).whole; };
  const bool whole = std::any_of(formula.read().begin(), formula.read().end(), is_whole);
  values_[step_->outputs[0]] = {result, whole ? result : "", false};
}

template <class T>
bool StepWriter<T>::structural() {
  const std::string_view op = step_->op->name();
  if (op == "linear") {
    linear();
  } else if (op == "matmul") {
    give("MatMul", all());
  } else if (op == "reshape") {
    reshape();
  } else if (op == "broadcast_to") {
    broadcast_to();
  } else if (op == "sum_to") {
    sum_to();
  } else if (op == "permute") {
    give("Transpose", all(), {whole_attribute("perm", list("axes"))});
  } else if (op == "detach") {
    give(in());
  } else if (op == "slice") {
    slice();
  } else if (op == "select") {
    give("Gather", {in(), numbers_.whole(number("index"))}, {whole_attribute("axis", number("axis"))});
  } else if (op == "split") {
    split();
  } else if (op == "unbind") {
    unbind();
  } else if (op == "concat") {
    give("Concat", all(), {whole_attribute("axis", number("axis"))});
  } else if (op == "stack") {
    stack();
  } else if (op == "mean") {
    give(mean_of());
  } else if (op == "centered") {
    give("Sub", {in(), mean_of()});
  } else if (op == "max") {
    reduce("ReduceMax");
  } else if (op == "logsumexp") {
    reduce("ReduceLogSumExp");
  } else if (op == "softmax") {
    give("Softmax", all(), {whole_attribute("axis", number("axis"))});
  } else if (op == "log_softmax") {
    give("LogSoftmax", all(), {whole_attribute("axis", number("axis"))});
  } else if (op == "cumsum") {
    give("CumSum", {in(), numbers_.whole(number("axis"))}, {whole_attribute("reverse", Index(flag("reverse")))});
  } else if (op == "take" || op == "gather") {
    give(op == "take" ? "Gather" : "GatherElements",
         {in(), numbers_.whole_numbers(list("index_shape"), list("indices"))},
         {whole_attribute("axis", number("axis"))});
  } else if (op == "embedding") {
    embedding();
  } else {
    return false;
  }
  return true;
}

template <class T>
void StepWriter<T>::linear() {
  const bool bias = step_->inputs.size() == 3;
  if (shape().rank() == 2) {
    Inputs inputs{in(), in(1)};
    if (bias) inputs.push_back(value(step_->inputs[2]).narrow);  // which Gemm repeats along the rows
    return give("Gemm", inputs, {whole_attribute("transB", Index(1))});
  }
  const std::string weight =
      (value(step_->inputs[1]).steady ? once_ : each_).add("Transpose", {in(1)}, {whole_attribute("perm", {1, 0})});
  if (!bias) return give("MatMul", {in(), weight});
  give("Add", {now_->add("MatMul", {in(), weight}), value(step_->inputs[2]).narrow});
}

template <class T>
void StepWriter<T>::reshape() {
  std::vector<Index> target = extents(step_->outputs[0]);
  if (batched(step_->outputs[0])) {
    if (!batched(step_->inputs[0])) throw Refusal("it makes a batch of what has none; use broadcast_to");
    target[0] = 0;  // as that of the operand
  }
  give("Reshape", {in(), numbers_.list(target)});
}

template <class T>
void StepWriter<T>::broadcast_to() {
  // One that changes nothing is whole as its operand is.
  const Id from = step_->inputs[0], to = step_->outputs[0];
  const bool same = graph_.shape(from) == graph_.shape(to) && batched(from) == batched(to);
  const Written& x = value(from);
  values_[to] = {x.narrow, same ? x.whole : "", false};
}

template <class T>
void StepWriter<T>::sum_to() {
  const Id from = step_->inputs[0], to = step_->outputs[0];
  const Shape &whole = graph_.shape(from), &target = graph_.shape(to);
  const std::size_t leading = whole.rank() - target.rank();
  std::vector<Index> summed, dropped;
  for (std::size_t k = 0; k < whole.rank(); ++k) {
    const bool batch = k == 0 && batched(from);
    const bool kept_batch = k == leading && batched(to);
    if (k < leading) dropped.push_back(static_cast<Index>(k));
    if (k < leading || (!kept_batch && target[k - leading] == 1 && (batch || whole[k] != 1)))
      summed.push_back(static_cast<Index>(k));
  }
  if (summed.empty()) return give(in());
  if (dropped.empty()) return give("ReduceSum", {in(), numbers_.list(summed)});
  give("Squeeze", {now_->add("ReduceSum", {in(), numbers_.list(summed)}), numbers_.list(dropped)});
}

template <class T>
void StepWriter<T>::slice() {
  const Index start = number("start"), step = number("step"), length = number("length");
  const Index end = start + step * length;
  // A negative number would count from the end.
  const Index stop = end < 0 ? std::numeric_limits<Index>::min() : end;
  give("Slice",
       {in(), numbers_.list({start}), numbers_.list({stop}), numbers_.list({number("axis")}), numbers_.list({step})});
}

template <class T>
void StepWriter<T>::split() {
  std::vector<std::string> names;
  for (std::size_t k = 0; k < step_->outputs.size(); ++k) {
    names.push_back(names_.unique(wanted(k).empty() ? "Split" : wanted(k)));
    give(names[k], k);
  }
  now_->add_named("Split", {in(), numbers_.list(list("extents"))}, names, {whole_attribute("axis", number("axis"))});
}

template <class T>
void StepWriter<T>::unbind() {
  for (std::size_t k = 0; k < step_->outputs.size(); ++k)
    give("Gather", {in(), numbers_.whole(static_cast<Index>(k))}, {whole_attribute("axis", Index(0))}, k);
}

template <class T>
void StepWriter<T>::stack() {
  const Index axis = number("axis");
  Inputs parts;
  for (const std::string& part : all()) parts.push_back(now_->add("Unsqueeze", {part, numbers_.list({axis})}));
  give("Concat", parts, {whole_attribute("axis", axis)});
}

/// Of both mean and centered; without axes it is the operand.
template <class T>
std::string StepWriter<T>::mean_of() {
  std::vector<Index> axes;
  for (Index axis = number("first"); axis < number("last"); ++axis) axes.push_back(axis);
  return axes.empty() ? in() : now_->add("ReduceMean", {in()}, {whole_attribute("axes", axes)});
}

template <class T>
void StepWriter<T>::reduce(const char* op) {
  const std::vector<Index> axes = list("axes");
  if (axes.empty()) return give(in());  // ONNX would take none for all
  give(op, {in()}, {whole_attribute("axes", axes)});
}

// A number that is no row gives NaN, as in the library: row 0 is read in its place.
template <class T>
void StepWriter<T>::embedding() {
  const std::string index = in(1), rows = numbers_.scalar(static_cast<double>(shape(0)[0]));
  const std::string whole = now_->add("Equal", {now_->add("Floor", {index}), index});
  const std::string within =
      now_->add("And", {now_->add("Greater", {index, numbers_.scalar(-1)}), now_->add("Less", {index, rows})});
  const std::string valid = now_->add("And", {whole, within});
  const std::string safe = now_->add("Where", {valid, index, numbers_.scalar(0)});
  const std::string row = now_->add("Cast", {safe}, {whole_attribute("to", Index(tensor::is_int64))});
  const std::string found = now_->add("Gather", {in(0), row}, {whole_attribute("axis", Index(0))});
  const std::string each = now_->add("Unsqueeze", {valid, numbers_.list({-1})});
  give("Where", {each, found, numbers_.scalar(std::numeric_limits<double>::quiet_NaN())});
}

template <class T>
typename StepWriter<T>::Inputs StepWriter<T>::all() {
  Inputs names;
  for (const Id id : step_->inputs) names.push_back(whole(id));
  return names;
}

namespace {

template <class V>
const V& attribute_of(const std::vector<autograd::GraphAttribute>& attributes, std::string_view name) {
  for (const autograd::GraphAttribute& each : attributes)
    if (each.name == name)
      if (const V* const found = std::get_if<V>(&each.value)) return *found;
  throw Refusal("it has no attribute " + std::string(name));
}

}  // namespace

template <class T>
Index StepWriter<T>::number(const char* attribute) const {
  return attribute_of<Index>(step_->attributes, attribute);
}
template <class T>
bool StepWriter<T>::flag(const char* attribute) const {
  return attribute_of<bool>(step_->attributes, attribute);
}
template <class T>
std::vector<Index> StepWriter<T>::list(const char* attribute) const {
  return attribute_of<std::vector<Index>>(step_->attributes, attribute);
}

template <class T>
void StepWriter<T>::give(std::string name, std::size_t output) {
  values_[step_->outputs[output]] = {name, name, false};
}

template <class T>
const typename StepWriter<T>::Written& StepWriter<T>::value(Id id) {
  Written& value = values_[id];
  if (value.narrow.empty()) {
    const std::string& name = graph_.values[id].name;
    value.narrow = numbers_.add(name.empty() ? "constant" : name, graph_.shape(id), std::span<const T>(*data_[id]));
    value.whole = batched(id) ? "" : value.narrow;
    value.steady = true;
  }
  return value;
}

template <class T>
std::string StepWriter<T>::whole(Id id) {
  value(id);
  Written& value = values_[id];
  if (value.whole.empty()) value.whole = repeated(value.steady ? once_ : each_, value.narrow, id);
  return value.whole;
}

template <class T>
std::string StepWriter<T>::repeated(Nodes& nodes, const std::string& narrow, Id id) {
  std::vector<Index> rest = extents(id);
  if (!batched(id)) return nodes.add("Expand", {narrow, numbers_.list(rest)});
  rest.erase(rest.begin());
  if (rest.empty()) return nodes.add("Expand", {narrow, batch_});
  const std::string target = once_.add("Concat", {batch_, numbers_.list(rest)}, {whole_attribute("axis", Index(0))});
  return nodes.add("Expand", {narrow, target});
}

template <class T>
std::vector<Index> StepWriter<T>::extents(Id id) const {
  const Shape& shape = graph_.shape(id);
  return {shape.begin(), shape.end()};
}

template class StepWriter<float>;
template class StepWriter<double>;

}  // namespace nn::io::formats::onnx
