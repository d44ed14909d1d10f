// The operations of ONNX that are understood: on constants, which are folded, and on what depends on the graph's input,
// where they must be steps of a Row or bring an array's axes into another order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/io/formats/onnx/folding.hpp"
#include "nn/io/formats/onnx/node.hpp"
#include "nn/io/formats/onnx/row.hpp"
#include "nn/io/formats/onnx/signal.hpp"

namespace nn::io::formats::onnx {

/// What a name of the graph stands for.
struct Value {
  std::optional<Constant> constant = {};
  std::optional<Signal> signal = {};
  std::string unusable = {};  ///< what it is, where it is neither
};

/// A node with what it reads.
struct Call {
  Node& node;
  std::vector<const Value*> inputs;  ///< null for one that is left out

  bool has(std::size_t index) const { return index < inputs.size() && inputs[index]; }
  // An input that is there. Throw Refusal if it is something else.
  const Value& value(std::size_t index) const;
  const Signal& signal(std::size_t index) const;
  const Constant& constant(std::size_t index) const;
  bool is_signal(std::size_t index) const { return value(index).signal.has_value(); }
};

class Operations {
 public:
  Operations(std::int64_t opset, Folding& folding, Row& row) : opset_(opset), folding_(folding), row_(row) {}

  /// What a node gives as its first output. Throws Refusal.
  Value apply(const Call& call);

 private:
  /// A row of the table of operations.
  struct Operation {
    const char* name;
    std::size_t least_inputs, most_inputs;
    Value (Operations::*apply)(const Call&);
  };
  static const Operation* named(std::string_view name);

  Value arithmetic(const Call& call);
  Value cast(const Call& call);
  Value matrix_product(const Call& call);
  Value general_product(const Call& call);
  Value activation(const Call& call);
  Value recurrent(const Call& call);
  Value permute(const Call& call);
  Value squeeze(const Call& call);
  Value unsqueeze(const Call& call);
  Value reshape(const Call& call);
  Value slice(const Call& call);
  Value gather(const Call& call);
  Value join(const Call& call);
  Value shape(const Call& call);
  Value literal(const Call& call);
  Value fill(const Call& call);

  std::int64_t opset_;
  Folding& folding_;
  Row& row_;
};

}  // namespace nn::io::formats::onnx
