#include "heap.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {
std::size_t live_bytes = 0, peak_bytes = 0;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const block = std::malloc(size ? size : 1);
  live_bytes += malloc_usable_size(block);
  peak_bytes = std::max(peak_bytes, live_bytes);
  return block;
}
void* operator new(std::size_t size) {
  if (void* const block = operator new(size, std::nothrow)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept {
  live_bytes -= malloc_usable_size(block);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace heap {

std::size_t begin() { return peak_bytes = live_bytes; }
std::size_t peak_since(std::size_t before) { return peak_bytes - before; }

}  // namespace heap
