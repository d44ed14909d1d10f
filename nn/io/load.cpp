// Reads models: what every format shares behind its reader.
#include <algorithm>
#include <istream>

#include "autograd/error.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/file.hpp"
#include "nn/io/formats/native.hpp"
#include "nn/io/formats/table.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/sample_rate.hpp"
#include "nn/io/save_load.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io {

using autograd::FormatError;
using autograd::ValueError;
using formats::Feature;
using formats::Input;

namespace {

template <class What>
void require_sound(const What& what, const std::string& where, auto... dtype) {
  if (const auto found = faults(what, dtype...); !found.empty()) throw FormatError(where + ": " + joined(found));
}

Weights read_weights(const Input& input, Format format) {
  Weights weights = format == Format::native       ? formats::read_native(input)
                    : format == Format::state_dict ? formats::read_state_dict(input)
                                                   : formats::read_safetensors(input);
  require_sound(weights, input.where());
  return weights;
}

/// Arrays of an RNN do not say tanh or relu.
void settle_nonlinearity(Network& network, const Input& input, const LoadOptions& options) {
  bool any = false;
  for (Layer& layer : network.layers) {
    if (layer.kind != Layer::Kind::rnn) continue;
    if (!options.nonlinearity)
      throw FormatError(input.where() + ": " + layer.name +
                        " is an RNN, and nothing says whether with tanh or relu; give it (convert --nonlinearity, "
                        "LoadOptions::nonlinearity)");
    layer.activation = *options.nonlinearity;
    any = true;
  }
  if (options.nonlinearity && !any)
    throw FormatError(input.where() +
                      ": there is no RNN, to which the nonlinearity would be given (convert --nonlinearity, "
                      "LoadOptions::nonlinearity)");
}

Network read_network(const Input& input, Format format, const LoadOptions& options) {
  Network network;
  const auto refuse_options = [&](bool told) {
    if (told && !options.order.empty())
      throw FormatError(input.where() +
                        ": the file says itself in which order its layers are, and takes no other (convert --order, "
                        "LoadOptions::order)");
    if (told && options.nonlinearity)
      throw FormatError(input.where() +
                        ": the file says itself what its layers compute, and takes no other nonlinearity (convert "
                        "--nonlinearity, LoadOptions::nonlinearity)");
  };
  const bool names = formats::holds_names(format);
  refuse_options(!names);
  if (names) {
    const Weights weights = read_weights(input, format);
    refuse_options(!weights.modules.empty());
    try {
      network = network_of(weights, options.order);
    } catch (const ValueError& error) {
      throw FormatError(input.where() + ": " + error.what());
    }
    if (weights.modules.empty()) settle_nonlinearity(network, input, options);
  } else {
    network = formats::read(input, format);
    const bool named = std::all_of(network.layers.begin(), network.layers.end(),
                                   [](const Layer& layer) { return !layer.name.empty(); });
    if (!named || format == Format::onnx) name_layers(network);
  }
  take_sample_rate<FormatError>(network.metadata, network.sample_rate, input.where());
  require_sound(network, input.where());
  if (options.verify) verify_self_test(network, input.where());
  return network;
}

/// What another function reads is none of the formats here, whichever is asked for.
void refuse_if_own(const formats::Likeness& found, const std::string& where) {
  if (!found.own.empty()) throw FormatError(where + ": it is " + found.own);
}

Format detected(std::string_view bytes, const std::string& source) {
  const formats::Likeness found = formats::likeness(bytes, source);
  refuse_if_own(found, "load" + (source.empty() ? "" : ": " + source));
  if (found.format) return *found.format;
  throw FormatError("load" + (source.empty() ? "" : ": " + source) + ": it is " +
                    (found.other.empty() ? "nothing" : found.other + ", nothing") +
                    " that is known here: " + format_names());
}

/// A file of another format than the one asked for says so, whatever else is wrong with it.
void require_format(Format wanted, const Input& input) {
  formats::Likeness likeness;
  try {
    likeness = formats::likeness(input.bytes, input.source);
  } catch (const FormatError&) {
    return;  // the reader has more to say
  }
  refuse_if_own(likeness, input.where());
  const Format found = likeness.format.value_or(wanted);
  const auto family = [](Format format) { return format == Format::aidax ? Format::rtneural : format; };
  if (family(found) != family(wanted))
    throw FormatError(input.where() + ": it is " + description(found) + ", not " + description(wanted) +
                      "; read it as " + name(found));
}

/// The bytes of a file, or of what has no path, and which format they are.
struct Opened {
  Opened(std::string_view bytes, const std::filesystem::path& path, const LoadOptions& options)
      : format(options.format ? *options.format : detected(bytes, path.string())),
        input{bytes, std::string("load (") + name(format) + ")", path.string()} {
    if (!path.empty())
      input.sibling = [folder = path.parent_path()](const std::string& name) { return read_file(folder / name); };
    if (options.format) require_format(format, input);
  }

