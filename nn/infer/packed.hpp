// The packed form of a graph: bytes that a plug-in carries in itself, and makes a Stream of without any reader of
// files.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "nn/infer/stream.hpp"

namespace nn::infer {

/// Everything but the compiled functions of the program that recorded it. Layout, little-endian, each text and list
/// after its length (u32): "WGRTPACK", version (u32), bytes of an element (u32: 4 or 8); values (rank and extents u32,
/// batched u8, name); inputs (name, value u32); states (name, input, output, elements); parameters and constants (name,
/// value, elements); steps (op, inputs, outputs, attributes: name, kind u8, value as i64, f64 or a list of i64);
/// outputs; FNV-1a of all that (u64).
template <class T>
std::vector<std::byte> packed(const autograd::Graph<T>& graph);

/// Throws FormatError for bytes that are not a packed graph of T, for one that was changed, and for values of more than
/// 2^22 elements and four for each byte; ValueError or ShapeError for a graph that can not run.
template <class T>
autograd::Graph<T> unpacked(std::span<const std::byte> bytes);

/// The same as a stream: what a plug-in calls.
template <class T>
Stream<T> stream_of_packed(std::span<const std::byte> bytes);

}  // namespace nn::infer
