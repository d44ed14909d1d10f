// The steps of a Graph as nodes of ONNX.
#pragma once

#include "autograd/graph/graph.hpp"
#include "nn/graph/onnx_nodes.hpp"

namespace nn::io::formats::onnx {

/// Writes steps one after the other. What does not depend on inputs and states is written to `once`, and what is made
/// of constants alone is computed. An elementwise op of ONNX repeats its operands along axes of one element, so that
/// what the graph repeats is repeated here only where another op reads it.
template <class T>
class StepWriter {
 public:
  using Id = typename autograd::Graph<T>::Id;

  /// `batch` is the name of the extent of the batch, a list of one, or empty if that is 1.
  StepWriter(const autograd::Graph<T>& graph, Names& names, Numbers& numbers, Nodes& once, Nodes& each,
             std::string batch);

  /// Says what an input, a state or a parameter is called.
  void set(Id id, std::string name, bool steady);
  /// All steps. Throws ValueError, naming the step, for what can not be written.
  void write();
  /// The name of a value of its whole shape.
  std::string whole(Id id);
  /// The name of an Expand of `narrow` to the whole shape of a value.
  std::string repeated(Nodes& nodes, const std::string& narrow, Id id);
  bool batched(Id id) const { return !batch_.empty() && graph_.values[id].batched; }

 private:
  using Step = typename autograd::Graph<T>::Step;
  using Inputs = std::vector<std::string>;
  using Attributes = std::vector<Message>;

  struct Written {
    std::string narrow;  ///< of its shape but for what is repeated along axes
    std::string whole;   ///< empty until somebody needs it
    bool steady = false;
  };

  bool fold(const Step& step);
  void write(const Step& step);
  void elementwise();
  bool structural();
  // One op each.
  void linear();
  void reshape();
  void broadcast_to();
  void sum_to();
  void slice();
  void split();
  void unbind();
  void stack();
  void mean();
  void reduce(const char* op);
  void embedding();

  // Of the step that is being written.
  const Shape& shape(std::size_t input = 0) const { return graph_.shape(step_->inputs[input]); }
  std::string in(std::size_t k = 0) { return whole(step_->inputs[k]); }
  Inputs all();
  Index number(const char* attribute) const;
  bool flag(const char* attribute) const;
  std::vector<Index> list(const char* attribute) const;
  std::string wanted(std::size_t output = 0) const { return graph_.values[step_->outputs[output]].name; }
  void give(std::string name, std::size_t output = 0);
  void give(const char* op, const Inputs& inputs, const Attributes& attributes = {}, std::size_t output = 0) {
    give(now_->add(op, inputs, attributes, wanted(output)), output);
  }
  std::string mean_of();

  /// A constant by its data, once somebody needs it.
  const Written& value(Id id);
  std::vector<Index> extents(Id id) const;

  const autograd::Graph<T>& graph_;
  Names& names_;
  Numbers& numbers_;
  Nodes &once_, &each_;
  std::string batch_;
  std::vector<Written> values_;
  std::vector<const std::vector<T>*> data_;  ///< of constants
  std::vector<std::unique_ptr<std::vector<T>>> folded_;
  const Step* step_ = nullptr;
  Nodes* now_ = nullptr;
};

extern template class StepWriter<float>;
extern template class StepWriter<double>;

}  // namespace nn::io::formats::onnx
