// Plain loops over matrices in arrays: all that the derivations by hand compute with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "autograd/array.hpp"
#include "autograd/error.hpp"
#include "autograd/shape.hpp"

namespace nn::manual {

using autograd::Array;

/// A matrix in somebody else's memory.
template <class T>
struct MatrixView {
  T* data;
  std::size_t rows, columns;
  std::size_t row_stride = columns, column_stride = 1;

  T& operator()(std::size_t row, std::size_t column) const { return data[row * row_stride + column * column_stride]; }
  T& operator[](std::size_t k) const { return data[k]; }  // element by element, unless transposed
  std::size_t size() const { return rows * columns; }
};

template <class T>
MatrixView<T> transpose(const MatrixView<T>& a) {
  return {a.data, a.columns, a.rows, a.column_stride, a.row_stride};
}

/// out += a b
template <class T, class A, class B>
void add_product(const MatrixView<T>& out, const MatrixView<A>& a, const MatrixView<B>& b) {
  for (std::size_t row = 0; row < out.rows; ++row)
    for (std::size_t k = 0; k < a.columns; ++k)
      for (std::size_t column = 0; column < out.columns; ++column) out(row, column) += a(row, k) * b(k, column);
}

/// out += Σ over the rows of a, where out is one row
template <class T>
void add_rows(const MatrixView<T>& out, const MatrixView<T>& a) {
  for (std::size_t row = 0; row < a.rows; ++row)
    for (std::size_t column = 0; column < a.columns; ++column) out(0, column) += a(row, column);
}

template <class Array>
using Element = std::remove_pointer_t<decltype(std::declval<Array&>().data())>;

/// All of a (rows, columns) array.
template <class Array>
MatrixView<Element<Array>> whole(Array& a) {
  return {a.data(), a.shape(0), a.shape(1)};
}

/// A bias (gates H) with one row for each gate.
template <class Array>
MatrixView<Element<Array>> by_gate(Array& a, std::size_t gates) {
  return {a.data(), gates, a.size() / gates};
}

/// The t-th (rows, columns) matrix of a (T, rows, columns) array.
template <class Array>
MatrixView<Element<Array>> step(Array& a, std::size_t t) {
  return {a.data() + t * a.shape(1) * a.shape(2), a.shape(1), a.shape(2)};
}

/// The state that step t starts from: that of step t-1, or the initial one.
template <class T>
MatrixView<const T> before(const Array<T>& initial, const Array<T>& states, std::size_t t) {
  return t == 0 ? whole(initial) : step(states, t - 1);
}

/// The rows of one of the gates.
template <class T>
MatrixView<T> block(const MatrixView<T>& a, std::size_t gate, std::size_t gates) {
  const std::size_t rows = a.rows / gates;
  return {a.data + gate * rows * a.columns, rows, a.columns};
}

template <class T>
Array<T> copy(const MatrixView<const T>& a) {
  Array<T> result = autograd::make_array<T>({a.rows, a.columns});
  std::copy_n(a.data, a.size(), result.data());
  return result;
}

template <class T>
T sigmoid(T z) {
  const T e = std::exp(-std::abs(z));  // can not overflow
  return (z < 0 ? e : T(1)) / (1 + e);
}

inline void expect(const std::string& name, const char* what, const autograd::Shape& got,
                   const autograd::Shape& expected, const std::string& because) {
  if (!(got == expected))
    throw autograd::ShapeError(name + ": " + what + " is " + to_string(got) + ", expected " + to_string(expected) +
                               " " + because);
}

}  // namespace nn::manual
