// step_graph(): one step of a model as a Graph, recorded from what the model is in C++.
#pragma once

#include <array>
#include <concepts>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/graph/record.hpp"
#include "nn/dropout.hpp"
#include "nn/embedding.hpp"
#include "nn/module.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm.hpp"
#include "nn/recurrent/rnn.hpp"
#include "nn/sequential.hpp"

namespace nn {

using autograd::Graph;

struct StepOptions {
  std::size_t input_size = 0;  ///< features of x; where the model says how many it reads, they may be left out
};

namespace detail {

template <class>
inline constexpr bool never = false;

template <class S>
concept TupleLike = requires {
  std::tuple_size<S>::value;
};
template <class S>
concept ListOfStates = requires(S& list, std::size_t k) {
  list.resize(k);
  list[k];
};

/// map_state(), also for tuples, pairs, arrays and vectors of states.
template <class F, class State, class... Rest>
State map_components(F& f, const State& state, const Rest&... rest) {
  if constexpr (requires { map_state(f, state, rest...); }) {
    return map_state(f, state, rest...);
  } else if constexpr (TupleLike<State>) {
    return [&]<std::size_t... K>(std::index_sequence<K...>) {
      return State{[&] {
        constexpr std::size_t k = K;
        return map_components(f, std::get<k>(state), std::get<k>(rest)...);
      }()...};
    }
    (std::make_index_sequence<std::tuple_size_v<State>>{});
  } else if constexpr (ListOfStates<State>) {
    State result = state;
    for (std::size_t k = 0; k < result.size(); ++k) result[k] = map_components(f, state[k], rest[k]...);
    return result;
  } else {
    static_assert(never<State>,
                  "step_graph: a state is a Variable, has a static map() (see nn/recurrent/cell.hpp), or is a tuple, "
                  "pair, array or vector of such");
  }
}

template <class M>
inline constexpr bool is_recurrent = false;
template <class C>
inline constexpr bool is_recurrent<Recurrent<C>> = true;
template <class M>
inline constexpr bool is_layers = false;
template <class T, class C>
inline constexpr bool is_layers<RecurrentLayers<T, C>> = true;
template <class M>
inline constexpr bool is_sequential = false;
template <class... Modules>
inline constexpr bool is_sequential<Sequential<Modules...>> = true;
template <class M>
inline constexpr bool is_dropout = false;
template <class T>
inline constexpr bool is_dropout<Dropout<T>> = true;
template <class M>
inline constexpr bool is_embedding = false;
template <class T>
inline constexpr bool is_embedding<Embedding<T>> = true;

/// LSTM, GRU and RNN: layers, under the names and with the results of PyTorch's.
template <class M>
concept HoldsLayers = requires(M& module) {
  module.layers().cell(0);
};

/// A model that says what one step is: step(x, state) gives an output and a state.
template <class M, class T>
concept SteppedModel = requires(M& model, Tape<T>& tape, Variable<T> x) {
  model.step(x, model.zero_state(tape, std::size_t{})).output;
  model.step(x, model.zero_state(tape, std::size_t{})).state;
};
/// What runs a Variable alone.
template <class M, class T>
concept Applied = requires(M& module, Variable<T> x) {
  { module(x) } -> std::same_as<Variable<T>>;
};

/// What carries a state from step to step.
template <class M, class T>
inline constexpr bool carries = is_recurrent<M> || is_layers<M> || HoldsLayers<M> || Cell<M, T> || SteppedModel<M, T>;

/// What step_graph() takes.
template <class M, class T>
concept Steppable = carries<M, T> || is_sequential<M> || is_dropout<M> || is_embedding<M> || Applied<M, T>;

/// How many features a module reads, 0 where it does not say.
template <class M>
std::size_t input_size_of(const M& module) {
  if constexpr (is_embedding<M>)
    return 1;
  else if constexpr (is_recurrent<M>)
    return input_size_of(module.cell);
  else if constexpr (is_layers<M> || HoldsLayers<M>)
    return module.options().input_size;
  else if constexpr (requires {
                       { module.input_size() } -> std::convertible_to<std::size_t>;
                     })
    return module.input_size();
  else if constexpr (requires {
                       module.options.input_size;
                       module.options.hidden_size;
                     })
    return module.options.input_size;
  else if constexpr (requires {
                       module.weight.value();
                       module.bias;
                       module.eps;
                     })  // LayerNorm
    return module.weight.value().shape(0);
  else if constexpr (requires {
                       module.weight.value();
                       module.bias;
                     })  // Linear
    return module.weight.value().shape(1);
  else if constexpr (is_sequential<M>) {
    std::size_t size = 0;
    std::apply([&](const auto&... each) { ((size = size ? size : input_size_of(each)), ...); }, module.modules);
    return size;
  } else {
    return 0;
  }
}

/// Records one step of a model, and which values are its states.
template <class T>
class StepRecorder {
 public:
  StepRecorder(Tape<T>& tape, std::size_t batch) : tape_(tape), batch_(batch) {}

