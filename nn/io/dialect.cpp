#include "nn/io/dialect.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "nn/infer/stream.hpp"
#include "nn/io/dialects/dialects.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/file.hpp"
#include "nn/io/json.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io {

using autograd::FormatError;
using autograd::ValueError;

namespace {

/// What a network may have that not every format can express.
enum Feature : unsigned {
  lstm = 1,
  gru_after = 2,
  gru_before = 4,
  rnn_tanh = 8,
  rnn_relu = 16,
  bidirectional = 32,
  projection = 64,
  activation = 128,
  skip = 256,
  gain = 512,
  state = 1024,
};

/// In the order of Feature, after "save_x: lstm " and before ", which ...".
constexpr std::array feature_texts{"is an LSTM",
                                   "is a GRU that resets after the product",
                                   "is a GRU that resets before the product",
                                   "is an RNN with tanh",
                                   "is an RNN with relu",
                                   "is bidirectional",
                                   "has a projection",
                                   "is followed by an activation",
                                   "has its inputs added to its outputs",
                                   "has a gain",
                                   "starts from a state that is not zero"};

/// The same as headings of a table.
constexpr std::array feature_columns{
    "LSTM", "GRU",  "GRU, reset before", "RNN, tanh", "RNN, relu", "both directions", "projection", "activation",
    "skip", "gain", "initial state"};
static_assert(feature_columns.size() == feature_texts.size());

using Write = dialects::Files (*)(const dialects::Output&);
using Read = Network (*)(const dialects::Input&);

/// The one table of formats, in the order of Dialect. Those of named weights have no writer and reader of their own
/// here.
struct Entry {
  const char* name;
  const char* description;
  unsigned features;
  Write write;
  Read read;
  const char* tried;           ///< the programs whose files the reader was tried with
  bool float32_alone = false;  ///< the file has no doubles
};
constexpr unsigned all_kinds = lstm | gru_after | rnn_tanh | rnn_relu;
constexpr std::array entries{
    Entry{"native", "a wengert/1 file", all_kinds | gru_before | bidirectional | projection, nullptr, nullptr,
          "this library"},
    Entry{"state_dict", "a bare PyTorch state dict", all_kinds | bidirectional | projection, nullptr, nullptr,
          "this library; PyTorch loads ours"},
    Entry{"rtneural", "an RTNeural model", lstm | gru_after | activation, dialects::write_rtneural,
          dialects::read_rtneural, "RTNeural"},
    Entry{"aidax", "an AIDA-X model", lstm | gru_after | skip | gain, dialects::write_aidax, dialects::read_aidax,
          "AIDA-X, aidadsp-lv2"},
    Entry{"guitarml", "a GuitarML model", lstm | gru_after | rnn_tanh | skip, dialects::write_guitarml,
          dialects::read_guitarml, "NeuralPi, Automated-GuitarAmpModelling"},
    Entry{"nam", "a Neural Amp Modeler (.nam) model", lstm | state, dialects::write_nam, dialects::read_nam,
          "NeuralAmpModelerCore"},
    Entry{"keras", "a Keras model", all_kinds | gru_before | bidirectional | activation, dialects::write_keras,
          dialects::read_keras, "Keras 3.3 and 3.15"},
    Entry{"onnx", "an ONNX model", all_kinds | gru_before | bidirectional | activation | skip | gain,
          dialects::write_onnx, dialects::read_onnx, "this library; ONNX Runtime runs ours", true},
    Entry{"tfjs", "a TensorFlow.js model", lstm | gru_before | rnn_tanh | rnn_relu | bidirectional | activation,
          dialects::write_tfjs, dialects::read_tfjs, "TensorFlow.js 4.22", true},
    Entry{"safetensors", "a safetensors file", all_kinds | bidirectional | projection, nullptr, nullptr,
          "this library; PyTorch loads ours"},
};

const Entry& entry(Dialect dialect) {
  const auto index = static_cast<std::size_t>(dialect);
  if (index >= entries.size()) throw ValueError("there is no format " + std::to_string(index) + " in the enumeration");
  return entries[index];
}

/// The features of a network, each with the layer that has it.
std::vector<std::pair<Feature, std::string>> features_of(const Network& network) {
  std::vector<std::pair<Feature, std::string>> result;
  for (const Layer& layer : network.layers) {
    const auto add = [&](bool has, Feature feature) {
      if (has) result.emplace_back(feature, layer.name.empty() ? name(layer.kind) : layer.name);
    };
    add(layer.kind == Layer::Kind::lstm, lstm);
    add(layer.kind == Layer::Kind::gru, layer.reset_after ? gru_after : gru_before);
    add(layer.kind == Layer::Kind::rnn, layer.activation == Activation::relu ? rnn_relu : rnn_tanh);
    add(layer.directions.size() == 2, bidirectional);
    add(layer.projection() > 0, projection);
    add(!layer.recurrent() && layer.activation != Activation::none, activation);
    for (const Arrays& arrays : layer.directions) {
      const auto moved = [](const Tensor& tensor) {
        return std::any_of(tensor.values.begin(), tensor.values.end(), [](double value) { return value != 0; });
      };
      add(moved(arrays.h0) || moved(arrays.c0), state);
    }
  }
  if (network.skip) result.emplace_back(skip, "the model");
  if (network.input_gain_db != 0 || network.output_gain_db != 0) result.emplace_back(gain, "the model");
  return result;
}

/// What can be done about a feature.
std::string remedy(Feature feature) {
  std::string able;
  for (const Entry& other : entries)
    if (other.features & feature) able += (able.empty() ? "" : ", ") + std::string(other.name);
  const std::string write = able + (able.find(',') == std::string::npos ? " can" : " can; write one of these");
  return feature == state ? write + ", or start from zeros (zero_state)" : write;
}

void require_expressible(const Network& network, Dialect dialect) {
  for (const auto& [feature, layer] : features_of(network)) {
    if (entry(dialect).features & feature) continue;
    std::size_t index = 0;
    while (1u << index != feature) ++index;
    throw ValueError("save_" + std::string(name(dialect)) + ": " + layer + " " + feature_texts[index] + ", which " +
                     entry(dialect).description + " can not express; " + remedy(feature));
  }
}

using detail::holds_names;

/// Of a file that was read, or is to be written.
template <class Failure>
void require_sound(const auto& what, const std::string& where, auto... dtype) {
  if (const auto found = faults(what, dtype...); !found.empty()) throw Failure(where + ": " + joined(found));
}

/// One of the formats that hold any named arrays.
std::string write_weights(const Weights& weights, Dialect dialect, const std::string& who) {
  if (dialect == Dialect::native) return detail::write(weights);  // which checks them itself
  require_sound<ValueError>(weights, who);
  return dialect == Dialect::state_dict ? dialects::write_state_dict(weights, who)
                                        : dialects::write_safetensors(weights, who);
}

Weights read_weights(const dialects::Input& input, Dialect dialect) {
  if (dialect == Dialect::native) return read_json(input.bytes, input.source);
  Weights weights =
      dialect == Dialect::state_dict ? dialects::read_state_dict(input) : dialects::read_safetensors(input);
  require_sound<FormatError>(weights, input.where());
  return weights;
}

/// Arrays of an RNN do not say tanh or relu.
void settle_nonlinearity(Network& network, const dialects::Input& input, const ImportOptions& options) {
  bool any = false;
  for (Layer& layer : network.layers) {
    if (layer.kind != Layer::Kind::rnn) continue;
    if (!options.nonlinearity)
      throw FormatError(input.where() + ": " + layer.name +
                        " is an RNN, and nothing says whether with tanh or relu; give it (convert --nonlinearity, "
                        "ImportOptions::nonlinearity)");
    layer.activation = *options.nonlinearity;
    any = true;
  }
  if (options.nonlinearity && !any)
    throw FormatError(input.where() +
                      ": there is no RNN, to which the nonlinearity would be given (convert --nonlinearity, "
                      "ImportOptions::nonlinearity)");
}

/// NAM has a field for the sample rate, every other format has it among its notes, as AIDA-X does. E is thrown.
constexpr const char* rate_note = "samplerate";
template <class E>
void take_sample_rate(Network& network, const std::string& where) {
  const auto note = network.metadata.find(rate_note);
  if (note == network.metadata.end()) return;
  if (note->second.is_null()) {  // which says nothing
    network.metadata.erase(note);
    return;
  }
  const double rate = note->second.number().value_or(0);
  const std::string begin = where + ": metadata samplerate is " + shown(note->second.text());
  if (rate <= 0) throw E(begin + ", and must be a number of Hz");
  if (network.sample_rate > 0 && network.sample_rate != rate)
    throw E(begin + ", and the sample rate " + MetadataValue(network.sample_rate).text() + "; keep one of them");
  network.sample_rate = rate;
  network.metadata.erase(note);
}

Network read_network(const dialects::Input& input, Dialect dialect, const ImportOptions& options) {
  Network network;
  const auto refuse_options = [&](bool told) {
    if (told && !options.order.empty())
      throw FormatError(input.where() +
                        ": the file says itself in which order its layers are, and takes no other (convert --order, "
                        "ImportOptions::order)");
    if (told && options.nonlinearity)
      throw FormatError(input.where() +
                        ": the file says itself what its layers compute, and takes no other nonlinearity (convert "
                        "--nonlinearity, ImportOptions::nonlinearity)");
  };
  refuse_options(!holds_names(dialect));
  if (holds_names(dialect)) {
    const Weights weights = read_weights(input, dialect);
    refuse_options(!weights.modules.empty());
    try {
      network = network_of(weights, options.order);
    } catch (const ValueError& error) {
      throw FormatError(input.where() + ": " + error.what());
    }
    if (weights.modules.empty()) settle_nonlinearity(network, input, options);
  } else {
    network = entry(dialect).read(input);
    const bool named = std::all_of(network.layers.begin(), network.layers.end(),
                                   [](const Layer& layer) { return !layer.name.empty(); });
    if (!named || dialect == Dialect::onnx) name_layers(network);
  }
  take_sample_rate<FormatError>(network, input.where());
  require_sound<FormatError>(network, input.where());
  if (options.verify) verify_self_test(network, input.where());
  return network;
}

Dialect detected(std::string_view bytes, const std::string& source) {
  const dialects::Likeness found = dialects::likeness(bytes, source);
  if (found.dialect) return *found.dialect;
  throw FormatError("load" + (source.empty() ? "" : ": " + source) + ": it is " +
                    (found.other.empty() ? "nothing" : found.other + ", nothing") +
                    " that is known here: " + dialect_names());
}

dialects::Input input_of(std::string_view bytes, Dialect dialect, const std::filesystem::path& path,
                         const ImportOptions& options) {
  dialects::Input input{bytes, std::string("load_") + name(dialect), path.string(), options.dtype};
  if (!path.empty())
    input.sibling = [folder = path.parent_path()](const std::string& name) { return read_file(folder / name); };
  return input;
}

/// A file of another format than the one asked for says so, whatever else is wrong with it.
void require_dialect(std::string_view bytes, Dialect wanted, const dialects::Input& input) {
  Dialect found = wanted;
  try {
    found = dialects::likeness(bytes, input.source).dialect.value_or(wanted);
  } catch (const FormatError&) {
    return;  // the reader has more to say
  }
  const auto family = [](Dialect dialect) { return dialect == Dialect::aidax ? Dialect::rtneural : dialect; };
  if (family(found) != family(wanted))
    throw FormatError(input.where() + ": it is " + description(found) + ", not " + description(wanted) +
                      "; read it as " + name(found));
}

void require_free_names(const Metadata& metadata, const std::string& who) {
  if (const std::string fault = reserved_fault(metadata); !fault.empty()) throw ValueError(who + ": " + fault);
}

Network completed(Network network, Dialect dialect, const ExportOptions& options, const std::string& who) {
  if (!(options.sample_rate >= 0) || std::isinf(options.sample_rate))
    throw ValueError(who + ": sample_rate is " + std::to_string(options.sample_rate) + ", and must be a number of Hz");
  take_sample_rate<ValueError>(network, who);
  if (options.sample_rate > 0 || options.metadata.contains(rate_note)) network.sample_rate = options.sample_rate;
  for (const auto& [key, value] : options.metadata) network.metadata[key] = value;
  take_sample_rate<ValueError>(network, who);
  require_free_names(network.metadata, who);
  if (dialect != Dialect::nam && network.sample_rate > 0) network.metadata[rate_note] = network.sample_rate;
  if (options.zero_state)
    for (Layer& layer : network.layers)
      for (Arrays& arrays : layer.directions) arrays.h0 = arrays.c0 = {};
  if (options.burn_in) network = nn::infer::burnt_in(std::move(network), options.burn_in);
  network.self_test.reset();
  if (options.self_test) network.self_test = make_self_test(network);
  return network;
}

void save(const std::vector<NamedBytes>& files, const std::filesystem::path& path) {
  std::vector<FileContents> contents;
  for (std::size_t k = files.size(); k-- > 0;)  // what others refer to comes first
    contents.push_back({k == 0 ? path : path.parent_path() / files[k].name, files[k].bytes});
  replace_files(contents);
}

}  // namespace

