// Recurrent networks by PyTorch's names, as the reference vectors configure them.
#pragma once

#include <memory>
#include <optional>

#include "conformance/conformance.hpp"
#include "nn/module.hpp"

namespace conformance {

using nn::Parameter;

/// A leaf under the name of its gradient: a parameter, or an input.
struct Leaf {
  std::string name;
  Variable<double> variable;
  Parameter<double>* parameter = nullptr;
};

/// What a network gives; c_n only where its cell has one.
struct Outputs {
  Variable<double> output, h_n;
  std::optional<Variable<double>> c_n;
};

/// Layers of recurrent cells, whichever.
class Network {
 public:
  virtual ~Network() = default;
  virtual std::vector<std::pair<std::string, Parameter<double>*>> parameters() = 0;
  /// x (T, B, I), or (B, T, I) with batch_first; the states (layers D, B, .), zeros if not given.
  virtual Outputs operator()(Variable<double> x, std::optional<Variable<double>> h0, std::optional<Variable<double>> c0,
                             std::span<const std::size_t> lengths) = 0;
};

/// The network that /config describes. Throws Unknown for a module that is not known here.
std::unique_ptr<Network> make_network(const Case& c);

/// The names and parameters of a module.
template <nn::Module M>
std::vector<std::pair<std::string, Parameter<double>*>> parameters_of(M& module) {
  std::vector<std::pair<std::string, Parameter<double>*>> result;
  nn::for_each_parameter(module, [&](const std::string& name, auto& p) { result.emplace_back(name, &p); });
  return result;
}

/// Writes each parameter from the tensor pointer/name. Throws FormatError where a tensor is missing or has another
/// shape, Unknown for one that is neither a parameter nor an input.
void load(std::span<const std::pair<std::string, Parameter<double>*>> parameters, const Case& c,
          const std::string& pointer);

/// Valid lengths of the sequences, none where they are all whole.
std::vector<std::size_t> lengths_of(const Case& c);

/// Compares d(total)/d(leaf), by backward() and by grad(), with the tensors pointer/name. Gives grad()'s.
std::vector<Variable<double>> compare_leaves(Variable<double> total, std::span<const Leaf> leaves, const Case& c,
                                             const std::string& pointer, Tolerance allowed, Findings& findings);

}  // namespace conformance
