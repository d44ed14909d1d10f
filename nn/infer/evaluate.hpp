// evaluate(): the answers of a network to whole sequences, of bidirectional ones too.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "nn/infer/stream.hpp"
#include "nn/io/network.hpp"

namespace nn::infer {

/// The answer to a sequence, step after step, of bidirectional networks too. Beside the network it holds one step, and
/// the sequences that bidirectional layers read and give. The input must outlive it, and is checked as by evaluate().
template <class T>
class Evaluation {
 public:
  Evaluation(const io::Network& network, const io::Tensor& input, bool gains = true);

  /// The outputs of the next step, valid until the one after.
  const T* next();

 private:
  /// The features after the layers at hand, and after those alone.
  const T* advance();

  const io::Tensor& input_;
  std::optional<Stream<T>> stream_;  // of the layers since the last one in both directions, if there are any
  std::vector<T> sequence_;          // its answer, if there is one
  std::size_t width_, skip_, output_size_, at_ = 0;
  T input_gain_, output_gain_;
  std::vector<T> first_, features_, output_;
};

/// The output (time, features) for an input (time, features), in double; bidirectional networks too.
/// Throws ValueError for a network whose shapes do not fit, ShapeError for an input that does not.
io::Tensor evaluate(const io::Network& network, const io::Tensor& input);

/// The network with the state after `steps` steps of zeros as its initial state.
io::Network burnt_in(io::Network network, std::size_t steps);

extern template class Evaluation<float>;
extern template class Evaluation<double>;

}  // namespace nn::infer
