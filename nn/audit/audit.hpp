// The gradient audit: is a hand-derived backward pass right, and if not, which term is the first to be wrong, and why?
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nn/audit/evaluate.hpp"
#include "nn/audit/truth.hpp"

namespace nn::audit {

/// What was found about one equation, or one array.
struct Term {
  std::string term;      ///< "dc[t]"
  std::size_t line = 0;  ///< of the file; 0 where there is none
  std::string text;      ///< the equation as it was written
  bool agrees = true;
  bool decided = true;           ///< not where rounding hides what it is compared with; it does not agree then
  double digits = 16;            ///< of agreement, over all steps: -log10(|hand - true| / |true|), within [0, 16]
  std::optional<int> first_t;    ///< the first step that is wrong, reading backwards in time
  std::string gate;              ///< that the term belongs to, or, of a whole array, that is furthest off; "" for none
  std::optional<double> factor;  ///< where the hand's is a multiple of the true one
  std::vector<std::string> causes;  ///< every single mistake, or else two, that explain all of it; none if none do
  double detectable = 0;            ///< a factor of 1 + this in the whole term would have been seen
  int first_step = 0;               ///< the step of step_digits[0]; 0 as well of a term without steps
  std::vector<double> step_digits;  ///< isolated
  std::vector<double> cumulative_digits;  ///< where the derivation is run on its own values
};

struct Report {
  std::string cell;
  Mode mode = Mode::isolated;
  bool agrees = true;
  std::string verdict;                   ///< in a sentence
  std::vector<Term> terms;               ///< in the order of the derivation
  std::vector<std::string> not_given;    ///< gradients of the cell that were not compared: "dWxf", "dx[t]", "dzi[7]"
  std::vector<std::string> blind_spots;  ///< what this run could not have seen
  std::size_t tried = 0;                 ///< mistakes that were made in search of causes
  bool all_tried = true;                 ///< not where there were more of them than time is spent on
  double detectable_factor = 1;          ///< the smallest that would have been seen in every term
  double complex_error = -1;             ///< of the truth itself: see Truth
};

/// What the run can not see, whatever the derivation.
std::vector<std::string> blind_spots(const Truth& truth);

/// Holds every equation whose left side is a derivative, or a value, to the truth. Every formula is given true values,
/// so that k mistakes are k findings; with Mode::cumulative the derivation's own, and a mistake spreads to what
/// follows. A number agrees where rounding explains the difference: 64 eps of the magnitudes that it was added up from;
/// where that explains a difference in the first 6 digits, nothing is decided, and it does not agree.
/// Throws FormatError for a derivation that does not fit the cell: see Evaluation; for a left side that is neither of
/// the cell nor used, and for an equation of no step that the cell has, as nothing would be compared.
Report audit(const Derivation& derivation, const Truth& truth, Mode mode = Mode::isolated);

/// The same of finished arrays: "dWx", "dWhi", "db", "dx" (T B, I), "dh0", and so on, from wherever they come. Causes
/// are single mistakes in the cell's right derivation that give just these arrays, or two, while T H² is at most 2000.
/// Throws ValueError for an unknown name and where there are no arrays, ShapeError for a shape that does not
/// fit.
Report audit_arrays(const std::map<std::string, Matrix>& arrays, const Truth& truth);

/// How good a test this run is of this derivation: of the single mistakes that could be made in it, how many would be
/// noticed.
struct MutationScore {
  std::size_t noticed = 0, made = 0;
  std::vector<std::string> unnoticed;  ///< "dc[t]: it lacks ..."
};
MutationScore mutation_score(const Derivation& derivation, const Truth& truth);

}  // namespace nn::audit
