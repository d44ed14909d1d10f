// Layout: how the operands of a pointwise function lie in memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace autograd::kernels {

/// Element (row, column) is at offset + row * row_step + (column, unless it is repeated).
struct Layout {
  std::uint32_t offset = 0;
  std::uint32_t row_step = 0;   ///< 0: every row reads the same
  bool repeats_column = false;  ///< every column reads the same
};

struct Extent {
  std::size_t rows;
  std::size_t columns;
};

}  // namespace autograd::kernels
