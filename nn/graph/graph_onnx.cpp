// Any graph as an ONNX model, opset 14: a Scan over a sequence, or one step.
#include "nn/graph/graph_onnx.hpp"

#include <cmath>
#include <limits>

#include "autograd/error.hpp"
#include "nn/graph/onnx_steps.hpp"
#include "nn/io/file.hpp"
#include "nn/io/json_text.hpp"

namespace nn::io {

using autograd::Graph;
using autograd::ValueError;

namespace formats::onnx {

namespace {

template <class T>
class ModelWriter {
 public:
  using Id = typename Graph<T>::Id;

  explicit ModelWriter(const Graph<T>& graph) : graph_(graph), numbers_(names_, element_type<T>) { take_interface(); }

  Message step_model() {
    Nodes nodes(names_);
    StepWriter<T> writer = writer_of(nodes, nodes, graph_.inputs.empty() ? states_ : inputs_, Index(0));
    Message result;
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      writer.set(graph_.inputs[k].value, inputs_[k], false);
      declare(result, graph::input, inputs_[k], writer, graph_.inputs[k].value);
    }
    for (std::size_t k = 0; k < states_.size(); ++k) {
      writer.set(graph_.states[k].input, states_[k], false);
      declare(result, graph::input, states_[k], writer, graph_.states[k].input);
    }
    add_steps(writer);
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      nodes.add_named("Identity", {writer.whole(graph_.outputs[k].value)}, {outputs_[k]});
      declare(result, graph::output, outputs_[k], writer, graph_.outputs[k].value);
    }
    for (std::size_t k = 0; k < states_.size(); ++k) {
      nodes.add_named("Identity", {writer.whole(graph_.states[k].output)}, {next_[k]});
      declare(result, graph::output, next_[k], writer, graph_.states[k].output);
    }
    return finished(result, nodes);
  }

  Message scan() {
    if (inputs_.empty())
      throw ValueError(
          "save_onnx: a graph without an input has no sequence to run over; save it with step_model = true");
    Nodes once(names_), each(names_);
    StepWriter<T> writer = writer_of(once, each, inputs_, Index(1));
    Message body, result;
    std::vector<std::string> before, after;
    for (std::size_t k = 0; k < states_.size(); ++k) {
      const std::string at_first = numbers_.add(states_[k] + "_initial", graph_.shape(graph_.states[k].input),
                                                std::span<const T>(graph_.states[k].initial));
      before.push_back(writer.repeated(once, at_first, graph_.states[k].input));
      after.push_back(names_.unique(states_[k] + "_last"));
      writer.set(graph_.states[k].input, states_[k], false);
      declare(body, graph::input, states_[k], writer, graph_.states[k].input);
    }
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      const std::string now = names_.unique(inputs_[k] + "_t");
      before.push_back(inputs_[k]);
      writer.set(graph_.inputs[k].value, now, false);
      declare(body, graph::input, now, writer, graph_.inputs[k].value);
      declare(result, graph::input, inputs_[k], writer, graph_.inputs[k].value, true);
    }
    add_steps(writer);
    for (std::size_t k = 0; k < states_.size(); ++k) {
      each.add_named("Identity", {writer.whole(graph_.states[k].output)}, {next_[k]});
      declare(body, graph::output, next_[k], writer, graph_.states[k].output);
    }
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      const std::string now = names_.unique(outputs_[k] + "_t");
      each.add_named("Identity", {writer.whole(graph_.outputs[k].value)}, {now});
      declare(body, graph::output, now, writer, graph_.outputs[k].value);
      declare(result, graph::output, outputs_[k], writer, graph_.outputs[k].value, true);
      after.push_back(outputs_[k]);
    }
    each.append_to(body);
    body.add(graph::name, "step");
    once.add_named(
        "Scan", before, after,
        {graph_attribute("body", body), whole_attribute("num_scan_inputs", static_cast<Index>(inputs_.size()))});
    return finished(result, once);
  }

 private:
  /// The names that a program calls the model by.
  void take_interface() {
    const auto take = [&](const std::string& name, const char* what) {
      if (name.empty() || !names_.take(name))
        throw ValueError(
            "save_onnx: the " + std::string(what) + " \"" + name +
            "\" has no name of its own; give each input, output, state and next state (NAME_next) another");
      return name;
    };
    for (const auto& port : graph_.inputs) inputs_.push_back(take(port.name, "input"));
    for (const auto& port : graph_.outputs) outputs_.push_back(take(port.name, "output"));
    for (const auto& state : graph_.states) states_.push_back(take(state.name, "state"));
    for (const auto& state : graph_.states) next_.push_back(take(state.name + "_next", "next state"));
  }

  /// Of inputs whose axis `axis` is the batch.
  StepWriter<T> writer_of(Nodes& once, Nodes& each, const std::vector<std::string>& inputs, Index axis) {
    std::string batch;
    if (graph_.batched() && !inputs.empty())
      batch = once.add("Gather", {once.add("Shape", {inputs[0]}), numbers_.list({axis})}, {}, "batch");
    return StepWriter<T>(graph_, names_, numbers_, once, each, batch);
  }

  void add_steps(StepWriter<T>& writer) {
    for (const auto& parameter : graph_.parameters)
      writer.set(parameter.value,
                 numbers_.add(parameter.name, graph_.shape(parameter.value), std::span<const T>(parameter.data)), true);
    writer.write();
  }

  void declare(Message& to, int field, const std::string& name, const StepWriter<T>& writer, Id id,
               bool over_time = false) {
    const Shape& shape = graph_.shape(id);
    if (shape.elements() == 0) throw ValueError("save_onnx: \"" + name + "\" has no elements; leave it out");
    Message dims;
    if (over_time) dims.add(shape::dim, Message().add(dim::param, "time"));
    for (std::size_t k = 0; k < shape.rank(); ++k) {
      if (k == 0 && writer.batched(id))
        dims.add(shape::dim, Message().add(dim::param, "batch"));
      else
        dims.add(shape::dim, Message().add(dim::value, std::uint64_t(shape[k])));
    }
    const Message tensor = Message().add(tensor_type::elem_type, element_type<T>).add(tensor_type::shape, dims);
    to.add(field, Message().add(value_info::name, name).add(value_info::type, Message().add(type::tensor, tensor)));
  }

  Message finished(Message& result, const Nodes& nodes) {
    nodes.append_to(result);
    numbers_.append_to(result);
    result.add(graph::name, "graph");
    return std::move(result);
  }

  const Graph<T>& graph_;
  Names names_;
  Numbers numbers_;
  std::vector<std::string> inputs_, outputs_, states_, next_;
};

