#include "nn/io/network.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "autograd/error.hpp"
#include "nn/nonlinearity.hpp"

namespace nn::io {

using autograd::ValueError;

namespace {

constexpr std::array activations{"", "tanh", "relu", "sigmoid", "softmax", "elu"};  // in the order of Activation
constexpr std::array kinds{"LSTM", "GRU", "RNN", "Linear"};                         // in the order of Layer::Kind

/// Where the arrays of a module are.
struct Found {
  std::string prefix;  ///< with its dot
  Layer::Kind kind;
  bool cell = false;  ///< without `_l0`
  Description description = {};
};

std::string module_name(const std::string& prefix) {
  return prefix.empty() ? prefix : prefix.substr(0, prefix.size() - 1);
}

std::optional<Attribute> attribute(const Description& description, const std::string& name) {
  for (const Attribute& attribute : description.attributes)
    if (attribute.name == name) return attribute;
  return {};
}

/// Takes the arrays of modules out of weights, and remembers which are left.
class Collector {
 public:
  explicit Collector(const Weights& weights) : weights_(weights) {}

  std::vector<Found> described() const {
    std::vector<Found> result;
    for (const auto& [path, description] : weights_.modules) {
      std::string type = description.type;
      const bool cell = type.ends_with("Cell");
      if (cell) type.resize(type.size() - 4);
      const auto kind = std::find(kinds.begin(), kinds.end(), type);
      if (kind == kinds.end()) continue;  // its own arrays, if it has any, are found to be left over
      const std::string prefix = path.empty() ? path : path + ".";
      result.push_back({prefix, static_cast<Layer::Kind>(kind - kinds.begin()), cell, description});
    }
    return result;
  }

  std::vector<Found> guessed() const {
    std::vector<Found> result;
    for (const auto& [name, tensor] : weights_.tensors) {
      const auto prefix_before = [&name = name](const std::string& end) -> std::optional<std::string> {
        if (!name.ends_with(end)) return {};
        std::string prefix = name.substr(0, name.size() - end.size());
        if (!prefix.empty() && prefix.back() != '.') return {};
        return prefix;
      };
      if (const auto prefix = prefix_before("weight_ih_l0"))
        result.push_back({*prefix, recurrent_kind(*prefix, "_l0"), false});
      else if (const auto prefix = prefix_before("weight_ih"))
        result.push_back({*prefix, recurrent_kind(*prefix, ""), true});
      else if (const auto prefix = prefix_before("weight"); prefix && tensor.shape.rank() == 2)
        result.push_back({*prefix, Layer::Kind::linear});
    }
    return result;
  }

  std::vector<Layer> layers(const Found& found) {
    std::vector<Layer> result;
    const std::string name = module_name(found.prefix);
    if (!found.cell && found.kind != Layer::Kind::linear) {
      for (std::size_t level = 0;; ++level) {
        const std::string suffix = "_l" + std::to_string(level);
        if (level > 0 && !weights_.find(found.prefix + "weight_ih" + suffix)) return result;
        Layer layer = begin(found, name);
        layer.directions = {recurrent_arrays(found.prefix, suffix)};
        if (weights_.find(found.prefix + "weight_ih" + suffix + "_reverse"))
          layer.directions.push_back(recurrent_arrays(found.prefix, suffix + "_reverse"));
        result.push_back(sized(std::move(layer)));
      }
    }
    Layer layer = begin(found, name);
    layer.cell = found.cell;
    if (found.kind == Layer::Kind::linear) {
      layer.directions[0].weight_ih = needed(found.prefix + "weight");
      layer.directions[0].bias_ih = take(found.prefix + "bias");
    } else {
      layer.directions[0] = recurrent_arrays(found.prefix, "");
    }
    return {sized(std::move(layer))};
  }

  void check_all_taken() const {
    for (const auto& [name, tensor] : weights_.tensors)
      if (!taken_.contains(name))
        throw ValueError(name + " " + to_string(tensor.shape) +
                         " belongs to no LSTM, GRU, RNN or Linear layer; only these, one after the other, can be "
                         "converted to programs that run them");
  }

 private:
  Tensor take(const std::string& name) {
    const Tensor* const tensor = weights_.find(name);
    if (!tensor) return {};
    taken_.insert(name);
    return *tensor;
  }

  Tensor needed(const std::string& name) {
    if (!weights_.find(name)) throw ValueError(name + " is missing");
    return take(name);
  }

