#include "autograd/arena.hpp"

#include <algorithm>

namespace autograd {

template <std::size_t alignment>
void* Arena<alignment>::next_block(std::size_t bytes) {
  constexpr std::size_t smallest = std::size_t(1) << 10;
  constexpr std::size_t largest = std::size_t(1) << 24;
  std::size_t next = blocks_.empty() ? 0 : position_.block + 1;
  while (next < blocks_.size() && blocks_[next].size < bytes) ++next;
  if (next == blocks_.size()) {
    // A small part of what is held, or what is asked for: few blocks, and little in them that is never used.
    const std::size_t part = std::clamp(capacity() / 32 / alignment * alignment, smallest, largest);
    const std::size_t size = std::max(bytes, part);
    auto* memory = static_cast<std::byte*>(::operator new[](size, std::align_val_t(alignment)));
    std::unique_ptr<std::byte[], Release> owned(memory);
    blocks_.push_back({std::move(owned), size});
  }
  position_ = {next, bytes};
  return blocks_[next].memory.get();
}

template <std::size_t alignment>
std::size_t Arena<alignment>::capacity() const {
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.size;
  return total;
}

template class Arena<64>;
template class Arena<16>;

}  // namespace autograd
