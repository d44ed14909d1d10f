// NoRow: why a model is no row of layers.
#pragma once

#include <string>
#include <utility>

#include "autograd/error.hpp"

namespace nn::io {

/// The text is the cause and what can be done about it.
struct NoRow : autograd::ValueError {
  std::string cause;

  NoRow(std::string why, const std::string& remedy) : ValueError(why + remedy), cause(std::move(why)) {}
};

}  // namespace nn::io
