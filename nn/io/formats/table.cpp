#include "nn/io/formats/table.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <utility>
#include <vector>

namespace nn::io {

using autograd::ValueError;

namespace formats {

namespace {

/// The features in their order: the heading of a column, and what stands after the name of a layer and before
/// ", which ..."; nothing where it is no layer that has it.
struct Column {
  const char* heading;
  const char* text = nullptr;
};
constexpr std::array columns{
    Column{"LSTM", "is an LSTM"},
    Column{"GRU", "is a GRU that resets after the product"},
    Column{"GRU, reset before", "is a GRU that resets before the product"},
    Column{"RNN, tanh", "is an RNN with tanh"},
    Column{"RNN, relu", "is an RNN with relu"},
    Column{"both directions", "is bidirectional"},
    Column{"projection", "has a projection"},
    Column{"activation", "is followed by an activation"},
    Column{"skip", "has its inputs added to its outputs"},
    Column{"gain", "has a gain"},
    Column{"initial state", "starts from a state that is not zero"},
    Column{"float64"},
    Column{"says float64"},
    Column{"notes"},
};
static_assert(columns.size() == static_cast<std::size_t>(Feature::notes) + 1);

using Set = unsigned;
constexpr Set bit(Feature feature) { return 1u << static_cast<unsigned>(feature); }
constexpr Set set(std::initializer_list<Feature> features) {
  Set result = 0;
  for (const Feature feature : features) result |= bit(feature);
  return result;
}

constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

/// Which layers, one after the other: any, or recurrent ones of one kind and size and a linear one.
struct Rows {
  const char* text = nullptr;  ///< of those that are not any
  std::size_t most_recurrent = any, most_inputs = any, most_outputs = any;
};

struct Entry {
  const char* name;
  const char* description;
  const char* suffix;  ///< where it tells the format
  Set features;
  Rows rows;
  Files (*write)(const Output&);  // of named weights there is neither
  Network (*read)(const Input&);
  const char* tried;  ///< the programs whose files the reader was tried with
};

using enum Feature;
constexpr Set all_kinds = set({lstm, gru_after, rnn_tanh, rnn_relu});

/// In the order of Format.
constexpr std::array entries{
    Entry{"native", "a wengert/1 file", nullptr,
          all_kinds | set({gru_before, bidirectional, projection, float64, says_float64, notes}), Rows{}, nullptr,
          nullptr, "this library"},
    Entry{"state_dict", "a bare PyTorch state dict", nullptr, all_kinds | set({bidirectional, projection, float64}),
          Rows{}, nullptr, nullptr, "this library; PyTorch loads ours"},
    Entry{"rtneural", "an RTNeural model", nullptr, set({lstm, gru_after, activation, float64, notes}), Rows{},
          write_rtneural, read_rtneural, "RTNeural"},
    Entry{"aidax", "an AIDA-X model", ".aidax", set({lstm, gru_after, skip, gain, float64, notes}),
          Rows{"one LSTM or GRU with up to 3 inputs, and a linear layer with one output", 1, 3, 1}, write_aidax,
          read_aidax, "AIDA-X, aidadsp-lv2"},
    Entry{"guitarml", "a GuitarML model", nullptr, set({lstm, gru_after, rnn_tanh, skip, float64, notes}),
          Rows{"a stack of LSTM, GRU or RNN layers of one size, and a linear layer"}, write_guitarml, read_guitarml,
          "NeuralPi, Automated-GuitarAmpModelling"},
    Entry{"nam", "a Neural Amp Modeler (.nam) model", ".nam", set({lstm, initial_state, float64, notes}),
          Rows{"LSTM layers of one size, and a linear layer"}, write_nam, read_nam, "NeuralAmpModelerCore"},
    Entry{"keras", "a Keras model", nullptr, all_kinds | set({gru_before, bidirectional, activation, float64, notes}),
          Rows{}, write_keras, read_keras, "Keras 3.3 and 3.15"},
    Entry{"onnx", "an ONNX model", ".onnx",
          all_kinds | set({gru_before, bidirectional, activation, skip, gain, says_float64, notes}), Rows{}, write_onnx,
          read_onnx, "this library; ONNX Runtime runs ours"},
    Entry{"tfjs", "a TensorFlow.js model", nullptr,
          set({lstm, gru_before, rnn_tanh, rnn_relu, bidirectional, activation, notes}), Rows{}, write_tfjs, read_tfjs,
          "TensorFlow.js 4.22"},
    Entry{"safetensors", "a safetensors file", ".safetensors",
          all_kinds | set({bidirectional, projection, float64, says_float64, notes}), Rows{}, nullptr, nullptr,
          "this library; PyTorch loads ours"},
};
static_assert(entries.size() == static_cast<std::size_t>(Format::safetensors) + 1);

const Entry& entry(Format format) {
  const auto index = static_cast<std::size_t>(format);
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
    add(layer.kind == Layer::Kind::rnn, layer.activation == Nonlinearity::relu ? rnn_relu : rnn_tanh);
    add(layer.directions.size() == 2, bidirectional);
    add(layer.projection() > 0, projection);
    add(!layer.recurrent() && layer.activation != Nonlinearity::identity, activation);
    for (const Arrays& arrays : layer.directions) add(!arrays.starts_from_zero(), initial_state);
  }
  if (network.skip) result.emplace_back(skip, "the model");
  if (network.input_gain_db != 0 || network.output_gain_db != 0) result.emplace_back(gain, "the model");
  return result;
}

bool holds(const Rows& rows, const Network& network) {
  if (!rows.text) return true;
  const std::vector<Layer>& layers = network.layers;
  const std::size_t recurrent = layers.size() - 1;
  return recurrent > 0 && recurrent <= rows.most_recurrent && !layers.back().recurrent() &&
         std::all_of(layers.begin(), layers.end() - 1,
                     [&first = layers[0]](const Layer& layer) {
                       return layer.recurrent() && layer.kind == first.kind && layer.size == first.size;
                     }) &&
         network.input_size() <= rows.most_inputs && network.output_size() <= rows.most_outputs;
}

/// "a can", "a, b can; write one of these".
std::string advice(auto&& can) {
  std::string able;
  std::size_t count = 0;
  for (std::size_t k = 0; k < entries.size(); ++k)
    if (can(static_cast<Format>(k), entries[k])) able += (count++ ? ", " : "") + std::string(entries[k].name);
  return count == 0 ? "no format can" : able + (count == 1 ? " can" : " can; write one of these");
}

}  // namespace

bool can_express(Format format, Feature feature) { return (entry(format).features & bit(feature)) != 0; }

bool holds_names(Format format) { return entry(format).write == nullptr; }

std::string holders_of_any_module() {
  std::vector<std::string> names;
  for (const Entry& each : entries)
    if (!each.write) names.emplace_back(each.name);
  std::string result;
  for (std::size_t k = 0; k < names.size(); ++k)
    result += (k == 0 ? "" : k + 1 == names.size() ? " and " : ", ") + names[k];
  return result;
}

std::string refusal(const std::string& what, Format format, Feature feature) {
  return what + ", which " + description(format) + " can not express; " +
         advice([&](Format other, const Entry&) { return can_express(other, feature); });
}

std::string inexpressible(const Network& network, Format format) {
  Set needed = 0;
  for (const auto& [feature, layer] : features_of(network)) {
    needed |= bit(feature);
    if (can_express(format, feature)) continue;
    return refusal(layer + " " + columns[static_cast<std::size_t>(feature)].text, format, feature) +
           (feature == initial_state ? ", or start from zeros (convert --zero-state, SaveOptions::zero_state)" : "");
  }
  if (network.skip && network.skip != network.output_size())
    return "of the inputs " + std::to_string(network.skip) + " are added to the first of " +
           std::to_string(network.output_size()) +
           " outputs, and only as many inputs as outputs can be added in any format";
  const Rows& rows = entry(format).rows;
  if (holds(rows, network)) return "";
  return std::string(description(format)) + " is " + rows.text + ", and this is something else" +
         (network.layers.back().recurrent() ? "; an nn::Linear is missing at its end; " : "; ") +
         advice(
             [&](Format, const Entry& other) { return (needed & ~other.features) == 0 && holds(other.rows, network); });
}

Files write(const Output& output, Format format) { return entry(format).write(output); }

Network read(const Input& input, Format format) { return entry(format).read(input); }

}  // namespace formats

