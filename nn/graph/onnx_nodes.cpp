// Names, numbers and nodes of ONNX models as messages.
#include "nn/graph/onnx_nodes.hpp"

namespace nn::io::formats::onnx {

Message whole_attribute(const char* name, Index value) {
  return Message()
      .add(attribute::name, name)
      .add(attribute::i, static_cast<std::uint64_t>(value))
      .add(attribute::type, attribute::is_int);
}

Message whole_attribute(const char* name, const std::vector<Index>& values) {
  Message message;
  message.add(attribute::name, name);
  for (const Index value : values) message.add(attribute::ints, static_cast<std::uint64_t>(value));
  return message.add(attribute::type, attribute::is_ints);
}

Message graph_attribute(const char* name, const Message& graph) {
  return Message().add(attribute::name, name).add(attribute::g, graph).add(attribute::type, attribute::is_graph);
}

std::string Names::unique(const std::string& name) {
  std::string result = name;
  for (std::size_t k = 2; !take(result); ++k) result = name + "_" + std::to_string(k);
  return result;
}

std::string Numbers::scalar(double value) {
  const float single = static_cast<float>(value);
  const std::string raw(doubles() ? reinterpret_cast<const char*>(&value) : reinterpret_cast<const char*>(&single),
                        doubles() ? sizeof value : sizeof single);
  std::string& name = scalars_[raw];
  if (name.empty()) name = put(names_.unique("number"), {}, type_, raw);
  return name;
}

std::string Numbers::whole_numbers(const std::vector<Index>& dims, const std::vector<Index>& values) {
  std::string& name = wholes_[{dims, values}];
  if (!name.empty()) return name;
  const std::vector<std::int64_t> wide(values.begin(), values.end());
  return name = put(names_.unique("whole"), {dims.begin(), dims.end()}, tensor::is_int64,
                    {reinterpret_cast<const char*>(wide.data()), wide.size() * sizeof(std::int64_t)});
}

std::string Numbers::put(const std::string& name, const std::vector<std::size_t>& dims, std::uint64_t type,
                         std::string_view raw) {
  Message message;
  for (const std::size_t extent : dims) message.add(tensor::dims, std::uint64_t(extent));
  all_.push_back(message.add(tensor::data_type, type).add(tensor::name, name).add(tensor::raw_data, raw));
  return name;
}

void Numbers::append_to(Message& graph) const {
  for (const Message& each : all_) graph.add(graph::initializer, each);
}

std::string Nodes::add(const char* op, const std::vector<std::string>& inputs, const std::vector<Message>& attributes,
                       const std::string& wanted) {
  const std::string name = names_.unique(wanted.empty() ? op : wanted);
  add_named(op, inputs, {name}, attributes);
  return name;
}

void Nodes::add_named(const char* op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                      const std::vector<Message>& attributes) {
  Message message;
  for (const std::string& input : inputs) message.add(node::input, input);
  for (const std::string& output : outputs) message.add(node::output, output);
  message.add(node::name, outputs.at(0)).add(node::op_type, op);
  for (const Message& attribute : attributes) message.add(node::attribute, attribute);
  all_.push_back(std::move(message));
}

void Nodes::append_to(Message& graph) const {
  for (const Message& each : all_) graph.add(graph::node, each);
}

}  // namespace nn::io::formats::onnx
