// Counts the bytes that live on the heap. Link heap.cpp to a test that asks.
#pragma once

#include <cstddef>

namespace heap {

/// The most bytes that were alive at once while `f` ran, beyond those before it.
std::size_t begin();
std::size_t peak_since(std::size_t before);

std::size_t peak_during(auto&& f) {
  const std::size_t before = begin();
  f();
  return peak_since(before);
}

}  // namespace heap
