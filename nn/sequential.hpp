// Sequential: modules, each on what the one before gives.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include "autograd/ops/random.hpp"
#include "nn/description.hpp"
#include "nn/module.hpp"

namespace nn {

namespace detail {

/// Runs on a Variable, in training perhaps with a generator.
template <class M, class T>
concept Layer = requires(M& module, autograd::Variable<T> x) {
  module(x);
}
|| requires(M& module, autograd::Variable<T> x, autograd::Generator& generator) { module(x, generator); };

}  // namespace detail

/// The modules are named 0, 1, ... in paths, as PyTorch's are: `0.weight_ih_l0`.
///
///     nn::Sequential model(nn::LSTM<float>({.input_size = 1, .hidden_size = 16}, generator),
///                          nn::Dropout<float>(0.1), nn::Linear<float>(16, 1, generator));
template <Module... Modules>
struct Sequential {
  std::tuple<Modules...> modules;

  explicit Sequential(Modules... each) : modules(std::move(each)...) {}

  /// The module at place K.
  template <std::size_t K>
  auto& get() {
    return std::get<K>(modules);
  }
  template <std::size_t K>
  const auto& get() const {
    return std::get<K>(modules);
  }

  /// What goes on from a recurrent module is its output. `dropout` is given in training: it draws the dropout of all
  /// modules.
  template <class T>
  requires(detail::Layer<Modules, T>&&...) autograd::Variable<T>
  operator()(autograd::Variable<T> x, autograd::Generator* dropout = nullptr) {
    std::apply([&](auto&... module) { ((x = step(module, x, dropout)), ...); }, modules);
    return x;
  }

  Description describe() const { return {"Sequential"}; }

  static void visit(auto& self, auto&& visitor) {
    std::apply(
        [&](auto&... module) {
          std::size_t k = 0;
          (visitor(std::to_string(k++), module), ...);
        },
        self.modules);
  }

 private:
  template <class T>
  static autograd::Variable<T> step(auto& module, autograd::Variable<T> x, autograd::Generator* dropout) {
    if constexpr (requires { module(x, *dropout); })
      return dropout ? module(x, *dropout) : x;
    else if constexpr (requires { module(x, {.dropout = dropout}).output; })
      return module(x, {.dropout = dropout}).output;
    else if constexpr (requires { module(x).output; })
      return module(x).output;
    else if constexpr (requires { module(x, dropout); })
      return module(x, dropout);
    else
      return module(x);
  }
};

}  // namespace nn
