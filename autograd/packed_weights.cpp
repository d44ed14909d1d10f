// Weights that are read again and again, packed once for as long as the tape keeps them.
#include "autograd/kernels/packed_product.hpp"
#include "autograd/tape.hpp"

namespace autograd {

template <class T>
const T* Recording<T>::packed(SlotId id, bool transpose, bool now) {
  const Slot<T>& matrix = slots_[id];
  const std::size_t k = (*matrix.shape)[transpose ? 1 : 0], n = (*matrix.shape)[transpose ? 0 : 1];
  if (!transpose && kernels::is_packed(n, static_cast<const T*>(matrix.value))) return matrix.value;
  SlotId source = id;
  while (slots_[source].source != Slot<T>::no_source) source = slots_[source].source;
  Packed fresh{id, source, transpose, nullptr, 0, matrix.value};
  std::size_t index = packed_.find(fresh.key(), [&](const Packed& p) {
    return p.source == source && p.transpose == transpose &&
           (p.slot == id || (slots_[p.slot].value == matrix.value && *slots_[p.slot].shape == *matrix.shape));
  });
  if (index == packed_.none) {
    index = packed_.size();
    packed_.push_back(fresh);
    if (!now && !repeat_) return nullptr;
  }
  Packed& entry = packed_[index];
  if (!entry.values) {
    T* const values = values_.template allocate<T>(kernels::packed_size<T>(k, n));
    made_.push_back(index);
    entry.values = values;
    entry.made_at = slots_.size();
    pack(entry);
  }
  return entry.values;
}

template <class T>
void Recording<T>::pack(const Packed& entry) {
  const Shape& shape = *slots_[entry.slot].shape;
  const bool transpose = entry.transpose;
  kernels::pack(transpose, shape[transpose ? 1 : 0], shape[transpose ? 0 : 1],
                static_cast<const T*>(slots_[entry.slot].value), entry.values);
}

#define INSTANTIATE(T)                                        \
  template const T* Recording<T>::packed(SlotId, bool, bool); \
  template void Recording<T>::pack(const Packed&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
