// What the writer and the reader of wengert/1 agree on.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "autograd/error.hpp"
#include "nn/io/json.hpp"

namespace nn::io::detail {

inline constexpr std::string_view format_name = "wengert/1";

/// The most keys in any object but the parameters, so that a hostile file can not make the reader remember much.
inline constexpr std::size_t max_keys = 1000;

/// The value of an attribute in JSON.
std::string value_text(const Attribute& attribute);

/// Throws ValueError, which begins with `who`, unless the names differ and the types do not.
template <class Contents>
void check_parameters(const std::string& who, const Contents& model) {
  std::set<std::string> names;
  for (const auto& [name, parameter] : model.parameters) {
    if (!names.insert(name).second) throw autograd::ValueError(who + ": two parameters are called " + name);
    if (parameter.index() != model.parameters.front().parameter.index())
      throw autograd::ValueError(who + ": " + model.parameters.front().name + " and " + name +
                                 " are not both float or both double, and a file has one dtype");
  }
}

/// Whether the numbers of a model are float; a model without parameters counts as double.
template <class Contents>
bool is_float(const Contents& model) {
  return !model.parameters.empty() && model.parameters.front().parameter.index() == 0;
}

}  // namespace nn::io::detail
