#include "autograd/repeat.hpp"

#include "autograd/error.hpp"

namespace autograd {

template <class T>
Repeat<T>::Repeat(Tape<T>& tape, std::size_t count)
    : recording_(tape.recording()),
      outer_(recording_.repeat_),
      id_(++recording_.repeats_),
      count_(count),
      first_(recording_.series_.size()) {
  if (count >= Slot<T>::no_source)
    throw ValueError("repeat: " + std::to_string(count) + " times are more than a tape has values; say how often " +
                     "begin() will be called");
  recording_.repeat_ = this;
}

template <class T>
void Repeat<T>::begin(std::size_t t) {
  if (t >= count_)
    throw ValueError("repeat: begin(" + std::to_string(t) + ") of " + std::to_string(count_) +
                     " times; they are 0 ... " + std::to_string(count_) + " - 1");
  Repeat* active = recording_.repeat_;
  while (active && active != this) active = active->outer_;
  if (!active) return;
  if (times_.empty()) {
    times_ = recording_.template list<std::uint64_t>(count_ / 64 + 1);
    std::fill(times_.begin(), times_.end(), 0);
  }
  const std::uint64_t bit = std::uint64_t(1) << t % 64;
  if (times_[t / 64] & bit)
    throw ValueError("repeat: begin(" + std::to_string(t) +
                     ") for a second time, whose values would go over those of the first; each time is there once");
  times_[t / 64] |= bit;
  time_ = t;
  next_ = 0;
  ++begun_;
}

template <class T>
void Repeat<T>::end() {
  for (Repeat** link = &recording_.repeat_; *link; link = &(*link)->outer_)
    if (*link == this) {
      *link = outer_;
      return;
    }
}

/// The first time round allocates for all times, unless their values go over the slices of one value; later ones find
/// their places in the same order.
template <class T>
auto Recording<T>::repeated_place(std::size_t size, const Slot<T>* over) -> Place {
  Repeat<T>& repeat = *repeat_;
  const std::size_t index = repeat.first_ + repeat.next_++, offset = repeat.time_ * size;
  if (repeat.begun_ == 1 && index == series_.size()) {
    T* values = nullptr;
    if (size > ~std::size_t(0) / sizeof(T) / repeat.count_) {
      // No memory is that large.
    } else if (!over) {
      values = values_.template allocate<T>(size * repeat.count_);
    } else if (over->source != Slot<T>::no_source) {
      const Slot<T>& whole = slots_[over->source];
      if (whole.size == size * repeat.count_ && over->value == whole.value + offset) values = whole.value;
    }
    series_.push_back({values, nullptr, size, repeat.count_, repeat.id_, 0, 0, over != nullptr});
  }
  const bool in_series = repeat.begun_ > 0 && index < series_.size() && series_[index].size == size &&
                         series_[index].repeat == repeat.id_ && series_[index].values &&
                         series_[index].over == (over != nullptr) &&
                         (!over || over->value == series_[index].values + offset);
  T* const value = over ? over->value : in_series ? series_[index].values + offset : values_.template allocate<T>(size);
  return {value, in_series ? static_cast<std::uint32_t>(index + 1) : 0};
}

template class Repeat<float>;
template class Repeat<double>;
template Recording<float>::Place Recording<float>::repeated_place(std::size_t, const Slot<float>*);
template Recording<double>::Place Recording<double>::repeated_place(std::size_t, const Slot<double>*);

}  // namespace autograd
