// Mistakes: what people get wrong in a formula, each with the formula that it makes of the right one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/audit/derivation.hpp"
#include "nn/audit/values.hpp"

namespace nn::audit {

struct Mistake {
  std::string text;  ///< "it lacks the term dc[t+1] * f[t+1]"
  Formula formula;
};

/// What the dictionary needs to know besides the formula.
struct Vocabulary {
  const Values& values;
  const std::string& gates;
  const Derivation* right = nullptr;  ///< of the cell; null where none is known
};

/// The single mistakes in the right formula of an equation, the likeliest first:
///
///   a sign; a term that is missing or counted twice, here or in a derivative that it takes; a factor that is missing
///   or counted twice; a mean or a half for a sum; another gate; another step; sigma' for tanh' and the other way
///   round, of the value or the pre-activation; a transpose; a sum over time or batch that is missing.
///
/// `wide` adds every other value of the same kind in the place of each.
std::vector<Mistake> mistakes(const Equation& equation, const Vocabulary& vocabulary, bool wide = false);

/// The same one after the other, until `visit` answers false: there are many of a long formula.
using Visit = std::function<bool(Mistake)>;
void each_mistake(const Equation& equation, const Vocabulary& vocabulary, bool wide, const Visit& visit);

}  // namespace nn::audit
