// Models in files of every format that is known here: save() and load(), of modules and of networks.
//
//   save(model, "amp.nam", {.sample_rate = 48000});  // of a module: an LSTM and a Linear, say
//   load(model, "amp.json");                         // into it, of whatever format the file is
//   save(load("amp.nam"), "amp.onnx");               // a network, no module at all
//
// Which format is written, SaveOptions::format says, or the suffix: .nam, .onnx, .aidax and .safetensors are clear, and
// .json, which other programs use for theirs, is the library's own, Format::native; any other suffix is refused. A
// stream or a string has no suffix, and is native if nothing else is asked for. Which format is read, the content says;
// LoadOptions::format asks for one.
//
// Of a module whose described parts, in the order of visit(), are LSTM, GRU, RNN and Linear layers that feed one
// another; what is known of that and what is taken for granted, row_of() says. native, state_dict and safetensors take
// any module, if no self-test is asked for.
//
// A native file:
//
//   {
//     "format": "wengert/1",
//     "dtype": "float32",
//     "modules": [
//       {"name": "lstm", "type": "LSTM", "input_size": 10, "hidden_size": 20, "gate_order": "ifgo"}
//     ],
//     "parameters": {
//       "lstm.weight_ih_l0": {"shape": [80, 10], "data": [0.1,-0.25]}
//     },
//     "metadata": {"seed": "7"},
//     "self_test": {"input": {"shape": [64, 10], "data": [0.5]}, "output": {"shape": [64, 20], "data": [0.1]},
//                   "tolerance": 1e-5}
//   }
//
// Data is flat and row-major; every number is the shortest text that reads back as the same bits.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/io/format.hpp"
#include "nn/io/json_value.hpp"
#include "nn/io/module_weights.hpp"
#include "nn/io/network.hpp"

