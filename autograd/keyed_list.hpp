// KeyedList: a list that is appended to and cut off, whose entries are found by key: few by looking at each, many by
// hash.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace autograd {

/// An Entry has `std::size_t key() const`, the same for as long as it is in the list; several may have the same key.
template <class Entry>
class KeyedList {
 public:
  static constexpr std::size_t none = ~std::size_t(0);

  std::size_t size() const { return entries_.size(); }
  Entry& operator[](std::size_t index) { return entries_[index]; }
  const Entry& operator[](std::size_t index) const { return entries_[index]; }
  Entry* begin() { return entries_.data(); }
  Entry* end() { return entries_.data() + entries_.size(); }
  const Entry* begin() const { return entries_.data(); }
  const Entry* end() const { return entries_.data() + entries_.size(); }

  void push_back(Entry entry) { entries_.push_back(std::move(entry)); }

  /// Forgets the entries from `size` on; keeps the memory.
  void cut(std::size_t size) {
    // What was entered last was in nobody's way: its place in the table becomes free again.
    for (; indexed_ > size; --indexed_) table_[place_of(indexed_ - 1)] = 0;
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(size), entries_.end());
  }

  /// The first entry of this key for which same(entry), or none.
  template <class Same>
  std::size_t find(std::size_t key, Same same) const {
    constexpr std::size_t few = 8;
    if (entries_.size() <= few) {
      for (std::size_t k = 0; k < entries_.size(); ++k)
        if (entries_[k].key() == key && same(entries_[k])) return k;
      return none;
    }
    index();
    for (std::size_t at = start_of(key); table_[at]; at = next(at)) {
      const Entry& entry = entries_[table_[at] - 1];
      if (entry.key() == key && same(entry)) return table_[at] - 1;
    }
    return none;
  }

 private:
  /// Enters what was appended since, in its order.
  void index() const {
    if (table_.size() < 2 * entries_.size()) {
      table_ = std::vector<std::uint32_t>(std::bit_ceil(4 * entries_.size()), 0);
      indexed_ = 0;
    }
    for (; indexed_ < entries_.size(); ++indexed_) {
      std::size_t at = start_of(entries_[indexed_].key());
      while (table_[at]) at = next(at);
      table_[at] = static_cast<std::uint32_t>(indexed_ + 1);
    }
  }
  std::size_t start_of(std::size_t key) const {
    return (key * std::size_t(0x9E3779B97F4A7C15)) >> (std::countl_zero(table_.size()) + 1);
  }
  std::size_t next(std::size_t at) const { return (at + 1) & (table_.size() - 1); }
  std::size_t place_of(std::size_t entry) const {
    std::size_t at = start_of(entries_[entry].key());
    while (table_[at] != entry + 1) at = next(at);
    return at;
  }

  std::vector<Entry> entries_;
  mutable std::vector<std::uint32_t> table_;  ///< by hash, with linear probing: an index plus one, or 0
  mutable std::size_t indexed_ = 0;           ///< so many entries are in it
};

}  // namespace autograd
