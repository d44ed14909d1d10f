// A node of a graph, whose attributes are asked for by name, so that those that nobody asked for can be refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nn::io::formats::onnx {

class Node {
 public:
  /// Of the bytes of a NodeProto, which must outlive it. Throws Refusal, as all of its functions.
  explicit Node(std::string_view bytes);

  std::string_view op, name;
  std::vector<std::string_view> inputs, outputs;  ///< "" for one that is left out

  /// "LSTM "rec/LSTM" (output "y")", for messages.
  std::string label() const;

  bool has_input(std::size_t index) const { return index < inputs.size() && !inputs[index].empty(); }

  // The attribute of a name, if the node has it.
  std::optional<std::int64_t> integer(std::string_view name);
  std::optional<double> real(std::string_view name);
  std::optional<std::string_view> text(std::string_view name);
  std::optional<std::string_view> tensor(std::string_view name);  ///< the bytes of a TensorProto
  std::optional<std::vector<std::int64_t>> integers(std::string_view name);
  std::optional<std::vector<double>> reals(std::string_view name);
  std::optional<std::vector<std::string_view>> texts(std::string_view name);

  /// Throws for an attribute that no function above was asked for.
  void require_all_taken() const;

 private:
  struct Attribute {
    std::string_view name, bytes;
    bool taken = false;
  };

  template <class F>
  bool take(std::string_view name, int type, int field, F f);

  std::vector<Attribute> attributes_;
};

}  // namespace nn::io::formats::onnx
