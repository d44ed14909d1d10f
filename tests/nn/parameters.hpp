// Between the parameters of a module and the tensors of a reference case, by name.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "autograd/ops/random.hpp"
#include "nn/module.hpp"
#include "oracle.hpp"

namespace oracle {

template <nn::Module M>
std::vector<std::string> parameter_names(const M& module) {
  std::vector<std::string> names;
  nn::for_each_parameter(module, [&](const std::string& name, const auto&) { names.push_back(name); });
  return names;
}

/// Whether the module's parameters are called what the keys at `pointer` are, other keys being listed in `others`.
template <nn::Module M>
bool same_names(const M& module, const Case& c, const std::string& pointer,
                const std::vector<std::string>& others = {}) {
  std::vector<std::string> names = parameter_names(module);
  names.insert(names.end(), others.begin(), others.end());
  std::sort(names.begin(), names.end());
  return names == c.keys(pointer);
}

/// Every parameter from the tensor of its name below `pointer`.
template <nn::Module M>
void load(M& module, const Case& c, const std::string& pointer) {
  nn::for_each_parameter(module, [&](const std::string& name, auto& parameter) {
    parameter.update([&](auto& values) { values = c.tensor(pointer + "/" + name); });
  });
}

/// Numbers of [-1, 1).
inline Array<double> random_array(const autograd::Shape& shape, autograd::Generator& generator) {
  Array<double> result = autograd::make_array<double>(shape);
  for (double& element : result) element = 2 * autograd::uniform(generator) - 1;
  return result;
}

}  // namespace oracle
