// Whether a module is the row of its layers: what a module computes is seen by running it.
#pragma once

#include <algorithm>
#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/tape.hpp"
#include "nn/description.hpp"
#include "nn/io/network.hpp"
#include "nn/module.hpp"

namespace nn::io::detail {

using autograd::Tape;
using autograd::Variable;

/// Of the modules that have one, parents first.
std::vector<std::pair<std::string, Description>> descriptions(const auto& module) {
  std::vector<std::pair<std::string, Description>> result;
  for_each_module(module, [&]<class U>(const std::string& path, const U& child) {
    if constexpr (Described<U>) result.emplace_back(path, child.describe());
  });
  return result;
}

// A class with two bases of a member of one name has no such member that could be named. A final class tells nothing.
struct Members {
  void operator()();
  void forward();
  void zero_state();
};
template <class M>
struct AlsoMembers : M, Members {};
template <class M>
concept Computes = std::is_final_v<M> || !requires {
  &AlsoMembers<M>::operator();
  &AlsoMembers<M>::forward;
  &AlsoMembers<M>::zero_state;
};

template <class M, class T>
concept CellLike = requires(M& module, Tape<T>& tape) {
  module.zero_state(tape, std::size_t{});
};

/// A module of the program's own that computes.
struct Computation {
  std::string path;
  bool described;  ///< as Sequential
};

/// Whether a module computes what no description says.
template <class U>
bool is_computation(const U& module) {
  if constexpr (Described<U>)
    return Computes<U> && Description(module.describe()).type == "Sequential";
  else
    return Computes<U>;
}

std::vector<Computation> computations(const auto& module) {
  std::vector<Computation> result;
  for_each_module(module, [&]<class U>(const std::string& path, const U& child) {
    if (is_computation(child)) result.push_back({path, Described<U>});
  });
  return result;
}

/// What a module answers to an input of any shape; nothing if that is no array.
using Run = std::function<std::optional<Tensor>(const Tensor& input)>;

enum class Likeness { like, unlike, not_run };

/// Whether the module answers as the row of its layers, and if not, why.
std::pair<Likeness, std::string> compare_with_row(const Weights& weights, const Run& run);

/// Numbers for a parameter: answers of layers with them are of size 1, so that nothing between the layers is lost in
/// rounding.
std::vector<double> trial_values(const std::string& name, const Shape& shape);

template <class T>
std::optional<Tensor> tensor_of(const Variable<T>& y) {
  const auto& values = y.value();
  return Tensor{y.shape(), {values.data(), values.data() + y.shape().elements()}};
}
std::optional<Tensor> tensor_of(const auto& result) {
  if constexpr (requires { tensor_of(result.output); })
    return tensor_of(result.output);
  else
    return {};
}

/// Runs a copy of a module, with values of float or double.
template <class T, class M>
Run runner(M& copy) {
  const auto constant = [](Tape<T>& tape, const Tensor& x) {
    auto values = autograd::make_array<T>(x.shape);
    std::transform(x.values.begin(), x.values.end(), values.data(), [](double v) { return static_cast<T>(v); });
    return tape.constant(values);
  };
  if constexpr (requires(Variable<T> x) { tensor_of(copy(x)); })
    return [&copy, constant](const Tensor& x) {
      Tape<T> tape;
      return tensor_of(copy(constant(tape, x)));
    };
  else if constexpr (requires(Variable<T> x) { tensor_of(copy.forward(x)); })
    return [&copy, constant](const Tensor& x) {
      Tape<T> tape;
      return tensor_of(copy.forward(constant(tape, x)));
    };
  else
    return {};
}

template <class M>
std::pair<Likeness, std::string> compared(const M& module) {
  if constexpr (CellLike<M, float> || CellLike<M, double>) {
    return {Likeness::unlike, "a cell"};
  } else if constexpr (!std::copy_constructible<M>) {
    return {Likeness::not_run, "it can not be copied, and so not be tried"};
  } else {
    M copy = module;
    std::vector<const void*> own;
    Dtype dtype = Dtype::float64;
    for_each_parameter(module, [&]<class T>(const std::string&, const Parameter<T>& p) {
      own.push_back(&p);
      dtype = std::is_same_v<T, float> ? Dtype::float32 : Dtype::float64;
    });
    Weights weights{.dtype = dtype, .modules = descriptions(copy)};
    for_each_parameter(copy, [&]<class T>(const std::string& name, Parameter<T>& p) {
      const bool shared = std::find(own.begin(), own.end(), &p) != own.end();  // by a pointer: not ours to set
      if (!shared)
        p.update([values = trial_values(name, p.shape())](auto& target) {
          std::transform(values.begin(), values.end(), target.data(), [](double v) { return static_cast<T>(v); });
        });
      const auto* const data = p.value().data();
      weights.tensors.emplace_back(name, Tensor{p.shape(), {data, data + p.size()}});
    });
    return compare_with_row(weights, dtype == Dtype::float32 ? runner<float>(copy) : runner<double>(copy));
  }
}

/// The modules that are no rows of their layers as far as can be told, and why.
template <Module M>
std::vector<std::pair<std::string, std::string>> unlike_rows(const M& module) {
  std::vector<std::pair<std::string, std::string>> result;
  std::vector<std::string> alike;  // what is within these has been seen with them
  for_each_module(module, [&]<class U>(const std::string& path, const U& child) {
    const bool seen = std::any_of(alike.begin(), alike.end(), [&](const std::string& outer) {
      return outer.empty() || path.starts_with(outer + ".");
    });
    if (seen) return;
    if (is_computation(child)) {
      const auto [likeness, reason] = compared(child);
      if (likeness == Likeness::like) return alike.push_back(path);
      if (likeness == Likeness::not_run && Described<U>) return;
      result.emplace_back(path, reason);
    } else if constexpr (!Described<U>) {
      bool bare = false;
      std::remove_const_t<U>::visit(child, [&]<class V>(const std::string&, V&) {
        bare = bare || nn::detail::is_parameter<std::remove_const_t<V>>;
      });
      if (bare) result.emplace_back(path, "it has parameters of its own");
    }
  });
  return result;
}

}  // namespace nn::io::detail