  /// The output for x (batch, features). `path` is that of the module in the model.
  template <class M>
  Variable<T> advance(const std::string& path, M& module, Variable<T> x) {
    if constexpr (HoldsLayers<M>) {
      return advance(path, module.layers(), x);
    } else if constexpr (is_layers<M>) {
      if (module.options().bidirectional)
        throw autograd::ValueError(where(path) +
                                   "is bidirectional: in reverse it begins at the end of a sequence, "
                                   "which a step does not know; make it with bidirectional = false");
      for (std::size_t k = 0; k < module.count(); ++k) {
        const Variable<T> y = step_cell(path, "_l" + std::to_string(k), module.cell(k), x);
        x = module.options().residual ? y + x : y;
      }
      return x;
    } else if constexpr (is_recurrent<M>) {
      if (module.options.reverse)
        throw autograd::ValueError(where(path) +
                                   "runs in reverse: it begins at the end of a sequence, which a step "
                                   "does not know; make it with reverse = false");
      const Variable<T> y = step_cell(path, "", module.cell, x);
      return module.options.residual ? y + x : y;
    } else if constexpr (Cell<M, T>) {
      return step_cell(path, "", module, x);
    } else if constexpr (SteppedModel<M, T>) {
      return step(path, "", module.zero_state(tape_, batch_), x, [&](Variable<T> in, const auto& state) {
        const auto result = module.step(in, state);
        return std::pair{result.output, result.state};
      });
    } else if constexpr (is_sequential<M>) {
      std::size_t k = 0;
      std::apply([&](auto&... each) { ((x = advance(joined(path, std::to_string(k++)), each, x)), ...); },
                 module.modules);
      return x;
    } else if constexpr (is_dropout<M>) {
      return x;
    } else if constexpr (is_embedding<M>) {
      return embedding(tape_.parameter(module.weight), reshape(x, {batch_}));
    } else if constexpr (Applied<M, T>) {
      if constexpr (Module<M>)
        for_each_module(module, [&](const std::string& part, auto& each) {
          if constexpr (carries<std::remove_cvref_t<decltype(each)>, T>)
            throw autograd::ValueError(where(path) + "runs \"" + part +
                                       "\", which carries a state from step to step, "
                                       "over whole sequences; give it members zero_state(tape, batch) and "
                                       "step(x, state), which returns {output, state}, or make it an nn::Sequential");
        });
      return module(x);
    } else {
      static_assert(never<M>,
                    "step_graph: a model is a cell, Recurrent, layers, a module that is called with a Variable alone, "
                    "a Sequential of these, or has members zero_state(tape, batch) and step(x, state) that returns "
                    "{output, state}");
    }
  }

  /// The output of f(x, state), which returns it and the next state.
  template <class State, class F>
  Variable<T> step(const std::string& path, const std::string& suffix, const State& initial, Variable<T> x, F f) {
    std::vector<Variable<T>> before, after;
    const auto leaf = [&](Variable<T> component) {
      before.push_back(tape_.variable(component.copy()));
      return before.back();
    };
    const State state = map_components(leaf, initial);
    const auto [output, next] = f(x, state);
    const auto keep = [&](Variable<T> component) {
      after.push_back(component);
      return component;
    };
    map_components(keep, static_cast<const State&>(next));
    if (before.size() != after.size())
      throw autograd::ValueError(where(path) + "has a state of " + std::to_string(before.size()) +
                                 " values before a step, and of " + std::to_string(after.size()) + " after it");
    for (std::size_t k = 0; k < after.size(); ++k) {
      std::string name(tape_.recording().name_of(after[k].slot()));
      if (name.empty()) name = "state";
      states_.push_back({unique(joined(path, name + suffix)), before[k], after[k]});
    }
    return output;
  }

  const std::vector<typename autograd::GraphEnds<T>::State>& states() const { return states_; }

 private:
  template <class C>
  Variable<T> step_cell(const std::string& path, const std::string& suffix, C& cell, Variable<T> x) {
    return step(path, suffix, cell.zero_state(tape_, batch_), x, [&](Variable<T> in, const auto& state) {
      auto next = cell(in, state);
      const Variable<T> y = output(next);
      return std::pair{y, std::move(next)};
    });
  }
  static std::string joined(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }
  static std::string where(const std::string& path) {
    return "step_graph: " + (path.empty() ? std::string("the model ") : "\"" + path + "\" ");
  }
  std::string unique(std::string name) {
    const std::string first = name;
    for (std::size_t k = 2; !names_.insert(name).second; ++k) name = first + "_" + std::to_string(k);
    return name;
  }

