// What keeps weights out of every file: the one check before any writer, and after any reader.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "nn/io/network.hpp"
#include "nn/io/weights.hpp"

namespace nn::io {

/// Whether an array of `shape` has `count` elements, for extents whose product may overflow.
bool holds(const Shape& shape, std::size_t count);

/// `w is NaN at (1, 2), ...` for the first number that is not finite, or not as a `dtype`; empty if there is none.
std::string number_fault(const std::string& name, const Tensor& tensor, Dtype dtype);

/// Every sentence that says what is wrong with named arrays: names that are empty, occur twice or can not be printed,
/// numbers of arrays that do not fit their shape or their type, texts that are not UTF-8, more than a file may have.
std::vector<std::string> faults(const Weights& weights);

/// The same of a network, and what its layers lack: as many features as the next one reads, arrays of the right shape.
/// Of a format that has float32 alone, `dtype` is that; otherwise the network's.
std::vector<std::string> faults(const Network& network, Dtype dtype);

/// One text, with semicolons; of more than a hundred sentences the first ones and how many more there are.
std::string joined(const std::vector<std::string>& faults);

}  // namespace nn::io
