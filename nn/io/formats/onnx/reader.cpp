// Reads ONNX models that are layers in a row. The graph is evaluated, node after node, from its input to its output:
// what does not depend on the input's numbers is computed, and the rest must be the steps of a Row, or an array's axes
// in another order. So every node, attribute, input and output is understood, or the file is refused.
#include <algorithm>
#include <map>
#include <memory>

#include "nn/io/formats/formats.hpp"
#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/operations.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats {

using autograd::FormatError;
using namespace onnx;

namespace {

// The versions of ONNX's operations between which those that are read here have kept their meaning, as far as they are
// told apart below.
constexpr std::int64_t oldest_opset = 7, newest_opset = 25;

constexpr std::size_t most_notes = 1000;

/// The bytes that folding may make, and that the layers may have, for a file of a size. A network of floats takes twice
/// its file; exporters that leave the reordering of weights to the graph make each of them five times.
constexpr std::size_t folding_limit(std::size_t file_size) { return 16 * file_size + (1 << 16); }
constexpr std::size_t layers_limit(std::size_t file_size) { return 4 * file_size + (1 << 16); }

/// f(), with the place and `what` before anything that it refuses.
template <class F>
auto located(const Input& file, std::string_view bytes, const std::string& what, F f) {
  try {
    return f();
  } catch (const Refusal& refusal) {
    throw FormatError(file.where() + (file.source.empty() ? ": byte " : ", byte ") +
                      std::to_string(bytes.data() - file.bytes.data()) + ": " + what + ": " + refusal.what());
  }
}

/// Evaluates the nodes that lead to the output.
class Graph {
 public:
  Graph(const Input& file, std::int64_t opset)
      : file_(file), opset_(opset), folding_(folding_limit(file.bytes.size())) {}

  Network read(std::string_view bytes);

 private:
  struct Slot {
    std::size_t last_use = 0;  ///< the node
    bool given = false;        ///< by a node
    std::shared_ptr<const Value> value = {};
  };

  void collect(std::string_view bytes);
  void collect_input(std::string_view bytes);
  void find_uses();
  void evaluate(std::size_t index);
  const std::string_view* initializer(std::string_view name) const;  ///< its bytes, null if there is none
  const Value& value(std::string_view name);

