#include "autograd/recorder.hpp"

#include "autograd/error.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

void detail::throw_gradient_shape(const char* op, std::size_t input, const Shape& gradient, const Shape& expected) {
  throw ShapeError(std::string(op) + ": the vjp gave input " + std::to_string(input) + " a gradient of shape " +
                   to_string(gradient) + ", the input has " + to_string(expected) + "; they must be equal");
}

template <class T>
void GradientSink<T>::add_piece(SlotId id, const Piece& piece, Variable<T> gradient) {
  const Shape shape = *gradient.tape().recording().slot(id).shape;
  add(id, assemble<T>(shape, {&piece, 1}, {&gradient, 1}));
}

template class GradientSink<float>;
template class GradientSink<double>;

}  // namespace autograd
