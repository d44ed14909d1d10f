#include "nn/recurrent/lstm_variant_cell.hpp"

#include <string>

#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"

namespace nn {

using autograd::ValueError;

template <class T>
LSTMVariantCell<T>::LSTMVariantCell(const LSTMVariantOptions& options, Generator& generator) : options(options) {
  const std::size_t input = options.input_size, hidden = options.hidden_size, projection = options.proj_size;
  const std::size_t rows = autograd::extent_product("lstm_variant", options.gates(), hidden);
  if (input == 0 || hidden == 0)
    throw ValueError("lstm_variant: input_size and hidden_size must be positive, got " + std::to_string(input) +
                     " and " + std::to_string(hidden));
  if (projection >= hidden)
    throw ValueError("lstm_variant: proj_size must be smaller than hidden_size, got " + std::to_string(projection) +
                     " and " + std::to_string(hidden));
  if (options.norm_groups > 1 && options.norm_groups != options.gates())
    throw ValueError("lstm_variant: norm_groups must be 0, 1 or the number of gates, got " +
                     std::to_string(options.norm_groups));
  const auto draw = [&](const Shape& shape) { return Parameter<T>(uniform_fan<T>(shape, hidden, generator)); };
  weight_ih = draw({rows, input});
  weight_hh = draw({rows, projection ? projection : hidden});
  bias = draw({rows});
  if (projection) weight_hr = draw({projection, hidden});
  if (options.peephole) {
    peephole_i = draw({hidden});
    if (!options.coupled) peephole_f = draw({hidden});
    peephole_o = draw({hidden});
  }
  if (options.norm_groups) {
    const auto norm = [](std::size_t columns) {
      return Norm{Parameter<T>(autograd::full<T>({columns}, T(1))), Parameter<T>(autograd::zeros<T>({columns}))};
    };
    norm_x = norm(rows);
    norm_h = norm(rows);
    norm_c = norm(hidden);
  }
}

template <class T>
Variable<T> LSTMVariantCell<T>::normalized(Variable<T> a, Norm& norm, std::size_t groups) const {
  const Shape whole = a.shape();
  if (groups > 1) {
    Shape grouped = whole;
    grouped.back() = groups;
    grouped.push_back(whole.back() / groups);
    a = reshape(layer_norm(reshape(a, grouped), 1, options.eps), whole);
  } else {
    a = layer_norm(a, 1, options.eps);
  }
  return a * norm.gain + norm.shift;
}

template <class T>
Variable<T> LSTMVariantCell<T>::project(Variable<T> x) {
  if (!norm_x) return linear(x, weight_ih, bias);
  return normalized(linear(x, weight_ih), *norm_x, options.norm_groups) + bias;
}

template <class T>
LSTMState<T> LSTMVariantCell<T>::step(Variable<T> projected, const LSTMState<T>& state) {
  const Variable<T> z = norm_h ? projected + normalized(linear(state.h, weight_hh), *norm_h, options.norm_groups)
                               : linear(state.h, weight_hh, donate(projected));
  const std::size_t hidden = options.hidden_size;
  const auto gate = [&](std::size_t k) { return Variable<T>(autograd::Block<T>(z, k * hidden, hidden)); };
  const auto peeped = [&](Variable<T> pre, std::optional<Parameter<T>>& peephole, Variable<T> c) {
    return peephole ? pre + *peephole * c : pre;
  };
  const std::size_t last = options.gates() - 1;
  const Nonlinearities& by = options.nonlinearities;
  const Variable<T> i = named("i", activate(by.gate, named("zi", peeped(gate(0), peephole_i, state.c))));
  const Variable<T> f =
      named("f", options.coupled ? 1 - i : activate(by.gate, named("zf", peeped(gate(1), peephole_f, state.c))));
  const Variable<T> g = named("g", activate(by.candidate, named("zg", gate(last - 1))));
  Variable<T> c = f * state.c + i * g;
  if (norm_c && options.carry) c = normalized(c, *norm_c, 1);
  c = named("c", c);
  const Variable<T> o = named("o", activate(by.gate, named("zo", peeped(gate(last), peephole_o, c))));
  const Variable<T> h = named("h", o * activate(by.hidden, norm_c && !options.carry ? normalized(c, *norm_c, 1) : c));
  return {weight_hr ? linear(h, *weight_hr) : h, c};
}

template <class T>
LSTMState<T> LSTMVariantCell<T>::zero_state(Tape<T>& tape, std::size_t batch) const {
  const std::size_t hidden = options.hidden_size;
  return LSTMState<T>::zeros(tape, batch, options.proj_size ? options.proj_size : hidden, hidden);
}

template <class T>
Description LSTMVariantCell<T>::describe() const {
  Description description{"LSTMVariantCell",
                          {{"input_size", options.input_size},
                           {"hidden_size", options.hidden_size},
                           {"peephole", options.peephole},
                           {"coupled", options.coupled},
                           {"proj_size", options.proj_size},
                           {"norm_groups", options.norm_groups},
                           {"carry", options.carry},
                           {"eps", options.eps},
                           {"gate_order", options.coupled ? "igo" : "ifgo"}}};
  add_to(description, options.nonlinearities);
  return description;
}

template struct LSTMVariantCell<float>;
template struct LSTMVariantCell<double>;

}  // namespace nn