namespace nn::io {

/// An option that the format, or what is saved, has no use for is a ValueError that names it.
struct SaveOptions {
  std::optional<Format> format = {};  ///< that of the suffix, see above, if not given
  Metadata metadata = {};             ///< added to the network's; of every format but state_dict
  bool self_test = false;             ///< an input and the answer go along; whoever reads the file here checks them
  double sample_rate = 0;             ///< in Hz; 0: the network's, or else, for nam and aidax, 48000; not of state_dict
  std::size_t burn_in = 0;            ///< nam: the initial state is the one after so many steps of zeros
  bool zero_state = false;            ///< of a network: forget its initial state
};

/// An option that the format, or what is loaded, has no use for is a ValueError that names it; an order or a
/// nonlinearity that a file gives itself is a FormatError.
struct LoadOptions {
  std::optional<Format> format = {};  ///< that of the content, if not given
  /// Of a network, what its numbers become. They are read as this type from JSON that does not say its own, which else
  /// is float32 if every number is a float; from other files they are rounded to it.
  std::optional<Dtype> dtype = {};
  bool allow_narrowing = false;  ///< of a float module: round the numbers of a file that says float64, not refuse it
  bool verify = true;            ///< run the self-test, if there is one
  std::vector<std::string> order = {};            ///< of a network's layers, in a file that has them by name
  std::optional<Nonlinearity> nonlinearity = {};  ///< of a network's RNNs, in a file that does not say: tanh or relu
};

namespace detail {

/// The weights of a module, as row_of() where `row`, otherwise as weights_of(); errors begin with `who`.
using WeightsOf = std::function<Weights(bool row, const std::string& who)>;

template <Module M>
WeightsOf deferred_weights(const M& module) {
  return [&module](bool row, const std::string& who) { return row ? row_of(module, who) : weights_of(module, who); };
}

void save(const WeightsOf& module, const std::filesystem::path& path, const SaveOptions& options);
void save(const WeightsOf& module, std::ostream& stream, const SaveOptions& options);
std::string to_bytes(const WeightsOf& module, const SaveOptions& options);

Metadata load(const Contents& module, const WeightsOf& own, const std::filesystem::path& path,
              const LoadOptions& options);
Metadata load(const Contents& module, const WeightsOf& own, std::istream& stream, const LoadOptions& options);
Metadata from_bytes(const Contents& module, const WeightsOf& own, std::string_view bytes, const LoadOptions& options);

}  // namespace detail

/// Writes a file, or the files of a format that needs several, which are each replaced only when complete, the one of
/// that path last. Errors begin with the format: `save (nam): `. Throws ValueError for what the format can not express,
/// with the formats that can; for a suffix that tells no format; for parameters of both float and double, with one text
/// for all that faults() finds (NaN and infinity, with parameter and index, names that occur twice, are empty or can
/// not be printed, text that is not UTF-8); and, with the path of the module, for one that is no row of layers where
/// that is needed. Throws Error if the file can not be written.
template <Module M>
void save(const M& module, const std::filesystem::path& path, const SaveOptions& options = {}) {
  detail::save(detail::deferred_weights(module), path, options);
}
void save(const Network& network, const std::filesystem::path& path, const SaveOptions& options = {});

/// The same to a stream, of a format that is one file. Throws Error if the stream fails.
template <Module M>
void save(const M& module, std::ostream& stream, const SaveOptions& options = {}) {
  detail::save(detail::deferred_weights(module), stream, options);
}
void save(const Network& network, std::ostream& stream, const SaveOptions& options = {});

/// The bytes of the file that save() writes, of a format that is one file.
template <Module M>
std::string to_bytes(const M& module, const SaveOptions& options = {}) {
  return detail::to_bytes(detail::deferred_weights(module), options);
}
std::string to_bytes(const Network& network, const SaveOptions& options = {});

/// Sets every parameter of a module from a file, and returns the file's metadata. Into a module of the same layers,
/// whatever they are called; from native, state_dict and safetensors into any module of the same names. A float32 file
/// fits a double model. Throws FormatError, and then the module is what it was: as load() of a network; for layers,
/// names or shapes that differ, with all of them in one text; for a description that differs; for a self-test that the
/// weights do not pass.
template <Module M>
Metadata load(M& module, const std::filesystem::path& path, const LoadOptions& options = {}) {
  return detail::load(detail::contents(module), detail::deferred_weights(module), path, options);
}
template <Module M>
Metadata load(M& module, std::istream& stream, const LoadOptions& options = {}) {
  return detail::load(detail::contents(module), detail::deferred_weights(module), stream, options);
}
template <Module M>
Metadata from_bytes(M& module, std::string_view bytes, const LoadOptions& options = {}) {
  return detail::from_bytes(detail::contents(module), detail::deferred_weights(module), bytes, options);
}

/// Reads a network, whatever the module that it was saved from. Errors begin with the format and the file: `load (nam):
/// amp.nam: `. Throws FormatError (FileProblems with everything that is wrong in a JSON file, each with the byte and
/// the JSON pointer) for a file that is damaged, of another format, or fails its self-test, and for a network that is
/// no row of LSTM, GRU, RNN and Linear layers.
Network load(const std::filesystem::path& path, const LoadOptions& options = {});
Network load(std::istream& stream, const LoadOptions& options = {});
/// The same from the bytes of a file that stands alone.
Network from_bytes(std::string_view bytes, const LoadOptions& options = {});

/// Which format a file has. Throws FormatError for anything else, and says what it looks like.
Format detect(const std::filesystem::path& path);

/// The parameters of a native file, with what its modules say of themselves, whatever the model. Throws FormatError, as
/// load() of that format does, for anything but a complete one.
Weights read_weights(const std::filesystem::path& path);

/// The metadata of a native file, whatever the model. Throws FormatError, as load() of that format does, for anything
/// but a complete one.
Metadata read_metadata(const std::filesystem::path& path);

}  // namespace nn::io
