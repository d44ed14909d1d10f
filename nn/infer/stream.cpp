#include "nn/infer/stream.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "nn/infer/stock_functions.hpp"

namespace nn::infer {

template <class T>
Stream<T>::Stream(const autograd::Graph<T>& graph) {
  if (graph.inputs.size() != 1 || graph.outputs.empty())
    throw autograd::ValueError("stream: the graph has " + std::to_string(graph.inputs.size()) + " inputs and " +
                               std::to_string(graph.outputs.size()) +
                               " outputs; a stream has one input, and an output");
  run_ = std::make_unique<autograd::GraphRun<T>>(graph, stock_functions<T>());
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
  // Most streams have one of each, for which copying by a call would take as long as a product.
  T* const in = run_->input();
  for (std::size_t k = 0; k < input_size_; ++k) in[k] = x[k];
  run_->step();
  const T* const out = run_->output();
  for (std::size_t k = 0; k < output_size_; ++k) y[k] = out[k];
}

template <class T>
void Stream<T>::run(const T* x, T* y, std::size_t steps) noexcept {
  for (std::size_t t = 0; t < steps; ++t) step(x + t * input_size_, y + t * output_size_);
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
