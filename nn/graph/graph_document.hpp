// GraphDocument: the JSON of a graph as values that know their places, in memory in proportion to the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/io/json_scanner.hpp"
#include "nn/io/weights.hpp"

namespace nn::io::detail {

/// In the place of an extent: "batch".
inline constexpr std::size_t batch_extent = ~std::size_t(0);

/// A value of the file. A list of numbers is an array of whole ones, or, as "data", as "initial" and within another
/// list, one of any.
template <class T>
struct GraphValue {
  struct Number {
    double value;
    bool whole;  ///< it is written as an integer
  };
  struct Items {
    bool object;
    std::vector<GraphValue> values = {};
  };
  using Wholes = std::vector<std::size_t>;

  std::size_t byte = 0;  ///< how many had been read when it was complete
  std::string key = {};  ///< in an object
  std::variant<std::monostate, bool, Number, std::string, Wholes, std::vector<T>, Items> content = {};
};

/// The numbers that JSON does not have, as they stand in a file: "inf", "-inf", "nan". False for any other text.
bool special_number(std::string_view text, double& value);

/// Where something is wrong, as errors say it.
struct GraphPlace {
  std::string source;  ///< the file, or empty

  /// `load_graph: model.json, byte 120, /steps/3: ...`
  [[noreturn]] void fail(std::size_t byte, const std::string& pointer, const std::string& what) const;
  /// `load_graph: model.json: ...`
  [[noreturn]] void refuse(const std::string& what) const;
};

/// The whole file. `dtype` rounds the numbers of arrays. Throws FormatError for anything but JSON, for keys that occur
/// twice, and for more values than a graph needs.
template <class T>
GraphValue<T> read_graph_document(const std::string& source, std::string_view text, Dtype dtype);

/// The type of the numbers of a file of wengert/2. Throws FormatError for anything else.
Dtype read_graph_header(const std::string& source, std::string_view text);

}  // namespace nn::io::detail