  Tape<T>& tape_;
  std::size_t batch_;
  std::vector<typename autograd::GraphEnds<T>::State> states_;
  std::set<std::string> names_;
};

/// Leaves each of the compiled functions once.
template <class T>
void make_distinct(std::vector<autograd::CompiledFunction<T>>& functions) {
  std::vector<autograd::CompiledFunction<T>> distinct;
  for (auto& function : functions) {
    bool known = false;
    for (const auto& each : distinct) known |= each.run == function.run && each.captured == function.captured;
    if (!known) distinct.push_back(std::move(function));
  }
  functions = std::move(distinct);
}

/// record(recorder, x) is the output; name(tape, ends) gives the parameters names.
/// Without `any_batch` the graph is one for a single sequence.
template <class T, class Record, class Name>
Graph<T> graph_of_step(std::size_t input_size, Record record, Name name, bool any_batch = true) {
  if (input_size == 0)
    throw autograd::ValueError("step_graph: how many features the model reads is not known; say it: {.input_size = 2}");
  std::vector<autograd::CompiledFunction<T>> functions;
  const auto recorded = [&](std::size_t batch) {
    Tape<T> tape;
    tape.record_op_by_op();
    if (batch == 1) tape.recording().collect_compiled_functions(&functions);
    const Variable<T> x = tape.variable(autograd::zeros<T>({batch, input_size}));
    StepRecorder<T> recorder(tape, batch);
    autograd::GraphEnds<T> ends;
    const Variable<T> y = record(recorder, x);
    ends.inputs = {{"x", x}};
    ends.outputs = {{"y", y}};
    ends.states = recorder.states();
    name(tape, ends);
    return graph_of(tape, ends);
  };
  Graph<T> graph = recorded(1);
  try {
    if (any_batch) mark_batch(graph, recorded(2));
  } catch (const autograd::Error&) {
    // It is a graph for one sequence.
  }
  make_distinct(functions);
  graph.functions = std::move(functions);
  return graph;
}

/// float where a model runs it, or else double.
template <class M>
using ElementOf = std::conditional_t<carries<M, float> || (!carries<M, double> && Applied<M, float>), float, double>;

}  // namespace detail

/// One step of a model: input x (batch, features) and the states, output y and the next states. A model is
///
///   a cell, Recurrent, RecurrentLayers, an LSTM, GRU or RNN; a module that is called with a Variable alone, such as
///   Linear and LayerNorm; an Embedding, whose x is the number of a row; a Sequential of these; or a struct with
///   members zero_state(tape, batch) and step(x, state) that returns {output, state}.
///
/// Dropout is left out. Parameters have their paths, states the names that the model gives them, with the path of what
/// carries them. The graph has copies of all numbers.
///
/// Throws ValueError for what can not run forward in time, step by step (bidirectional, reverse), for a model that runs
/// something recurrent over whole sequences, for an op that a graph can not have, and where the number of features is
/// not known.
template <class T, class M>
Graph<T> step_graph(M& model, const StepOptions& options = {}) {
  const std::size_t size = options.input_size ? options.input_size : detail::input_size_of(model);
  return detail::graph_of_step<T>(
      size, [&](detail::StepRecorder<T>& recorder, Variable<T> x) { return recorder.advance("", model, x); },
      [&](Tape<T>& tape, autograd::GraphEnds<T>& ends) {
        if constexpr (Module<M>)
          for_each_distinct_parameter(model, [&](const std::string& path, auto& parameter) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(parameter)>, Parameter<T>>)
              if (const Variable<T> held = tape.held(parameter)) ends.parameters.push_back({path, held});
          });
      });
}
/// Of float where the model can run it, otherwise of double.
template <class M>
auto step_graph(M& model, const StepOptions& options = {}) {
  return step_graph<detail::ElementOf<M>>(model, options);
}

/// The same of a function f(x, state) that returns {output, state}, as a pair or a struct of two, with
/// zero_state(tape, batch) the state before the first step. Parameters are called parameter_0 and so on.
template <class T, class F, class ZeroState>
requires std::invocable < ZeroState&, Tape<T>
&, std::size_t > Graph<T> step_graph(F f, ZeroState zero_state, const StepOptions& options) {
  return detail::graph_of_step<T>(
      options.input_size,
      [&](detail::StepRecorder<T>& recorder, Variable<T> x) {
        return recorder.step("", "", zero_state(x.tape(), x.shape()[0]), x, f);
      },
      [](Tape<T>&, autograd::GraphEnds<T>&) {});
}

}  // namespace nn
