// The attributes of an op as data: what a rule shows in visit(), to be kept, written to a file, and read back.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "autograd/shape.hpp"

namespace autograd {

struct GraphAttribute {
  std::string name;
  std::variant<bool, double, Index, std::vector<Index>> value;  ///< a list is a shape, or one of axes or indices

  friend bool operator==(const GraphAttribute&, const GraphAttribute&) = default;
};

namespace detail {

/// A rule's visit() calls it with each member, and it copies them.
class AttributeCollector {
 public:
  void operator()(const char* name, bool value) { all.push_back({name, value}); }
  void operator()(const char* name, double value) { all.push_back({name, value}); }
  void operator()(const char* name, std::size_t value) { all.push_back({name, static_cast<Index>(value)}); }
  void operator()(const char* name, Index value) { all.push_back({name, value}); }
  /// Bit k for axis k.
  void operator()(const char* name, unsigned axes) {
    std::vector<Index> list;
    for (std::size_t axis = 0; axis < Shape::max_rank; ++axis)
      if (axes >> axis & 1u) list.push_back(static_cast<Index>(axis));
    all.push_back({name, std::move(list)});
  }
  template <class List>
  requires requires(const List& list) { list.begin(); }
  void operator()(const char* name, const List& list) {
    all.push_back({name, std::vector<Index>(list.begin(), list.end())});
  }

  std::vector<GraphAttribute> all;
};

/// A rule's visit() calls it with each member, and it sets them. Throws ValueError, naming the op, for an attribute
/// that is missing, or another kind of value than the member takes.
class AttributeSetter {
 public:
  /// `lists` keeps what members refer to.
  AttributeSetter(const char* op, const std::vector<GraphAttribute>& attributes,
                  std::vector<std::vector<std::size_t>>& lists)
      : op_(op), attributes_(attributes), lists_(lists) {}

  void operator()(const char* name, bool& member);
  void operator()(const char* name, double& member);
  void operator()(const char* name, std::size_t& member);
  void operator()(const char* name, Index& member);
  void operator()(const char* name, unsigned& axes);
  void operator()(const char* name, Shape& member);
  template <class List>
  requires std::is_same_v<typename List::element_type, const std::size_t>
  void operator()(const char* name, List& member) {
    lists_.push_back(sizes(name));
    member = lists_.back();
  }

  /// Throws ValueError, naming it, for an attribute that nobody asked for.
  void check_all_used() const;

 private:
  const GraphAttribute& find(const char* name);
  std::vector<std::size_t> sizes(const char* name);
  [[noreturn]] void refuse(const char* name, const char* expected) const;

  const char* op_;
  const std::vector<GraphAttribute>& attributes_;
  std::vector<std::vector<std::size_t>>& lists_;
  std::vector<std::string> used_;
};

}  // namespace detail
}  // namespace autograd
