// Reads wengert/2: first the values and their shapes, then what computes them.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "autograd/error.hpp"
#include "nn/graph/graph_checks.hpp"
#include "nn/graph/graph_document.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/file.hpp"
#include "nn/io/formats/native.hpp"

namespace nn::io {

using autograd::Graph;
using autograd::GraphAttribute;
using autograd::GraphOp;
using autograd::Index;
using autograd::Shape;
using detail::GraphPlace;
using detail::GraphValue;

namespace {

/// A value of the file and where it is. Whoever asks it for something else than it is gets a FormatError.
template <class T>
class Node {
 public:
  using Value = GraphValue<T>;
  using Items = typename Value::Items;
  using Wholes = typename Value::Wholes;

  Node(const GraphPlace& place, Value& value, std::string pointer)
      : place_(&place), value_(&value), pointer_(std::move(pointer)) {}

  [[noreturn]] void fail(const std::string& what) const { place_->fail(value_->byte, pointer_, what); }
  const std::string& key() const { return value_->key; }

  std::optional<Node> find(std::string_view key) const {
    for (Value& value : content<Items>("an object", true).values)
      if (value.key == key) return Node(*place_, value, pointer_ + '/' + pointer_token(key));
    return {};
  }
  Node at(std::string_view key) const {
    if (const auto found = find(key)) return *found;
    fail('"' + std::string(key) + "\" is missing");
  }
  /// Of an object, or of a list of objects or lists.
  std::vector<Node> items(bool of_object = false) const {
    std::vector<Node> result;
    const bool empty_list = !of_object && std::holds_alternative<Wholes>(value_->content) && wholes().empty();
    if (empty_list) return result;
    for (Value& value : content<Items>(of_object ? "an object" : "a list of objects", of_object).values)
      result.emplace_back(*place_, value,
                          pointer_ + '/' + (of_object ? pointer_token(value.key) : std::to_string(result.size())));
    return result;
  }
  /// Throws for another key than these, and for one that is missing of the first `required`.
  void check_keys(std::initializer_list<std::string_view> known, std::size_t required, const char* hint) const {
    for (const Node& item : items(true))
      if (std::find(known.begin(), known.end(), item.key()) == known.end())
        item.fail("unknown key; " + std::string(hint));
    for (std::size_t k = 0; k < required; ++k) at(known.begin()[k]);
  }

  std::string text() const { return content<std::string>("a text"); }
  const Wholes& wholes() const { return content<Wholes>("a list of whole numbers"); }
  std::vector<T>& numbers() const { return content<std::vector<T>>("a list of numbers"); }
  double number() const { return content<typename Value::Number>("a number").value; }
  std::size_t whole() const {
    const auto& number = content<typename Value::Number>("a whole number");
    if (!number.whole || number.value < 0) fail("expected a whole number, not negative");
    return static_cast<std::size_t>(number.value);
  }

  /// Of a step. In the place of "batch" there is 1; `batched` is set where it stands.
  GraphAttribute attribute(bool& batched) const {
    if (const auto* const truth = std::get_if<bool>(&value_->content)) return {key(), *truth};
    if (const auto* const number = std::get_if<typename Value::Number>(&value_->content)) {
      if (number->whole) return {key(), static_cast<Index>(number->value)};
      return {key(), number->value};
    }
    if (const auto* const text = std::get_if<std::string>(&value_->content)) {
      double special = 0;
      if (detail::special_number(*text, special)) return {key(), special};
      fail("found \"" + shown(*text) + "\", expected a number; of texts there are \"inf\", \"-inf\" and \"nan\"");
    }
    if (!std::holds_alternative<Wholes>(value_->content))
      fail("expected a number, true or false, or a list of whole numbers");
    std::vector<Index> list;
    for (const std::size_t whole : wholes()) {
      const bool batch = whole == detail::batch_extent;
      if (batch && (key() != "shape" || !list.empty())) fail("\"batch\" is the first extent of a shape, or none");
      batched = batched || batch;
      list.push_back(batch ? 1 : static_cast<Index>(whole));
    }
    return {key(), std::move(list)};
  }

