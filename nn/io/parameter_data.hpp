// Parameters that are set together: everything that can fail happens before the first of them changes.
#pragma once

#include "autograd/parameter.hpp"

namespace nn::io::detail {

/// Begins an update of a parameter: its numbers, in row-major order, to be written before anything else happens to it.
template <class T>
T* begin_update(autograd::Parameter<T>& parameter) {
  T* numbers = nullptr;
  parameter.update([&](auto& values) { numbers = values.data(); });
  return numbers;
}

}  // namespace nn::io::detail
