// The parts of onnx.proto that are written and read: field numbers, by message.
#pragma once

#include <algorithm>
#include <array>

#include "nn/nonlinearity.hpp"

namespace nn::io::formats::onnx {

namespace model {
enum {
  ir_version = 1,
  producer_name = 2,
  producer_version = 3,
  domain = 4,
  model_version = 5,
  doc_string = 6,
  graph = 7,
  opset_import = 8,
  metadata_props = 14
};
}
namespace opset {
enum { domain = 1, version = 2 };
}
namespace graph {
enum {
  node = 1,
  name = 2,
  initializer = 5,
  doc_string = 10,
  input = 11,
  output = 12,
  value_info = 13,
  metadata_props = 16
};
}
namespace node {
enum { input = 1, output = 2, name = 3, op_type = 4, attribute = 5, doc_string = 6, domain = 7, metadata_props = 9 };
}
namespace attribute {
enum { name = 1, f = 2, i = 3, s = 4, t = 5, g = 6, floats = 7, ints = 8, strings = 9, doc_string = 13, type = 20 };
enum {
  is_float = 1,
  is_int = 2,
  is_string = 3,
  is_tensor = 4,
  is_graph = 5,
  is_floats = 6,
  is_ints = 7,
  is_strings = 8
};  // type
}  // namespace attribute
namespace tensor {
enum {
  dims = 1,
  data_type = 2,
  float_data = 4,
  int32_data = 5,
  int64_data = 7,
  name = 8,
  raw_data = 9,
  double_data = 10,
  doc_string = 12,
  external_data = 13,
  data_location = 14,
  metadata_props = 16
};
enum { is_float = 1, is_int64 = 7, is_double = 11 };  // values of data_type
}  // namespace tensor
namespace value_info {
enum { name = 1, type = 2 };
}
namespace type {
enum { tensor = 1 };
}
namespace tensor_type {
enum { elem_type = 1, shape = 2 };
}
namespace shape {
enum { dim = 1 };
}
namespace dim {
enum { value = 1, param = 2 };
}

/// The operations that are activations.
struct ActivationOp {
  const char* op;
  Nonlinearity f;
};
inline constexpr std::array activation_ops{
    ActivationOp{"Tanh", Nonlinearity::tanh}, ActivationOp{"Relu", Nonlinearity::relu},
    ActivationOp{"Sigmoid", Nonlinearity::sigmoid}, ActivationOp{"Elu", Nonlinearity::elu},
    ActivationOp{"Softmax", Nonlinearity::softmax}};

inline const char* activation_op(Nonlinearity f) {
  return std::find_if(activation_ops.begin(), activation_ops.end(), [f](const auto& each) { return each.f == f; })->op;
}

}  // namespace nn::io::formats::onnx
