// Repeat: what is recorded alike many times lies together.
#pragma once

#include "autograd/tape.hpp"

namespace autograd {

/// Places what is recorded alike `count` times, such as the steps of a sequence, so that each value lies next to its
/// counterparts of the other times, and so does its gradient: products over all times then are one product.
///
///     Repeat<T> repeat(tape, steps);
///     for (std::size_t t = 0; t < steps; ++t) {
///       repeat.begin(t);
///       state = cell(select(x, 0, t), state);
///     }
///
/// Where the times differ, or the tape is rewound in between, values lie as they would without it.
template <class T>
class Repeat {
 public:
  /// Throws ValueError for more times than a tape has values.
  Repeat(Tape<T>& tape, std::size_t count);
  ~Repeat() { end(); }
  Repeat(const Repeat&) = delete;
  Repeat& operator=(const Repeat&) = delete;

  /// What follows is for time t, each of 0 ... count - 1 once. Throws ValueError for any other, and for a second
  /// time.
  void begin(std::size_t t);
  void end();

 private:
  friend class Recording<T>;
  Recording<T>& recording_;
  Repeat* outer_;
  std::uint32_t id_;
  std::size_t count_;
  std::size_t first_;  ///< of its series
  std::size_t time_ = 0;
  std::size_t next_ = 0;
  std::size_t begun_ = 0;
  std::span<std::uint64_t> times_;  ///< a bit for each that was
};

extern template class Repeat<float>;
extern template class Repeat<double>;

}  // namespace autograd
