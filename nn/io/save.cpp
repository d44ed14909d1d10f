// Writes models: what every format shares on the way to its writer.
#include <cmath>
#include <ostream>

#include "autograd/error.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/file.hpp"
#include "nn/io/formats/table.hpp"
#include "nn/io/sample_rate.hpp"
#include "nn/io/save_load.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io {

using autograd::ValueError;
using formats::Feature;
using formats::Files;

namespace {

std::string who_saves(Format format) { return std::string("save (") + name(format) + ")"; }

Format format_for(const std::filesystem::path& path, const SaveOptions& options) {
  if (options.format) return *options.format;
  if (const auto format = format_by_suffix(path)) return *format;
  if (path.extension() == ".json") return Format::native;
  throw ValueError("save: " + path.string() +
                   ": its suffix tells no format; give one (SaveOptions::format): " + format_names());
}

void require_sound(const auto& what, const std::string& who, auto... dtype) {
  if (const auto found = faults(what, dtype...); !found.empty()) throw ValueError(who + ": " + joined(found));
}

/// Every option that is given must be one that the format has a use for.
void require_known(const SaveOptions& options, Format format, const std::string& who) {
  const auto require = [&](bool given, const char* what, Feature feature) {
    if (given && !formats::can_express(format, feature))
      throw ValueError(who + ": " + formats::refusal(what, format, feature));
  };
  if (!(options.sample_rate >= 0) || std::isinf(options.sample_rate))
    throw ValueError(who + ": sample_rate is " + std::to_string(options.sample_rate) + ", and must be a number of Hz");
  require(!options.metadata.empty(), "metadata are notes", Feature::notes);
  require(options.sample_rate > 0, "sample_rate is a note", Feature::notes);
  require(options.burn_in > 0, "burn_in makes an initial state", Feature::initial_state);
}

void require_free_names(const Metadata& metadata, const std::string& who) {
  if (const std::string fault = metadata_fault(metadata); !fault.empty()) throw ValueError(who + ": " + fault);
}

/// One of the formats that hold any named arrays.
Files files_of_names(const Weights& weights, Format format, const std::string& who, const std::string& file_name) {
  require_sound(weights, who);
  return {{file_name, format == Format::native       ? formats::write_native(weights)
                      : format == Format::state_dict ? formats::write_state_dict(weights, who)
                                                     : formats::write_safetensors(weights, who)}};
}

/// The network as the options change it.
Network completed(Network network, Format format, const SaveOptions& options, const std::string& who) {
  take_sample_rate<ValueError>(network.metadata, network.sample_rate, who);
  if (options.sample_rate > 0 || options.metadata.contains(rate_note)) network.sample_rate = options.sample_rate;
  for (const auto& [key, value] : options.metadata) network.metadata[key] = value;
  take_sample_rate<ValueError>(network.metadata, network.sample_rate, who);
  require_free_names(network.metadata, who);
  if (format != Format::nam && network.sample_rate > 0) network.metadata[rate_note] = network.sample_rate;
  if (options.zero_state)
    for (Layer& layer : network.layers)
      for (Arrays& arrays : layer.directions) arrays.h0 = arrays.c0 = {};
  if (options.burn_in) network = nn::infer::burnt_in(std::move(network), options.burn_in);
  network.self_test.reset();
  if (options.self_test) network.self_test = make_self_test(network);
  return network;
}

Files files_of(const Network& original, Format format, const std::string& file_name, const SaveOptions& options) {
  const std::string who = who_saves(format);
  const Dtype dtype = formats::can_express(format, Feature::float64) ? original.dtype : Dtype::float32;
  require_known(options, format, who);
  require_sound(original, who, dtype);
  const Network network = completed(original, format, options, who);
  require_sound(network, who, dtype);  // its metadata, its self-test, and the state it starts from
  if (const std::string why = formats::inexpressible(network, format); !why.empty()) throw ValueError(who + ": " + why);
  if (formats::holds_names(format)) return files_of_names(weights_of(network), format, who, file_name);
  return formats::write({network, who, file_name}, format);
}

Files files_of(const detail::WeightsOf& module, Format format, const std::string& file_name,
               const SaveOptions& options) {
  const std::string who = who_saves(format);
  if (options.zero_state) throw ValueError(who + ": zero_state is given, and a module has no initial state to forget");
  require_known(options, format, who);
  const bool names = formats::holds_names(format);
  Weights weights = module(!names || options.self_test, who);
  const auto network = [&] {
    try {
      return network_of(weights);
    } catch (const ValueError& error) {
      throw ValueError(who + ": " + error.what());
    }
  };
  if (!names) return files_of(network(), format, file_name, options);
  weights.metadata = options.metadata;
  double rate = options.sample_rate;
  if (rate > 0) {
    take_sample_rate<ValueError>(weights.metadata, rate, who);
    weights.metadata[rate_note] = rate;
  }
  require_free_names(weights.metadata, who);
  if (options.self_test) weights.self_test = make_self_test(network());
  return files_of_names(weights, format, who, file_name);
}

void save_files(const auto& model, const std::filesystem::path& path, const SaveOptions& options) {
  const Files files = files_of(model, format_for(path, options), path.filename().string(), options);
  std::vector<FileContents> contents;
  for (std::size_t k = files.size(); k-- > 0;)  // what others refer to comes first
    contents.push_back({k == 0 ? path : path.parent_path() / files[k].name, files[k].bytes});
  replace_files(contents);
}

std::string bytes_of(const auto& model, const SaveOptions& options) {
  const Format format = options.format.value_or(Format::native);
  Files files = files_of(model, format, "model", options);
  if (files.size() > 1)
    throw ValueError(who_saves(format) + ": " + description(format) + " is " + std::to_string(files.size()) +
                     " files; save it to a path");
  return std::move(files[0].bytes);
}

void save_stream(const auto& model, std::ostream& stream, const SaveOptions& options) {
  stream << bytes_of(model, options) << std::flush;
  if (!stream)
    throw autograd::Error(who_saves(options.format.value_or(Format::native)) +
                          ": the stream failed while it was written");
}

}  // namespace

void save(const Network& network, const std::filesystem::path& path, const SaveOptions& options) {
  save_files(network, path, options);
}

void save(const Network& network, std::ostream& stream, const SaveOptions& options) {
  save_stream(network, stream, options);
}

std::string to_bytes(const Network& network, const SaveOptions& options) { return bytes_of(network, options); }

namespace detail {

void save(const WeightsOf& module, const std::filesystem::path& path, const SaveOptions& options) {
  save_files(module, path, options);
}

void save(const WeightsOf& module, std::ostream& stream, const SaveOptions& options) {
  save_stream(module, stream, options);
}

std::string to_bytes(const WeightsOf& module, const SaveOptions& options) { return bytes_of(module, options); }

}  // namespace detail
}  // namespace nn::io
