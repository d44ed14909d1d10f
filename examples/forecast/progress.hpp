// A live progress bar on a terminal; one line per epoch anywhere else.
#pragma once

#include <chrono>
#include <cstddef>

#include "forecast/train.hpp"

namespace forecast {

/// Writes to standard output.
class Progress {
 public:
  explicit Progress(std::size_t epochs);
  /// Ends the line of the bar, if training stopped inside it.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const Moment& moment);

 private:
  using Clock = std::chrono::steady_clock;

  std::size_t epochs_;
  bool terminal_;
  bool open_ = false;
  Clock::time_point start_ = Clock::now(), drawn_{};
};

}  // namespace forecast