 private:
  template <class Content>
  Content& content(const char* expected, bool of_object = false) const {
    auto* const found = std::get_if<Content>(&value_->content);
    bool fits = found;
    if constexpr (std::is_same_v<Content, Items>) fits = found && found->object == of_object;
    if (!fits) fail("found " + what_is() + ", expected " + expected);
    return *found;
  }
  std::string what_is() const {
    struct {
      std::string operator()(std::monostate) const { return "null"; }
      std::string operator()(bool truth) const { return truth ? "true" : "false"; }
      std::string operator()(const typename Value::Number&) const { return "a number"; }
      std::string operator()(const std::string& text) const { return '"' + shown(text) + '"'; }
      std::string operator()(const Items& items) const { return items.object ? "an object" : "a list"; }
      std::string operator()(const Wholes&) const { return "a list"; }
      std::string operator()(const std::vector<T>&) const { return "a list"; }
    } name;
    return std::visit(name, value_->content);
  }

  const GraphPlace* place_;
  Value* value_;
  std::string pointer_;
};

template <class T>
class Reader {
 public:
  Reader(std::string_view text, const GraphLoadOptions& options, const std::string& source)
      : place_{source}, text_(text), options_(options), most_numbers_((1 << 20) + 4 * text.size()) {}

  GraphFile<T> read() {
    file_.dtype = detail::read_graph_header(place_.source, text_);
    if (file_.dtype == Dtype::float64 && std::is_same_v<T, float> && !options_.allow_narrowing)
      place_.refuse("the file is float64, the graph float32; set allow_narrowing to round every number");
    GraphValue<T> document = detail::read_graph_document<T>(place_.source, text_, file_.dtype);
    const Node<T> root(place_, document, "");
    root.check_keys(
        {"format", "dtype", "inputs", "steps", "outputs", "states", "parameters", "constants", "metadata", "self_test"},
        5, "notes belong in \"metadata\"");
    define_all(root);
    read_values();
    read_steps(root);
    read_ends(root);
    if (const auto metadata = root.find("metadata")) read_metadata(*metadata);
    check_whole();
    if (const auto test = root.find("self_test")) read_self_test(*test);
    return std::move(file_);
  }

 private:
  using Id = typename Graph<T>::Id;
  using Value = typename Graph<T>::Value;
  using MaybeNode = std::optional<Node<T>>;

  /// A value by its number in the file.
  struct Defined {
    Value value;
    std::size_t maker;  ///< the step after which it is there, the first one being 1
    Id id = 0;
  };

  static std::vector<Node<T>> items(const MaybeNode& list, bool of_object = false) {
    return list ? list->items(of_object) : std::vector<Node<T>>();
  }

  void define(const Node<T>& node, const Node<T>& number, std::size_t maker) {
    Defined defined{read_shape(node.at("shape")), maker};
    if (const auto label = node.find("label")) defined.value.name = label->text();
    if (!defined_.emplace(number.whole(), std::move(defined)).second)
      number.fail("value " + std::to_string(number.whole()) + " is made twice");
  }

  Value read_shape(const Node<T>& node) {
    Value value;
    const auto& extents = node.wholes();
    if (extents.size() > Shape::max_rank) node.fail("more than " + std::to_string(Shape::max_rank) + " axes");
    std::size_t elements = 1;
    for (std::size_t extent : extents) {
      if (extent == detail::batch_extent) {
        if (value.shape.rank() > 0) node.fail("\"batch\" is the first axis, or none");
        value.batched = true;
        extent = 1;
      }
      if (extent > 0 && elements > (most_numbers_ - numbers_) / extent)
        node.fail("the values of the graph have more than " + std::to_string(most_numbers_) +
                  " numbers, the most for a file of " + std::to_string(text_.size()) + " bytes");
      elements *= std::max<std::size_t>(extent, 1);
      value.shape.push_back(extent);
    }
    numbers_ += elements;
    return value;
  }

