// Elementwise functions of PyTorch's C++ library, behind an interface that needs none of its headers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report.hpp"

namespace benchmark {

/// The function of that name on every element, into memory that is already there. Its results are the first and the
/// last element. None without PyTorch; throws std::out_of_range for a function that is not in its list.
template <class T>
std::optional<Contestant> libtorch_elementwise(const std::string& function, const std::vector<T>& x);

extern template std::optional<Contestant> libtorch_elementwise(const std::string&, const std::vector<float>&);
extern template std::optional<Contestant> libtorch_elementwise(const std::string&, const std::vector<double>&);

}  // namespace benchmark
