// What the graph's input becomes on its way: an array whose axes are known by what they run over, so that squeezing,
// reshaping and transposing can be followed without knowing the length of any.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/io/formats/onnx/constant.hpp"

namespace nn::io::formats::onnx {

/// What an axis, or a factor of one, runs over: 0 to 7 is that axis of the graph's input; what has one element only is
/// left out.
using Atom = std::uint8_t;
inline constexpr Atom directions_atom = 8, features_atom = 9;

/// A product of atoms, the last of which varies fastest; without any, an axis of one element.
using Axis = std::vector<Atom>;

struct Signal {
  std::vector<Axis> axes = {};
  std::size_t stage = 0;  ///< what has been computed on the way: the number of such steps
  Extents lengths = {};   ///< of the atoms
  bool part = false;      ///< only the first elements of axis `part_of` of the input
  Atom part_of = 0;

  std::size_t rank() const { return axes.size(); }
  Extent extent(const Axis& axis) const;
  Extents shape() const;
};

// All throw Refusal.
Signal permuted(const Signal& x, const std::vector<std::size_t>& axes);
/// Without those axes, which must be of one element.
Signal squeezed(const Signal& x, const std::vector<bool>& removed);
/// With axes of one element at those places of the result.
Signal unsqueezed(const Signal& x, const std::vector<bool>& added);
Signal reshaped(const Signal& x, const Extents& shape, bool zero_copies);
/// Of an axis of the graph's input, the first elements alone.
Signal beginning(const Signal& x, std::size_t axis, std::int64_t count);

}  // namespace nn::io::formats::onnx
