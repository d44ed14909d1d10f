// An Equation as nodes of ONNX.
#pragma once

#include "autograd/values/equation.hpp"
#include "nn/graph/onnx_nodes.hpp"

namespace nn::io::formats::onnx {

/// Writes what an elementwise step computes; operand k has the name operands[k]. Throws Refusal, naming the function,
/// for one that can not be written.
class FormulaWriter {
 public:
  FormulaWriter(Nodes& nodes, Numbers& numbers, std::span<const std::string> operands)
      : nodes_(nodes), numbers_(numbers), operands_(operands) {}

  /// The name of its value: `wanted`, if it is a node of its own and that name is free.
  std::string write(const autograd::Equation& x, const std::string& wanted = {});
  /// Operands that what was written reads.
  const std::set<std::size_t>& read() const { return read_; }

 private:
  using Equation = autograd::Equation;

  std::string call(const Equation& x, const std::string& wanted);
  /// Of x as a condition: whether it is not 0, as NaN is not.
  std::string truth(const Equation& x);
  std::string expm1(const std::string& x, const std::string& wanted);
  std::string log1p(const std::string& x, const std::string& wanted);

  Nodes& nodes_;
  Numbers& numbers_;
  std::span<const std::string> operands_;
  std::map<const void*, std::string> written_;
  std::set<std::size_t> read_;
};

}  // namespace nn::io::formats::onnx