const char* name(Dialect dialect) { return entry(dialect).name; }

const char* description(Dialect dialect) { return entry(dialect).description; }

std::optional<Dialect> dialect_named(const std::string& name) {
  for (std::size_t k = 0; k < entries.size(); ++k)
    if (name == entries[k].name) return static_cast<Dialect>(k);
  return {};
}

std::string dialect_names() {
  std::string result;
  for (const Entry& entry : entries) result += (result.empty() ? "" : ", ") + std::string(entry.name);
  return result;
}

std::string dialect_table() {
  std::string head = "| format | a file is |", line = "|---|---|";
  for (const char* const column : feature_columns) {
    head += std::string(" ") + column + " |";
    line += "---|";
  }
  std::string table = head + " tried with files of |\n" + line + "---|\n";
  for (const Entry& entry : entries) {
    table += std::string("| `") + entry.name + "` | " + entry.description + " |";
    for (unsigned k = 0; k < feature_columns.size(); ++k) table += entry.features & 1u << k ? " ✓ |" : " |";
    table += std::string(" ") + entry.tried + " |\n";
  }
  return table;
}

std::vector<NamedBytes> write(const Network& original, Dialect dialect, const std::string& file_name,
                              const ExportOptions& options) {
  const std::string who = std::string("save_") + name(dialect);
  const Dtype dtype = entry(dialect).float32_alone ? Dtype::float32 : original.dtype;
  require_sound<ValueError>(original, who, dtype);
  const Network network = completed(original, dialect, options, who);
  require_sound<ValueError>(network, who, dtype);  // its metadata, its self-test, and the state it starts from
  require_expressible(network, dialect);
  if (holds_names(dialect)) return {{file_name, write_weights(weights_of(network), dialect, who)}};
  return entry(dialect).write({network, who, file_name});
}

