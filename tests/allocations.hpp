// Counts what the program takes from the heap, and lets it run out of it. Link allocations.cpp to a test that asks.
#pragma once

#include <cstddef>

namespace allocations {

/// Since the program started, through operator new and through xtensor's allocator.
std::size_t count();

/// How many `f` makes.
std::size_t during(const auto& f) {
  const std::size_t before = count();
  f();
  return count() - before;
}

/// How many of operator new's are there and not deleted yet. (An array's memory is xtensor's allocator's.)
std::size_t live();

/// The n-th allocation from now on fails, once; 0: none does.
void fail(std::size_t n);

}  // namespace allocations