  void define_all(const Node<T>& root) {
    for (const Node<T>& input : root.at("inputs").items()) {
      input.check_keys({"name", "value", "shape", "label"}, 3, "an input has \"name\", \"value\" and \"shape\"");
      define(input, input.at("value"), 0);
    }
    for (const Node<T>& state : items(root.find("states"))) {
      state.check_keys({"name", "input", "output", "shape", "initial", "label"}, 5,
                       "a state has \"name\", \"input\", \"output\", \"shape\" and \"initial\"");
      define(state, state.at("input"), 0);
    }
    for (const Node<T>& tensor : items(root.find("parameters"), true)) {
      tensor.check_keys({"value", "shape", "data", "label"}, 3, "a parameter has \"value\", \"shape\" and \"data\"");
      define(tensor, tensor.at("value"), 0);
    }
    for (const Node<T>& tensor : items(root.find("constants"))) {
      tensor.check_keys({"name", "value", "shape", "data", "label"}, 4,
                        "a constant has \"name\", \"value\", \"shape\" and \"data\"");
      define(tensor, tensor.at("value"), 0);
    }
    const std::vector<Node<T>> steps = root.at("steps").items();
    if (steps.size() > detail::max_graph_steps)
      root.at("steps").fail(std::to_string(steps.size()) + " steps, at most " +
                            std::to_string(detail::max_graph_steps) + " are read");
    for (std::size_t k = 0; k < steps.size(); ++k)
      for (const Node<T>& output : steps[k].at("outputs").items()) {
        output.check_keys({"value", "shape", "label"}, 2, "an output of a step has \"value\" and \"shape\"");
        define(output, output.at("value"), k + 1);
      }
  }

  /// In the order of their numbers, which need not be without gaps.
  void read_values() {
    for (auto& [number, defined] : defined_) {
      defined.id = static_cast<Id>(graph().values.size());
      graph().values.push_back(defined.value);
    }
  }

  /// A value that is there before a step.
  Id known(const Node<T>& node, std::size_t number, std::size_t step) const {
    const auto found = defined_.find(number);
    if (found == defined_.end()) node.fail("value " + std::to_string(number) + " is made nowhere");
    if (found->second.maker > step)
      node.fail("value " + std::to_string(number) + " is used before step " + std::to_string(found->second.maker - 1) +
                " computes it; steps stand in the order in which they compute");
    return found->second.id;
  }

  void read_steps(const Node<T>& root) {
    std::size_t at = 0;
    for (const Node<T>& node : root.at("steps").items()) {
      const std::string name = node.at("op").text();
      const GraphOp<T>* const op = autograd::find_graph_op<T>(name);
      if (!op) node.at("op").fail("unknown op \"" + shown(name) + "\"; it is none that a graph can have");
      typename Graph<T>::Step step{op, nullptr, {}, {}, {}};
      for (const std::size_t number : node.at("inputs").wholes())
        step.inputs.push_back(known(node.at("inputs"), number, at));
      bool batched = false;
      for (const Node<T>& item : node.items(true))
        if (item.key() != "op" && item.key() != "inputs" && item.key() != "outputs")
          step.attributes.push_back(item.attribute(batched));
      for (const Node<T>& output : node.at("outputs").items())
        step.outputs.push_back(defined_.at(output.at("value").whole()).id);
      if (const auto shape = node.find("shape"); shape && !step.outputs.empty()) {
        const bool expected = graph().values[step.outputs[0]].batched;
        if (batched != expected)
          shape->fail(expected ? "the output has \"batch\", and it has none"
                               : "it has \"batch\", and the output has none");
      }
      try {
        step.rule = op->make(step.attributes);
        step.attributes = forms_of(*op).attributes(step.rule.get());
        detail::check_step(graph(), step, 1);
      } catch (const autograd::Error& error) {
        node.fail(error.what());
      }
      graph().steps.push_back(std::move(step));
      ++at;
    }
  }

  std::vector<T> data(const Node<T>& node, Id id) const {
    std::vector<T>& numbers = node.numbers();
    if (!holds(graph().shape(id), numbers.size()))
      node.fail("shape " + to_string(graph().shape(id)) + " does not fit the " + std::to_string(numbers.size()) +
                " numbers");
    return std::move(numbers);
  }

  std::string name(const Node<T>& node, std::set<std::string>& names, const char* what) const {
    std::string name = node.at("name").text();
    if (!names.insert(name).second)
      node.at("name").fail("two " + std::string(what) + " have the name \"" + shown(name) + "\"");
    return name;
  }

