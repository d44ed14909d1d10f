// Where gradient comes from in a run, and how far it reaches back.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/audit/derivation.hpp"
#include "nn/audit/truth.hpp"

namespace nn::audit {

/// Where the derivative of one pre-activation at one step comes from; the three add up to 1.
struct Shares {
  double through_c = 0;  ///< of c[t+1]
  double through_h = 0;  ///< of h[t+1]: all that reads h[t] in the next step
  double direct = 0;     ///< of the loss, which reads h[t]
};

/// Truncation of backpropagation to pieces of k steps.
struct Truncation {
  std::size_t k;
  double cosine;          ///< of the weights' gradient with the full one
  double relative_error;  ///< |truncated - full| / |full|
};

struct Flow {
  std::map<std::string, std::vector<Shares>> shares;  ///< "dzi", ...: at t = 1, ..., T
  std::map<std::string, std::vector<double>> norms;   ///< "dh", "dc": at t = 1, ..., T
  std::map<char, double> saturation;                  ///< share of a gate's values within 0.05 of an end
  std::size_t memory = 0;                             ///< steps back from T until the derivative of a loss at T
                                                      ///< has fallen to 1/e of what it was; T if it has not
  std::vector<Truncation> truncation;                 ///< k = 1, 2, 4, ..., T
};

/// Follows the right derivation of the cell: shares are its terms, and truncation cuts what comes from the next step.
Flow flow_of(const Truth& truth, const Derivation& right);

}  // namespace nn::audit
