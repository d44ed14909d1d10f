#include "allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> total = 0, failing = 0, alive = 0;

void* allocate(std::size_t size, std::size_t alignment) {
  if (++total == failing) return nullptr;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_object(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  void* const memory = allocate(size + (size == 0), alignment);
  if (memory) ++alive;
  return memory;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  if (void* memory = allocate_object(size, alignment)) return memory;
  throw std::bad_alloc();
}

void release(void* memory) {
  if (memory) --alive;
  std::free(memory);
}

}  // namespace

std::size_t allocations::count() { return total; }
std::size_t allocations::live() { return alive; }
void allocations::fail(std::size_t n) { failing = n ? total + n : 0; }

void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
// The library's own would call the ones above, a sanitizer's would not.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate_object(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate_object(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

// What xsimd's allocator calls, and so every xtensor array.
extern "C" int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = allocate(size, alignment);
  return *memory == nullptr ? ENOMEM : 0;
}
