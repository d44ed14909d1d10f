// Stream: a trained model that answers one time step at a time, for an audio thread: no tape, no allocation.
#pragma once

#include <cstddef>
#include <memory>

namespace autograd {
template <class T>
struct Graph;
template <class T>
class GraphRun;
}  // namespace autograd
namespace nn::io {
struct Network;
}

namespace nn::infer {

/// Runs the graph of any model, see step_graph(). What of a state has decayed below 1e-30 (float; 1e-290) becomes 0, so
/// that silence costs no more than signal. Of float, tanh is within 6 units in the last place and sigmoid within 4; all
/// else is computed as on a tape.
template <class T>
class Stream {
 public:
  /// For a graph with one input and an output, the first one. All memory is taken here.
  /// Throws ValueError or ShapeError for a graph that can not run, or has other inputs.
  explicit Stream(const autograd::Graph<T>& graph);
  /// For a model of any file, see network_graph(). Throws ValueError for a bidirectional network, which needs the whole
  /// sequence, and for one whose shapes do not fit.
  explicit Stream(const io::Network& network);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  std::size_t input_size() const { return input_size_; }
  std::size_t output_size() const { return output_size_; }

  /// x has input_size() elements and y output_size(); they may overlap.
  void step(const T* x, T* y) noexcept;

  /// Steps in time order: x (steps, input_size()), y (steps, output_size()), which may be the same memory where the
  /// sizes are equal.
  void run(const T* x, T* y, std::size_t steps) noexcept;

  /// To the state before the first step.
  void reset() noexcept;

  /// State k, in the order of the graph's.
  const T* state(std::size_t k) const noexcept;

 private:
  std::unique_ptr<autograd::GraphRun<T>> run_;
  std::size_t input_size_, output_size_;
};

extern template class Stream<float>;
extern template class Stream<double>;

}  // namespace nn::infer
