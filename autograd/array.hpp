// Array: the xtensor type that users hold, pass in and get out. The only file that knows xtensor's include paths.
#pragma once

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#endif
#include <xsimd/xsimd.hpp>

#include "autograd/shape.hpp"

namespace autograd {

/// A row-major xtensor array. The allocator is pinned (64 bytes), so the type does not depend on the instruction set.
template <class T>
using Array = xt::xarray<T, xt::layout_type::row_major, xsimd::aligned_allocator<T, 64>>;

/// A read-only xtensor view of memory that somebody else owns.
template <class T>
using ArrayView = decltype(xt::adapt(std::declval<const T*>(), std::size_t{}, xt::no_ownership(),
                                     std::declval<xt::dynamic_shape<std::size_t>>()));

/// Valid as long as `data` is.
template <class T>
ArrayView<T> view(const T* data, const Shape& shape) {
  return xt::adapt(+data, shape.elements(), xt::no_ownership(),
                   xt::dynamic_shape<std::size_t>(shape.begin(), shape.end()));
}

/// An xtensor view that can be written but not resized.
template <class T>
auto mutable_view(T* data, const Shape& shape) {
  return xt::adapt(+data, shape.elements(), xt::no_ownership(),
                   xt::dynamic_shape<std::size_t>(shape.begin(), shape.end()));
}

template <class Expression>
Shape shape_of(const Expression& expression) {
  return Shape(expression.shape().begin(), expression.shape().end());
}

/// An uninitialised array of `shape`. Throws ShapeError for more elements than can be addressed.
template <class T>
Array<T> make_array(const Shape& shape) {
  shape.require_elements("array");
  return Array<T>(xt::dynamic_shape<std::size_t>(shape.begin(), shape.end()));
}

/// Throws as make_array().
template <class T>
Array<T> full(const Shape& shape, T value) {
  shape.require_elements("array");
  return Array<T>(xt::dynamic_shape<std::size_t>(shape.begin(), shape.end()), value);
}

template <class T>
Array<T> zeros(const Shape& shape) {
  return full<T>(shape, T(0));
}

}  // namespace autograd