void save(const Network& network, Dialect dialect, const std::filesystem::path& path, const ExportOptions& options) {
  save(write(network, dialect, path.filename().string(), options), path);
}

Dialect detect(const std::filesystem::path& path) { return detected(read_file(path), path.string()); }

Network load(const std::filesystem::path& path, std::optional<Dialect> dialect, const ImportOptions& options) {
  const std::string bytes = read_file(path);
  const Dialect found = dialect ? *dialect : detected(bytes, path.string());
  const dialects::Input input = input_of(bytes, found, path, options);
  if (dialect) require_dialect(bytes, found, input);
  return read_network(input, found, options);
}

Network read(std::string_view bytes, std::optional<Dialect> dialect, const ImportOptions& options) {
  const Dialect found = dialect ? *dialect : detected(bytes, "");
  const dialects::Input input = input_of(bytes, found, {}, options);
  if (dialect) require_dialect(bytes, found, input);
  return read_network(input, found, options);
}

namespace detail {

bool holds_names(Dialect dialect) { return entry(dialect).write == nullptr; }

void save_weights(const Weights& weights, Dialect dialect, const std::filesystem::path& path,
                  const ExportOptions& options) {
  const std::string who = std::string("save_") + name(dialect);
  if (holds_names(dialect) && !options.self_test) {  // any arrays will do
    Weights noted = weights;
    for (const auto& [key, value] : options.metadata) noted.metadata[key] = value;
    if (options.sample_rate > 0) noted.metadata[rate_note] = options.sample_rate;
    require_free_names(noted.metadata, who);
    return replace_file(path, write_weights(noted, dialect, who));
  }
  Network network;
  try {
    network = network_of(weights);
  } catch (const ValueError& error) {
    throw ValueError(who + ": " + error.what());
  }
  io::save(network, dialect, path, options);
}

namespace {

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
              (layer.activation != Activation::none ? std::string(" ") + name(layer.activation) : "");
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
      if (std::any_of(arrays.h0.values.begin(), arrays.h0.values.end(), [](double v) { return v != 0; }) ||
          std::any_of(arrays.c0.values.begin(), arrays.c0.values.end(), [](double v) { return v != 0; }))
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

}  // namespace

void load_into(const Contents& model, const Weights& own, Dialect dialect, const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const ImportOptions options{.dtype = own.dtype};
  const dialects::Input input = input_of(bytes, dialect, path, options);
  require_dialect(bytes, dialect, input);
  Weights file;
  if (holds_names(dialect)) {
    file = read_weights(input, dialect);
    check_names(file, own, input.where());
    if (file.self_test) {
      Weights described = file;
      described.modules = own.modules;  // those without a description are rows if the self-test passes
      std::erase_if(described.modules, [](const auto& module) { return module.second.type.empty(); });
      verify_self_test(network_of(described), input.where());
    }
  } else {
    file = renamed(read_network(input, dialect, options), own, input.where());
    check_names(file, own, input.where());
  }
  if (file.dtype == Dtype::float64 && own.dtype == Dtype::float32)
    throw FormatError(input.where() +
                      ": the file is float64, the model float32; round it first, by convert --dtype float32");
  assign(model, [&](const std::string& name) -> const std::vector<double>& { return file.find(name)->values; });
}

}  // namespace detail

}  // namespace nn::io
