// Values that were donated. Their slots belong to no generation, so that no handle fits them any more.
#include <algorithm>

#include "autograd/tape.hpp"

namespace autograd {

/// Whether a value can be computed again, and until then nobody needs it: the gradient of the step that made it reads
/// that step's operands alone.
template <class T>
bool Recording<T>::computed(SlotId id) const {
  const Step<T>* step = steps_.end() - 1;
  if (id < step->first_output)
    step = std::upper_bound(steps_.begin(), step, id,
                            [](SlotId slot, const Step<T>& s) { return slot < s.first_output; }) -
           1;
  const Reads reads = step->op->info->vjp_reads;
  return step->input_count > 0 && step->op->forward != nullptr && reads != Reads::output && reads != Reads::both;
}

template <class T>
bool Recording<T>::take(SlotId id, std::span<const SlotId> operands) {
  Slot<T>& slot = slots_[id];
  const SlotId root = slot.source == Slot<T>::no_source ? id : slot.source;
  Slot<T>& whole = slots_[root];
  if (!slot.needs_gradient || slot.consumed || slot.watched || slot.aliases || sweeping_ || op_by_op_ ||
      slots_.closing())
    return false;
  if (root != id) {
    if (whole.source != Slot<T>::no_source || whole.consumed || whole.watched || whole.aliases == 0 ||
        !covers_[whole.aliases - 1].disjoint)
      return false;
  }
  for (const SlotId other : operands)
    if (other != id && slots_[other].value < slot.value + slot.size &&
        slot.value < slots_[other].value + slots_[other].size)
      return false;
  if (!whole.donated) {
    if (whole.foreign || whole.parameter || !computed(root)) return false;
    whole.donated = true;
    whole.generation = taken_generation;
  }
  slot.donated = true;
  slot.generation = taken_generation;
  if (root != id) covers_[whole.aliases - 1].donated += slot.size;
  if (slot.series) ++series_[slot.series - 1].donated;
  donated_ = true;
  return true;
}

/// Runs the steps again that write or read memory that was donated, in their order.
template <class T>
void Recording<T>::compute_donated() {
  for (const Step<T>& step : steps_) {
    if (step.input_count == 0 || slots_[step.first_output].source != Slot<T>::no_source) continue;
    bool concerned = false;
    for (std::uint32_t k = 0; k < step.output_count; ++k) concerned |= slots_[step.first_output + k].donated;
    for (std::uint32_t k = 0; k < step.input_count; ++k) concerned |= slots_[input(step, k)].donated;
    if (concerned) compute(step);
  }
  overwritten_ = false;
}

template <class T>
void Recording<T>::restore() {
  const Use use(*this, "restore");
  if (!donated_) return;
  check_idle("grad");
  overwritten_ = true;  // until all of it is computed
  std::vector<T*> before(slots_.size()), series_before(series_.size(), nullptr);
  for (SlotId id = 0; id < slots_.size(); ++id) {
    Slot<T>& slot = slots_[id];
    before[id] = slot.value;
    if (slot.source != Slot<T>::no_source) {
      slot.value = slots_[slot.source].value + (slot.value - before[slot.source]);
    } else if (slot.donated) {
      if (slot.series && series_[slot.series - 1].donated < series_[slot.series - 1].count) slot.series = 0;
      if (slot.series == 0) {
        slot.value = restored_.template allocate<T>(slot.size);
        continue;
      }
      Series& series = series_[slot.series - 1];
      T*& from = series_before[slot.series - 1];
      if (!from) {
        from = series.values;
        series.values = restored_.template allocate<T>(series.size * series.count);
      }
      slot.value = series.values + (slot.value - from);
    }
  }
  compute_donated();
  for (SlotId id = 0; id < slots_.size(); ++id) slots_[id].donated = false;
  for (std::size_t k = 0; k < series_.size(); ++k) series_[k].donated = 0;
  for (std::size_t k = 0; k < covers_.size(); ++k) covers_[k].donated = 0;
  donated_ = false;
}

#define INSTANTIATE(T)                                               \
  template bool Recording<T>::computed(SlotId) const;                \
  template bool Recording<T>::take(SlotId, std::span<const SlotId>); \
  template void Recording<T>::compute_donated();                     \
  template void Recording<T>::restore();
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
