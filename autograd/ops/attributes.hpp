// How attributes of rules read in tape.print().
#pragma once

#include <string>

#include "autograd/number_text.hpp"

namespace autograd {

inline std::string attribute(const char* name, double value) { return std::string(name) + '=' + number_text(value); }

}  // namespace autograd
