#include "autograd/pointwise.hpp"

namespace autograd::detail {

bool find_layout(const Shape& shape, std::size_t start, std::size_t columns, const Shape& common,
                 kernels::Layout& layout) {
  const auto make = [](std::size_t offset, std::size_t row_step, bool repeats_column) {
    return kernels::Layout{static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(row_step), repeats_column};
  };
  const std::size_t width = common.rank() ? common.back() : 1;
  if (columns == 0 && shape == common) {
    layout = make(0, width, false);
    return true;
  }
  if (shape.elements() == 1 && columns <= 1) {
    layout = make(start, 0, true);
    return true;
  }
  const std::size_t own = columns ? columns : shape.rank() ? shape.back() : 1;
  if (own != width && own != 1) return false;
  const bool repeats_column = own != width;
  const std::size_t step = shape.rank() ? shape.back() : 1;
  if (shape.rank() == common.rank() && std::equal(shape.begin(), shape.end() - 1, common.begin())) {
    layout = make(start, step, repeats_column);
    return true;
  }
  if (shape.elements(0, shape.rank() - 1) == 1) {
    layout = make(start, 0, repeats_column);
    return true;
  }
  return false;
}

}  // namespace autograd::detail
