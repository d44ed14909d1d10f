// Initial values of parameters, drawn from an explicit generator: a seed gives the same numbers everywhere.
#pragma once

#include "autograd/array.hpp"
#include "autograd/ops/random.hpp"

namespace nn {

using autograd::Array;
using autograd::Generator;
using autograd::Shape;

/// Independent uniform numbers of [low, high). Throws ValueError unless both are finite and low <= high.
template <class T>
Array<T> uniform(const Shape& shape, double low, double high, Generator& generator);

/// Independent normal numbers, by the Box-Muller transform. Throws ValueError unless both arguments are finite and
/// deviation >= 0.
template <class T>
Array<T> normal(const Shape& shape, double mean, double deviation, Generator& generator);

/// Uniform within ± gain sqrt(6 / (in + out)), for a weight (out, in, ...), where further axes multiply both
/// (Glorot and Bengio 2010). Throws ShapeError for fewer than two axes.
template <class T>
Array<T> xavier_uniform(const Shape& shape, Generator& generator, double gain = 1);

/// A random orthogonal matrix times gain: orthonormal rows, or columns if there are more rows than columns
/// (Saxe, McClelland and Ganguli 2013). Axes after the first count as one. Throws ShapeError for fewer than two axes.
template <class T>
Array<T> orthogonal(const Shape& shape, Generator& generator, double gain = 1);

/// Uniform within ± 1 / sqrt(n): PyTorch's default, with n = H for an LSTM and n = in for a linear layer.
template <class T>
Array<T> uniform_fan(const Shape& shape, std::size_t n, Generator& generator);

extern template Array<float> uniform(const Shape&, double, double, Generator&);
extern template Array<float> normal(const Shape&, double, double, Generator&);
extern template Array<float> xavier_uniform(const Shape&, Generator&, double);
extern template Array<float> orthogonal(const Shape&, Generator&, double);
extern template Array<float> uniform_fan(const Shape&, std::size_t, Generator&);
extern template Array<double> uniform(const Shape&, double, double, Generator&);
extern template Array<double> normal(const Shape&, double, double, Generator&);
extern template Array<double> xavier_uniform(const Shape&, Generator&, double);
extern template Array<double> orthogonal(const Shape&, Generator&, double);
extern template Array<double> uniform_fan(const Shape&, std::size_t, Generator&);

}  // namespace nn
