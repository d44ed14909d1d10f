// Neural Amp Modeler's .nam files of LSTM models: one flat list of numbers.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "nn/io/formats/formats.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::formats {

namespace {

using Offset = std::ptrdiff_t;

/// The numbers of one LSTM: [weight_ih | weight_hh] row by row, one bias, h0, c0.
void append_lstm(std::vector<double>& to, const Layer& layer, Dtype dtype) {
  const Arrays& arrays = layer.directions[0];
  const std::vector<Tensor> tensors = to_layout(layer, arrays, nam_layout, dtype);
  const std::size_t in = layer.input_size, hidden = layer.size;
  for (std::size_t row = 0; row < 4 * hidden; ++row) {
    const auto append_row = [&](const Tensor& matrix, std::size_t width) {
      const auto first = matrix.values.begin() + static_cast<Offset>(row * width);
      to.insert(to.end(), first, first + static_cast<Offset>(width));
    };
    append_row(tensors[0], in);
    append_row(tensors[1], hidden);
  }
  to.insert(to.end(), tensors[2].values.begin(), tensors[2].values.end());
  for (const Tensor* const state : {&arrays.h0, &arrays.c0}) {
    const std::vector<double> values = state->empty() ? std::vector<double>(hidden) : state->values;
    to.insert(to.end(), values.begin(), values.end());
  }
}

/// The next `size` numbers.
Tensor take(std::vector<double>::const_iterator& from, const Shape& shape) {
  const auto first = from;
  from += static_cast<Offset>(shape.elements());
  return {shape, {first, from}};
}

Arrays take_lstm(std::vector<double>::const_iterator& from, const Layer& layer) {
  const std::size_t in = layer.input_size, hidden = layer.size, rows = 4 * hidden;
  const Tensor both = take(from, {rows, in + hidden});
  std::vector<Tensor> tensors{zero_tensor({rows, in}), zero_tensor({rows, hidden})};
  for (std::size_t row = 0; row < rows; ++row) {
    const auto first = both.values.begin() + static_cast<Offset>(row * (in + hidden));
    std::copy_n(first, in, tensors[0].values.begin() + static_cast<Offset>(row * in));
    std::copy_n(first + static_cast<Offset>(in), hidden, tensors[1].values.begin() + static_cast<Offset>(row * hidden));
  }
  tensors.push_back(take(from, {rows}));
  Arrays arrays = from_layout(layer, std::move(tensors), nam_layout);
  arrays.h0 = take(from, {hidden});
  arrays.c0 = take(from, {hidden});
  return arrays;
}

/// Core reads the first three and refuses a file in which they are no numbers; the others are its trainer's.
constexpr std::array note_types{
    NoteType{"loudness", NoteType::number},
    NoteType{"input_level_dbu", NoteType::number},
    NoteType{"output_level_dbu", NoteType::number},
    NoteType{"gain", NoteType::number},
    NoteType{"name", NoteType::text},
    NoteType{"modeled_by", NoteType::text},
    NoteType{"gear_type", NoteType::text},
    NoteType{"gear_make", NoteType::text},
    NoteType{"gear_model", NoteType::text},
    NoteType{"tone_type", NoteType::text},
    NoteType{"date", NoteType::object},
    NoteType{"training", NoteType::object},
};

/// 0.5.0 up to 0.7, as Core 0.5 has it: LSTM models have been the same in all of them, but for channels.
bool known_version(const std::string& version) {
  std::array<int, 3> parts{};
  const char *at = version.data(), *const end = at + version.size();
  for (std::size_t k = 0; k < parts.size(); ++k) {
    if (k > 0 && (at == end || *at++ != '.')) return false;
    const auto [last, error] = std::from_chars(at, end, parts[k]);
    if (error != std::errc() || *at == '-') return false;
    at = last;
  }
  return at == end && parts[0] == 0 && parts[1] >= 5 && parts[1] <= 7;
}

}  // namespace

