// Nonlinearity: what a cell applies to its gates and states, and a file to the outputs of a linear layer, by name.
#pragma once

#include "autograd/variable.hpp"
#include "nn/description.hpp"

namespace nn {

using autograd::Variable;

enum class Nonlinearity {
  identity,
  tanh,
  relu,
  sigmoid,
  hard_sigmoid,
  hard_tanh,
  leaky_relu,
  elu,
  softplus,
  softsign,
  softmax
};

/// "tanh". Throws ValueError for a value that is not in the enumeration.
const char* name(Nonlinearity f);

/// f of each element, softmax of each row of the last axis; parameters are the defaults of the op of that name.
template <class T>
Variable<T> activate(Nonlinearity f, Variable<T> x);

/// Those of a cell.
struct Nonlinearities {
  Nonlinearity gate = Nonlinearity::sigmoid;  ///< an RNN has none
  Nonlinearity candidate =
      Nonlinearity::tanh;                    ///< of what may enter the state: g of an LSTM, n of a GRU; an RNN has none
  Nonlinearity hidden = Nonlinearity::tanh;  ///< on the way to h: of an LSTM's cell state, of an RNN; a GRU has none

  friend bool operator==(const Nonlinearities&, const Nonlinearities&) = default;
};

/// Adds `gate_nonlinearity` and so on.
void add_to(Description& description, const Nonlinearities& f);

}  // namespace nn
