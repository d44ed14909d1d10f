#include "nn/infer/stream.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "autograd/kernels/flush_denormals.hpp"

namespace nn::infer {

using autograd::kernels::FlushDenormals;

namespace {

/// One step, whatever the mode of the processor.
template <class T>
inline void step_of(autograd::GraphRun<T>& run, const T* x, std::size_t inputs, T* y, std::size_t outputs) noexcept {
  std::copy_n(x, inputs, run.input());
  run.step();
  std::copy_n(run.output(), outputs, y);
}

}  // namespace

template <class T>
Stream<T>::Stream(const autograd::Graph<T>& graph) {
  if (graph.inputs.size() != 1 || graph.outputs.empty())
    throw autograd::ValueError("stream: the graph has " + std::to_string(graph.inputs.size()) + " inputs and " +
                               std::to_string(graph.outputs.size()) +
                               " outputs; a stream has one input, and an output");
  run_ = std::make_unique<autograd::GraphRun<T>>(graph);
  input_size_ = graph.input_size();
  output_size_ = graph.output_size();
}
template <class T>
Stream<T>::Stream(Stream&&) noexcept = default;
template <class T>
Stream<T>& Stream<T>::operator=(Stream&&) noexcept = default;
template <class T>
Stream<T>::~Stream() = default;

template <class T>
void Stream<T>::step(const T* x, T* y) noexcept {
  const FlushDenormals flush;
  step_of(*run_, x, input_size_, y, output_size_);
}

template <class T>
void Stream<T>::run(const T* x, T* y, std::size_t steps) noexcept {
  const FlushDenormals flush;
  for (std::size_t t = 0; t < steps; ++t)
    step_of(*run_, x + t * input_size_, input_size_, y + t * output_size_, output_size_);
}

template <class T>
void Stream<T>::reset() noexcept {
  run_->reset();
}

template <class T>
const T* Stream<T>::state(std::size_t k) const noexcept {
  return run_->state(k);
}

template class Stream<float>;
template class Stream<double>;

}  // namespace nn::infer