using formats::columns;
using formats::entries;
using formats::entry;

const char* name(Format format) { return entry(format).name; }

const char* description(Format format) { return entry(format).description; }

std::optional<Format> format_named(const std::string& name) {
  for (std::size_t k = 0; k < entries.size(); ++k)
    if (name == entries[k].name) return static_cast<Format>(k);
  return {};
}

std::string format_names() {
  std::string result;
  for (const auto& entry : entries) result += (result.empty() ? "" : ", ") + std::string(entry.name);
  return result;
}

std::string format_table() {
  std::string head = "| format | a file is |", line = "|---|---|";
  for (const auto& column : columns) {
    head += std::string(" ") + column.heading + " |";
    line += "---|";
  }
  std::string table = head + " layers | tried with files of |\n" + line + "---|---|\n";
  for (const auto& entry : entries) {
    table += std::string("| `") + entry.name + "` | " + entry.description + " |";
    for (std::size_t k = 0; k < columns.size(); ++k) table += entry.features & 1u << k ? " ✓ |" : " |";
    table += std::string(" ") + (entry.rows.text ? entry.rows.text : "any in a row") + " | " + entry.tried + " |\n";
  }
  return table;
}

std::optional<Format> format_by_suffix(const std::filesystem::path& path) {
  const std::string suffix = path.extension().string();
  for (std::size_t k = 0; k < entries.size(); ++k)
    if (entries[k].suffix && suffix == entries[k].suffix) return static_cast<Format>(k);
  return {};
}

}  // namespace nn::io
