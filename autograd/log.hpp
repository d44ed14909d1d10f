// Log: a list of trivial entries that is appended to and cut off, cheaper than std::vector where it is hottest.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>

namespace autograd {

/// Who asks that nothing be appended, and why.
struct Closing {
  const char* who;
  const char* why;
};

/// Throws TapeError.
[[noreturn]] void throw_closed(const Closing& closing);

template <class Entry>
class Log {
  static_assert(std::is_trivially_copyable_v<Entry>);

 public:
  std::size_t size() const { return size_; }
  Entry& operator[](std::size_t index) { return entries_[index]; }
  const Entry& operator[](std::size_t index) const { return entries_[index]; }
  const Entry* begin() const { return entries_.get(); }
  const Entry* end() const { return entries_.get() + size_; }

  void push_back(const Entry& entry) {
    if (size_ >= room_) [[unlikely]]
      grow();
    entries_[size_++] = entry;
  }
  /// Forgets the entries from `size` on; keeps the memory.
  void cut(std::size_t size) { size_ = size; }

  /// From now on push_back() throws TapeError, until it is opened; null opens it. Costs push_back() nothing: there is
  /// no room.
  void close(const Closing* closing) {
    closing_ = closing;
    room_ = closing ? 0 : capacity_;
  }
  /// What it is closed by, or null.
  const Closing* closing() const { return closing_; }

 private:
  [[gnu::noinline]] void grow() {
    if (closing_) throw_closed(*closing_);
    const std::size_t capacity = capacity_ ? 2 * capacity_ : 64;
    auto grown = std::make_unique_for_overwrite<Entry[]>(capacity);
    if (size_) std::memcpy(static_cast<void*>(grown.get()), entries_.get(), size_ * sizeof(Entry));
    entries_ = std::move(grown);
    room_ = capacity_ = capacity;
  }

  std::unique_ptr<Entry[]> entries_;
  std::size_t size_ = 0;
  std::size_t room_ = 0;  ///< for so many there is memory, and they may be appended
  std::size_t capacity_ = 0;
  const Closing* closing_ = nullptr;
};

}  // namespace autograd