Files write_nam(const Output& output) {
  const Network& network = output.network;
  const std::size_t levels = network.layers.size() - 1;
  const Layer& head = network.layers.back();
  const std::size_t hidden = network.layers.front().size;
  Tensor numbers;
  for (std::size_t k = 0; k < levels; ++k) append_lstm(numbers.values, network.layers[k], network.dtype);
  for (const Tensor& tensor : to_layout(head, head.directions[0], nam_layout, network.dtype))
    numbers.values.insert(numbers.values.end(), tensor.values.begin(), tensor.values.end());
  numbers.shape = {numbers.values.size()};

  JsonWriter json(output.who);
  json.object();
  // Programs before 0.6 take one input and one output for granted and would drop the others; they refuse a file of 0.6.
  // 0.5.1 is the newest that the oldest programs accept.
  const bool mono = network.input_size() == 1 && network.output_size() == 1;
  json.key("version").value(mono ? "0.5.1" : "0.6.0");
  json.key("architecture").value("LSTM");
  json.key("config").object();
  json.key("input_size").value(network.input_size());
  json.key("hidden_size").value(hidden);
  json.key("num_layers").value(levels);
  if (!mono) {
    json.key("in_channels").value(network.input_size());
    json.key("out_channels").value(network.output_size());
  }
  json.close();
  json.key("weights").tensor("weights", numbers, network.dtype);
  const double rate = network.sample_rate > 0 ? network.sample_rate : 48000;
  if (const auto note = network.metadata.find("sample_rate");
      note != network.metadata.end() && note->second.number() != rate)
    output.refuse("metadata sample_rate is " + shown(note->second.text()) + ", and the file's own sample_rate " +
                  MetadataValue(rate).text() + "; give it as samplerate (convert --sample-rate)");
  json.key("sample_rate").value(rate);
  write_metadata(json, typed(output, network.metadata, note_types));
  write_self_test(json, network);
  json.close();
  return {{output.file_name, std::move(json).text()}};
}

Network read_nam(const Input& input) {
  JsonDocument document(input.who, input.source, input.bytes, input.dtype);
  const JsonNode root = document.root(), config = root.at("config");
  Network network{.dtype = document.dtype()};
  const std::string version = root.at("version").text();
  if (root.find("version") && !known_version(version))
    root.at("version").problem("found \"" + shown(version) + "\"; versions 0.5.0 to 0.7 can be converted");
  const std::string architecture = root.at("architecture").text();
  if (root.find("architecture") && architecture != "LSTM")
    root.at("architecture").problem("found \"" + architecture + "\"; of these files only LSTM models can be converted");
  document.finish();
  allow_keys(root, {"version", "architecture", "config", "weights", "sample_rate", "metadata", "self_test", "notes"});
  allow_keys(config, {"input_size", "hidden_size", "num_layers", "in_channels", "out_channels"});
  const auto or_one = [&](const char* key) {
    const JsonNode node = config.find(key);
    return node ? node.whole() : 1;
  };
  const std::size_t inputs = or_one("input_size"), channels = or_one("in_channels"), outputs = or_one("out_channels");
  const std::size_t hidden = config.at("hidden_size").whole(), levels = config.at("num_layers").whole();
  if (channels != inputs)
    config.problem("input_size is " + std::to_string(inputs) + ", and in_channels " + std::to_string(channels) +
                   (config.find("in_channels") ? "" : ", as it is not given") +
                   ": programs would set as many inputs as there are channels; give in_channels as input_size, or a "
                   "model with one input");
  const JsonNode weights = root.at("weights");
  const Tensor numbers = weights.tensor();
  document.finish();
  const double h = static_cast<double>(hidden), in = static_cast<double>(inputs), l = static_cast<double>(levels),
               out = static_cast<double>(outputs);
  const double expected =
      4 * h * (in + h) + (l - 1) * 8 * h * h + l * 6 * h + out * (h + 1);  // exact wherever it can be right
  const std::size_t count = numbers.values.size();
  if (inputs == 0 || hidden == 0 || levels == 0 || outputs == 0)
    config.problem("input_size, hidden_size, num_layers and out_channels must be positive");
  else if (numbers.shape.rank() != 1 || static_cast<double>(count) != expected)
    weights.problem("found numbers of shape " + to_string(numbers.shape) + ", expected one list of " +
                    std::to_string(static_cast<std::uint64_t>(std::min(expected, 1e18))));
  document.finish();
  auto from = numbers.values.begin();
  for (std::size_t level = 0; level < levels; ++level) {
    Layer layer{.kind = Layer::Kind::lstm, .input_size = level == 0 ? inputs : hidden, .size = hidden};
    layer.directions = {take_lstm(from, layer)};
    network.layers.push_back(std::move(layer));
  }
  Layer head{.input_size = hidden, .size = outputs};
  std::vector<Tensor> tensors{take(from, {outputs, hidden}), take(from, {outputs})};
  head.directions = {from_layout(head, std::move(tensors), nam_layout)};
  network.layers.push_back(std::move(head));
  if (const JsonNode rate = root.find("sample_rate"); rate && !rate.null()) {
    network.sample_rate = rate.number();
    if (network.sample_rate <= 0) rate.problem("expected a positive number of Hz, or null");
  }
  read_extras(root, network);
  document.finish();
  return network;
}

}  // namespace nn::io::formats
