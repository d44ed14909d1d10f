// The weights of a module: its parameters by name and what its modules say of themselves.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "autograd/error.hpp"
#include "nn/io/network.hpp"
#include "nn/io/parameter_data.hpp"
#include "nn/io/row.hpp"
#include "nn/module.hpp"

namespace nn::io {

namespace detail {

/// The parameters of a module, to be set.
struct Contents {
  struct Entry {
    std::string name;
    std::variant<Parameter<float>*, Parameter<double>*> parameter;
  };
  std::vector<Entry> parameters = {};
  std::vector<std::pair<std::string, Description>> modules = {};

  /// A model without parameters counts as double.
  Dtype dtype() const {
    return !parameters.empty() && parameters.front().parameter.index() == 0 ? Dtype::float32 : Dtype::float64;
  }
};

template <Module M>
Contents contents(M& module) {
  Contents result;
  for_each_parameter(module, [&](const std::string& path, auto& parameter) {
    result.parameters.push_back({path, &parameter});
  });
  result.modules = descriptions(module);
  return result;
}

/// Throws ValueError, which begins with `who`, unless the names of parameters differ and their types do not.
class ParameterCheck {
 public:
  explicit ParameterCheck(std::string who) : who_(std::move(who)) {}

  void operator()(const std::string& name, Dtype dtype) {
    if (!names_.insert(name).second) throw autograd::ValueError(who_ + ": two parameters are called " + name);
    if (first_.empty()) first_ = {{name, dtype}};
    if (first_[0].second != dtype)
      throw autograd::ValueError(who_ + ": " + first_[0].first + " and " + name +
                                 " are not both float or both double, and a file has one dtype");
  }

 private:
  std::string who_;
  std::set<std::string> names_;
  std::vector<std::pair<std::string, Dtype>> first_;
};

template <class T>
Dtype dtype_of(const Parameter<T>&) {
  return std::is_same_v<T, float> ? Dtype::float32 : Dtype::float64;
}

/// Sets every parameter from `tensor_of(name)`, of the same size. What can fail does so before the first one is set.
template <class TensorOf>
void assign(const Contents& model, TensorOf tensor_of) {
  std::vector<std::pair<std::variant<float*, double*>, const std::vector<double>*>> updates;
  for (const auto& [name, parameter] : model.parameters)
    std::visit([&, &name = name](auto* p) { updates.emplace_back(begin_update(*p), &tensor_of(name)); }, parameter);
  for (const auto& [numbers, values] : updates)
    std::visit(
        [&values = *values]<class T>(T* to) noexcept {
          std::transform(values.begin(), values.end(), to, [](double value) { return static_cast<T>(value); });
        },
        numbers);
}

}  // namespace detail

/// The parameters and descriptions of a module, for a file that holds any. A module that computes and has no
/// description is named with an empty type, so that no reader takes its parts for a row of layers.
///
/// Throws ValueError, which begins with `who`, for parameters of both float and double, and a name that occurs twice.
template <Module M>
Weights weights_of(const M& module, const std::string& who) {
  Weights result{.dtype = Dtype::float64, .modules = detail::descriptions(module)};
  for (const detail::Computation& each : detail::computations(module))
    if (!each.described) result.modules.emplace_back(each.path, Description{""});
  detail::ParameterCheck check(who);
  for_each_parameter(module, [&](const std::string& path, const auto& parameter) {
    result.dtype = detail::dtype_of(parameter);
    check(path, result.dtype);
    const auto* const data = parameter.value().data();
    result.tensors.emplace_back(path, Tensor{parameter.shape(), {data, data + parameter.size()}});
  });
  return result;
}

/// The same for a format of layers in a row, for which it must be known that the module is one.
///
/// Of a module that only holds others, and of the program's own function that runs them, nothing can be seen: it stands
/// for the layers in the order of its visit(), each of which reads what the one before gives. A module with an
/// operator() (or forward()) is run instead, a copy of it with other weights, on a sequence: where it does not answer
/// as the row of its layers does, or can not be run with a Variable alone, network_of() refuses it, as it does a cell
/// of one's own. A description of type "Sequential" states that a module is the row of its parts; it is refused only
/// where it is run and does not answer so.
template <Module M>
Weights row_of(const M& module, const std::string& who) {
  Weights result = weights_of(module, who);
  std::erase_if(result.modules, [](const auto& each) { return each.second.type.empty(); });
  for (const auto& [path, reason] : detail::unlike_rows(module))
    result.modules.emplace_back(path, Description{"", {{"reason", reason}}});
  return result;
}

/// The layers that the described parts of a module are, in the order of visit(). Throws ValueError as network_of() of
/// weights does, and for a module that is no row of them, see row_of().
template <Module M>
Network network_of(const M& module) {
  return network_of(row_of(module, "network_of"));
}

}  // namespace nn::io
