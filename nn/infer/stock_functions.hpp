// The pointwise functions of the library's cells, compiled: for graphs that come from a file, where only their formulas
// are left.
#pragma once

#include <vector>

#include "autograd/compiled_function.hpp"

namespace nn::infer {

template <class T>
const std::vector<autograd::CompiledFunction<T>>& stock_functions();

extern template const std::vector<autograd::CompiledFunction<float>>& stock_functions();
extern template const std::vector<autograd::CompiledFunction<double>>& stock_functions();

}  // namespace nn::infer
