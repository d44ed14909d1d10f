#include "nn/io/network.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <unordered_map>

#include "autograd/error.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/formats/table.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/layer_order.hpp"
#include "nn/io/no_row.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io {

using autograd::ValueError;

namespace {

constexpr std::array activations{Nonlinearity::identity, Nonlinearity::tanh, Nonlinearity::relu,
                                 Nonlinearity::sigmoid,  Nonlinearity::elu,  Nonlinearity::softmax};
constexpr std::array kinds{"LSTM", "GRU", "RNN", "Linear"};  // in the order of Layer::Kind

/// The attribute of a model that is no row of layers, in files that hold any arrays: why.
constexpr const char* told = "refusal";

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
  explicit Collector(const Weights& weights) : weights_(weights) {
    for (const auto& [name, tensor] : weights.tensors) tensors_.emplace(name, &tensor);
  }

  /// Throws ValueError for descriptions of anything but layers, and what holds them without computing.
  std::vector<Found> described() const {
    std::vector<Found> result;
    for (const auto& [path, description] : weights_.modules) {
      if (description.type.empty()) continue;  // see check_described()
      require_known_place(path);
      std::string type = description.type;
      if (type == "Sequential" || type == "Dropout") continue;  // a row of its parts; the identity outside training
      if (type == "Recurrent") {
        require_forward(path, description);
        continue;
      }
      const bool cell = type.ends_with("Cell");
      if (cell) type.resize(type.size() - 4);
      const auto kind = std::find(kinds.begin(), kinds.end(), type);
      if (kind == kinds.end() || description.type == "LinearCell")
        throw NoRow(shown_path(path) + " is of type " + shown(description.type), only_layers());
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
        if (level > 0 && !find(found.prefix + "weight_ih" + suffix)) return result;
        Layer layer = begin(found, name);
        layer.directions = {recurrent_arrays(found.prefix, suffix)};
        if (find(found.prefix + "weight_ih" + suffix + "_reverse"))
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

  /// Throws ValueError for a module that computes what no description says.
  void check_described() const {
    for (const auto& [path, description] : weights_.modules) {
      if (!description.type.empty()) continue;
      if (const auto refusal = attribute(description, told)) throw ValueError(refusal->text);
      const bool tried = !description.attributes.empty();
      const std::string own = own_array(path);
      throw NoRow(shown_path(path) + (own.empty() ? "" : ", with " + own + ",") + " computes what no description says" +
                      (tried ? " (" + description.attributes[0].text + ")" : ""),
                  only_layers() + (tried ? ""
                                         : "; if it is such a row, save it with a self-test (SaveOptions::self_test), "
                                           "which tries that"));
    }
  }

  /// Throws ValueError for an array of no layer.
  void check_all_taken() const {
    for (const auto& [name, tensor] : weights_.tensors)
      if (!taken_.contains(name))
        throw ValueError(name + " " + to_string(tensor.shape) +
                         " belongs to no LSTM, GRU, RNN or Linear layer; only these, one after the other, can be "
                         "converted to programs that run them");
  }

 private:
  static std::string only_layers() {
    return ", and only LSTM, GRU, RNN and Linear layers, one after the other, can be converted to programs that run "
           "them; " +
           formats::holders_of_any_module() + " hold its parameters";
  }

  static std::string shown_path(const std::string& path) { return path.empty() ? "the model" : shown(path); }

  /// The first array of a module that is in no module within it; empty if there is none.
  std::string own_array(const std::string& path) const {
    const std::string prefix = path.empty() ? path : path + ".";
    for (const auto& [name, tensor] : weights_.tensors)
      if (name.starts_with(prefix) && name.find('.', prefix.size()) == std::string::npos)
        return name + " " + to_string(tensor.shape);
    return {};
  }

  const Description* find_module(const std::string& path) const {
    for (const auto& [own, description] : weights_.modules)
      if (own == path) return &description;
    return nullptr;
  }

  /// A described module may be within nothing that computes, other than the Recurrent that runs it.
  void require_known_place(const std::string& path) const {
    for (const auto& [outer, description] : weights_.modules) {
      const std::string prefix = outer.empty() ? outer : outer + ".";
      if (outer == path || !path.starts_with(prefix) || description.type.empty() || description.type == "Sequential")
        continue;
      if (description.type == "Recurrent" && path == prefix + "cell" && find_module(path)->type.ends_with("Cell"))
        continue;
      const std::string part = shown(path) + " of type " + shown(find_module(path)->type);
      throw NoRow(part + " is a part of " + shown_path(outer) + " of type " + shown(description.type) +
                      ", which computes with it what no description says",
                  only_layers());
    }
  }

  void require_forward(const std::string& path, const Description& description) const {
    for (const auto& [option, what] : {std::pair{"reverse", " runs from the last step to the first (reverse)"},
                                       {"residual", " has a residual connection"}})
      if (const auto set = attribute(description, option); set && set->number != 0)
        throw NoRow(shown_path(path) + what, only_layers());
    const std::string cell = path.empty() ? "cell" : path + ".cell";
    if (!find_module(cell)) throw NoRow(shown(cell) + " computes what no description says", only_layers());
  }

  Tensor take(const std::string& name) {
    const Tensor* const tensor = find(name);
    if (!tensor) return {};
    taken_.insert(name);
    return *tensor;
  }

  Tensor needed(const std::string& name) {
    if (!find(name)) throw ValueError(name + " is missing");
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
    const Tensor* const hh = find(prefix + "weight_hh" + suffix);
    if (!hh || hh->shape.rank() != 2) throw ValueError(prefix + "weight_hh" + suffix + " is missing or no matrix");
    const Tensor* const hr = find(prefix + "weight_hr" + suffix);
    const std::size_t hidden = hr && hr->shape.rank() == 2 ? hr->shape[1] : hh->shape[1];
    if (hidden > 0 && hh->shape[0] == 4 * hidden) return Layer::Kind::lstm;
    if (hidden > 0 && hh->shape[0] == 3 * hidden) return Layer::Kind::gru;
    if (hidden > 0 && hh->shape[0] == hidden) return Layer::Kind::rnn;
    throw ValueError(prefix + "weight_hh" + suffix + " has shape " + to_string(hh->shape) +
                     ", expected (4 H, H) of an LSTM, (3 H, H) of a GRU or (H, H) of an RNN");
  }

  static Layer begin(const Found& found, const std::string& name) {
    Layer layer{.kind = found.kind, .name = name};
    constexpr std::array known{"input_size",   "hidden_size", "num_layers",         "bidirectional",
                               "proj_size",    "gate_order",  "residual",           "gate_nonlinearity",
                               "in_features",  "reset_after", "out_features",       "candidate_nonlinearity",
                               "nonlinearity", "bias",        "hidden_nonlinearity"};
    for (const Attribute& each : found.description.attributes)
      if (std::find(known.begin(), known.end(), each.name) == known.end())
        throw NoRow(shown_path(name) + " has " + shown(each.name) + ", which nothing here knows", only_layers());
    if (const auto order = attribute(found.description, "gate_order"); order && order->text != gate_order(found.kind))
      throw ValueError(name + " has gate order " + order->text + ", expected " + gate_order(found.kind));
    const auto require = [&](const char* what, const Attribute& usual) {
      const auto has = attribute(found.description, usual.name);
      if (has && !(*has == usual))
        throw ValueError(shown_path(name) + what + has->text +
                         ", which only the wengert/1 file of the model holds; write that");
    };
    require(" has a residual connection", {"residual", false});
    const nn::Nonlinearities usual;
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
      if (activation != Nonlinearity::tanh && activation != Nonlinearity::relu)
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

  const Tensor* find(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : found->second;
  }

  const Weights& weights_;
  std::unordered_map<std::string_view, const Tensor*> tensors_;
  std::set<std::string> taken_;
};

std::vector<Layer> described_layers(const Weights& weights) {
  Collector collector(weights);
  collector.check_described();
  std::vector<Layer> result;
  for (const Found& found : collector.described())
    for (Layer& layer : collector.layers(found)) result.push_back(std::move(layer));
  collector.check_all_taken();
  return result;
}

/// The layers of the modules that names and shapes tell, in their order.
std::vector<Layer> guessed_layers(const Weights& weights, const std::vector<std::string>& wanted,
                                  std::vector<std::string>& notes) {
  Collector collector(weights);
  std::vector<std::vector<Layer>> modules;
  std::vector<Part> parts;
  for (const Found& found : collector.guessed()) {
    modules.push_back(collector.layers(found));
    const std::vector<Layer>& layers = modules.back();
    parts.push_back({layers.front().name, layers.front().input_size, layers.back().output_size()});
  }
  collector.check_all_taken();
  const auto joined_up = [&](const std::vector<std::size_t>& order) {
    std::vector<Layer> layers;
    for (const std::size_t k : order) layers.insert(layers.end(), modules[k].begin(), modules[k].end());
    return layers;
  };
  const auto passes = [&](const std::vector<std::size_t>& order) {
    const Network network{.dtype = weights.dtype, .layers = joined_up(order), .self_test = weights.self_test};
    if (!faults(network).empty()) return false;
    try {
      verify_self_test(network, "");
    } catch (const autograd::FormatError&) {
      return false;
    }
    return true;
  };
  std::vector<std::string> names(weights.tensors.size());
  std::transform(weights.tensors.begin(), weights.tensors.end(), names.begin(),
                 [](const auto& entry) { return entry.first; });
  using Passes = std::function<bool(const std::vector<std::size_t>&)>;
  const Order order = order_of(parts, sorted_by_name(names), wanted, weights.self_test ? Passes(passes) : Passes());
  if (parts.size() > 1) notes.push_back("the order of the layers: " + order.why);
  if (!weights.self_test)
    notes.push_back("the file has names and arrays alone: that nothing else is computed is taken for granted");
  return joined_up(order.parts);
}

void require_sound(const Network& network) {
  if (const auto found = faults(network); !found.empty()) throw ValueError(joined(found));
}

}  // namespace

bool is_activation(Nonlinearity f) { return std::find(activations.begin(), activations.end(), f) != activations.end(); }

std::optional<Nonlinearity> activation_named(const std::string& name) {
  if (name.empty() || name == "linear") return Nonlinearity::identity;
  for (const Nonlinearity f : activations)
    if (f != Nonlinearity::identity && name == nn::name(f)) return f;
  return {};
}

bool Arrays::starts_from_zero() const {
  const auto zero = [](const Tensor& tensor) {
    return std::all_of(tensor.values.begin(), tensor.values.end(), [](double value) { return value == 0; });
  };
  return zero(h0) && zero(c0);
}

const char* name(Layer::Kind kind) {
  const auto index = static_cast<std::size_t>(kind);
  if (index >= kinds.size()) throw ValueError(std::to_string(index) + " is no value of the enumeration");
  return kinds[index];
}

const char* gate_order(Layer::Kind kind) {
  return kind == Layer::Kind::lstm ? "ifgo" : kind == Layer::Kind::gru ? "rzn" : "";
}

std::size_t Network::parameter_count() const {
  std::size_t count = 0;
  for_each_tensor(*this, [&](const std::string&, const Tensor& tensor) { count += tensor.values.size(); });
  return count;
}

Network network_of(const Weights& weights, const std::vector<std::string>& order) {
  Network network{.dtype = weights.dtype, .metadata = weights.metadata, .self_test = weights.self_test};
  network.layers = weights.modules.empty() ? guessed_layers(weights, order, network.notes) : described_layers(weights);
  require_sound(network);
  return network;
}

std::vector<std::pair<std::string, Description>> untold_by_names(const Weights& weights) {
  if (weights.modules.empty()) return {};
  Weights described{.modules = weights.modules};  // without numbers, which tell nothing
  for (const auto& [name, tensor] : weights.tensors) described.tensors.emplace_back(name, Tensor{tensor.shape, {}});
  const Weights bare{.tensors = described.tensors};
  std::vector<Layer> layers;
  try {
    layers = described_layers(described);
  } catch (const ValueError& error) {
    return {{"", Description{"", {{told, error.what()}}}}};
  }
  const auto same = [](const Layer& a, const Layer& b) {
    return a.kind == b.kind && a.kind != Layer::Kind::rnn && a.name == b.name && a.cell == b.cell &&
           a.reset_after == b.reset_after && a.directions.size() == b.directions.size();
  };
  try {
    std::vector<std::string> notes;
    const std::vector<Layer> guessed = guessed_layers(bare, {}, notes);
    if (std::equal(layers.begin(), layers.end(), guessed.begin(), guessed.end(), same)) return {};
  } catch (const ValueError&) {
    // The names tell nothing at all.
  }
  return weights.modules;
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
  require_sound(network);
  if (const std::string why = formats::inexpressible(network, Format::native); !why.empty()) throw ValueError(why);
  Weights weights{.dtype = network.dtype, .metadata = network.metadata, .self_test = network.self_test};
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    if (k > 0 && network.layers[k - 1].name == layer.name) {
      for (Attribute& attribute : weights.modules.back().second.attributes)
        if (attribute.name == "num_layers") ++attribute.number;
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
      if (layer.kind == Layer::Kind::rnn)
        attributes.emplace_back("nonlinearity", std::string(nn::name(layer.activation)));
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
