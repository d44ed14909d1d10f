// How attributes of rules read in tape.print().
#pragma once

#include <array>
#include <cstdio>
#include <string>

namespace autograd {

inline std::string attribute(const char* name, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%s=%g", name, value);
  return text.data();
}

}  // namespace autograd