  Arrays recurrent_arrays(const std::string& prefix, const std::string& suffix) {
    Arrays arrays;
    arrays.weight_ih = needed(prefix + "weight_ih" + suffix);
    arrays.weight_hh = needed(prefix + "weight_hh" + suffix);
    arrays.bias_ih = take(prefix + "bias_ih" + suffix);
    arrays.bias_hh = take(prefix + "bias_hh" + suffix);
    arrays.weight_hr = take(prefix + "weight_hr" + suffix);
    return arrays;
  }

  /// By the number of row blocks of weight_hh.
  Layer::Kind recurrent_kind(const std::string& prefix, const std::string& suffix) const {
    const Tensor* const hh = weights_.find(prefix + "weight_hh" + suffix);
    if (!hh || hh->shape.rank() != 2) throw ValueError(prefix + "weight_hh" + suffix + " is missing or no matrix");
    const Tensor* const hr = weights_.find(prefix + "weight_hr" + suffix);
    const std::size_t hidden = hr && hr->shape.rank() == 2 ? hr->shape[1] : hh->shape[1];
    if (hidden > 0 && hh->shape[0] == 4 * hidden) return Layer::Kind::lstm;
    if (hidden > 0 && hh->shape[0] == 3 * hidden) return Layer::Kind::gru;
    if (hidden > 0 && hh->shape[0] == hidden) return Layer::Kind::rnn;
    throw ValueError(prefix + "weight_hh" + suffix + " has shape " + to_string(hh->shape) +
                     ", expected (4 H, H) of an LSTM, (3 H, H) of a GRU or (H, H) of an RNN");
  }

  static Layer begin(const Found& found, const std::string& name) {
    Layer layer{.kind = found.kind, .name = name};
    if (const auto order = attribute(found.description, "gate_order"); order && order->text != gate_order(found.kind))
      throw ValueError(name + " has gate order " + order->text + ", expected " + gate_order(found.kind));
    const auto require = [&](const char* what, const Attribute& usual) {
      const auto has = attribute(found.description, usual.name);
      if (has && !(*has == usual))
        throw ValueError(name + what + has->text + ", which only the wengert/1 file of the model holds; write that");
    };
    require(" has a residual connection", {"residual", false});
    const nn::GateNonlinearities usual;
    require(" has gates with ", {"gate_nonlinearity", nn::name(usual.gate)});
    require(" has candidates with ", {"candidate_nonlinearity", nn::name(usual.candidate)});
    require(" has hidden states with ", {"hidden_nonlinearity", nn::name(usual.hidden)});
    if (found.kind == Layer::Kind::gru) {
      const auto reset_after = attribute(found.description, "reset_after");
      layer.reset_after = !reset_after || reset_after->number != 0;
    }
    if (found.kind == Layer::Kind::rnn) {
      const auto nonlinearity = attribute(found.description, "nonlinearity");
      const auto activation = activation_named(nonlinearity ? nonlinearity->text : "tanh");
      if (activation != Activation::tanh && activation != Activation::relu)
        throw ValueError(name + " has nonlinearity " + nonlinearity->text + ", expected tanh or relu");
      layer.activation = *activation;
    }
    return layer;
  }

  static Layer sized(Layer layer) {
    const Tensor& weight = layer.directions[0].weight_ih;
    if (weight.shape.rank() != 2)
      throw ValueError(layer.name + ": a weight has shape " + to_string(weight.shape) + ", expected two axes");
    layer.size = weight.shape[0] / layer.gates();
    layer.input_size = weight.shape[1];
    return layer;
  }