/// {"h": [0, 0.5], ...}: the numbers of each state, of one sequence; one that JSON does not have is a text.
template <class T>
std::string initial_states(const Graph<T>& graph) {
  JsonWriter json("save_onnx");
  json.object();
  for (const auto& state : graph.states) {
    json.key(state.name).list();
    for (const T number : state.initial)
      std::isfinite(number) ? json.value(static_cast<double>(number)) : json.value(std::to_string(number));
    json.close();
  }
  json.close();
  return std::move(json).text();
}

}  // namespace

}  // namespace formats::onnx

template <class T>
void save_onnx(const Graph<T>& graph, const std::filesystem::path& path, const OnnxGraphOptions& options) {
  using namespace formats::onnx;
  autograd::check(graph);
  if (const std::string fault = metadata_fault(options.metadata); !fault.empty())
    throw ValueError("save_onnx: " + fault);
  Metadata metadata = options.metadata;
  if (options.step_model && !metadata.emplace("initial_states", initial_states(graph)).second)
    throw ValueError(
        "save_onnx: a step model has its initial states in the metadata \"initial_states\"; take another name");
  ModelWriter<T> writer(graph);
  const Message written = options.step_model ? writer.step_model() : writer.scan();
  Message model;
  model.add(model::ir_version, std::uint64_t(8)).add(model::producer_name, "Wengert");
  model.add(model::opset_import, Message().add(opset::domain, "").add(opset::version, std::uint64_t(14)));
  for (const auto& [key, value] : metadata) model.add(model::metadata_props, Message().add(1, key).add(2, value));
  model.add(model::graph, written);
  if (model.bytes().size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw ValueError("save_onnx: the model has more than 2 GB, which no ONNX file holds; make it of float or smaller");
  replace_file(path, model.bytes());
}

template void save_onnx(const Graph<float>&, const std::filesystem::path&, const OnnxGraphOptions&);
template void save_onnx(const Graph<double>&, const std::filesystem::path&, const OnnxGraphOptions&);

}  // namespace nn::io
