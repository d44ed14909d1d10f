#include "nn/audit/matrix.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/error.hpp"

namespace nn::audit {

using autograd::ShapeError;

Matrix::Matrix(double number) : values{number}, magnitudes{std::abs(number)} {}

Matrix::Matrix(std::size_t rows, std::size_t columns, std::vector<double> given)
    : rows(rows), columns(columns), values(std::move(given)), magnitudes(values.size()) {
  std::transform(values.begin(), values.end(), magnitudes.begin(), [](double v) { return std::abs(v); });
}

Matrix zeros(std::size_t rows, std::size_t columns) { return {rows, columns, std::vector<double>(rows * columns)}; }

std::string shape_text(const Matrix& a) {
  return "(" + std::to_string(a.rows) + ", " + std::to_string(a.columns) + ")";
}

namespace {

/// f(value, value) and f's magnitude of the two magnitudes, over the common shape.
template <class F, class M>
Matrix combined(const char* op, const Matrix& a, const Matrix& b, F f, M magnitude) {
  const auto stretches = [](std::size_t from, std::size_t to) { return from == to || from == 1; };
  const std::size_t rows = std::max(a.rows, b.rows), columns = std::max(a.columns, b.columns);
  for (const Matrix* m : {&a, &b})
    if (!stretches(m->rows, rows) || !stretches(m->columns, columns))
      throw ShapeError(std::string("the operands of ") + op + " have shapes " + shape_text(a) + " and " +
                       shape_text(b));
  Matrix out = zeros(rows, columns);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column < columns; ++column) {
      const std::size_t k = row * columns + column;
      const std::size_t i = (a.rows == 1 ? 0 : row) * a.columns + (a.columns == 1 ? 0 : column);
      const std::size_t j = (b.rows == 1 ? 0 : row) * b.columns + (b.columns == 1 ? 0 : column);
      out.values[k] = f(a.values[i], b.values[j]);
      out.magnitudes[k] = magnitude(a, i, b, j);
    }
  return out;
}

/// f of each value; an error of x, eps times its magnitude, arrives times |slope(x, f(x))|. A 0 that nothing was added
/// up to has none, however steep f is there.
template <class F, class S>
Matrix mapped(Matrix a, F f, S slope) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double x = a.values[k], y = f(x);
    a.magnitudes[k] = std::abs(y) + (a.magnitudes[k] == 0 ? 0 : std::abs(slope(x, y)) * a.magnitudes[k]);
    a.values[k] = y;
  }
  return a;
}

constexpr auto added = [](const Matrix& a, std::size_t i, const Matrix& b, std::size_t j) {
  return a.magnitudes[i] + b.magnitudes[j];
};

}  // namespace

Matrix operator+(const Matrix& a, const Matrix& b) {
  return combined(
      "+", a, b, [](double x, double y) { return x + y; }, added);
}
Matrix operator-(const Matrix& a, const Matrix& b) {
  return combined(
      "-", a, b, [](double x, double y) { return x - y; }, added);
}
Matrix operator*(const Matrix& a, const Matrix& b) {
  return combined(
      "*", a, b, [](double x, double y) { return x * y; },
      [](const Matrix& x, std::size_t i, const Matrix& y, std::size_t j) { return x.magnitudes[i] * y.magnitudes[j]; });
}
Matrix operator/(const Matrix& a, const Matrix& b) {
  return combined(
      "/", a, b, [](double x, double y) { return x / y; },
      [](const Matrix& x, std::size_t i, const Matrix& y, std::size_t j) {
        const double divisor = std::abs(y.values[j]);
        return x.magnitudes[i] / divisor * std::max(y.magnitudes[j] / divisor, 1.0);  // NaN where either is
      });
}
Matrix operator-(Matrix a) {
  for (double& v : a.values) v = -v;
  return a;
}

Matrix power(Matrix a, double exponent) {
  return mapped(
      std::move(a), [=](double x) { return exponent == 2 ? x * x : std::pow(x, exponent); },
      [=](double x, double) { return exponent * std::pow(x, exponent - 1); });
}
Matrix tanh(Matrix a) {
  return mapped(
      std::move(a), [](double x) { return std::tanh(x); }, [](double, double y) { return 1 - y * y; });
}
Matrix sigmoid(Matrix a) {
  return mapped(
      std::move(a), [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); },
      [](double, double y) { return y * (1 - y); });
}
Matrix exp(Matrix a) {
  return mapped(
      std::move(a), [](double x) { return std::exp(x); }, [](double, double y) { return y; });
}
Matrix log(Matrix a) {
  return mapped(
      std::move(a), [](double x) { return std::log(x); }, [](double x, double) { return 1 / x; });
}
Matrix sqrt(Matrix a) {
  return mapped(
      std::move(a), [](double x) { return std::sqrt(x); }, [](double, double y) { return 0.5 / y; });
}

