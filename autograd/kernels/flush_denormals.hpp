// FlushDenormals: numbers too small for full precision count as 0 for a while, as arithmetic on them takes a hundred
// times as long: a state that decays in silence goes through all of them.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace autograd::kernels {

/// On this thread, while one lives; where the processor has no such mode, nothing happens.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() noexcept : before_(_mm_getcsr()) {
    if ((before_ & mode) != mode) _mm_setcsr(before_ | mode);
  }
  ~FlushDenormals() {
    if ((before_ & mode) != mode) _mm_setcsr(before_);
  }

 private:
  static constexpr unsigned mode = 0x8040;  // flush to zero, denormals are zero
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | mode));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  static constexpr std::uint64_t mode = std::uint64_t(1) << 24;
  std::uint64_t before_;
#else
  FlushDenormals() noexcept {}
  ~FlushDenormals() {}
#endif

 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace autograd::kernels
