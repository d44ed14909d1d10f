// Modules: plain values that name their parameters and children in one visit(); everything else follows from it.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <unordered_set>

#include "autograd/parameter.hpp"

namespace nn {

using autograd::Parameter;

namespace detail {

template <class U>
inline constexpr bool is_parameter = false;
template <class T>
inline constexpr bool is_parameter<Parameter<T>> = true;

/// A visitor that walks children and calls f(path, parameter) for each parameter.
template <class F>
struct ParameterWalk {
  F& f;
  std::string prefix;

  template <class U>
  void operator()(const std::string& name, U& member) {
    if constexpr (is_parameter<std::remove_const_t<U>>) {
      f(prefix + name, member);
    } else {
      ParameterWalk walk{f, prefix + name + "."};
      std::remove_const_t<U>::visit(member, walk);
    }
  }
};

/// A visitor that calls f(path, child) for each child module and walks on into it.
template <class F>
struct ModuleWalk {
  F& f;
  std::string prefix;

  template <class U>
  void operator()(const std::string& name, U& member) {
    if constexpr (!is_parameter<std::remove_const_t<U>>) {
      f(prefix + name, member);
      ModuleWalk walk{f, prefix + name + "."};
      std::remove_const_t<U>::visit(member, walk);
    }
  }
};

}  // namespace detail

/// A type with `static void visit(auto& self, auto&& visitor)` that calls `visitor("name", self.member)` for each
/// parameter and child module, in a fixed order. Names are PyTorch's; paths join them with dots.
template <class M>
concept Module = requires(std::remove_const_t<M>& module) {
  std::remove_const_t<M>::visit(module, [](const std::string&, auto&) {});
};

/// f(path, parameter) for each parameter, in order: `lstm.weight_ih_l0`. Constant modules give constant parameters.
template <Module M, class F>
void for_each_parameter(M& module, F&& f) {
  detail::ParameterWalk<F> walk{f, ""};
  std::remove_const_t<M>::visit(module, walk);
}

/// f(path, module) for the module itself, whose path is empty, and every module below it, parents first: `lstm`.
template <Module M, class F>
void for_each_module(M& module, F&& f) {
  f(std::string(), module);
  detail::ModuleWalk<F> walk{f, ""};
  std::remove_const_t<M>::visit(module, walk);
}

/// As for_each_parameter(), but a parameter that several members share is visited once, under its first path.
template <Module M, class F>
void for_each_distinct_parameter(M& module, F&& f) {
  std::unordered_set<const void*> seen;
  for_each_parameter(module, [&](const std::string& path, auto& parameter) {
    if (seen.insert(&parameter).second) f(path, parameter);
  });
}

/// The number of trainable scalars; those of a shared parameter count once.
template <Module M>
std::size_t parameter_count(const M& module) {
  std::size_t count = 0;
  for_each_distinct_parameter(module, [&](const std::string&, const auto& parameter) { count += parameter.size(); });
  return count;
}

template <Module M>
void zero_grad(M& module) {
  for_each_parameter(module, [](const std::string&, auto& parameter) { parameter.zero_grad(); });
}

}  // namespace nn