Matrix product(const Matrix& a, const Matrix& b) {
  if (a.scalar() && a.values[0] == 0) return zeros(1, b.columns);
  if (b.scalar() && b.values[0] == 0) return zeros(a.rows, 1);
  if (a.columns != b.rows)
    throw ShapeError("the operands of @ have shapes " + shape_text(a) + " and " + shape_text(b) + ", and " +
                     std::to_string(a.columns) + " columns do not meet " + std::to_string(b.rows) + " rows");
  Matrix out = zeros(a.rows, b.columns);
  for (std::size_t row = 0; row < a.rows; ++row)
    for (std::size_t k = 0; k < a.columns; ++k) {
      const double value = a.values[row * a.columns + k], magnitude = a.magnitudes[row * a.columns + k];
      const double* const values = b.values.data() + k * b.columns;
      const double* const magnitudes = b.magnitudes.data() + k * b.columns;
      double* const to = out.values.data() + row * b.columns;
      double* const sum = out.magnitudes.data() + row * b.columns;
      for (std::size_t column = 0; column < b.columns; ++column) {
        to[column] += value * values[column];
        sum[column] += magnitude * magnitudes[column];
      }
    }
  return out;
}

Matrix transposed(const Matrix& a) {
  Matrix out = zeros(a.columns, a.rows);
  for (std::size_t row = 0; row < a.rows; ++row)
    for (std::size_t column = 0; column < a.columns; ++column) {
      out.values[column * a.rows + row] = a.values[row * a.columns + column];
      out.magnitudes[column * a.rows + row] = a.magnitudes[row * a.columns + column];
    }
  return out;
}

Matrix sum_rows(const Matrix& a) {
  Matrix out = zeros(1, a.columns);
  for (std::size_t k = 0; k < a.size(); ++k) {
    out.values[k % a.columns] += a.values[k];
    out.magnitudes[k % a.columns] += a.magnitudes[k];
  }
  return out;
}

Matrix mean_columns(const Matrix& a) {
  return product(a, Matrix(a.columns, 1, std::vector<double>(a.columns, 1 / static_cast<double>(a.columns))));
}

Matrix side_by_side(const std::vector<Matrix>& parts) {
  std::size_t columns = 0;
  for (const Matrix& part : parts) {
    columns += part.columns;
    if (part.rows != parts[0].rows)
      throw ShapeError("the parts of [...] have shapes " + shape_text(parts[0]) + " and " + shape_text(part));
  }
  Matrix out = zeros(parts[0].rows, columns);
  for (std::size_t row = 0; row < out.rows; ++row) {
    std::size_t at = row * columns;
    for (const Matrix& part : parts) {
      const auto begin = static_cast<std::ptrdiff_t>(row * part.columns);
      std::copy_n(part.values.begin() + begin, part.columns, out.values.begin() + static_cast<std::ptrdiff_t>(at));
      std::copy_n(part.magnitudes.begin() + begin, part.columns,
                  out.magnitudes.begin() + static_cast<std::ptrdiff_t>(at));
      at += part.columns;
    }
  }
  return out;
}

Matrix stacked(const std::vector<Matrix>& parts) {
  Matrix out = parts[0];
  for (std::size_t k = 1; k < parts.size(); ++k) {
    out.values.insert(out.values.end(), parts[k].values.begin(), parts[k].values.end());
    out.magnitudes.insert(out.magnitudes.end(), parts[k].magnitudes.begin(), parts[k].magnitudes.end());
    out.rows += parts[k].rows;
  }
  return out;
}

Matrix rows_of(const Matrix& a, std::size_t begin, std::size_t end) {
  const auto from = a.values.begin() + static_cast<std::ptrdiff_t>(begin * a.columns);
  return {end - begin, a.columns,
          std::vector<double>(from, from + static_cast<std::ptrdiff_t>((end - begin) * a.columns))};
}

Matrix columns_of(const Matrix& a, std::size_t begin, std::size_t end) {
  return transposed(rows_of(transposed(a), begin, end));
}

double norm(const std::vector<double>& values) {
  double largest = 0, sum = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) return std::abs(v);
    largest = std::max(largest, std::abs(v));
  }
  if (largest == 0) return 0;
  for (const double v : values) sum += (v / largest) * (v / largest);
  return largest * std::sqrt(sum);
}

double distance(const Matrix& a, const Matrix& b) {
  std::vector<double> difference(a.size());
  for (std::size_t k = 0; k < a.size(); ++k) difference[k] = a.values[k] - b.values[k];
  return norm(difference);
}

double inner(const Matrix& a, const Matrix& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a.values[k] * b.values[k];
  return sum;
}

}  // namespace nn::audit
