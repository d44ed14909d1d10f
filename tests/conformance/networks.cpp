// Recurrent networks by PyTorch's names, and the comparison of their gradients.
#include "conformance/networks.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm.hpp"
#include "nn/recurrent/rnn.hpp"

namespace conformance {

using autograd::FormatError;

namespace {

class LSTMNetwork final : public Network {
 public:
  explicit LSTMNetwork(const nn::LayersOptions& options) : lstm_(options, generator_) {}

  std::vector<std::pair<std::string, Parameter<double>*>> parameters() override { return parameters_of(lstm_); }

  Outputs operator()(Variable<double> x, std::optional<Variable<double>> h0, std::optional<Variable<double>> c0,
                     std::span<const std::size_t> lengths) override {
    const nn::LSTMState<double> initial{h0.value_or(Variable<double>()), c0.value_or(Variable<double>())};
    const auto [output, state] = lstm_(x, {.initial = initial, .lengths = lengths});
    return {output, state.h, state.c};
  }

 private:
  autograd::Generator generator_{1};
  nn::LSTM<double> lstm_;
};

/// A network whose state is h.
template <class N>
class HiddenNetwork final : public Network {
 public:
  explicit HiddenNetwork(const nn::LayersOptions& options) : network_(options, generator_) {}

  std::vector<std::pair<std::string, Parameter<double>*>> parameters() override { return parameters_of(network_); }

  Outputs operator()(Variable<double> x, std::optional<Variable<double>> h0, std::optional<Variable<double>> c0,
                     std::span<const std::size_t> lengths) override {
    if (c0) throw Unknown("c0 of a network without a cell state");
    const auto [output, state] = network_(x, {.initial = h0, .lengths = lengths});
    return {output, state, std::nullopt};
  }

 private:
  autograd::Generator generator_{1};
  N network_;
};

}  // namespace

std::unique_ptr<Network> make_network(const Case& c) {
  const auto module = c.get<std::string>("/config/module");
  const auto flag = [&](const char* key, bool otherwise) { return c.get(std::string("/config/") + key, otherwise); };
  if (c.get("/config/dropout", 0.0) != 0) throw Unknown("config/dropout: it is random");
  const auto nonlinearity = c.get<std::string>("/config/nonlinearity", "tanh");
  nn::LayersOptions options{.input_size = c.get<std::size_t>("/config/input_size"),
                            .hidden_size = c.get<std::size_t>("/config/hidden_size"),
                            .num_layers = c.get<std::size_t>("/config/num_layers", 1),
                            .bias = flag("bias", true),
                            .batch_first = flag("batch_first", false),
                            .bidirectional = flag("bidirectional", false),
                            .proj_size = c.get<std::size_t>("/config/proj_size", 0)};
  if (module == "LSTM" && nonlinearity == "tanh") return std::make_unique<LSTMNetwork>(options);
  if (module == "GRU") return std::make_unique<HiddenNetwork<nn::GRU<double>>>(options);
  if (module == "RNN" && (nonlinearity == "tanh" || nonlinearity == "relu")) {
    if (nonlinearity == "relu") options.nonlinearities.hidden = nn::Nonlinearity::relu;
    return std::make_unique<HiddenNetwork<nn::RNN<double>>>(options);
  }
  throw Unknown("module \"" + module + "\"");
}

void load(std::span<const std::pair<std::string, Parameter<double>*>> parameters, const Case& c,
          const std::string& pointer) {
  for (const std::string& name : c.keys(pointer)) {
    const auto called = [&](const auto& parameter) { return parameter.first == name; };
    if (std::none_of(parameters.begin(), parameters.end(), called) && name != "input" && name != "h0" && name != "c0")
      throw Unknown(pointer.substr(1) + "/" + name);
  }
  for (const auto& [name, parameter] : parameters) {
    const Array<double> value = c.tensor(pointer + "/" + name);
    if (!(autograd::shape_of(value) == parameter->shape()))
      throw FormatError("oracle " + c.name() + ", " + pointer + "/" + name + ": shape " +
                        to_string(autograd::shape_of(value)) + ", the configuration asks for " +
                        to_string(parameter->shape()));
    parameter->update([&](auto& values) { values = value; });
  }
}

std::vector<std::size_t> lengths_of(const Case& c) {
  c.has("/config/enforce_sorted");  // how PyTorch was told about the lengths
  if (!c.has("/config/lengths")) return {};
  return c.get<std::vector<std::size_t>>("/config/lengths");
}

namespace {

/// Every gradient that the case lists must be one of a leaf.
void check_names(std::span<const Leaf> leaves, const Case& c, const std::string& pointer, Findings& findings) {
  std::vector<std::string> listed;
  for (const std::string& key : c.keys(pointer)) {
    if (!c.has(pointer + "/" + key)) continue;
    if (key != "params") listed.push_back(key);
    if (key == "params")
      for (const std::string& name : c.keys(pointer + "/params")) listed.push_back("params/" + name);
  }
  for (const std::string& name : listed)
    if (std::none_of(leaves.begin(), leaves.end(), [&](const Leaf& leaf) { return leaf.name == name; }))
      findings.fail(pointer.substr(1) + "/" + name + ": there is no such input");
}

}  // namespace

std::vector<Variable<double>> compare_leaves(Variable<double> total, std::span<const Leaf> leaves, const Case& c,
                                             const std::string& pointer, Tolerance allowed, Findings& findings) {
  check_names(leaves, c, pointer, findings);
  Tape<double>& tape = total.tape();
  std::vector<Variable<double>> variables;
  for (const Leaf& leaf : leaves) {
    variables.push_back(leaf.variable);
    if (leaf.parameter) leaf.parameter->zero_grad();
  }
  tape.backward(total);
  const auto gradients = grad(total, std::span<const Variable<double>>(variables));
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    const std::string quantity = pointer.substr(1) + "/" + leaves[k].name;
    const Array<double> expected = c.tensor(pointer + "/" + leaves[k].name);
    findings.compare(quantity, gradients[k].copy(), expected, allowed);
    findings.compare(quantity + " by backward()",
                     leaves[k].parameter ? leaves[k].parameter->grad() : tape.gradient(leaves[k].variable), expected,
                     allowed);
  }
  return gradients;
}

}  // namespace conformance
