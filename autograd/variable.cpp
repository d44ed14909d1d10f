#include "autograd/variable.hpp"

#include "autograd/error.hpp"
#include "autograd/tape.hpp"

namespace autograd {

void throw_empty_handle(const char* op) {
  throw TapeError(std::string(op) + ": a default-constructed variable refers to nothing; record it on a tape first");
}

template <class T>
bool Variable<T>::needs_gradient() const {
  const Recording<T>& recording = recording_of("needs_gradient", *this);
  return recording.slot(recording.check("needs_gradient", *this)).needs_gradient;
}

template <class T>
ArrayView<T> Variable<T>::value() const {
  const Recording<T>& recording = recording_of("value", *this);
  const Slot<T>& slot = recording.slot(recording.check("value", *this));
  return view<T>(slot.value, *slot.shape);
}

template <class T>
Array<T> Variable<T>::copy() const {
  const Recording<T>& recording = recording_of("copy", *this);
  const Slot<T>& slot = recording.slot(recording.check("copy", *this));
  Array<T> result = make_array<T>(*slot.shape);
  std::copy(slot.value, slot.value + slot.size, result.data());
  return result;
}

template <class T>
T Variable<T>::item() const {
  const Recording<T>& recording = recording_of("item", *this);
  const Slot<T>& slot = recording.slot(recording.check("item", *this));
  if (slot.size != 1)
    throw ShapeError("item: the array has shape " + to_string(*slot.shape) +
                     ", not one element; use value() or copy()");
  return *slot.value;
}

template Variable<float> beside(Variable<float>, Parameter<float>&, const char*);
template Variable<double> beside(Variable<double>, Parameter<double>&, const char*);
template class Variable<float>;
template class Variable<double>;

}  // namespace autograd
