#include "nn/recurrent/recurrent_weights.hpp"

#include <string>
#include <utility>

#include "autograd/error.hpp"

namespace nn {

namespace {

using autograd::ValueError;

/// Throws ValueError for what the cell can not be made of.
void check(const CellTraits& cell, const CellOptions& options) {
  const auto fail = [&](const std::string& what) { throw ValueError(std::string(cell.name) + ": " + what); };
  const std::size_t input = options.input_size, hidden = options.hidden_size;
  if (input == 0 || hidden == 0)
    fail("input_size and hidden_size must be positive, got " + std::to_string(input) + " and " +
         std::to_string(hidden));
  if (options.proj_size && !cell.projection) fail("proj_size is not an option of this cell; leave it out");
  if (options.proj_size >= hidden)
    fail("proj_size must be smaller than hidden_size, got " + std::to_string(options.proj_size) + " and " +
         std::to_string(hidden));
  if (options.forget_bias != 0 && !cell.forget_gate) fail("forget_bias is not an option of this cell; leave it out");
  if (options.forget_bias != 0 && !options.bias)
    fail("forget_bias is an initial value of bias_ih; it needs bias = true");
  const Nonlinearities usual;
  const auto refuse = [&](const char* which, bool has, Nonlinearity given, Nonlinearity standard) {
    if (!has && given != standard)
      fail(std::string("nonlinearities.") + which + " is " + name(given) +
           ", and this cell applies none there; leave it out");
  };
  refuse("gate", cell.gate, options.nonlinearities.gate, usual.gate);
  refuse("candidate", cell.candidate, options.nonlinearities.candidate, usual.candidate);
  refuse("hidden", cell.hidden, options.nonlinearities.hidden, usual.hidden);
}

}  // namespace

template <class T>
RecurrentWeights<T>::RecurrentWeights(const CellTraits& cell, const CellOptions& options, Generator& generator)
    : nonlinearities(options.nonlinearities), gates_(cell.gates) {
  const std::size_t input = options.input_size, hidden = options.hidden_size;
  const std::size_t rows = autograd::extent_product(cell.name, cell.gates, hidden);
  check(cell, options);
  const auto draw = [&](const Shape& shape) { return Parameter<T>(uniform_fan<T>(shape, hidden, generator)); };
  weight_ih = draw({rows, input});
  weight_hh = draw({rows, options.proj_size ? options.proj_size : hidden});
  if (!options.bias) return;
  bias_ih = draw({rows});
  bias_hh = draw({rows});
  if (options.forget_bias != 0)
    bias_ih->update([&](auto& values) {
      for (std::size_t k = 0; k < hidden; ++k)
        values(cell.forget_gate * hidden + k) += static_cast<T>(options.forget_bias);
    });
}

template <class T>
Description RecurrentWeights<T>::described(const char* type, const char* gate_order,
                                           std::vector<Attribute> more) const {
  Description description{type,
                          {{"input_size", input_size()}, {"hidden_size", hidden_size()}, {"gate_order", gate_order}}};
  for (Attribute& attribute : more) description.attributes.push_back(std::move(attribute));
  add_to(description, nonlinearities);
  return description;
}

template struct RecurrentWeights<float>;
template struct RecurrentWeights<double>;

}  // namespace nn
