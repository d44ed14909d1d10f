#include "nn/io/layout.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "nn/io/faults.hpp"

namespace nn::io {

namespace {

/// Blocks of rows (or of elements) in another order.
Tensor permuted(const Tensor& tensor, std::string_view from, std::string_view to) {
  if (from == to || from.empty()) return tensor;
  Tensor result{tensor.shape, std::vector<double>(tensor.values.size())};
  const std::size_t block = tensor.values.size() / from.size();
  for (std::size_t k = 0; k < to.size(); ++k)
    std::copy_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(from.find(to[k]) * block), block,
                result.values.begin() + static_cast<std::ptrdiff_t>(k * block));
  return result;
}

std::string_view order(const Layer& layer, const Layout& layout) {
  if (layer.kind == Layer::Kind::lstm) return layout.lstm;
  return layer.kind == Layer::Kind::gru ? layout.gru : "";
}

Bias bias_form(const Layer& layer, const Layout& layout) {
  if (layer.kind != Layer::Kind::gru) return layout.bias;
  // Without a product to reset after, the second bias is one more term of the first; ONNX and PyTorch keep its place.
  if (!layer.reset_after && layout.gru_bias == Bias::stacked) return Bias::summed;
  return layout.gru_bias;
}

Tensor or_zeros(const Tensor& tensor, std::size_t size) { return tensor.empty() ? zero_tensor({size}) : tensor; }

}  // namespace

Tensor transposed(const Tensor& matrix) {
  const std::size_t rows = matrix.shape[0], columns = matrix.shape[1];
  Tensor result{{columns, rows}, std::vector<double>(matrix.values.size())};
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) result.values[j * rows + i] = matrix.values[i * columns + j];
  return result;
}

std::vector<Tensor> to_layout(const Layer& layer, const Arrays& arrays, const Layout& layout, Dtype dtype) {
  const std::string_view own = order(layer, torch_layout), theirs = order(layer, layout);
  const auto weight = [&](const Tensor& tensor) {
    const Tensor rows = permuted(tensor, own, theirs);
    return layout.transposed ? transposed(rows) : rows;
  };
  const std::size_t size = layer.gates() * layer.size;
  const auto bias = [&](const Tensor& tensor) { return permuted(or_zeros(tensor, size), own, theirs); };
  if (!layer.recurrent()) return {weight(arrays.weight_ih), bias(arrays.bias_ih)};

  std::vector<Tensor> result{weight(arrays.weight_ih), weight(arrays.weight_hh), bias(arrays.bias_ih)};
  const Tensor second = bias(arrays.bias_hh);
  Tensor& first = result.back();
  switch (bias_form(layer, layout)) {
    case Bias::separate:
      result.push_back(second);
      break;
    case Bias::summed:
      if (layer.kind == Layer::Kind::gru && layer.reset_after)
        throw autograd::ValueError("the two biases of a GRU that resets after the product can not be summed");
      for (std::size_t k = 0; k < size; ++k) first.values[k] = rounded(first.values[k] + second.values[k], dtype);
      if (const std::string fault = number_fault("the sum of the biases of " + layer.name, first, dtype);
          !fault.empty())
        throw autograd::ValueError(fault);
      break;
    case Bias::stacked:
    case Bias::joined:
      first.values.insert(first.values.end(), second.values.begin(), second.values.end());
      first.shape = bias_form(layer, layout) == Bias::stacked ? Shape{2, size} : Shape{2 * size};
  }
  return result;
}

Arrays from_layout(const Layer& layer, std::vector<Tensor> tensors, const Layout& layout) {
  const std::string_view own = order(layer, torch_layout), theirs = order(layer, layout);
  const auto weight = [&](const Tensor& tensor) {
    return permuted(layout.transposed ? transposed(tensor) : tensor, theirs, own);
  };
  Arrays result;
  result.weight_ih = weight(tensors[0]);
  if (!layer.recurrent()) {
    result.bias_ih = tensors[1];
    return result;
  }
  result.weight_hh = weight(tensors[1]);
  const std::size_t size = layer.gates() * layer.size;
  Tensor& first = tensors[2];
  Tensor second = zero_tensor({size});
  if (bias_form(layer, layout) == Bias::separate) second = tensors[3];
  if (first.values.size() == 2 * size) {
    std::copy_n(first.values.begin() + static_cast<std::ptrdiff_t>(size), size, second.values.begin());
    first.values.resize(size);
    first.shape = {size};
  }
  result.bias_ih = permuted(first, theirs, own);
  result.bias_hh = permuted(second, theirs, own);
  return result;
}

std::vector<Shape> layout_shapes(const Layer& layer, const Layout& layout) {
  const std::size_t rows = layer.gates() * layer.size;
  const auto weight = [&](std::size_t columns) {
    return layout.transposed ? Shape{columns, rows} : Shape{rows, columns};
  };
  if (!layer.recurrent()) return {weight(layer.input_size), {rows}};
  std::vector<Shape> shapes{weight(layer.input_size), weight(layer.size)};
  switch (bias_form(layer, layout)) {
    case Bias::separate:
      shapes.push_back({rows});
      shapes.push_back({rows});
      break;
    case Bias::summed:
      shapes.push_back({rows});
      break;
    case Bias::stacked:
      shapes.push_back({2, rows});
      break;
    case Bias::joined:
      shapes.push_back({2 * rows});
  }
  return shapes;
}

}  // namespace nn::io
