// Explanation: which mistake would make a hand's formula of the right one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/audit/compare.hpp"
#include "nn/audit/evaluate.hpp"
#include "nn/audit/mistakes.hpp"

namespace nn::audit::detail {

/// Whether `wanted` are the values that a formula gives, at every step.
bool gives(Evaluation& evaluation, const Equation& equation, const Formula& formula, const Compared& compared,
           const std::vector<Matrix>& wanted);

/// What could have been done to the right formula so that it gives the hand's values.
class Explanation {
 public:
  Explanation(const Derivation& derivation, const Truth& truth);

  /// As sentences, none where nothing that was tried gives these values.
  std::vector<std::string> of(const Equation& equation, const Compared& compared);

  std::size_t tried() const { return tried_; }
  bool all_tried() const { return all_tried_; }

 private:
  Vocabulary vocabulary() const { return {truth_.values, truth_.gates, right_}; }
  void each(const Equation& equation, const Vocabulary& vocabulary, bool wide,
            const std::function<bool(const Mistake&)>& visit);
  std::vector<std::string> from_right(const Equation& right, const Compared& compared);
  std::vector<std::string> by_repair(const Equation& equation, const Compared& compared);
  bool derives(const Equation& equation, const Formula& formula) const;

  const Truth& truth_;
  const Derivation* right_;
  Evaluation isolated_;
  const Derivation& derivation_;
  Evaluation repairs_;
  std::size_t tried_ = 0, spent_ = 0, here_ = 0;  ///< mistakes, and the operations in their formulas
  bool all_tried_ = true;
};

}  // namespace nn::audit::detail