  const Weights& weights_;
  std::set<std::string> taken_;
};

bool chained(const std::vector<Layer>& layers) {
  for (std::size_t k = 1; k < layers.size(); ++k)
    if (layers[k].input_size != layers[k - 1].output_size()) return false;
  return true;
}

/// The order in the file is that of the model, unless its names are sorted: then, as where the layers do not fit one
/// another in that order, recurrent layers come first, if so they fit.
void order_layers(std::vector<Layer>& layers, const Weights& weights) {
  const bool sorted = std::is_sorted(weights.tensors.begin(), weights.tensors.end(),
                                     [](const auto& a, const auto& b) { return a.first < b.first; });
  if (!sorted && chained(layers)) return;
  std::vector<Layer> other = layers;
  std::stable_partition(other.begin(), other.end(), [](const Layer& layer) { return layer.recurrent(); });
  if (chained(other)) layers = std::move(other);
}

void require_sound(const Network& network) {
  const std::vector<std::string> problems = faults(network);
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  if (!all.empty()) throw ValueError(all);
}

}  // namespace

const char* name(Activation activation) { return activations[static_cast<std::size_t>(activation)]; }

std::optional<Activation> activation_named(const std::string& name) {
  if (name == "linear") return Activation::none;
  const auto found = std::find(activations.begin(), activations.end(), name);
  if (found == activations.end()) return {};
  return static_cast<Activation>(found - activations.begin());
}

const char* name(Layer::Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

const char* gate_order(Layer::Kind kind) {
  return kind == Layer::Kind::lstm ? "ifgo" : kind == Layer::Kind::gru ? "rzn" : "";
}

std::size_t Network::parameter_count() const {
  std::size_t count = 0;
  for_each_tensor(*this, [&](const std::string&, const Tensor& tensor) { count += tensor.values.size(); });
  return count;
}

std::vector<std::string> faults(const Network& network) {
  std::vector<std::string> result;
  const auto check = [&](const Layer& layer, const char* what, const Tensor& tensor, const Shape& expected) {
    if (tensor.shape != expected || tensor.values.size() != expected.elements())
      result.push_back(layer.name + ": " + what + " has shape " + to_string(tensor.shape) + ", expected " +
                       to_string(expected));
  };
  if (network.layers.empty()) return {"it has no layers"};
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    if (layer.size == 0 || layer.input_size == 0) {
      result.push_back(layer.name + ": its input size is " + std::to_string(layer.input_size) + " and its size " +
                       std::to_string(layer.size) + ", and both must be positive");
      continue;
    }
    if (k > 0 && layer.input_size != network.layers[k - 1].output_size())
      result.push_back(layer.name + " reads " + std::to_string(layer.input_size) + " features, and the layer before, " +
                       network.layers[k - 1].name + ", has " + std::to_string(network.layers[k - 1].output_size()));
    const std::size_t rows = layer.gates() * layer.size;
    for (const Arrays& arrays : layer.directions) {
      check(layer, layer.recurrent() ? "weight_ih" : "weight", arrays.weight_ih, {rows, layer.input_size});
      if (!arrays.bias_ih.empty()) check(layer, layer.recurrent() ? "bias_ih" : "bias", arrays.bias_ih, {rows});
      if (!layer.recurrent()) continue;
      const std::size_t width = layer.projection() ? layer.projection() : layer.size;
      check(layer, "weight_hh", arrays.weight_hh, {rows, width});
      if (!arrays.bias_hh.empty()) check(layer, "bias_hh", arrays.bias_hh, {rows});
      if (layer.projection()) check(layer, "weight_hr", arrays.weight_hr, {width, layer.size});
      if (!arrays.h0.empty()) check(layer, "h0", arrays.h0, {width});
      if (!arrays.c0.empty()) check(layer, "c0", arrays.c0, {layer.size});
    }
  }
  if (network.skip > std::min(network.input_size(), network.output_size()))
    result.push_back(std::to_string(network.skip) + " inputs are added to the outputs, and there are " +
                     std::to_string(network.input_size()) + " inputs and " + std::to_string(network.output_size()) +
                     " outputs");
  return result;
}

Network network_of(const Weights& weights) {
  Network network{.dtype = weights.dtype, .metadata = weights.metadata, .self_test = weights.self_test};
  Collector collector(weights);
  for (const Found& found : weights.modules.empty() ? collector.guessed() : collector.described())
    for (Layer& layer : collector.layers(found)) network.layers.push_back(std::move(layer));
  collector.check_all_taken();
  if (weights.modules.empty()) order_layers(network.layers, weights);
  require_sound(network);
  return network;
}

void for_each_tensor(const Network& network, const std::function<void(const std::string&, const Tensor&)>& f) {
  std::size_t level = 0;
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    const std::string prefix = layer.name.empty() ? "" : layer.name + ".";
    level = k > 0 && network.layers[k - 1].name == layer.name ? level + 1 : 0;
    const auto give = [&](const std::string& name, const Tensor& tensor) {
      if (!tensor.empty()) f(prefix + name, tensor);
    };
    for (std::size_t direction = 0; direction < layer.directions.size(); ++direction) {
      const Arrays& arrays = layer.directions[direction];
      if (!layer.recurrent()) {
        give("weight", arrays.weight_ih);
        give("bias", arrays.bias_ih);
        continue;
      }
      const std::string suffix = layer.cell ? "" : "_l" + std::to_string(level) + (direction ? "_reverse" : "");
      give("weight_ih" + suffix, arrays.weight_ih);
      give("weight_hh" + suffix, arrays.weight_hh);
      give("bias_ih" + suffix, arrays.bias_ih);
      give("bias_hh" + suffix, arrays.bias_hh);
      give("weight_hr" + suffix, arrays.weight_hr);
    }
  }
}

