// Stream: a trained recurrent model that answers one time step at a time, for an audio thread: no tape, no allocation.
#pragma once

#include <cstddef>
#include <vector>
#include <xsimd/xsimd.hpp>

#include "nn/io/network.hpp"

namespace nn::infer {

/// One direction of one layer, from step to step. Weights are packed at construction: a step is one product of the row
/// [h | x] with one matrix, two for a GRU, and one pass over the gates.
template <class T>
class Unit {
 public:
  Unit(const io::Layer& layer, const io::Arrays& arrays);

  /// The features of the layer after one step on x, valid until the next.
  const T* step(const T* x) noexcept;

  /// To the state before the first step.
  void reset() noexcept;

  std::size_t output_size() const { return recurrent_; }
  io::Tensor h() const;
  io::Tensor c() const;

 private:
  /// Registers that straddle cache lines take twice as long to load.
  using Aligned = std::vector<T, xsimd::aligned_allocator<T, 64>>;

  void lstm() noexcept;
  void gru() noexcept;
  void activate(T* y, std::size_t size) const noexcept;

  io::Layer::Kind kind_;
  Nonlinearity activation_;
  bool reset_after_;
  std::size_t input_, size_, recurrent_;  // I; H; width of h
  Aligned weight_, bias_;                 // of (h, x), or of x alone in a GRU and a linear layer
  Aligned weight_h_, weight_n_;           // of h in a GRU, of r h where it resets before the product
  Aligned bias_h_, weight_hr_;            // GRU (3H); projection (H, P)
  Aligned row_;                           // [h | x]
  Aligned z_, u_, c_;                     // pre-activations, those of h in a GRU, cell state
  Aligned h0_, c0_;
};

/// Throws ValueError for a bidirectional network, which needs the whole sequence, and for one whose shapes do not fit.
template <class T>
class Stream {
 public:
  explicit Stream(const io::Network& network);

  std::size_t input_size() const { return input_.size(); }
  std::size_t output_size() const { return output_size_; }

  /// x has input_size() elements and y output_size(); they may overlap.
  void step(const T* x, T* y) noexcept;

  /// Steps in time order: x (steps, input_size()), y (steps, output_size()).
  void run(const T* x, T* y, std::size_t steps) noexcept {
    for (std::size_t t = 0; t < steps; ++t) step(x + t * input_size(), y + t * output_size());
  }

  /// To the state before the first step.
  void reset() noexcept;

  const std::vector<Unit<T>>& units() const { return units_; }

 private:
  std::vector<Unit<T>> units_;
  std::vector<T> input_;
  std::size_t output_size_, skip_;
  T input_gain_, output_gain_;
};

/// The answer to a sequence, step after step, of bidirectional networks too. Beside the network it holds one step, and
/// the sequences that bidirectional layers read and give. Network and input must outlive it, and are checked as by
/// evaluate().
template <class T>
class Evaluation {
 public:
  Evaluation(const io::Network& network, const io::Tensor& input, bool gains = true);

  /// The outputs of the next step, valid until the one after.
  const T* next();

 private:
  /// The features after the units at hand, and after those alone.
  const T* advance();

  const io::Tensor& input_;
  std::vector<Unit<T>> units_;  // since the last layer in both directions
  std::vector<T> sequence_;     // its answer, if there is one
  std::size_t width_, skip_, output_size_, at_ = 0;
  T input_gain_, output_gain_;
  std::vector<T> first_, output_;
};

/// The output (time, features) for an input (time, features), in double; bidirectional networks too.
/// Throws ValueError for a network whose shapes do not fit, ShapeError for an input that does not.
io::Tensor evaluate(const io::Network& network, const io::Tensor& input);

/// The network with the state after `steps` steps of zeros as its initial state.
io::Network burnt_in(io::Network network, std::size_t steps);

extern template class Unit<float>;
extern template class Unit<double>;
extern template class Stream<float>;
extern template class Stream<double>;
extern template class Evaluation<float>;
extern template class Evaluation<double>;

}  // namespace nn::infer
