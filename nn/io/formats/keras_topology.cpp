// Reads Keras's description of a model: every key of it is honoured, known not to matter, or refused.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "nn/io/formats/keras.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::formats {

namespace {

/// Options that matter to training alone, and those that say how to compute the same.
constexpr std::array harmless{"trainable",
                              "kernel_initializer",
                              "recurrent_initializer",
                              "bias_initializer",
                              "unit_forget_bias",
                              "kernel_regularizer",
                              "bias_regularizer",
                              "recurrent_regularizer",
                              "activity_regularizer",
                              "kernel_constraint",
                              "bias_constraint",
                              "dropout",
                              "recurrent_constraint",
                              "recurrent_dropout",
                              "seed",
                              "zero_output_for_mask",
                              "implementation",
                              "unroll"};

/// Layers that do nothing to a trained model, and the options of all of them.
constexpr std::array identities{"Dropout",      "SpatialDropout1D", "GaussianDropout",
                                "AlphaDropout", "GaussianNoise",    "ActivityRegularization"};
constexpr std::array identity_options{"rate", "noise_shape", "stddev", "l1", "l2"};

constexpr std::array recurrent_classes{"LSTM", "GRU", "SimpleRNN"};  // in the order of Layer::Kind

template <class List>
bool contains(const List& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool begins_with_word(const std::string& text, const std::string& word) {
  return text == word || text.starts_with(word + '.');
}

bool own_module(const std::string& module) {
  return begins_with_word(module, "keras") || begins_with_word(module, "tf_keras") ||
         begins_with_word(module, "tensorflow");
}

/// A class, a function or a model of the name is Keras's own if its module is, and nobody has registered it as another:
/// `refuse` is told of what says otherwise, and of that alone.
void require_own(const JsonNode& object, const std::string& what, const std::string& name,
                 const std::function<void(const JsonNode&, const std::string&)>& refuse) {
  if (const JsonNode module = object.find("module"); module && !module.null())
    if (const std::string text = module.text(); !own_module(text))
      refuse(module, what + " of " + shown(text) + ", which is not Keras's own, can not be converted");
  if (const JsonNode registered = object.find("registered_name"); registered && !registered.null())
    if (const std::string text = registered.text(); text != name)
      refuse(registered, what + " registered as " + shown(text) + " can not be converted");
}

/// The options of one layer. Each that is not taken is refused.
class Options {
 public:
  Options(JsonNode config, std::string layer, KerasFlavour flavour)
      : config_(std::move(config)), layer_(std::move(layer)), flavour_(flavour) {
    for (const char* const key : harmless) known_.insert(key);
  }

  const std::string& layer() const { return layer_; }
  void problem(const JsonNode& node, const std::string& text) const { node.problem(layer_ + ": " + text); }

  JsonNode find(const char* key) {
    known_.insert(key);
    return config_.find(key);
  }
  JsonNode at(const char* key) {
    known_.insert(key);
    return config_.at(key);
  }
  /// Null is false in Python, and to TensorFlow.js the same as nothing.
  bool truth(const char* key, bool missing) {
    const JsonNode node = find(key);
    if (node.null()) return flavour_ == KerasFlavour::tfjs && missing;
    return node ? node.truth() : missing;
  }
  /// An option that can not be converted unless it is false, null or missing.
  void require_off(const char* key, const std::string& why = "can not be converted") {
    if (truth(key, false)) problem(config_.find(key), std::string(key) + ' ' + why);
  }
  void require_null(const char* key) {
    const JsonNode node = find(key);
    if (node && !node.null()) problem(node, std::string(key) + " can not be converted");
  }
  void require_number(const char* key, std::initializer_list<double> allowed) {
    const JsonNode node = find(key);
    if (!node || (node.null() && (allowed.size() == 0 || flavour_ == KerasFlavour::tfjs))) return;
    if (node.null() || std::find(allowed.begin(), allowed.end(), node.number()) == allowed.end())
      problem(node, std::string(key) + " of this value can not be converted");
  }
  void finish() const {
    std::size_t unknown = 0;
    for (const auto& [key, node] : config_.members())
      if (!known_.contains(key) && ++unknown <= 8)
        problem(node, "unknown option, which may change what the layer computes");
    if (unknown > 8) problem(config_, std::to_string(unknown - 8) + " more unknown options");
  }

 private:
  JsonNode config_;
  std::string layer_;
  KerasFlavour flavour_;
  std::set<std::string> known_;
};

class TopologyReader {
 public:
  TopologyReader(KerasFlavour flavour, const std::string& version) : flavour_(flavour) {
    // Before 2.4 defaults were others: hard_sigmoid, and GRUs that reset before the product.
    defaults_changed_ = version.starts_with("1.") || version.starts_with("2.0") || version.starts_with("2.1.") ||
                        version.starts_with("2.2") || version.starts_with("2.3");
  }

  void read_sequential(const JsonNode& config) {
    if (const JsonNode shape = config.find("build_input_shape"); shape && !shape.null()) read_shape(shape);
    const JsonNode layers = config.find("layers");  // early versions had the list alone
    for (const JsonNode& node : (layers ? layers : config).items()) read_layer(node);
  }

  /// Layers that name what they read. They must be in a row.
  void read_functional(const JsonNode& config) {
    std::map<std::string, JsonNode> layers;
    std::map<std::string, std::string> next;
    for (const JsonNode& node : config.at("layers").items()) {
      const std::string name = node.at("name").text();
      if (!layers.emplace(name, node).second) node.problem(name + ": the name occurs twice");
      if (const JsonNode own = node.at("config").at("name"); own && own.text() != name)
        own.problem("found \"" + own.text() + "\", expected " + name + ", as beside class_name");
      const std::vector<JsonNode> nodes = node.at("inbound_nodes").items();
      if (nodes.empty()) continue;
      if (nodes.size() > 1) nodes[1].problem(name + " is used more than once; only layers in a row can be converted");
      const std::string source = inbound(nodes[0], name);
      if (!source.empty() && !next.emplace(source, name).second)
        nodes[0].problem(source + " is read by " + next[source] + " and by " + name +
                         "; only layers in a row can be converted");
    }
    std::string name = only_reference(config.at("input_layers")), last;
    const std::string wanted = only_reference(config.at("output_layers"));
    for (auto layer = layers.find(name); layer != layers.end(); layer = layers.find(name)) {
      read_layer(layer->second);
      layers.erase(layer);
      last = name;
      const auto follower = next.find(name);
      if (last == wanted || follower == next.end()) break;
      name = follower->second;
    }
    if (last != wanted) config.at("output_layers").problem("no row of layers leads from the input to " + wanted);
    if (!layers.empty())
      layers.begin()->second.problem(layers.begin()->first +
                                     " is not in the row of layers from the input to the output");
  }

  std::vector<KerasLayer> layers() && { return std::move(layers_); }

 private:
  // ---- What layers of a functional model read.

  /// ["name", 0, 0], of the first tensor of the first use.
  std::string reference(const JsonNode& node) {
    const std::vector<JsonNode> items = node.items();
    if (items.size() < 3 || items.size() > 4) {
      node.problem("expected the name of a layer and two numbers");
      return "";
    }
    if (items[1].number() != 0 || items[2].number() != 0)
      node.problem("a layer that is used more than once, or has several outputs, can not be converted");
    if (items.size() == 4) require_no_arguments(items[3]);
    return items[0].text();
  }

  void require_no_arguments(const JsonNode& arguments) {
    for (const auto& [key, value] : arguments.members())
      if (!value.null() && (key != "training" || value.truth()))
        value.problem("a call with " + key + " can not be converted");
  }

  /// The name in a list of one reference, or in a reference.
  std::string only_reference(const JsonNode& node) {
    const std::vector<JsonNode> items = node.items();
    if (items.empty()) {
      if (node) node.problem("expected the name of a layer");
      return "";
    }
    if (items[0].maybe_text()) return reference(node);
    if (items.size() > 1) node.problem("a model with one input and one output can be converted, and no other");
    return reference(items[0]);
  }

  std::string inbound(const JsonNode& node, const std::string& name) {
    const JsonNode arguments = node.find("args");
    if (!arguments) return only_reference(node);  // [["lstm", 0, 0, {}]]; Keras 3 has an object
    allow_keys(node, {"args", "kwargs"});
    require_no_arguments(node.at("kwargs"));
    const std::vector<JsonNode> tensors = arguments.items();
    if (tensors.size() != 1) {
      arguments.problem(name + " must read one layer");
      return "";
    }
    return reference(tensors[0].at("config").at("keras_history"));
  }

  // ---- Layers.

  void read_layer(const JsonNode& node) {
    const JsonNode config = node.at("config");
    const std::string name = config.at("name").text();
    if (!names_.insert(name).second) config.find("name").problem(name + ": the name occurs twice");
    Options options(config, name, flavour_);
    options.find("name");
    for (const char* const key : {"batch_input_shape", "batch_shape"})
      if (const JsonNode shape = options.find(key); shape && !shape.null()) read_shape(shape);
    read_class(node, options, true);
    options.finish();
  }

  /// Any layer, or one within TimeDistributed, which has no time.
  void read_class(const JsonNode& node, Options& options, bool timed) {
    const std::string type = class_of(node, options);
    if (timed)
      if (const JsonNode build = node.find("build_config"); build && !build.null())
        if (const JsonNode shape = build.find("input_shape"); shape && !shape.null()) read_shape(shape);
    const std::size_t order = ++count_;
    if (contains(identities, type)) {
      for (const char* const key : identity_options) options.find(key);
    } else if (type == "Activation") {
      activate(activation(options.at("activation"), Nonlinearity::identity, options), node, options);
    } else if (type == "ReLU") {
      options.require_number("max_value", {});
      options.require_number("negative_slope", {0});
      options.require_number("threshold", {0});
      activate(Nonlinearity::relu, node, options);
    } else if (type == "ELU") {
      options.require_number("alpha", {1});
      activate(Nonlinearity::elu, node, options);
    } else if (type == "Softmax") {
      if (timed)
        options.require_number("axis", {-1, 2});
      else
        options.require_number("axis", {-1, 1});
      activate(Nonlinearity::softmax, node, options);
    } else if (type == "Dense") {
      options.require_null("quantization_config");
      options.require_null("lora_rank");
      add({dense(node, options)});
    } else if (timed && type == "InputLayer") {
      if (order > 1) node.problem(options.layer() + ": a model with one input can be converted, and no other");
      options.require_off("sparse");
      options.require_off("ragged");
      options.require_off("optional");
    } else if (timed && contains(recurrent_classes, type)) {
      options.require_off("go_backwards", "can not be converted, except within Bidirectional");
      add(recurrent(node, type, options));
    } else if (timed && type == "TimeDistributed") {
      const JsonNode inner = options.at("layer");
      Options inner_options(inner.at("config"), options.layer(), flavour_);
      for (const char* const key : {"name", "batch_input_shape", "batch_shape"}) inner_options.find(key);
      read_class(inner, inner_options, false);
      inner_options.finish();
    } else if (timed && type == "Bidirectional") {
      add(bidirectional(options));
    } else {
      node.find("class_name")
          .problem(options.layer() + ": found \"" + type + "\"" + (timed ? "" : " within TimeDistributed") +
                   "; LSTM, GRU, SimpleRNN, Bidirectional, Dense, TimeDistributed, activations and dropout can be "
                   "converted");
    }
  }

  /// The class, if it is one of Keras's own.
  std::string class_of(const JsonNode& node, Options& options) {
    std::string type = node.at("class_name").text();
    require_own(node, "a layer", type,
                [&](const JsonNode& where, const std::string& text) { options.problem(where, text); });
    allow_keys(node, {"class_name", "config", "name", "inbound_nodes", "module", "registered_name", "build_config",
                      "shared_object_id"});
    require_dtype(options);
    return type;
  }

  void require_dtype(Options& options) {
    const JsonNode dtype = options.find("dtype");
    if (!dtype || dtype.null()) return;
    if (!dtype.maybe_text())
      require_own(dtype, "a dtype", dtype.at("class_name").text(),
                  [&](const JsonNode& where, const std::string& text) { options.problem(where, text); });
    const JsonNode policy = dtype.maybe_text() ? dtype : dtype.at("config").at("name");
    const std::string text = policy.text();
    if (policy && text != "float32" && text != "float64")
      options.problem(policy, "dtype " + text + " rounds otherwise than float32 and float64, which can be converted");
  }

  KerasLayer dense(const JsonNode& node, Options& options) {
    KerasLayer result = sized(Layer::Kind::linear, node, options);
    result.layer.activation =
        activation(options.find("activation"), Nonlinearity::identity, options).value_or(Nonlinearity::identity);
    return result;
  }

  KerasLayer recurrent(const JsonNode& node, const std::string& type, Options& options) {
    const auto kind = static_cast<Layer::Kind>(std::find(recurrent_classes.begin(), recurrent_classes.end(), type) -
                                               recurrent_classes.begin());
    KerasLayer result = sized(kind, node, options);
    const JsonNode nonlinearity = options.find("activation");
    const auto own = activation(nonlinearity, Nonlinearity::tanh, options);
    if (kind == Layer::Kind::rnn && (own == Nonlinearity::tanh || own == Nonlinearity::relu))
      result.layer.activation = *own;
    else if (own && own != Nonlinearity::tanh)
      options.problem(nonlinearity, "an activation of " +
                                        std::string(*own == Nonlinearity::identity ? "linear" : name(*own)) + " in " +
                                        type + " can not be converted");
    if (kind != Layer::Kind::rnn) require_sigmoid(node, options);
    if (kind == Layer::Kind::gru) {
      if (defaults_changed_) options.at("reset_after");
      result.layer.reset_after = options.truth("reset_after", flavour_ == KerasFlavour::keras);
    }
    if (!options.truth("return_sequences", false))
      options.problem(node,
                      "return_sequences is false: only the last step is returned, which no format here can say; "
                      "set it to true, and take the last row of the answer");
    options.require_off("return_state", "can not be converted: a network has one output");
    options.require_off(
        "stateful",
        "can not be converted: no format here can say that a call goes on where the last one ended; set "
        "it to false (nn::infer::Stream goes on until it is reset)");
    options.require_off("time_major");
    options.require_null("num_constants");
    return result;
  }

  void require_sigmoid(const JsonNode& node, Options& options) {
    const JsonNode gate = options.find("recurrent_activation");
    if (!gate && flavour_ == KerasFlavour::tfjs)
      options.problem(node,
                      "recurrent_activation is missing, for which TensorFlow.js takes hardSigmoid; expected sigmoid");
    if (!gate && defaults_changed_)
      options.problem(node,
                      "recurrent_activation is missing, for which this version of Keras may take hard_sigmoid; "
                      "expected sigmoid");
    if (!gate) return;
    const std::string text = function_name(gate);
    if (text != "sigmoid") options.problem(gate, "recurrent_activation: found \"" + text + "\", expected sigmoid");
  }

  KerasLayer bidirectional(Options& options) {
    if (const JsonNode mode = options.find("merge_mode"); mode && (mode.null() || mode.text() != "concat"))
      options.problem(mode, "merge_mode must be concat to be converted");
    options.require_null("num_constants");
    KerasLayer result = direction(options.at("layer"), options, false);
    result.layer.directions.resize(2);
    const JsonNode backward = options.find("backward_layer");
    if (!backward || backward.null()) return result;
    const KerasLayer other = direction(backward, options, true);
    const Layer &a = result.layer, &b = other.layer;
    if (a.kind != b.kind || a.size != b.size || a.activation != b.activation || a.reset_after != b.reset_after ||
        result.bias != other.bias)
      options.problem(backward, "the two directions are different layers, which can not be converted");
    return result;
  }

  /// A layer within Bidirectional.
  KerasLayer direction(const JsonNode& node, const Options& outer, bool backwards) {
    Options options(node.at("config"), outer.layer(), flavour_);
    for (const char* const key : {"name", "batch_input_shape", "batch_shape"}) options.find(key);
    const std::string type = class_of(node, options);
    if (!contains(recurrent_classes, type)) {
      if (node)
        options.problem(node, "\"" + type + "\" within Bidirectional; LSTM, GRU and SimpleRNN can be converted");
      return {};
    }
    if (options.truth("go_backwards", false) != backwards)
      options.problem(node, std::string("go_backwards must be ") + (backwards ? "true" : "false") +
                                " in this direction to be converted");
    KerasLayer result = recurrent(node, type, options);
    options.finish();
    return result;
  }

  KerasLayer sized(Layer::Kind kind, const JsonNode& node, Options& options) {
    KerasLayer result{{.kind = kind, .name = options.layer()}};
    const JsonNode units = options.at("units");
    result.layer.input_size = width_;
    result.layer.size = units ? units.whole() : 0;
    if (units && result.layer.size == 0) options.problem(units, "units must be positive");
    if (width_ == 0) options.problem(node, "nothing says how many features the layer reads");
    result.bias = options.truth("use_bias", true);
    return result;
  }

  void add(KerasLayer layer) {
    width_ = layer.layer.output_size();
    layers_.push_back(std::move(layer));
  }

  /// An activation after the last layer.
  void activate(std::optional<Nonlinearity> next, const JsonNode& node, const Options& options) {
    if (!next || next == Nonlinearity::identity) return;
    constexpr const char* advice = "; put a Dense layer between whose kernel is the identity";
    if (layers_.empty() || layers_.back().layer.recurrent())
      return options.problem(node, std::string(name(*next)) + " can be converted after a Dense layer alone" + advice);
    Layer& layer = layers_.back().layer;
    if (layer.activation != Nonlinearity::identity)
      return options.problem(node, std::string(name(*next)) + " after the " + name(layer.activation) + " of " +
                                       layer.name + ": a layer can keep one activation" + advice);
    layer.activation = *next;
  }

  /// "tanh", or {"class_name": "function", "config": "tanh"}. Of what is not Keras's own, or a class that is given
  /// options, the text says so, and is no name of Keras's.
  static std::string function_name(const JsonNode& node) {
    if (const auto text = node.maybe_text()) return *text;
    allow_keys(node, {"class_name", "config", "module", "registered_name", "build_config", "shared_object_id"});
    const std::string type = node.at("class_name").text();
    const bool function = type == "function";
    const JsonNode config = node.find("config");
    const std::string name = function ? node.at("config").text() : type;
    std::string result = name;
    if (const auto module = node.find("module").maybe_text())
      if (!own_module(*module) && !(function && *module == "builtins")) result = *module + '.' + result;
    if (const auto registered = node.find("registered_name").maybe_text())
      if (*registered != type && *registered != name) result += " registered as " + *registered;
    if (!function && config && !config.null())
      for (const auto& [key, option] : config.members()) result += " with " + key;
    return shown(result);
  }

  std::optional<Nonlinearity> activation(const JsonNode& node, Nonlinearity missing, const Options& options) {
    if (!node) return missing;
    if (node.null()) return Nonlinearity::identity;
    const std::string text = function_name(node);
    const auto result = text.empty() ? std::nullopt : activation_named(text);
    if (!result) options.problem(node, "activation \"" + text + "\" can not be converted");
    return result;
  }

  /// (batch, time, features) of what comes next.
  void read_shape(const JsonNode& shape) {
    const std::vector<std::size_t> extents = shape.extents();
    if (extents.size() != 3 || extents.back() == 0)
      return shape.problem("expected (batch, time, features), with a number of features");
    if (width_ && width_ != extents.back())
      shape.problem("found " + std::to_string(extents.back()) + " features, and the layer before has " +
                    std::to_string(width_));
    width_ = extents.back();
  }

  KerasFlavour flavour_;
  bool defaults_changed_;
  std::size_t width_ = 0, count_ = 0;
  std::vector<KerasLayer> layers_;
  std::set<std::string> names_;
};

}  // namespace

std::vector<KerasLayer> read_topology(const JsonNode& model, KerasFlavour flavour) {
  TopologyReader reader(flavour, model.find("keras_version").maybe_text().value_or(""));
  const JsonNode type = model.at("class_name");
  const std::string text = type.text();
  const JsonNode config = model.at("config");
  if (!config) return {};
  require_own(model, "a model", text, [](const JsonNode& where, const std::string& why) { where.problem(why); });
  if (config.find("layers"))
    allow_keys(config, {"name", "trainable", "dtype", "layers", "build_input_shape", "input_layers", "output_layers"});
  if (text == "Sequential")
    reader.read_sequential(config);
  else if (text == "Functional" || text == "Model")
    reader.read_functional(config);
  else if (type)
    type.problem("found \"" + text + "\", expected Sequential, Functional or Model");
  return std::move(reader).layers();
}

}  // namespace nn::io::formats
