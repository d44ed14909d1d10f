// What a sweep shows a rule: a Backward over numbers; a Recorder everything as Variables, so that the gradient is more
// tape.
#pragma once

#include "autograd/tape.hpp"

namespace autograd {

/// What a sweep over numbers shows a rule: values, output gradients, and where input gradients go.
template <class T>
class Backward {
 public:
  Backward(Sweep<T>& sweep, const Step<T>& step) : sweep_(sweep), step_(step) {}

  Sweep<T>& sweep() const { return sweep_; }
  const Step<T>& step() const { return step_; }
  std::size_t inputs() const { return step_.input_count; }
  std::size_t outputs() const { return step_.output_count; }
  Operand<const T> input(std::size_t k = 0) const { return operand(sweep_.slot(sweep_.input(step_, k))); }
  Operand<const T> output(std::size_t k = 0) const {
    return operand(sweep_.slot(static_cast<SlotId>(step_.first_output + k)));
  }
  /// False for an output that the loss does not depend on: its gradient is absent.
  bool has_gradient(std::size_t k = 0) const {
    return sweep_.has_gradient(static_cast<SlotId>(step_.first_output + k));
  }
  Operand<const T> gradient(std::size_t k = 0) const {
    const Slot<T>& slot = sweep_.slot(static_cast<SlotId>(step_.first_output + k));
    return {slot.gradient, slot.shape};
  }
  /// Whether input k wants a gradient. Ask before into().
  bool wants(std::size_t k = 0) const { return sweep_.slot(sweep_.input(step_, k)).needs_gradient; }
  /// Must be filled (or, with `accumulate`, added to) completely.
  Destination<T> into(std::size_t k = 0) { return sweep_.gradient_into(sweep_.input(step_, k)); }

 private:
  static Operand<const T> operand(const Slot<T>& slot) { return {slot.value, slot.shape}; }

  Sweep<T>& sweep_;
  const Step<T>& step_;
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

/// What a recorded sweep shows a rule.
template <class T>
class Recorder {
 public:
  Recorder(Recording<T>& recording, const Step<T>& step, GradientSink<T>& sink)
      : recording_(recording), step_(step), sink_(sink) {}

  std::size_t inputs() const { return step_.input_count; }
  std::size_t outputs() const { return step_.output_count; }
  Variable<T> input(std::size_t k = 0) const { return recording_.handle(recording_.input(step_, k)); }
  Variable<T> output(std::size_t k = 0) const { return recording_.handle(static_cast<SlotId>(step_.first_output + k)); }

  /// False for an output that the differentiated value does not depend on: its gradient is absent.
  bool has_gradient(std::size_t k = 0) const { return k < count_ && static_cast<bool>(gradients_[k]); }
  Variable<T> gradient(std::size_t k = 0) const { return gradients_[k]; }

  /// Whether somebody asks for the gradient of input k; not of one that the call does not have.
  bool wants(std::size_t k = 0) const { return k < inputs() && sink_.wants(recording_.input(step_, k)); }
  /// Adds to the gradient of input k; dropped when nobody wants it.
  /// Throws ShapeError unless the gradient has the input's shape.
  void add(std::size_t k, Variable<T> gradient) {
    if (!wants(k)) return;
    const Slot<T>&from = recording_.slot(recording_.check(step_.op->info->name, gradient)),
          &to = recording_.slot(recording_.input(step_, k));
    if (from.shape != to.shape && !(*from.shape == *to.shape))
      detail::throw_gradient_shape(step_.op->info->name, k, *from.shape, *to.shape);
    sink_.add(recording_.input(step_, k), gradient);
  }
  void add(std::size_t, Absent) {}
  void add_piece(std::size_t k, const Piece& piece, Variable<T> gradient) {
    if (wants(k)) sink_.add_piece(recording_.input(step_, k), piece, gradient);
  }

  void set_gradients(std::span<const Variable<T>> gradients) {
    gradients_ = gradients.data();
    count_ = gradients.size();
  }

 private:
  Recording<T>& recording_;
  const Step<T>& step_;
  GradientSink<T>& sink_;
  const Variable<T>* gradients_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace autograd
