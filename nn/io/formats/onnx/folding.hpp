// The operations of ONNX on constants.
#pragma once

#include "nn/io/formats/onnx/constant.hpp"

namespace nn::io::formats::onnx {

/// Computes with constants. All functions throw Refusal for what they can not compute, and where together they make
/// more elements than `limit` bytes hold.
class Folding {
 public:
  explicit Folding(std::size_t limit) : left_(limit) {}

  /// Of a TensorProto.
  Constant read(std::string_view bytes);
  Constant list(const Extents& numbers);
  Constant list(const std::vector<double>& numbers);
  Constant scalar(Type type, double value);
  Constant whole(std::int64_t value);
  /// One element everywhere.
  Constant filled(const Extents& shape, const Constant& element);

  Constant cast(const Constant& x, Type type);
  Constant expanded(const Constant& x, const Extents& shape);
  Constant tiled(const Constant& x, const Extents& repeats);
  Constant reshaped(const Constant& x, const Extents& shape, bool zero_copies);
  Constant permuted(const Constant& x, const std::vector<std::size_t>& axes);
  Constant sliced(const Constant& x, std::size_t axis, std::int64_t from, std::int64_t to, std::int64_t step);
  Constant gathered(const Constant& x, std::size_t axis, const Constant& indices);
  Constant joined(const std::vector<Constant>& parts, std::size_t axis);
  /// '+', '-', '*', '/', or '=' for Equal.
  Constant combined(char operation, const Constant& left, const Constant& right);
  Constant chosen(const Constant& condition, const Constant& left, const Constant& right);

  /// All the elements as an array of real numbers, of a shape that is known.
  Tensor tensor(const Constant& x);

 private:
  std::size_t spend(const Shape& shape, std::size_t size);
  template <class T>
  std::vector<T> spread(const std::vector<T>& from, const Shape& stored, const Shape& shape);
  Constant materialized(const Constant& x, const Shape& shape);

  std::size_t left_;
};

}  // namespace nn::io::formats::onnx
