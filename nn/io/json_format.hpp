// What the writer and the reader of wengert/1 agree on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "nn/description.hpp"

namespace nn::io::detail {

inline constexpr std::string_view format_name = "wengert/1";

/// The most keys in any object but the parameters, so that a hostile file can not make the reader remember much.
inline constexpr std::size_t max_keys = 1000;

/// The value of an attribute in JSON.
std::string value_text(const Attribute& attribute);

}  // namespace nn::io::detail
