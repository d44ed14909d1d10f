// In which order layers feed one another, where a file has them by name: what shapes and names tell of it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nn::io {

/// One or more layers that stay together.
struct Part {
  std::string name;
  std::size_t input_size, output_size;
};

struct Order {
  std::vector<std::size_t> parts;  ///< indices, from the input to the output
  std::string why;                 ///< "as in the file"
};

/// Whether each part reads as many features as the one before gives.
bool chained(const std::vector<Part>& parts, const std::vector<std::size_t>& order);

/// Whether a comes before b because the first thing in which their names differ is a number: `layers.2` before
/// `layers.10`, `dense` before `dense_1`.
bool numbered_before(const std::string& a, const std::string& b);

/// Whether names are sorted, letter by letter or by number, with or without regard to capitals: then their order is not
/// that of a model.
bool sorted_by_name(const std::vector<std::string>& names);

/// `wanted`, if that is given; the file's order, unless it is one of names; the only order in which the parts are
/// chained; the only one of these that the numbers in the names leave; the only one of these that `passes` lets pass.
/// Where the parts are chained in no order, the file's. Throws ValueError where several are left, with two of them, and
/// for wanted names that are not those of the parts.
Order order_of(const std::vector<Part>& parts, bool sorted, const std::vector<std::string>& wanted,
               const std::function<bool(const std::vector<std::size_t>&)>& passes);

}  // namespace nn::io
