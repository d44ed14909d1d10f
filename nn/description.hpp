// Description: what a module says of itself in a file, so that a reader knows what its numbers mean.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace nn {

/// A named text, number or truth value.
struct Attribute {
  enum class Kind { text, number, truth };

  std::string name;
  Kind kind = Kind::text;
  std::string text = {};  ///< of a text
  double number = 0;      ///< of a number; 0 or 1 for a truth value

  Attribute(std::string key, std::string value) : name(std::move(key)), text(std::move(value)) {}

  template <class N>
  requires std::is_arithmetic_v<N> Attribute(std::string key, N value)
      : name(std::move(key)),
        kind(std::is_same_v<N, bool> ? Kind::truth : Kind::number),
        number(static_cast<double>(value)) {}

  friend bool operator==(const Attribute&, const Attribute&) = default;
};

/// The type of a module and whatever decides what its numbers mean: sizes, gate order. Weights are refused where the
/// file and the model differ in any of it, so what may change between training and use (dropout) does not belong here.
struct Description {
  std::string type;
  std::vector<Attribute> attributes = {};
};

/// A module with a member `Description describe() const`, which is optional.
template <class M>
concept Described = requires(const M& module) {
  { module.describe() } -> std::convertible_to<Description>;
};

}  // namespace nn
