// Values: what the names of a derivation stand for, by step.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "nn/audit/matrix.hpp"

namespace nn::audit {

/// A name's value, or its value at each step.
struct Quantity {
  bool steps = false;
  int first = 1;                          ///< the step of at[0]: 0 for states, which have a value before the first step
  std::vector<Matrix> at = {};            ///< one without steps
  std::vector<std::string> part_of = {};  ///< what has these numbers among others: dWx of dWxi, dh of dh0
  std::vector<std::string> holds = {};    ///< what these are put together of, or equal: dWhi and dWxi of dWi

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
  Quantity& set(const std::string& name, Matrix value) { return named[name] = {false, 0, {std::move(value)}}; }
  Quantity& set(const std::string& name, int first, std::vector<Matrix> at) {
    return named[name] = {true, first, std::move(at)};
  }

  /// The names that some of a name's numbers go by as well, as it is a part of them or holds them: dWx of dWxi, dh of
  /// dh0, and dWhi, dWxi, dWh and dWx of dWi.
  std::set<std::string> origins(const std::string& name) const;

  /// The names nearest to one that is not there, as a list for a message: letters in another order or case are nearer
  /// than other letters.
  std::string near(const std::string& name) const;
};

}  // namespace nn::audit
