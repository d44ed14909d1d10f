// Files of the audio formats, as JSON to be changed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "autograd/error.hpp"
#include "nn/io/save_load.hpp"

namespace audio_files {

using nlohmann::json;
using nn::io::Format;
using nn::io::Network;

inline json saved_as(const Network& network, Format format, nn::io::SaveOptions options = {}) {
  options.format = format;
  return json::parse(nn::io::to_bytes(network, options));
}

/// What the reader says of a file, or nothing.
inline std::string fault_of(const json& file, Format format) {
  try {
    nn::io::from_bytes(file.dump(), {.format = format});
  } catch (const autograd::FormatError& error) {
    return error.what();
  }
  return "";
}

/// The file with another value at a JSON pointer.
inline json with(json file, const std::string& pointer, const json& value) {
  file[json::json_pointer(pointer)] = value;
  return file;
}

inline const json absent = json(json::value_t::discarded);

/// The same, or without it, where the value is `absent`.
inline json changed(json file, const std::string& pointer, const json& value) {
  if (!value.is_discarded()) return with(std::move(file), pointer, value);
  const json::json_pointer at(pointer);
  file[at.parent_pointer()].erase(at.back());
  return file;
}

}  // namespace audio_files
