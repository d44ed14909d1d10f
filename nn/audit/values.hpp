// Values: what the names of a derivation stand for, by step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/audit/matrix.hpp"

namespace nn::audit {

/// A name's value, or its value at each step.
struct Quantity {
  bool steps = false;
  int first = 1;                ///< the step of at[0]: 0 for states, which have a value before the first step
  std::vector<Matrix> at = {};  ///< one without steps

  bool has(int t) const { return t >= first && t < first + static_cast<int>(at.size()); }
  const Matrix& operator[](int t) const { return at[static_cast<std::size_t>(t - first)]; }
  const Matrix& whole() const { return at[0]; }
};

struct Values {
  int steps = 0;
  std::map<std::string, Quantity> named = {};

  const Quantity* find(const std::string& name) const {
    const auto found = named.find(name);
    return found == named.end() ? nullptr : &found->second;
  }
  void set(const std::string& name, Matrix value) { named[name] = {false, 0, {std::move(value)}}; }
  void set(const std::string& name, int first, std::vector<Matrix> at) { named[name] = {true, first, std::move(at)}; }

  /// The names nearest to one that is not there, as a list for a message.
  std::string near(const std::string& name) const;
};

}  // namespace nn::audit