  const Input& file_;
  std::int64_t opset_;
  Folding folding_;
  std::optional<Row> row_;
  std::vector<std::string_view> nodes_;
  std::vector<std::pair<std::string_view, std::string_view>> initializers_;  // names and bytes, sorted
  std::string_view input_name_, output_name_, output_bytes_;
  std::map<std::string_view, Slot> values_;  // of the names that lead to the output
};

std::string_view text_in(std::string_view bytes, int number) {
  std::string_view text;
  Field field;
  for (Fields fields(bytes); fields.next(field);)
    if (field.number == number) text = field.text();
  return text;
}

/// The message in a field that is there once.
std::optional<std::string_view> only(std::string_view bytes, int number, const char* what) {
  std::optional<std::string_view> found;
  Field field;
  for (Fields fields(bytes); fields.next(field);) {
    if (field.number != number) continue;
    if (found) throw Refusal(std::string("it has ") + what + " twice");
    found = field.text();
  }
  return found;
}

Network Graph::read(std::string_view bytes) {
  collect(bytes);
  find_uses();
  values_[input_name_].value = std::make_shared<const Value>(Value{{}, row_->input()});
  for (std::size_t k = 0; k < nodes_.size(); ++k)
    if (!nodes_[k].empty()) evaluate(k);
  return located(file_, output_bytes_, "the graph's output " + quoted(output_name_), [&] {
    const Value& output = value(output_name_);
    if (!output.signal) throw Refusal(output.constant ? "it does not depend on the input" : "it is " + output.unusable);
    return std::move(*row_).finish(*output.signal);
  });
}

void Graph::collect(std::string_view bytes) {
  // Counted first, so that nothing is kept twice while the lists grow.
  std::size_t nodes = 0, initializers = 0;
  Field field;
  for (Fields fields(bytes); fields.next(field);) {
    nodes += field.number == graph::node && !field.bytes.empty();
    initializers += field.number == graph::initializer && !field.bytes.empty();
  }
  nodes_.reserve(nodes);
  initializers_.reserve(initializers);
  for (Fields fields(bytes); fields.next(field);) switch (field.number) {
      case graph::node:
        if (field.text().empty()) throw Refusal("the graph has a node without an operation");
        nodes_.push_back(field.bytes);
        break;
      case graph::initializer:
        initializers_.emplace_back(text_in(field.text(), tensor::name), field.bytes);
        if (initializers_.back().first.empty()) throw Refusal("the graph has an array without a name");
        break;
      case graph::input:
      case graph::output:
      case graph::name:
      case graph::doc_string:
      case graph::value_info:
      case graph::metadata_props:
        break;
      default:
        throw Refusal("the graph has " +
                      (field.number == 15 ? "sparse initializers" : "field " + std::to_string(field.number)) +
                      ", which can not be converted");
    }
  std::sort(initializers_.begin(), initializers_.end());
  for (std::size_t k = 1; k < initializers_.size(); ++k)
    if (initializers_[k].first == initializers_[k - 1].first)
      throw Refusal("two arrays are called " + quoted(initializers_[k].first));
  for (Fields fields(bytes); fields.next(field);) {
    if (field.number == graph::input) collect_input(field.text());
    if (field.number != graph::output) continue;
    const std::string_view name = text_in(field.text(), value_info::name);
    if (!output_bytes_.empty())
      throw Refusal("the graph has several outputs, " + quoted(output_name_) + ", " + quoted(name) +
                    "; export a model that gives one sequence, without states");
    output_name_ = name;
    output_bytes_ = field.bytes;
  }
  if (!row_) throw Refusal("the graph has no input");
  if (output_bytes_.empty()) throw Refusal("the graph has no output");
}

/// The one input that is no initializer; before version 4 of the format these were inputs, too.
void Graph::collect_input(std::string_view bytes) {
  const std::string_view name = text_in(bytes, value_info::name);
  if (initializer(name)) return;
  if (row_)
    throw Refusal("the graph has several inputs, " + quoted(input_name_) + ", " + quoted(name) +
                  "; export a model that takes one sequence, with weights and initial states in the file");
  input_name_ = name;
  const std::string input = "the graph's input " + quoted(name);
  const auto declared = only(bytes, value_info::type, "a type");
  const auto array = declared ? only(*declared, type::tensor, "an array type") : std::nullopt;
  if (!array) throw Refusal(input + " is no array");
  std::int64_t number = 0;
  Field field;
  for (Fields fields(*array); fields.next(field);)
    if (field.number == tensor_type::elem_type) number = field.integer();
  if (!is_real(static_cast<Type>(number)))
    throw Refusal(input + " is of " + type_name(number) + "; float and double can be converted");
  const auto shape = only(*array, tensor_type::shape, "a shape");
  if (!shape) throw Refusal(input + " does not say how many axes it has");
  Extents lengths;
  for (Fields fields(*shape); fields.next(field);) {
    if (field.number != shape::dim) throw Refusal(input + " has a shape that is not understood");
    if (lengths.size() == Shape::max_rank) throw Refusal(input + " has more than 8 axes");
    Extent length = Extent::length(lengths.size());
    Field part;
    for (Fields parts(field.text()); parts.next(part);)
      if (part.number == dim::value && part.integer() != -1) length = {part.integer()};  // -1: open
    if (length.factor < 1) throw Refusal(input + " has an axis of length " + std::to_string(length.factor));
    lengths.push_back(length);
  }
  row_.emplace(lengths, static_cast<Type>(number), layers_limit(file_.bytes.size()));
}

/// Backwards from the output: which names are needed, and which node is the last to read each.
void Graph::find_uses() {
  values_[output_name_].last_use = nodes_.size();
  for (std::size_t k = nodes_.size(); k-- > 0;) {
    Field field;
    bool needed = false;
    for (Fields fields(nodes_[k]); fields.next(field);)
      needed |= field.number == node::output && !field.text().empty() && values_.contains(field.text());
    if (!needed) {
      nodes_[k] = {};
      continue;
    }
    for (Fields fields(nodes_[k]); fields.next(field);)
      if (field.number == node::input && !field.text().empty()) values_.try_emplace(field.text(), Slot{k});
  }
}

const std::string_view* Graph::initializer(std::string_view name) const {
  const auto found = std::lower_bound(initializers_.begin(), initializers_.end(), std::pair{name, std::string_view()});
  return found != initializers_.end() && found->first == name ? &found->second : nullptr;
}

const Value& Graph::value(std::string_view name) {
  Slot& slot = values_.at(name);
  if (slot.value) return *slot.value;
  const std::string_view* const bytes = initializer(name);
  if (!bytes) throw Refusal("it reads " + quoted(name) + ", which nothing before it gives");
  return *(slot.value = located(file_, *bytes, "the array " + quoted(name),
                                [&] { return std::make_shared<const Value>(Value{folding_.read(*bytes)}); }));
}

void Graph::evaluate(std::size_t index) {
  Node node(nodes_[index]);
  located(file_, nodes_[index], node.label(), [&] {
    Call call{node, {}};
    for (const std::string_view name : node.inputs) call.inputs.push_back(name.empty() ? nullptr : &value(name));
    Value made = Operations(opset_, folding_, *row_).apply(call);
    node.require_all_taken();
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      const auto slot = values_.find(node.outputs[k]);
      if (slot == values_.end()) continue;  // nobody reads it
      if (slot->second.given || initializer(slot->first) || slot->first == input_name_)
        throw Refusal("it gives " + quoted(slot->first) + ", which something else gives, too");
      if (k > 0) made = {{}, {}, "output " + std::to_string(k + 1) + " of " + node.label()};
      slot->second.given = true;
      // NOLINTNEXTLINE(bugprone-use-after-move): the first output comes first, and each further one makes its own
      slot->second.value = std::make_shared<const Value>(std::move(made));
    }
    for (const std::string_view name : node.inputs)
      if (const auto slot = values_.find(name); slot != values_.end() && slot->second.last_use == index)
        slot->second.value.reset();
  });
}

