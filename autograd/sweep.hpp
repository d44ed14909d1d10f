// Sweep: the gradients of what a tape has recorded, as the author of an op sees them.
#pragma once

#include "autograd/kernels/product_sums.hpp"
#include "autograd/recording.hpp"

namespace autograd {

/// One loop downwards over the steps. A gradient has memory from its first contribution on, and is stored then, added
/// to afterwards; it shares memory where its value does, and where it is equal to another.
template <class T>
class Sweep : public Recording<T> {
 public:
  /// Where the next contribution to the gradient of a slot goes, during a sweep.
  [[gnu::always_inline]] Destination<T> gradient_into(SlotId id) {
    Slot<T>& slot = slots_[id];
    if (slot.source != Slot<T>::no_source || slot.aliases) return shared_gradient(id);
    if (slot.defined == sweep_) return {slot.gradient, true};
    if (slot.parameter) return shared_gradient(id);
    if (!slot.series || slot.watched) {
      slot.gradient = new_gradient(slot);
    } else {
      Series& series = series_[slot.series - 1];
      if (series.allocated != sweep_) allocate_gradients(series);
      slot.gradient = series.gradients + (slot.value - series.values);
    }
    slot.allocated = slot.defined = sweep_;
    return {slot.gradient, false};
  }
  bool has_gradient(SlotId id) const { return slots_[id].allocated == sweep_; }
  /// Adds the gradient of `from` to that of `to`, of as many elements, at the end of all contributions to the former.
  void pass_gradient(SlotId from, SlotId to);
  /// Makes the gradient of the step's output, which lies over its inputs, theirs. False, and nothing happens, where it
  /// has to be a copy.
  bool hand_gradient_down(const Step<T>& step);
  bool handed_down(SlotId id) const { return slots_[id].handed == sweep_; }
  /// Adds gᵀ x to the gradient of a matrix, for g (rows, m) and x (rows, n): for a Parameter at some time before the
  /// end of the sweep, together with others; else at once, since the matrix may have been computed.
  void add_product(SlotId matrix, std::size_t rows, std::size_t m, const T* g, std::size_t n, const T* x) {
    const auto into = [this](std::size_t id) { return gradient_into(static_cast<SlotId>(id)); };
    const kernels::RowProduct<T> product{matrix, rows, m, n, g, x};
    if (slots_[matrix].parameter)
      products_.add(product, into);
    else
      kernels::ProductSums<T>::multiply(product, into);
  }

 protected:
  using typename Recording<T>::AliasCover;
  using typename Recording<T>::Binding;
  using typename Recording<T>::Mark;
  using typename Recording<T>::Running;
  using typename Recording<T>::Series;
  using typename Recording<T>::Use;

  Sweep() = default;
  ~Sweep() = default;

  /// Sweeps numbers from a slot down, given its gradient.
  void run(SlotId output, const T* output_gradient);
  /// Adds to the parameters what was not stored there at once.
  void add_gradients();
  void check_parameters(const char* op) const;
  /// See Tape::gradient().
  Array<T> gradient_of(SlotId id) const;

  using Recording<T>::covers_;
  using Recording<T>::overwritten_;
  using Recording<T>::parameters_;
  using Recording<T>::series_;
  using Recording<T>::slots_;
  using Recording<T>::steps_;
  using Recording<T>::sweeping_;
  using Recording<T>::time_;

  ValueArena gradients_;
  bool apart_ = false;  ///< parameters' gradients stay on the tape

 private:
  /// During a sweep: what rules record to compute numbers leaves no trace on the slots they read, and is gone at its
  /// end. Of a sweep that ends in an exception no gradient is left.
  struct Sweeping {
    Sweep& sweep;
    Mark begin;
    Running running;
    bool finished = false;
    explicit Sweeping(Sweep& sweep);
    ~Sweeping();
    void finish();
  };

  /// Where the gradient of a slot goes that has no part in other memory.
  T* new_gradient(const Slot<T>& slot) {
    if (!slot.donated || slot.foreign) return gradients_.template allocate<T>(slot.size);
    overwritten_ = true;
    return slot.value;
  }
  void sweep_aliases(const Step<T>& step);
  bool covered(const Slot<T>& slot) const;
  bool shared(const Slot<T>& slot) const;
  void prepare(SlotId id);
  void allocate_gradient(SlotId id);
  void allocate_gradients(Series& series);
  Destination<T> shared_gradient(SlotId id);
  bool borrow_gradient(const Slot<T>& from, Slot<T>& to);
  void return_gradient(SlotId source);

  kernels::ProductSums<T> products_;
  std::vector<SlotId> pending_;
  std::uint32_t sweep_ = 1;
  bool swept_ = false;          ///< whether there was one
  SlotId swept_output_ = 0;     ///< of the last one
  std::uint64_t swept_at_ = 0;  ///< how often the tape had been rewound then
};

extern template class Sweep<float>;
extern template class Sweep<double>;

}  // namespace autograd
