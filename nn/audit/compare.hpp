// What audits of derivations and of arrays have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/audit/audit.hpp"

namespace nn::audit::detail {

/// The values of a term at its steps, beside the true ones.
struct Compared {
  std::vector<int> steps;
  std::vector<Matrix> hand, truth;
};

/// The blocks of an array that holds those of all gates; none of any other.
std::vector<std::pair<char, Matrix>> gate_blocks(const std::string& name, const Matrix& array, const Truth& truth);

/// How far rounding may have moved a value from the true one, in the norm.
double rounding(const Matrix& hand, const Matrix& truth);
/// Whether rounding explains the difference; not where either is not finite.
bool agree(const Matrix& hand, const Matrix& truth);

/// The largest norm of a derivative, at any step, of those that are finite.
double largest_derivative(const Values& values);

/// All of a finding but the causes of what is finite and clearly wrong. Of a value with rounding so coarse that it may
/// be another one as well, beside the true one and the `largest` derivative, nothing is decided. A derivation that runs
/// on its own values carries its rounding from step to step: it is forgiven `carried`, which is 0 of any other, and as
/// much as T times the worst that was rounded so far.
Term compare(const std::string& name, const Compared& compared, const Truth& truth, bool steps, double largest,
             double carried = 0);

/// Fills in what follows from the terms.
void conclude(Report& report, const Truth& truth);

}  // namespace nn::audit::detail
