// The parts of an ONNX model under construction: its names, its numbers and its nodes.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/shape.hpp"
#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats::onnx {

using autograd::Index;
using autograd::Shape;

template <class T>
inline constexpr std::uint64_t element_type = std::is_same_v<T, float> ? tensor::is_float : tensor::is_double;

Message whole_attribute(const char* name, Index value);
Message whole_attribute(const char* name, const std::vector<Index>& values);
Message graph_attribute(const char* name, const Message& graph);

/// No two values of a model have one name, not even one in the body of a Scan and one around it.
class Names {
 public:
  bool take(const std::string& name) { return taken_.insert(name).second; }
  /// The name, or with _2, _3 and so on behind it.
  std::string unique(const std::string& name);

 private:
  std::set<std::string> taken_;
};

/// The initializers of a model.
class Numbers {
 public:
  /// `type` is that of the model's numbers.
  Numbers(Names& names, std::uint64_t type) : names_(names), type_(type) {}

  template <class T>
  std::string add(const std::string& name, const Shape& shape, std::span<const T> data) {
    return put(names_.unique(name), {shape.begin(), shape.end()}, element_type<T>,
               {reinterpret_cast<const char*>(data.data()), data.size_bytes()});
  }
  /// A number of the model's type without axes. Each is written once, as are those below.
  std::string scalar(double value);
  std::string whole(Index value) { return whole_numbers({}, {value}); }
  std::string list(const std::vector<Index>& values) {
    return whole_numbers({static_cast<Index>(values.size())}, values);
  }
  std::string whole_numbers(const std::vector<Index>& dims, const std::vector<Index>& values);

  std::uint64_t type() const { return type_; }
  bool doubles() const { return type_ == tensor::is_double; }
  void append_to(Message& graph) const;

 private:
  std::string put(const std::string& name, const std::vector<std::size_t>& dims, std::uint64_t type,
                  std::string_view raw);

  Names& names_;
  std::uint64_t type_;
  std::vector<Message> all_;
  std::map<std::string, std::string> scalars_;  ///< by their bytes
  std::map<std::pair<std::vector<Index>, std::vector<Index>>, std::string> wholes_;
};

/// The nodes of a graph, in their order.
class Nodes {
 public:
  explicit Nodes(Names& names) : names_(names) {}

  /// A node of one output, whose name it returns: `wanted`, or what is free of that kind; if empty, the op's.
  std::string add(const char* op, const std::vector<std::string>& inputs, const std::vector<Message>& attributes = {},
                  const std::string& wanted = {});
  /// A node whose outputs have names of their own, which are taken already.
  void add_named(const char* op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                 const std::vector<Message>& attributes = {});
  void append_to(Message& graph) const;

 private:
  Names& names_;
  std::vector<Message> all_;
};

}  // namespace nn::io::formats::onnx
