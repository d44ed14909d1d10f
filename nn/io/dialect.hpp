// The formats that other programs read, by name: written from a network or a module, read into one.
//
//   save_nam(model, "amp.nam", {.sample_rate = 48000});      // of a module: an LSTM and a Linear, say
//   load_rtneural(model, "amp.json");
//   save(load("amp.nam"), Dialect::onnx, "amp.onnx");        // no module at all
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/io/json_value.hpp"
#include "nn/io/module_weights.hpp"
#include "nn/io/network.hpp"

namespace nn::io {

enum class Dialect { native, state_dict, rtneural, aidax, guitarml, nam, keras, onnx, tfjs, safetensors };

const char* name(Dialect dialect);
/// "an RTNeural model".
const char* description(Dialect dialect);
/// Empty for an unknown name.
std::optional<Dialect> dialect_named(const std::string& name);
/// The names of all, with commas.
std::string dialect_names();
/// What each can express, and with whose files it has been tried: the table of docs/formats.md, in Markdown.
std::string dialect_table();

struct ExportOptions {
  Metadata metadata = {};   ///< added to the network's
  bool self_test = false;   ///< an input and the answer go along; whoever reads the file here checks them
  double sample_rate = 0;   ///< in Hz; 0: the network's, or else, for nam and aidax, 48000
  std::size_t burn_in = 0;  ///< nam: the initial state is the one after so many steps of zeros
  bool zero_state = false;  ///< forget the network's initial state
};

struct ImportOptions {
  std::optional<Dtype> dtype = {};              ///< of JSON that does not say; else float32, if every number is a float
  bool verify = true;                           ///< run the self-test, if there is one
  std::vector<std::string> order = {};          ///< of the layers in a file that has them by name: "lstm", "head"
  std::optional<Activation> nonlinearity = {};  ///< tanh or relu, of RNNs in a file that does not say
};

/// A file to be written, of which a format may need several. The first one has no suffix of its own.
struct NamedBytes {
  std::string name;
  std::string bytes;
};

/// The files of a network; `file_name` is the first one's. Throws ValueError, which begins with `save_<dialect>: `, for
/// what the format can not express, with the formats that can.
std::vector<NamedBytes> write(const Network& network, Dialect dialect, const std::string& file_name,
                              const ExportOptions& options = {});

/// As write(), to files that are each replaced only when complete, the first one last.
void save(const Network& network, Dialect dialect, const std::filesystem::path& path,
          const ExportOptions& options = {});

/// Which format a file has. Throws FormatError for anything else, and says what it looks like.
Dialect detect(const std::filesystem::path& path);

/// Reads a file of a format, or of any. Throws FormatError (FileProblems with everything that is wrong in a JSON file)
/// for a file that is damaged, of another format, or fails its self-test, and for a network that is no row of LSTM,
/// GRU, RNN and Linear layers.
Network load(const std::filesystem::path& path, std::optional<Dialect> dialect = {}, const ImportOptions& options = {});

/// The same from the bytes of a file that stands alone.
Network read(std::string_view bytes, std::optional<Dialect> dialect = {}, const ImportOptions& options = {});

namespace detail {
/// Whether the format has named arrays of any module, and not a row of layers.
bool holds_names(Dialect dialect);
void save_weights(const Weights& weights, Dialect dialect, const std::filesystem::path& path,
                  const ExportOptions& options);
void load_into(const Contents& model, const Weights& own, Dialect dialect, const std::filesystem::path& path);

template <Module M>
void save_module(const M& module, Dialect dialect, const std::filesystem::path& path, const ExportOptions& options) {
  const std::string who = std::string("save_") + name(dialect);
  const bool any = holds_names(dialect) && !options.self_test;
  save_weights(any ? weights_of(module, who) : row_of(module, who), dialect, path, options);
}
template <Module M>
void load_module(M& module, Dialect dialect, const std::filesystem::path& path) {
  const std::string who = std::string("load_") + name(dialect);
  load_into(contents(module), holds_names(dialect) ? weights_of(module, who) : row_of(module, who), dialect, path);
}
}  // namespace detail

// Of a module whose described parts, in the order of visit(), are LSTM, GRU, RNN and Linear layers that feed one
// another; what is known of that and what is taken for granted, row_of() says. state_dict and safetensors take any
// module. Errors are those of save(), and ValueError, with the path of the module, for one that is no such row.

template <Module M>
void save_state_dict(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::state_dict, path, options);
}
template <Module M>
void save_rtneural(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::rtneural, path, options);
}
template <Module M>
void save_aidax(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::aidax, path, options);
}
template <Module M>
void save_guitarml(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::guitarml, path, options);
}
template <Module M>
void save_nam(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::nam, path, options);
}
template <Module M>
void save_keras_json(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::keras, path, options);
}
template <Module M>
void save_onnx(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::onnx, path, options);
}
template <Module M>
void save_tfjs(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::tfjs, path, options);
}
template <Module M>
void save_safetensors(const M& module, const std::filesystem::path& path, const ExportOptions& options = {}) {
  detail::save_module(module, Dialect::safetensors, path, options);
}

// Into a module of the same layers, whatever they are called; state_dict and safetensors into any module of the same
// names. Throws FormatError, and then the module is what it was: as load(), and for layers, names or shapes that
// differ.

template <Module M>
void load_state_dict(M& module, const std::filesystem::path& path) {
  detail::load_module(module, Dialect::state_dict, path);
}
template <Module M>
void load_rtneural(M& module, const std::filesystem::path& path) {
  detail::load_module(module, Dialect::rtneural, path);
}
template <Module M>
void load_guitarml(M& module, const std::filesystem::path& path) {
  detail::load_module(module, Dialect::guitarml, path);
}
template <Module M>
void load_nam(M& module, const std::filesystem::path& path) {
  detail::load_module(module, Dialect::nam, path);
}
template <Module M>
void load_safetensors(M& module, const std::filesystem::path& path) {
  detail::load_module(module, Dialect::safetensors, path);
}

}  // namespace nn::io