/// The version of ONNX's own operations.
std::int64_t opset_in(std::string_view bytes, std::int64_t before) {
  std::string_view domain;
  std::int64_t version = 0;
  Field field;
  for (Fields fields(bytes); fields.next(field);) {
    if (field.number == opset::domain) domain = field.text();
    if (field.number == opset::version) version = field.integer();
  }
  if (!domain.empty() && domain != "ai.onnx") return before;
  if (before != 0 && before != version) throw Refusal("it names two versions of ONNX's operations");
  return version;
}

Network read_model(const Input& input) {
  std::optional<std::string_view> graph_bytes;
  std::int64_t opset = 0;
  Metadata notes;
  Field field;
  for (Fields fields(input.bytes); fields.next(field);) switch (field.number) {
      case model::graph:
        if (graph_bytes) throw Refusal("it has two graphs");
        graph_bytes = field.text();
        break;
      case model::opset_import:
        opset = opset_in(field.text(), opset);
        break;
      case model::metadata_props:
        if (notes.size() == most_notes) throw Refusal("it has more than " + std::to_string(most_notes) + " notes");
        notes[std::string(text_in(field.text(), 1))] = std::string(text_in(field.bytes, 2));
        break;
      case model::ir_version:
      case model::producer_name:
      case model::producer_version:
      case model::domain:
      case model::model_version:
      case model::doc_string:
        break;
      default:
        throw Refusal("it has field " + std::to_string(field.number) + ", which can not be converted");
    }
  if (!graph_bytes) throw Refusal("it has no graph");
  if (opset < oldest_opset || opset > newest_opset)
    throw Refusal("it uses opset " + std::to_string(opset) + "; " + std::to_string(oldest_opset) + " to " +
                  std::to_string(newest_opset) + " can be converted");
  Network network = Graph(input, opset).read(*graph_bytes);
  network.metadata = std::move(notes);
  return network;
}

}  // namespace

Network read_onnx(const Input& input) {
  Network network;
  try {
    network = read_model(input);
  } catch (const Refusal& refusal) {
    throw FormatError(input.where() + ": " + refusal.what());
  }
  if (const auto test = network.metadata.find("self_test"); test != network.metadata.end()) {
    JsonDocument document(input.who, input.source.empty() ? "self_test" : input.source + ", self_test", test->second);
    Network carrier;
    read_extras(document.root(), carrier);
    document.finish();
    network.self_test = std::move(carrier.self_test);
    network.metadata.erase(test);
  }
  return network;
}

}  // namespace nn::io::formats
