// Writes wengert/2.
#include <cmath>

#include "autograd/error.hpp"
#include "nn/graph/graph_checks.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/file.hpp"
#include "nn/io/json_text.hpp"

namespace nn::io {

using autograd::Graph;
using autograd::Index;
using autograd::ValueError;

namespace {

const std::string who = "save_graph";

/// Lines of a JSON list or object, between `open` and `close`.
template <class List, class AppendItem>
void append_lines(std::string& text, char open, char close, const List& items, AppendItem append_item) {
  text += open;
  const char* separator = "\n    ";
  for (const auto& item : items) {
    text += separator;
    append_item(item);
    separator = ",\n    ";
  }
  if (!items.empty()) text += "\n  ";
  text += close;
}

template <class T>
class Writer {
 public:
  Writer(const Graph<T>& graph, const GraphFileOptions& options) : graph_(graph), options_(options) {}

  std::string run() {
    check_all();
    text_ = "{\n  \"format\": " + quoted(who, std::string(graph_version)) + ",\n  \"dtype\": \"";
    text_ += dtype == Dtype::float32 ? "float32" : "float64";
    text_ += "\",\n  \"inputs\": ";
    append_lines(text_, '[', ']', graph_.inputs, [&](const auto& port) {
      text_ += "{\"name\": " + quoted(who, port.name);
      append_value(port.value);
      text_ += '}';
    });
    text_ += ",\n  \"states\": ";
    append_lines(text_, '[', ']', graph_.states, [&](const auto& state) { append_state(state); });
    text_ += ",\n  \"parameters\": ";
    append_lines(text_, '{', '}', graph_.parameters, [&](const auto& tensor) {
      text_ += quoted(who, tensor.name) + ": {";
      append_tensor(tensor);
    });
    text_ += ",\n  \"constants\": ";
    append_lines(text_, '[', ']', graph_.constants, [&](const auto& tensor) {
      text_ += "{\"name\": " + quoted(who, tensor.name) + ", ";
      append_tensor(tensor);
    });
    text_ += ",\n  \"steps\": ";
    append_lines(text_, '[', ']', graph_.steps, [&](const auto& step) { append_step(step); });
    text_ += ",\n  \"outputs\": ";
    append_lines(text_, '[', ']', graph_.outputs, [&](const auto& port) {
      text_ += "{\"name\": " + quoted(who, port.name) + ", \"value\": " + std::to_string(port.value) + '}';
    });
    if (!options_.metadata.empty()) {
      text_ += ",\n  \"metadata\": ";
      append_lines(text_, '{', '}', options_.metadata,
                   [&](const auto& note) { text_ += quoted(who, note.first) + ": " + quoted(who, note.second); });
    }
    if (options_.self_test_steps) append_self_test();
    return std::move(text_) + "\n}\n";
  }

 private:
  using Id = typename Graph<T>::Id;
  static constexpr Dtype dtype = std::is_same_v<T, float> ? Dtype::float32 : Dtype::float64;

  void check_all() const {
    check(graph_);
    detail::check_batch(graph_);
    if (graph_.steps.size() > detail::max_graph_steps)
      throw ValueError(who + ": the graph has " + std::to_string(graph_.steps.size()) + " steps, at most " +
                       std::to_string(detail::max_graph_steps) + " are kept");
    Weights weights{.dtype = dtype, .metadata = options_.metadata};
    for (const auto& tensor : graph_.parameters)
      weights.tensors.emplace_back(
          tensor.name, Tensor{graph_.shape(tensor.value), std::vector<double>(tensor.data.begin(), tensor.data.end())});
    if (const auto found = faults(weights); !found.empty()) throw ValueError(who + ": " + joined(found));
    if (const std::string fault = metadata_fault(options_.metadata); !fault.empty())
      throw ValueError(who + ": " + fault);
    std::vector<bool> made(graph_.values.size());
    const auto make = [&](Id id) { made[id] = true; };
    for (const auto& port : graph_.inputs) make(port.value);
    for (const auto& state : graph_.states) make(state.input);
    for (const auto* const tensors : {&graph_.parameters, &graph_.constants})
      for (const auto& tensor : *tensors) make(tensor.value);
    for (const auto& step : graph_.steps)
      for (const Id id : step.outputs) make(id);
    for (std::size_t id = 0; id < made.size(); ++id)
      if (!made[id])
        throw ValueError(who + ": value " + std::to_string(id) + " of the graph is no input, and no step computes it");
  }

