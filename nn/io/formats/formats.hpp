// What each format brings: a writer and a reader. One source per format; what each can express is in table.cpp.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/io/format.hpp"
#include "nn/io/json_text.hpp"
#include "nn/io/json_value.hpp"
#include "nn/io/layout.hpp"
#include "nn/io/network.hpp"

namespace nn::io::formats {

/// What is to be written. The network has its metadata, self-test and sample rate, and nothing that the format can not
/// express.
struct Output {
  const Network& network;
  std::string who;        ///< "save (nam)", how errors begin
  std::string file_name;  ///< of the first file

  [[noreturn]] void refuse(const std::string& what) const;
};

/// What is to be read.
struct Input {
  std::string_view bytes;
  std::string who;          ///< "load (nam)"
  std::string source = {};  ///< the file, or ""
  std::optional<Dtype> dtype = {};
  std::function<std::string(const std::string& name)> sibling = {};  ///< the bytes of a file beside it

  std::string where() const { return who + (source.empty() ? "" : ": ") + source; }
};

/// A file to be written, of which a format may need several. The first one has no suffix of its own.
struct NamedBytes {
  std::string name;
  std::string bytes;
};
using Files = std::vector<NamedBytes>;

// Of wengert/1, state_dict and safetensors, which hold any named arrays.
std::string write_native(const Weights& weights);
Weights read_native(const Input& input);
std::string write_state_dict(const Weights& weights, const std::string& who);
Weights read_state_dict(const Input& input);
std::string write_safetensors(const Weights& weights, const std::string& who);
Weights read_safetensors(const Input& input);

Files write_rtneural(const Output& output);
Files write_aidax(const Output& output);
Network read_rtneural(const Input& input);
Network read_aidax(const Input& input);
Files write_guitarml(const Output& output);
Network read_guitarml(const Input& input);
Files write_nam(const Output& output);
Network read_nam(const Input& input);
Files write_keras(const Output& output);
Network read_keras(const Input& input);
Files write_tfjs(const Output& output);
Network read_tfjs(const Input& input);
Files write_onnx(const Output& output);
Network read_onnx(const Input& input);

/// What a file looks like.
struct Likeness {
  std::optional<Format> format = {};
  std::string other = {};  ///< "a frugally-deep model", where it is none that is known here
  std::string own = {};    ///< what it is and which function reads it, where load() does not
};
/// By the keys at the top of a file of JSON, or the first bytes of another. Throws FormatError for what is neither.
Likeness likeness(std::string_view bytes, const std::string& source);

/// The descriptions as the list of wengert/1.
void write_modules(JsonWriter& json, const std::vector<std::pair<std::string, Description>>& modules);
std::vector<std::pair<std::string, Description>> read_modules(const JsonNode& list);

/// "self_test": {...}, nothing if the network has none.
void write_self_test(JsonWriter& json, const Network& network);
/// "metadata": {...}, nothing if there is none.
void write_metadata(JsonWriter& json, const Metadata& metadata);
/// Both, where a file has them.
void read_extras(const JsonNode& root, Network& network);

/// What a program makes of a note that it knows.
struct NoteType {
  enum Type { text, number, object };
  std::string_view key;
  Type type;
};
/// The notes as that program reads them: the text "-18.5" becomes a number. Refuses what is no value of its type.
Metadata typed(const Output& output, Metadata metadata, std::span<const NoteType> types);

/// What a reader does not know may be part of the computation, so every other key of the object is a problem.
void allow_keys(const JsonNode& object, std::initializer_list<std::string_view> known);

/// Distinct names: layers of one module are called lstm, lstm_1, lstm_2.
std::vector<std::string> distinct_names(const Network& network);

}  // namespace nn::io::formats
