#include "audit/arrays.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "nn/io/json_value.hpp"

using nn::audit::Matrix;

std::map<std::string, Matrix> read_arrays(const std::string& text, const std::string& path) {
  nn::io::JsonDocument file(path, "", text, nn::io::Dtype::float64);
  std::map<std::string, Matrix> arrays;
  for (const auto& [name, array] : file.root().members()) {
    for (const auto& [key, value] : array.members())
      if (key != "shape" && key != "data") value.problem("expected \"shape\" and \"data\" alone");
    const std::vector<std::size_t> shape = array.at("shape").extents();
    nn::io::Tensor data = array.at("data").tensor();
    if (!array.find("shape") || !array.find("data")) continue;
    double elements = 1;
    for (const std::size_t extent : shape) elements *= static_cast<double>(extent);
    if (data.shape.rank() != 1 || elements != static_cast<double>(data.values.size()) || data.values.empty()) {
      array.problem(fmt::format("expected a flat list of {} numbers, as its shape says, found one of shape {}",
                                elements, to_string(data.shape)));
      continue;
    }
    const std::size_t columns = shape.empty() ? 1 : shape.back(), rows = data.values.size() / columns;
    arrays[name] = Matrix(rows, columns, std::move(data.values));
  }
  file.finish();
  if (arrays.empty()) throw autograd::FormatError(path + ": expected a JSON object of arrays");
  return arrays;
}
