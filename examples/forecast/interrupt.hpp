// Ctrl-C: remembered by the signal's handler, acted upon where nothing is half done.
#pragma once

#include <csignal>
#include <stdexcept>

namespace forecast {

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted; nothing was written") {}
};

namespace detail {
inline volatile std::sig_atomic_t interrupted = 0;
}

inline void remember_interrupts() {
  const auto handler = [](int) { detail::interrupted = 1; };
  std::signal(SIGINT, handler);
  std::signal(SIGTERM, handler);
}

/// Throws Interrupted if there was one.
inline void check_interrupt() {
  if (detail::interrupted != 0) throw Interrupted();
}

}  // namespace forecast
