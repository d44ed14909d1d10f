#include "autograd/kernels/strided.hpp"

#include <complex>
#include <cstring>

#include "autograd/kernels/contiguous_sum.hpp"

namespace autograd::kernels {

namespace {

struct Axis {
  std::size_t extent;
  Index from;
  Index to;
};

/// Axes of extent 1 dropped, and neighbours that are one run of memory on both sides merged.
std::size_t collapse(const Shape& shape, const Strides& from, const Strides& to,
                     std::array<Axis, Shape::max_rank>& axes) {
  std::size_t count = 0;
  for (std::size_t k = 0; k < shape.rank(); ++k) {
    if (shape[k] == 1) continue;
    const Axis axis{shape[k], from[k], to[k]};
    const Index extent = static_cast<Index>(axis.extent);
    if (count > 0 && axes[count - 1].from == axis.from * extent && axes[count - 1].to == axis.to * extent) {
      axes[count - 1] = {axes[count - 1].extent * axis.extent, axis.from, axis.to};
    } else {
      axes[count++] = axis;
    }
  }
  return count;
}

template <class V>
void row(const Axis& axis, const V* from, V* to, bool accumulate) {
  const std::size_t extent = axis.extent;
  if (axis.from == 1 && axis.to == 1) {
    if (accumulate)
      for (std::size_t k = 0; k < extent; ++k) to[k] += from[k];
    else if (extent < 32)
      for (std::size_t k = 0; k < extent; ++k) to[k] = from[k];
    else
      std::memcpy(to, from, extent * sizeof(V));
  } else if (axis.from == 0 && axis.to == 1) {
    const V value = *from;
    if (accumulate)
      for (std::size_t k = 0; k < extent; ++k) to[k] += value;
    else
      for (std::size_t k = 0; k < extent; ++k) to[k] = value;
  } else if (axis.from == 1 && axis.to == 0) {
    *to = contiguous_sum<V>(extent, [from](std::size_t k) { return from[k]; }) + (accumulate ? *to : V(0));
  } else {
    for (std::size_t k = 0; k < extent; ++k, from += axis.from, to += axis.to) *to = accumulate ? *to + *from : *from;
  }
}

}  // namespace

Strides contiguous_strides(const Shape& shape) {
  Strides strides{};
  Index stride = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0; stride *= static_cast<Index>(shape[axis])) strides[axis] = stride;
  return strides;
}

Strides broadcast_strides(const Shape& from, const Shape& to) {
  const Strides own = contiguous_strides(from);
  Strides strides{};
  const std::size_t missing = to.rank() - from.rank();
  for (std::size_t axis = 0; axis < from.rank(); ++axis)
    strides[missing + axis] = from[axis] == 1 && to[missing + axis] != 1 ? 0 : own[axis];
  return strides;
}

template <class V>
void strided_copy(const Shape& shape, const V* from, const Strides& from_strides, V* to, const Strides& to_strides,
                  bool accumulate) {
  if (shape.elements() == 0) return;
  std::array<Axis, Shape::max_rank> axes;
  const std::size_t count = collapse(shape, from_strides, to_strides, axes);
  if (count == 0) {
    *to = accumulate ? *to + *from : *from;
    return;
  }
  const Axis inner = axes[count - 1];
  std::array<std::size_t, Shape::max_rank> position{};
  while (true) {
    row(inner, from, to, accumulate);
    std::size_t axis = count - 1;
    for (;;) {
      if (axis-- == 0) return;
      from += axes[axis].from;
      to += axes[axis].to;
      if (++position[axis] < axes[axis].extent) break;
      from -= axes[axis].from * static_cast<Index>(axes[axis].extent);
      to -= axes[axis].to * static_cast<Index>(axes[axis].extent);
      position[axis] = 0;
    }
  }
}

template void strided_copy(const Shape&, const float*, const Strides&, float*, const Strides&, bool);
template void strided_copy(const Shape&, const double*, const Strides&, double*, const Strides&, bool);
template void strided_copy(const Shape&, const std::complex<double>*, const Strides&, std::complex<double>*,
                           const Strides&, bool);

}  // namespace autograd::kernels
