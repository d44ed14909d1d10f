// What the writer and the reader of wengert/1 agree on, and its reading straight into a module.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "nn/description.hpp"
#include "nn/io/formats/formats.hpp"
#include "nn/io/module_weights.hpp"

namespace nn::io::formats {

inline constexpr std::string_view native_version = "wengert/1";

/// The most keys in any object but the parameters, so that a hostile file can not make the reader remember much.
inline constexpr std::size_t max_keys = 1000;

/// The value of an attribute in JSON.
std::string value_text(const Attribute& attribute);

/// Sets every parameter of a module and returns the file's metadata. Throws FormatError, and then the module is what it
/// was; see load().
Metadata read_native(const Input& input, const io::detail::Contents& model, bool allow_narrowing, bool verify);

}  // namespace nn::io::formats
