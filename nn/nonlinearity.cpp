#include "nn/nonlinearity.hpp"

#include <string>

#include "autograd/error.hpp"
#include "autograd/ops/activations.hpp"
#include "autograd/ops/softmax.hpp"

namespace nn {

const char* name(Nonlinearity f) {
  constexpr std::array names{"identity",   "tanh", "relu",     "sigmoid",  "hard_sigmoid", "hard_tanh",
                             "leaky_relu", "elu",  "softplus", "softsign", "softmax"};
  const auto index = static_cast<std::size_t>(f);
  if (index >= names.size()) throw autograd::ValueError(std::to_string(index) + " is no value of the enumeration");
  return names[index];
}

void add_to(Description& description, const Nonlinearities& f) {
  description.attributes.emplace_back("gate_nonlinearity", name(f.gate));
  description.attributes.emplace_back("candidate_nonlinearity", name(f.candidate));
  description.attributes.emplace_back("hidden_nonlinearity", name(f.hidden));
}

template <class T>
Variable<T> activate(Nonlinearity f, Variable<T> x) {
  switch (f) {
    case Nonlinearity::identity:
      return x;
    case Nonlinearity::tanh:
      return tanh(x);
    case Nonlinearity::relu:
      return relu(x);
    case Nonlinearity::sigmoid:
      return sigmoid(x);
    case Nonlinearity::hard_sigmoid:
      return hard_sigmoid(x);
    case Nonlinearity::hard_tanh:
      return hard_tanh(x);
    case Nonlinearity::leaky_relu:
      return leaky_relu(x);
    case Nonlinearity::elu:
      return elu(x);
    case Nonlinearity::softplus:
      return softplus(x);
    case Nonlinearity::softsign:
      return softsign(x);
    case Nonlinearity::softmax:
      return softmax(x);
  }
  return x;
}

template Variable<float> activate(Nonlinearity, Variable<float>);
template Variable<double> activate(Nonlinearity, Variable<double>);

}  // namespace nn
