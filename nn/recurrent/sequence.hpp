// A batch of sequences: how a recurrent network is called, what it returns, and which sequences have which steps.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>

#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/random.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/tape.hpp"

namespace nn {

using autograd::Generator;
using autograd::Index;
using autograd::Shape;
using autograd::Tape;
using autograd::Variable;

/// How to run one batch through a Recurrent, RecurrentLayers, an LSTM, a GRU or an RNN. What a State is they say.
template <class T, class State>
struct SequenceCall {
  std::optional<State> initial = {};          ///< before the first step; the network's own if not given
  std::span<const std::size_t> lengths = {};  ///< of each sequence; all steps if not given
  Variable<T> mask = {};         ///< instead of lengths: 1 where a sequence has a step, else 0; axes as of x
  Generator* dropout = nullptr;  ///< given in training: draws the dropout
};

/// What it returns. The state may be the next call's `initial`.
template <class T, class State>
struct SequenceResult {
  Variable<T> output;  ///< of every step; axes as of x
  State state;         ///< after the last step of each sequence; of what runs in reverse, after the first
};

namespace detail {

/// Throws ShapeError unless the shape is (time, batch, feature) with at least one step.
void check_sequence(const std::string& name, const Shape& shape);

/// Throws ShapeError unless there is one length for each sequence, ValueError for one longer than the input.
void check_lengths(const std::string& name, std::span<const std::size_t> lengths, std::size_t steps, std::size_t batch);

/// Throws ShapeError for a mask of another shape than (first, second), that is `axes`; ValueError where there are
/// lengths as well.
void check_mask(const std::string& name, const Shape& mask, std::span<const std::size_t> lengths, std::size_t first,
                std::size_t second, const char* axes = "(time, batch)");

/// Throws ValueError unless 0 <= probability < 1.
void check_dropout(const std::string& name, const char* which, double probability);

/// Throws ShapeError unless a residual connection's input and output have as many features.
void check_residual(const std::string& name, std::size_t input, std::size_t output);

}  // namespace detail

/// (time, batch): 1 where a sequence has the step, else 0. Throws ValueError for a length beyond the steps. With it the
/// losses of padded steps count for nothing:
///
///   reduce(mse_loss(output, target, Reduction::none), sequence_mask(tape, lengths, steps), Reduction::mean)
template <class T>
Variable<T> sequence_mask(Tape<T>& tape, std::span<const std::size_t> lengths, std::size_t steps) {
  detail::check_lengths("sequence_mask", lengths, steps, lengths.size());
  return tape.constant({steps, lengths.size()}, [&](std::span<T> values) {
    for (std::size_t t = 0; t < steps; ++t)
      for (std::size_t b = 0; b < lengths.size(); ++b) values[t * lengths.size() + b] = t < lengths[b] ? T(1) : T(0);
  });
}

namespace detail {

/// Which sequences have which steps.
template <class T>
class Presence {
 public:
  /// Given by lengths, or by a mask (time, batch); with neither, all sequences have all steps.
  Presence(Tape<T>& tape, std::span<const std::size_t> lengths, Variable<T> mask, std::size_t steps)
      : mask_(mask),
        whole_(mask              ? 0
               : lengths.empty() ? steps
                                 : *std::min_element(lengths.begin(), lengths.end())) {
    if (!mask && whole_ < steps) mask_ = sequence_mask(tape, lengths, steps);
  }

  /// Whether all sequences have step t.
  bool all(std::size_t t) const { return !mask_ || t < whole_; }

  /// 1 for each sequence that has step t, else 0: (batch, 1, ..., 1), to be broadcast against `rank` axes.
  Variable<T> at(std::size_t t, std::size_t rank) const {
    Shape shape{mask_.shape()[1]};
    while (shape.rank() < rank) shape.push_back(1);
    return reshape(select(mask_, 0, static_cast<Index>(t)), shape);
  }

  /// x (time, batch, feature), but 0 where a sequence has no step: whatever stands there, NaN as well, reaches neither
  /// a product nor its gradient.
  Variable<T> without_padding(Variable<T> x) const {
    return mask_ ? masked(x, reshape(mask_, {x.shape()[0], x.shape()[1], 1})) : x;
  }

  /// y + x, but 0 where a sequence has no step; x and y are (time, batch, feature), and y is 0 there.
  Variable<T> residual(const std::string& name, Variable<T> y, Variable<T> x) const {
    check_residual(name, x.shape()[2], y.shape()[2]);
    return y + without_padding(x);
  }

 private:
  Variable<T> mask_;  ///< (time, batch), none where all sequences have all steps
  std::size_t whole_;
};

}  // namespace detail
}  // namespace nn
