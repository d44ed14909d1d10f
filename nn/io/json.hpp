// Trained weights as JSON: what save_json writes, load_json reads bit for bit.
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
#include <iosfwd>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/io/module_weights.hpp"

namespace nn::io {

struct SaveOptions {
  Metadata metadata = {};
  bool self_test = false;  ///< an input and the answer go along, and are checked when the file is read
};

struct LoadOptions {
  bool allow_narrowing = false;  ///< round the numbers of a float64 file into a float model, instead of refusing it
};

namespace detail {

std::string write(const Weights& weights);
std::string write(Weights weights, const SaveOptions& options);
void save(Weights weights, const std::filesystem::path& path, const SaveOptions& options);
void save(Weights weights, std::ostream& stream, const SaveOptions& options);

/// A self-test is one of a row of layers.
template <Module M>
Weights weights_to_save(const M& module, const SaveOptions& options) {
  return options.self_test ? row_of(module, "save_json") : weights_of(module, "save_json");
}

Metadata read(const Contents& model, std::string_view text, const LoadOptions& options);
Metadata load(const Contents& model, const std::filesystem::path& path, const LoadOptions& options);
Metadata load(const Contents& model, std::istream& stream, const LoadOptions& options);

}  // namespace detail

/// Writes the parameters of a module, its descriptions, and metadata; a file is replaced only once the new one is
/// complete. Throws ValueError for parameters of both float and double, with one text for all that faults() finds (NaN
/// and infinity, with parameter and index, names that occur twice, are empty or can not be printed, text that is not
/// UTF-8), and for a self-test of anything but a row of LSTM, GRU, RNN and Linear layers, see row_of(); Error if the
/// file can not be written.
template <Module M>
void save_json(const M& module, const std::filesystem::path& path, const SaveOptions& options = {}) {
  detail::save(detail::weights_to_save(module, options), path, options);
}
template <Module M>
void save_json(const M& module, std::ostream& stream, const SaveOptions& options = {}) {
  detail::save(detail::weights_to_save(module, options), stream, options);
}

/// The text that save_json writes.
template <Module M>
std::string to_json_text(const M& module, const SaveOptions& options = {}) {
  return detail::write(detail::weights_to_save(module, options), options);
}

/// Sets every parameter of a module from a file, and returns the file's metadata. A float32 file fits a double model.
/// Throws FormatError, and then the module is what it was: for anything but a complete wengert/1 file, with the byte
/// (how many were read) and the JSON pointer; for names or shapes that differ, with all of them in one text; for a
/// module whose description differs; for a self-test that the weights do not pass.
template <Module M>
Metadata load_json(M& module, const std::filesystem::path& path, const LoadOptions& options = {}) {
  return detail::load(detail::contents(module), path, options);
}
template <Module M>
Metadata load_json(M& module, std::istream& stream, const LoadOptions& options = {}) {
  return detail::load(detail::contents(module), stream, options);
}

/// load_json from a text.
template <Module M>
Metadata from_json_text(M& module, std::string_view text, const LoadOptions& options = {}) {
  return detail::read(detail::contents(module), text, options);
}

/// The weights of a file, whatever the model, with its self-test, which is not run. Throws FormatError for anything but
/// a complete wengert/1 file.
Weights read_json(std::string_view text, const std::string& source = {});

/// The metadata of a file, whatever the model. Throws FormatError for anything but a complete wengert/1 file.
Metadata read_metadata(const std::filesystem::path& path);

}  // namespace nn::io
