#include "autograd/tape.hpp"

#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/leaf.hpp"

namespace autograd {

using detail::constant_info, detail::drawn_info, detail::leaf_table, detail::variable_info;

// Leaves.

template <class T>
Variable<T> Tape<T>::leaf(const T* data, const Shape& shape, bool needs_gradient) {
  const Use use(*this, needs_gradient ? "variable" : "constant");
  const SlotId id = this->new_slot(this->keep(shape), shape.elements(), needs_gradient);
  std::copy(data, data + shape.elements(), slots_[id].value);
  this->push_step(needs_gradient ? &leaf_table<T, variable_info> : &leaf_table<T, constant_info>, nullptr, {}, id);
  return this->handle(id);
}

template <class T>
Variable<T> Tape<T>::constant(const Shape& shape, T value) {
  return equal_leaf("constant", &leaf_table<T, constant_info>, shape, value);
}

template <class T>
Variable<T> Tape<T>::drawn(const Shape& shape) {
  return equal_leaf("drawn", &leaf_table<T, drawn_info>, shape, T(0));
}

template <class T>
Variable<T> Tape<T>::equal_leaf(const char* name, const OpTable<T>* op, const Shape& shape, T value) {
  const Use use(*this, name);
  const SlotId id = this->new_slot(this->keep(shape), shape.elements(), false);
  std::fill_n(slots_[id].value, slots_[id].size, value);
  this->push_step(op, nullptr, {}, id);
  return this->handle(id);
}

// Gradients.

template <class T>
void Tape<T>::backward(Variable<T> loss) {
  const SlotId id = this->check("backward", loss);
  if (slots_[id].size != 1)
    throw ShapeError("backward: the loss must be a scalar, got shape " + to_string(*slots_[id].shape) +
                     "; reduce it with sum() or mean(), or pass an output gradient");
  const T one = 1;
  this->run(id, &one);
}

template <class T>
void Tape<T>::backward(Variable<T> output, const Array<T>& output_gradient) {
  const SlotId id = this->check("backward", output);
  if (!(shape_of(output_gradient) == *slots_[id].shape))
    throw ShapeError("backward: the output gradient has shape " + to_string(shape_of(output_gradient)) +
                     ", the output " + to_string(*slots_[id].shape) + "; they must be equal");
  this->run(id, output_gradient.data());
}

template <class T>
void Tape<T>::backward_apart(Variable<T> loss) {
  struct Apart {
    bool& on;
    explicit Apart(bool& on) : on(on) { on = true; }
    ~Apart() { on = false; }
  } apart(apart_);
  backward(loss);
}

template <class T>
void Tape<T>::deliver_gradients() {
  const Use use(*this, "deliver_gradients");
  this->check_idle("deliver_gradients");
  this->check_parameters("deliver_gradients");
  this->add_gradients();
}

template <class T>
Array<T> Tape<T>::gradient(Variable<T> x) const {
  const SlotId id = this->check("gradient", x);
  this->check_idle("gradient");
  return this->gradient_of(id);
}

template <class T>
void Tape<T>::watch(Variable<T> x) {
  const SlotId id = this->check("watch", x);
  if (id < this->floor_) this->throw_running("watch");
  if (slots_[id].parameter) throw TapeError("watch: a Parameter has a gradient of its own; read its grad()");
  slots_[id].watched = true;
  if (slots_[id].source != Slot<T>::no_source) slots_[slots_[id].source].consumed = true;
}

template <class T>
void Tape<T>::watch(std::string_view name) {
  watched_names_.push_back(name);
  record_op_by_op();
}

// Looking at it.

template <class T>
void Tape<T>::name(Variable<T> x, std::string_view name) {
  names_.push_back({this->check("name", x), name});
  if (std::find(watched_names_.begin(), watched_names_.end(), name) != watched_names_.end()) watch(x);
}

template <class T>
std::vector<Variable<T>> Tape<T>::find(std::string_view name) {
  std::vector<Variable<T>> found;
  for (const auto& entry : names_)
    if (entry.text == name && slots_[entry.slot].generation != this->taken_generation)
      found.push_back(this->handle(entry.slot));
  return found;
}

template <class T>
std::size_t Tape<T>::memory() const {
  return this->values_.capacity() + this->gradients_.capacity() + this->restored_.capacity() + this->small_.capacity();
}

template class Tape<float>;
template class Tape<double>;

}  // namespace autograd