  void read_ends(const Node<T>& root) {
    const auto id = [&](const Node<T>& node, std::size_t step) { return known(node, node.whole(), step); };
    std::set<std::string> inputs, states, constants, outputs;
    for (const Node<T>& node : root.at("inputs").items())
      graph().inputs.push_back({name(node, inputs, "inputs"), id(node.at("value"), 0)});
    for (const Node<T>& node : items(root.find("states"))) {
      const Id before = id(node.at("input"), 0), after = id(node.at("output"), graph().steps.size());
      graph().states.push_back({name(node, states, "states"), before, after, data(node.at("initial"), before)});
      if (const Shape& shape = graph().shape(after); !(shape == graph().shape(before)))
        node.fail("it has shape " + to_string(graph().shape(before)) + " before a step, and " + to_string(shape) +
                  " after it");
    }
    for (const Node<T>& node : items(root.find("parameters"), true)) {
      const Id value = id(node.at("value"), 0);
      graph().parameters.push_back({node.key(), value, data(node.at("data"), value)});
    }
    for (const Node<T>& node : items(root.find("constants"))) {
      const Id value = id(node.at("value"), 0);
      graph().constants.push_back({name(node, constants, "constants"), value, data(node.at("data"), value)});
    }
    for (const Node<T>& node : root.at("outputs").items()) {
      node.check_keys({"name", "value"}, 2, "an output has \"name\" and \"value\"");
      graph().outputs.push_back({name(node, outputs, "outputs"), id(node.at("value"), graph().steps.size())});
    }
  }

  void read_metadata(const Node<T>& node) {
    for (const Node<T>& note : node.items(true)) file_.metadata[note.key()] = note.text();
    if (file_.metadata.size() > formats::max_keys)
      node.fail("more than " + std::to_string(formats::max_keys) + " keys");
  }

  /// What is no matter of one place: names, numbers that are not finite, the batch.
  void check_whole() const {
    Weights weights{.dtype = std::is_same_v<T, float> ? Dtype::float32 : Dtype::float64, .metadata = file_.metadata};
    for (const auto& tensor : graph().parameters)
      weights.tensors.emplace_back(tensor.name, Tensor{graph().shape(tensor.value),
                                                       std::vector<double>(tensor.data.begin(), tensor.data.end())});
    if (const auto found = faults(weights); !found.empty()) place_.refuse(joined(found));
    try {
      check(graph());
      detail::check_batch(graph());
    } catch (const autograd::Error& error) {
      place_.refuse(error.what());
    }
  }

  void read_self_test(const Node<T>& node) {
    node.check_keys({"steps", "inputs", "outputs", "tolerance"}, 4,
                    "a self-test has \"steps\", \"inputs\", \"outputs\" and \"tolerance\"");
    detail::GraphSelfTest<T> test{node.at("steps").whole(), {}, {}, node.at("tolerance").number()};
    for (const Node<T>& list : node.at("inputs").items()) test.inputs.push_back(std::move(list.numbers()));
    for (const Node<T>& list : node.at("outputs").items()) test.outputs.push_back(std::move(list.numbers()));
    if (!(test.tolerance >= 0)) node.at("tolerance").fail("expected a number, not negative");
    file_.self_test_steps = test.steps;
    if (!options_.verify) return;
    try {
      detail::verify_self_test(graph(), test);
    } catch (const autograd::Error& error) {
      node.fail(error.what());
    }
  }

  Graph<T>& graph() { return file_.graph; }
  const Graph<T>& graph() const { return file_.graph; }

  GraphPlace place_;
  std::string_view text_;
  const GraphLoadOptions& options_;
  std::size_t most_numbers_, numbers_ = 0;
  std::map<std::size_t, Defined> defined_;
  GraphFile<T> file_{};
};

}  // namespace

bool is_graph_file(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  try {
    return !formats::likeness(bytes, path.string()).own.empty();
  } catch (const autograd::FormatError&) {
    return false;  // not even JSON
  }
}

template <class T>
GraphFile<T> graph_from_text(std::string_view text, const GraphLoadOptions& options, const std::string& source) {
  return Reader<T>(text, options, source).read();
}

template <class T>
GraphFile<T> read_graph_file(const std::filesystem::path& path, const GraphLoadOptions& options) {
  return graph_from_text<T>(read_file(path), options, path.string());
}

template <class T>
Graph<T> load_graph(const std::filesystem::path& path, const GraphLoadOptions& options) {
  return read_graph_file<T>(path, options).graph;
}

#define INSTANTIATE(T)                                                                                  \
  template GraphFile<T> graph_from_text(std::string_view, const GraphLoadOptions&, const std::string&); \
  template GraphFile<T> read_graph_file(const std::filesystem::path&, const GraphLoadOptions&);         \
  template Graph<T> load_graph(const std::filesystem::path&, const GraphLoadOptions&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::io
