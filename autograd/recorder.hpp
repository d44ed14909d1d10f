// Recorder: what a recorded sweep shows a rule: everything as Variables, so the gradient is more tape.
#pragma once

#include "autograd/tape.hpp"

namespace autograd {

/// `length` elements from `start` on, every `step`-th, of one axis; a negative step goes backwards.
struct Piece {
  std::size_t axis;
  std::size_t start;
  Index step;
  std::size_t length;
};

/// Where recorded gradients are delivered.
template <class T>
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  virtual bool wants(SlotId id) const = 0;
  virtual void add(SlotId id, Variable<T> gradient) = 0;
  /// The gradient of a piece of the slot; by default it is placed among zeros and added.
  virtual void add_piece(SlotId id, const Piece& piece, Variable<T> gradient);
};

namespace detail {
[[noreturn]] void throw_gradient_shape(const char* op, std::size_t input, const Shape& gradient, const Shape& expected);
}

template <class T>
class Recorder {
 public:
  Recorder(Tape<T>& tape, const Step<T>& step, GradientSink<T>& sink) : tape_(tape), step_(step), sink_(sink) {}

  std::size_t inputs() const { return step_.input_count; }
  std::size_t outputs() const { return step_.output_count; }
  Variable<T> input(std::size_t k = 0) const { return tape_.handle(tape_.input(step_, k)); }
  Variable<T> output(std::size_t k = 0) const { return tape_.handle(static_cast<SlotId>(step_.first_output + k)); }

  /// False for an output that the differentiated value does not depend on: its gradient is absent.
  bool has_gradient(std::size_t k = 0) const { return k < count_ && static_cast<bool>(gradients_[k]); }
  Variable<T> gradient(std::size_t k = 0) const { return gradients_[k]; }

  /// Whether somebody asks for the gradient of input k; not of one that the call does not have.
  bool wants(std::size_t k = 0) const { return k < inputs() && sink_.wants(tape_.input(step_, k)); }
  /// Adds to the gradient of input k; dropped when nobody wants it.
  /// Throws ShapeError unless the gradient has the input's shape.
  void add(std::size_t k, Variable<T> gradient) {
    if (!wants(k)) return;
    const Slot<T>&from = tape_.slot(tape_.check(step_.op->info->name, gradient)),
          &to = tape_.slot(tape_.input(step_, k));
    if (from.shape != to.shape && !(*from.shape == *to.shape))
      detail::throw_gradient_shape(step_.op->info->name, k, *from.shape, *to.shape);
    sink_.add(tape_.input(step_, k), gradient);
  }
  void add(std::size_t, Absent) {}
  void add_piece(std::size_t k, const Piece& piece, Variable<T> gradient) {
    if (wants(k)) sink_.add_piece(tape_.input(step_, k), piece, gradient);
  }

  void set_gradients(std::span<const Variable<T>> gradients) {
    gradients_ = gradients.data();
    count_ = gradients.size();
  }

 private:
  Tape<T>& tape_;
  const Step<T>& step_;
  GradientSink<T>& sink_;
  const Variable<T>* gradients_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace autograd
