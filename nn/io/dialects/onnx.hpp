// The parts of onnx.proto that are written and read.
#pragma once

#include <array>

/// Field numbers, by message.
namespace nn::io::dialects::onnx {

namespace model {
enum { ir_version = 1, producer_name = 2, graph = 7, opset_import = 8, metadata_props = 14 };
}
namespace graph {
enum { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
}
namespace node {
enum { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
}
namespace attribute {
enum { name = 1, i = 3, s = 4, ints = 8, strings = 9, type = 20 };
enum { is_int = 2, is_string = 3, is_ints = 7, is_strings = 8 };  // values of type
}  // namespace attribute
namespace tensor {
enum { dims = 1, data_type = 2, name = 8, raw_data = 9 };
enum { is_float = 1, is_int64 = 7 };  // values of data_type
}  // namespace tensor

/// In the order of Activation.
inline constexpr std::array activation_ops{"", "Tanh", "Relu", "Sigmoid", "Softmax", "Elu"};

}  // namespace nn::io::dialects::onnx