  /// A value where it is made: `, "value": 3, "shape": ["batch", 2], "label": "h"`.
  void append_value(Id id, const char* separator = ", ") {
    text_ += separator;
    text_ += "\"value\": " + std::to_string(id);
    append_shape(id);
    append_label(id);
  }
  void append_label(Id id) {
    if (const std::string& name = graph_.values[id].name; !name.empty()) text_ += ", \"label\": " + quoted(who, name);
  }
  void append_shape(Id id) {
    const autograd::Shape& shape = graph_.shape(id);
    text_ += ", \"shape\": [";
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
      if (axis) text_ += ", ";
      text_ += axis == 0 && graph_.values[id].batched ? "\"batch\"" : std::to_string(shape[axis]);
    }
    text_ += ']';
  }

  void append_state(const typename Graph<T>::State& state) {
    text_ += "{\"name\": " + quoted(who, state.name) + ", \"input\": " + std::to_string(state.input) +
             ", \"output\": " + std::to_string(state.output);
    append_shape(state.input);
    append_label(state.input);
    text_ += ", \"initial\": ";
    append_numbers(state.initial);
    text_ += '}';
  }

  /// And the brace at its end.
  void append_tensor(const typename Graph<T>::Tensor& tensor) {
    append_value(tensor.value, "");
    text_ += ", \"data\": ";
    append_numbers(tensor.data);
    text_ += '}';
  }

  void append_special(double value) { text_ += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\""; }

  void append_numbers(const std::vector<T>& numbers) {
    text_ += '[';
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      if (k) text_ += ',';
      const double value = static_cast<double>(numbers[k]);
      std::isfinite(value) ? append_number(text_, value, dtype) : append_special(value);
    }
    text_ += ']';
  }

  void append_step(const typename Graph<T>::Step& step) {
    text_ += "{\"op\": " + quoted(who, std::string(step.op->name())) + ", \"inputs\": [";
    for (std::size_t k = 0; k < step.inputs.size(); ++k) text_ += (k ? ", " : "") + std::to_string(step.inputs[k]);
    text_ += "], \"outputs\": [";
    for (std::size_t k = 0; k < step.outputs.size(); ++k) append_value(step.outputs[k], k ? "}, {" : "{");
    text_ += step.outputs.empty() ? "]" : "}]";
    for (const auto& attribute : step.attributes) {
      text_ += ", " + quoted(who, attribute.name) + ": ";
      append_attribute(attribute, graph_.values[step.outputs[0]].batched);
    }
    text_ += '}';
  }

  void append_attribute(const autograd::GraphAttribute& attribute, bool batched) {
    if (const auto* const truth = std::get_if<bool>(&attribute.value)) {
      text_ += *truth ? "true" : "false";
    } else if (const auto* const number = std::get_if<double>(&attribute.value)) {
      std::isfinite(*number) ? append_number(text_, *number, Dtype::float64) : append_special(*number);
    } else if (const auto* const whole = std::get_if<Index>(&attribute.value)) {
      text_ += std::to_string(*whole);
    } else {
      text_ += '[';
      const auto& list = std::get<std::vector<Index>>(attribute.value);
      for (std::size_t k = 0; k < list.size(); ++k) {
        if (k) text_ += ", ";
        text_ += k == 0 && batched && attribute.name == "shape" ? "\"batch\"" : std::to_string(list[k]);
      }
      text_ += ']';
    }
  }

  void append_self_test() {
    const auto test = detail::make_self_test(graph_, options_.self_test_steps);
    const auto append_lists = [&](const auto& lists) {
      text_ += '[';
      for (std::size_t k = 0; k < lists.size(); ++k) {
        if (k) text_ += ", ";
        append_numbers(lists[k]);
      }
      text_ += ']';
    };
    text_ += ",\n  \"self_test\": {\n    \"steps\": " + std::to_string(test.steps) + ",\n    \"inputs\": ";
    append_lists(test.inputs);
    text_ += ",\n    \"outputs\": ";
    append_lists(test.outputs);
    text_ += ",\n    \"tolerance\": ";
    append_number(text_, test.tolerance, Dtype::float64);
    text_ += "\n  }";
  }

  const Graph<T>& graph_;
  const GraphFileOptions& options_;
  std::string text_;
};

}  // namespace

template <class T>
std::string graph_text(const Graph<T>& graph, const GraphFileOptions& options) {
  return Writer<T>(graph, options).run();
}

template <class T>
void save_graph(const Graph<T>& graph, const std::filesystem::path& path, const GraphFileOptions& options) {
  replace_file(path, graph_text(graph, options));
}

#define INSTANTIATE(T)                                                       \
  template std::string graph_text(const Graph<T>&, const GraphFileOptions&); \
  template void save_graph(const Graph<T>&, const std::filesystem::path&, const GraphFileOptions&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::io
