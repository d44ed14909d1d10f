// Format: the file formats of the programs that run recurrent models, by name.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace nn::io {

enum class Format { native, state_dict, rtneural, aidax, guitarml, nam, keras, onnx, tfjs, safetensors };

/// "rtneural".
const char* name(Format format);
/// "an RTNeural model".
const char* description(Format format);
/// Empty for an unknown name.
std::optional<Format> format_named(const std::string& name);
/// The names of all, with commas.
std::string format_names();
/// What each can express, and with whose files it has been tried: the table of docs/formats.md, in Markdown.
std::string format_table();

/// The format that the suffix of a file tells: .nam, .onnx, .aidax, .safetensors. Empty for any other, .json too, which
/// is that of seven formats.
std::optional<Format> format_by_suffix(const std::filesystem::path& path);

}  // namespace nn::io