std::vector<std::pair<std::string, Tensor>> named_tensors(const Network& network) {
  std::vector<std::pair<std::string, Tensor>> result;
  for_each_tensor(network, [&](const std::string& name, const Tensor& tensor) { result.emplace_back(name, tensor); });
  return result;
}

Weights weights_of(const Network& network) {
  if (network.skip)
    throw ValueError("the inputs are added to the outputs, which the names of weights can not say; write guitarml");
  if (network.input_gain_db != 0 || network.output_gain_db != 0)
    throw ValueError("the model has a gain, which the names of weights can not say; write aidax");
  Weights weights{.dtype = network.dtype, .metadata = network.metadata, .self_test = network.self_test};
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    if (!layer.recurrent() && layer.activation != Activation::none)
      throw ValueError(layer.name + " is followed by " + std::string(name(layer.activation)) +
                       ", which the names of weights can not say; write rtneural");
    for (const Arrays& arrays : layer.directions)
      for (const Tensor* const state : {&arrays.h0, &arrays.c0})
        if (std::any_of(state->values.begin(), state->values.end(), [](double value) { return value != 0; }))
          throw ValueError(layer.name +
                           " starts from a state that is not zero, which only nam files hold; write nam, "
                           "or drop the initial states");
    if (k > 0 && network.layers[k - 1].name == layer.name) {
      weights.modules.back().second.attributes[2].number += 1;  // num_layers
      continue;
    }
    Description description{std::string(name(layer.kind)) + (layer.cell ? "Cell" : "")};
    auto& attributes = description.attributes;
    if (layer.recurrent()) {
      attributes = {{"input_size", layer.input_size}, {"hidden_size", layer.size}};
      if (!layer.cell) {
        attributes.emplace_back("num_layers", 1);
        attributes.emplace_back("bidirectional", layer.directions.size() == 2);
      }
      if (layer.kind == Layer::Kind::lstm && !layer.cell) attributes.emplace_back("proj_size", layer.projection());
      if (layer.kind != Layer::Kind::rnn) attributes.emplace_back("gate_order", std::string(gate_order(layer.kind)));
      if (layer.kind == Layer::Kind::gru) attributes.emplace_back("reset_after", layer.reset_after);
      if (layer.kind == Layer::Kind::rnn) attributes.emplace_back("nonlinearity", std::string(name(layer.activation)));
    } else {
      attributes = {{"in_features", layer.input_size}, {"out_features", layer.size}};
    }
    weights.modules.emplace_back(layer.name, std::move(description));
  }
  weights.tensors = named_tensors(network);
  return weights;
}

void set_dtype(Network& network, Dtype dtype) {
  network.dtype = dtype;
  for (Layer& layer : network.layers)
    for (Arrays& a : layer.directions)
      for (Tensor* const tensor : {&a.weight_ih, &a.weight_hh, &a.bias_ih, &a.bias_hh, &a.weight_hr, &a.h0, &a.c0})
        for (double& value : tensor->values) value = rounded(value, dtype);
}

void name_layers(Network& network) {
  constexpr std::array names{"lstm", "gru", "rnn", "linear"};
  std::array<std::size_t, 4> counts{};
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    Layer& layer = network.layers[k];
    const auto kind = static_cast<std::size_t>(layer.kind);
    const Layer* const before = k > 0 ? &network.layers[k - 1] : nullptr;
    const bool same_module = before && layer.recurrent() && before->kind == layer.kind && before->size == layer.size &&
                             before->reset_after == layer.reset_after && before->activation == layer.activation &&
                             before->directions.size() == layer.directions.size();
    if (!same_module) ++counts[kind];
    layer.name = names[kind];
    if (counts[kind] > 1) layer.name += '_' + std::to_string(counts[kind]);
  }
}

}  // namespace nn::io
