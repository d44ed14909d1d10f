// What the derivations by hand share about sequences: lengths, and direction.
#pragma once

#include <string>
#include <vector>

#include "nn/manual/matrix.hpp"

namespace nn::manual {

/// How a layer runs over its sequences.
struct Sequences {
  std::vector<std::size_t> lengths = {};  ///< of each sequence; all steps if empty
  bool reverse = false;                   ///< from the last step to the first
};

/// The order of the steps, and which rows take part (m in rnn_bptt.hpp): a sequence keeps its state in its padding.
class Walk {
 public:
  /// Throws ShapeError unless there is one length for each sequence, and none beyond the steps.
  Walk(const std::string& name, const Sequences& sequences, std::size_t steps, std::size_t batch)
      : sequences_(sequences), steps_(steps) {
    if (sequences.lengths.empty()) return;
    if (sequences.lengths.size() != batch)
      throw autograd::ShapeError(name + ": " + std::to_string(sequences.lengths.size()) + " lengths for a batch of " +
                                 std::to_string(batch) + "; give one for each sequence");
    for (const std::size_t length : sequences.lengths)
      if (length > steps)
        throw autograd::ShapeError(name + ": a length of " + std::to_string(length) + " for " + std::to_string(steps) +
                                   " steps");
  }

  /// The k-th step to be computed.
  std::size_t operator[](std::size_t k) const { return sequences_.reverse ? steps_ - 1 - k : k; }
  bool reaches(std::size_t row, std::size_t t) const {
    return sequences_.lengths.empty() || t < sequences_.lengths[row];
  }

 private:
  const Sequences& sequences_;
  std::size_t steps_;
};

/// Σ over the rows of a times b, element by element, added to one row.
template <class T, class A, class B>
void add_row_products(Array<T>& out, const MatrixView<A>& a, const MatrixView<B>& b) {
  for (std::size_t row = 0; row < a.rows; ++row)
    for (std::size_t k = 0; k < a.columns; ++k) out(k) += a(row, k) * b(row, k);
}

}  // namespace nn::manual