  Format format;
  Input input;
};

Network network_in(std::string_view bytes, const std::filesystem::path& path, const LoadOptions& options) {
  Opened file(bytes, path, options);
  if (options.allow_narrowing)
    throw ValueError(file.input.who +
                     ": allow_narrowing is given, and a network has the numbers of its file; dtype rounds them");
  file.input.dtype = options.dtype;
  Network network = read_network(file.input, file.format, options);
  if (options.dtype && *options.dtype != network.dtype) {
    require_sound(network, file.input.where(), *options.dtype);
    set_dtype(network, *options.dtype);
  }
  return network;
}

/// The file's arrays under the model's names, for models of the same layers.
Weights renamed(const Network& file, const Weights& own, const std::string& where) {
  Network model;
  try {
    model = network_of(own);
  } catch (const ValueError& error) {
    throw FormatError(where + ": the model is no row of layers: " + error.what());
  }
  const auto list = [](const Network& network) {
    std::string text;
    for (const Layer& layer : network.layers)
      text += (text.empty() ? "" : ", ") + std::string(name(layer.kind)) + "(" + std::to_string(layer.input_size) +
              ", " + std::to_string(layer.size) + ")" + (layer.directions.size() == 2 ? " bidirectional" : "") +
              (layer.projection() ? " projected" : "") +
              (layer.kind == Layer::Kind::gru && !layer.reset_after ? " reset before" : "") +
              (layer.activation != Nonlinearity::identity ? std::string(" ") + name(layer.activation) : "");
    return text;
  };
  if (list(file) != list(model))
    throw FormatError(where + ": the file has " + list(file) + ", the model " + list(model));
  if (file.skip || file.input_gain_db != 0 || file.output_gain_db != 0)
    throw FormatError(where + ": the file adds inputs to the outputs or has a gain, which a module does not");
  Network result = file;
  for (std::size_t k = 0; k < model.layers.size(); ++k) {
    result.layers[k].name = model.layers[k].name;
    result.layers[k].cell = model.layers[k].cell;
    for (std::size_t d = 0; d < model.layers[k].directions.size(); ++d) {
      Arrays& arrays = result.layers[k].directions[d];
      const Arrays& wanted = model.layers[k].directions[d];
      if (!arrays.starts_from_zero())
        throw FormatError(where + ": " + model.layers[k].name +
                          " starts from a state that is not zero, which is no "
                          "part of a module; read it with load()");
      for (const auto& [have, want] :
           {std::pair{&arrays.bias_ih, &wanted.bias_ih}, {&arrays.bias_hh, &wanted.bias_hh}}) {
        if (have->empty() && !want->empty()) *have = zero_tensor(want->shape);
        const bool zero = std::all_of(have->values.begin(), have->values.end(), [](double v) { return v == 0; });
        if (want->empty() && !have->empty() && zero) *have = {};
      }
    }
  }
  return {.dtype = file.dtype, .tensors = named_tensors(result)};
}

void check_names(const Weights& file, const Weights& own, const std::string& where) {
  std::string problems;
  const auto add = [&problems](const std::string& text) { problems += (problems.empty() ? "" : ", ") + text; };
  for (const auto& [name, tensor] : own.tensors) {
    const Tensor* const found = file.find(name);
    if (!found)
      add(name + " is missing");
    else if (found->shape != tensor.shape)
      add(name + ": file " + to_string(found->shape) + ", model " + to_string(tensor.shape));
  }
  for (const auto& [name, tensor] : file.tensors)
    if (!own.find(name)) add(shown(name) + " is unexpected");
  if (!problems.empty()) throw FormatError(where + ": " + problems);
}

/// Every option that is given must be one that modules, and the format, have a use for.
void require_known(const LoadOptions& options, Format format, const std::string& who) {
  for (const auto& [given, option] : {std::pair{options.dtype.has_value(), "dtype"},
                                      {!options.order.empty(), "order"},
                                      {options.nonlinearity.has_value(), "nonlinearity"}})
    if (given) throw ValueError(who + ": " + option + " is given, and a module has its own");
  if (options.allow_narrowing && !formats::can_express(format, Feature::says_float64))
    throw ValueError(who + ": allow_narrowing is given, and " + description(format) +
                     " does not say that its numbers are float64; they become those of the module");
}

/// The arrays of a file that a module takes, under its names, and the file's metadata.
Weights weights_for(const Weights& own, const Opened& file, const LoadOptions& options) {
  const std::string where = file.input.where();
  Weights weights;
  if (formats::holds_names(file.format)) {
    weights = read_weights(file.input, file.format);
    check_names(weights, own, where);
    if (options.verify && weights.self_test) {
      Weights described = weights;
      described.modules = own.modules;  // those without a description are rows if the self-test passes
      std::erase_if(described.modules, [](const auto& module) { return module.second.type.empty(); });
      verify_self_test(network_of(described), where);
    }
  } else {
    const Network network = read_network(file.input, file.format, options);
    weights = renamed(network, own, where);
    check_names(weights, own, where);
    weights.metadata = network.metadata;
    if (network.sample_rate > 0) weights.metadata[rate_note] = network.sample_rate;
  }
  if (weights.dtype == Dtype::float64 && own.dtype == Dtype::float32) {
    if (!options.allow_narrowing)
      throw FormatError(where + ": the file is float64, the model float32; set allow_narrowing to round every number");
    weights.dtype = Dtype::float32;
    require_sound(weights, where);
  }
  return weights;
}

Metadata load_into(const detail::Contents& module, const detail::WeightsOf& own, std::string_view bytes,
                   const std::filesystem::path& path, const LoadOptions& options) {
  Opened file(bytes, path, options);
  const std::string& who = file.input.who;
  require_known(options, file.format, who);
  if (file.format == Format::native)
    return formats::read_native(file.input, module, options.allow_narrowing, options.verify);
  file.input.dtype = module.dtype();
  Weights weights = weights_for(own(!formats::holds_names(file.format), who), file, options);
  detail::assign(module,
                 [&](const std::string& name) -> const std::vector<double>& { return weights.find(name)->values; });
  return std::move(weights.metadata);
}

}  // namespace

Network load(const std::filesystem::path& path, const LoadOptions& options) {
  return network_in(read_file(path), path, options);
}

Network load(std::istream& stream, const LoadOptions& options) { return network_in(read_stream(stream), {}, options); }

Network from_bytes(std::string_view bytes, const LoadOptions& options) { return network_in(bytes, {}, options); }

Format detect(const std::filesystem::path& path) { return detected(read_file(path), path.string()); }

Weights read_weights(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  return read_weights(Opened(bytes, path, {.format = Format::native}).input, Format::native);
}

Metadata read_metadata(const std::filesystem::path& path) { return read_weights(path).metadata; }

namespace detail {

Metadata load(const Contents& module, const WeightsOf& own, const std::filesystem::path& path,
              const LoadOptions& options) {
  return load_into(module, own, read_file(path), path, options);
}

Metadata load(const Contents& module, const WeightsOf& own, std::istream& stream, const LoadOptions& options) {
  return load_into(module, own, read_stream(stream), {}, options);
}

Metadata from_bytes(const Contents& module, const WeightsOf& own, std::string_view bytes, const LoadOptions& options) {
  return load_into(module, own, bytes, {}, options);
}

}  // namespace detail
}  // namespace nn::io
