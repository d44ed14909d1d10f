// Matrix: what derivations compute with. Numbers stand beside the sum of the magnitudes that they were added up from,
// which says how far rounding can have moved them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nn::audit {

/// Rows are the sequences of a batch; a bias is one row. A single row is stretched to any number of rows, a single
/// column to any number of columns.
struct Matrix {
  std::size_t rows = 1, columns = 1;
  std::vector<double> values = {0};
  std::vector<double> magnitudes = {0};  ///< Σ |addends|, of products |factor| |factor|

  Matrix() = default;
  explicit Matrix(double number);
  Matrix(std::size_t rows, std::size_t columns, std::vector<double> values);

  bool scalar() const { return rows == 1 && columns == 1; }
  bool same_shape(const Matrix& other) const { return rows == other.rows && columns == other.columns; }
  std::size_t size() const { return values.size(); }
  double operator()(std::size_t row, std::size_t column) const { return values[row * columns + column]; }
};

Matrix zeros(std::size_t rows, std::size_t columns);
/// "(3, 5)"
std::string shape_text(const Matrix& a);

/// Element by element. Throw ShapeError, with both shapes, where they do not fit.
Matrix operator+(const Matrix& a, const Matrix& b);
Matrix operator-(const Matrix& a, const Matrix& b);
Matrix operator*(const Matrix& a, const Matrix& b);
Matrix operator/(const Matrix& a, const Matrix& b);
Matrix operator-(Matrix a);
Matrix power(Matrix a, double exponent);
Matrix tanh(Matrix a);
Matrix sigmoid(Matrix a);
Matrix exp(Matrix a);
Matrix log(Matrix a);
Matrix sqrt(Matrix a);

/// a b. Throws ShapeError where they do not fit; a number that stands for zeros of any shape may be a factor.
Matrix product(const Matrix& a, const Matrix& b);
Matrix transposed(const Matrix& a);
/// Σ over the rows: one row.
Matrix sum_rows(const Matrix& a);
/// The mean of each row: one column.
Matrix mean_columns(const Matrix& a);
/// The rows of all side by side. Throws ShapeError for different numbers of rows.
Matrix side_by_side(const std::vector<Matrix>& parts);
/// All rows below one another; the numbers of columns must be equal.
Matrix stacked(const std::vector<Matrix>& parts);
/// Rows [begin, end), or columns.
Matrix rows_of(const Matrix& a, std::size_t begin, std::size_t end);
Matrix columns_of(const Matrix& a, std::size_t begin, std::size_t end);

/// sqrt(Σ a²), without overflow.
double norm(const std::vector<double>& values);
/// |a - b|; the shapes must be equal.
double distance(const Matrix& a, const Matrix& b);
/// Σ a b
double inner(const Matrix& a, const Matrix& b);

}  // namespace nn::audit
