// Arena: aligned bump allocation that is given back all at once, or down to a position, and kept for reuse.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace autograd {

template <std::size_t alignment>
class Arena {
 public:
  struct Position {
    std::size_t block = 0;
    std::size_t offset = 0;
  };

  /// Uninitialised memory for `count` values of T, valid until a rewind below it.
  template <class T>
  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= alignment);
    const std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
    if (position_.block < blocks_.size() && bytes <= blocks_[position_.block].size - position_.offset) [[likely]] {
      void* memory = blocks_[position_.block].memory.get() + position_.offset;
      position_.offset += bytes;
      return static_cast<T*>(memory);
    }
    return static_cast<T*>(next_block(bytes));
  }

  Position position() const { return position_; }
  void rewind(Position position) { position_ = position; }

  /// Bytes held, in use or not.
  std::size_t capacity() const;

 private:
  struct Release {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t(alignment)); }
  };
  struct Block {
    std::unique_ptr<std::byte[], Release> memory;
    std::size_t size;
  };

  void* next_block(std::size_t bytes);

  std::vector<Block> blocks_;
  Position position_;
};

/// Holds numbers, a cache line each or more.
using ValueArena = Arena<64>;
/// Holds small objects, close together.
using SmallArena = Arena<16>;

}  // namespace autograd
