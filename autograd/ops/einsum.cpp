#include "autograd/ops/einsum.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "autograd/all_or_nothing.hpp"
#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/arrangement.hpp"
#include "autograd/ops/linear_algebra.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

namespace {

/// An array and a letter for each of its axes.
template <class T>
struct Labelled {
  Variable<T> x;
  std::string letters;

  Index axis(char letter) const { return static_cast<Index>(letters.find(letter)); }
  std::size_t extent(char letter) const { return x.shape()[letters.find(letter)]; }
};

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

/// With the axes in the order of `letters`, which are the same ones.
template <class T>
Labelled<T> arranged(const Labelled<T>& a, const std::string& letters) {
  if (letters == a.letters) return a;
  std::vector<Index> order;
  for (const char letter : letters) order.push_back(a.axis(letter));
  return {permute(a.x, Axes(std::span<const Index>(order))), letters};
}

/// Diagonals of letters that occur twice, and sums over letters that nobody needs any more.
template <class T>
Labelled<T> simplified(Labelled<T> a, std::string_view needed) {
  for (std::size_t k = 0; k < a.letters.size(); ++k) {
    const char letter = a.letters[k];
    const std::size_t again = a.letters.find(letter, k + 1);
    if (again == std::string::npos) continue;
    if (a.x.shape()[k] != a.x.shape()[again])
      throw ShapeError("einsum: '" + std::string(1, letter) + "' names extents " + std::to_string(a.x.shape()[k]) +
                       " and " + std::to_string(a.x.shape()[again]) + " of shape " + to_string(a.x.shape()) +
                       "; they must be equal");
    a.x = diagonal(a.x, 0, static_cast<Index>(k), static_cast<Index>(again));
    a.letters.erase(again, 1).erase(k, 1).push_back(letter);
    k = static_cast<std::size_t>(-1);
  }
  for (std::size_t k = a.letters.size(); k-- > 0;)
    if (!has(needed, a.letters[k])) {
      a.x = sum(a.x, static_cast<Index>(k));
      a.letters.erase(k, 1);
    }
  return a;
}

/// The product of two operands as one batched matrix product: (batch, left, inner) by (batch, inner, right).
template <class T>
Labelled<T> multiplied(const Labelled<T>& a, const Labelled<T>& b, std::string_view needed) {
  std::string batch, left, inner, right;
  for (const char letter : a.letters)
    if (!has(b.letters, letter))
      left += letter;
    else if (has(needed, letter))
      batch += letter;
    else
      inner += letter;
  for (const char letter : b.letters)
    if (!has(a.letters, letter)) right += letter;
  for (const char letter : batch + inner)
    if (a.extent(letter) != b.extent(letter))
      throw ShapeError("einsum: '" + std::string(1, letter) + "' is " + std::to_string(a.extent(letter)) +
                       " in one operand and " + std::to_string(b.extent(letter)) + " in another; they must be equal");

  Shape shape;
  const auto extents = [&](const Labelled<T>& from, const std::string& letters) {
    std::size_t product = 1;
    for (const char letter : letters) {
      product *= from.extent(letter);
      if (letters != inner) shape.push_back(from.extent(letter));
    }
    return product;
  };
  const std::size_t n_batch = extents(a, batch), n_left = extents(a, left), n_inner = extents(a, inner);
  const std::size_t n_right = extents(b, right);
  const Variable<T> rows = reshape(arranged(a, batch + left + inner).x, {n_batch, n_left, n_inner});
  const Variable<T> columns = reshape(arranged(b, batch + inner + right).x, {n_batch, n_inner, n_right});
  return {reshape(matmul(rows, columns), shape), batch + left + right};
}

[[noreturn]] void refuse(std::string_view equation, const std::string& why) {
  throw ValueError("einsum: \"" + std::string(equation) + "\" " + why);
}

/// The letters of every operand, and of the result at the end.
std::vector<std::string> parse(std::string_view equation, std::size_t operands) {
  std::string text;
  for (const char c : equation)
    if (c != ' ') text += c;
  const std::size_t arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',')
      terms.emplace_back();
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      terms.back() += c;
    else
      refuse(equation, "has a '" + std::string(1, c) + "'; an equation is letters, commas and one ->");
  }
  if (terms.size() != operands)
    refuse(equation, "names " + std::to_string(terms.size()) + " operands, given " + std::to_string(operands));
  std::string all, result;
  for (const std::string& term : terms) all += term;
  if (arrow == std::string::npos) {
    for (const char letter : all)
      if (std::count(all.begin(), all.end(), letter) == 1) result += letter;
    std::sort(result.begin(), result.end());
  } else {
    result = text.substr(arrow + 2);
    for (const char letter : result)
      if (!has(all, letter) || std::count(result.begin(), result.end(), letter) > 1)
        refuse(equation, "has '" + std::string(1, letter) +
                             "' in the result; every letter there is one of the operands', and once");
  }
  terms.push_back(result);
  return terms;
}

}  // namespace

template <class T>
Variable<T> einsum(std::string_view equation, std::span<const Variable<T>> operands) {
  const std::vector<std::string> terms = parse(equation, operands.size());
  for (std::size_t k = 0; k < operands.size(); ++k)
    if (operands[k].shape().rank() != terms[k].size())
      throw ShapeError("einsum: operand " + std::to_string(k) + " has shape " + to_string(operands[k].shape()) +
                       ", the equation names " + std::to_string(terms[k].size()) + " axes (" + terms[k] + ")");
  for (const Variable<T>& operand : operands) common_tape("einsum", operands[0], operand);
  return all_or_nothing(operands[0].tape(), [&] {
    // What later operands and the result still need of operand k.
    const auto needed_after = [&](std::size_t k) {
      std::string letters;
      for (std::size_t later = k + 1; later < terms.size(); ++later) letters += terms[later];
      return letters;
    };
    Labelled<T> product = simplified(Labelled<T>{operands[0], terms[0]}, needed_after(0));
    for (std::size_t k = 1; k < operands.size(); ++k) {
      const std::string needed = needed_after(k);
      product = multiplied(product, simplified(Labelled<T>{operands[k], terms[k]}, needed + product.letters), needed);
    }
    return arranged(product, terms.back()).x;
  });
}

template <class T>
Variable<T> tensordot(Variable<T> a, Variable<T> b, const Axes& axes_a, const Axes& axes_b) {
  const Shape left = a.shape(), right = b.shape();
  if (axes_a.size() != axes_b.size())
    throw ShapeError("tensordot: " + std::to_string(axes_a.size()) + " axes of the left operand and " +
                     std::to_string(axes_b.size()) + " of the right one; name pairs");
  const unsigned summed_a = axes_a.mask("tensordot", left.rank()), summed_b = axes_b.mask("tensordot", right.rank());
  std::array<Index, Shape::max_rank> order_a, order_b;
  std::size_t count_a = 0, count_b = 0, rows = 1, inner = 1, columns = 1;
  Shape shape;
  for (std::size_t axis = 0; axis < left.rank(); ++axis)
    if (!(summed_a >> axis & 1u)) {
      order_a[count_a++] = static_cast<Index>(axis);
      rows *= left[axis];
      shape.push_back(left[axis]);
    }
  for (std::size_t pair = 0; pair < axes_a.size(); ++pair) {
    const std::size_t i = normalize_axis("tensordot", axes_a[pair], left.rank());
    const std::size_t j = normalize_axis("tensordot", axes_b[pair], right.rank());
    if (left[i] != right[j])
      throw ShapeError("tensordot: axis " + std::to_string(i) + " of " + to_string(left) + " and axis " +
                       std::to_string(j) + " of " + to_string(right) + " have extents " + std::to_string(left[i]) +
                       " and " + std::to_string(right[j]) + "; they must be equal");
    order_a[count_a++] = static_cast<Index>(i);
    order_b[count_b++] = static_cast<Index>(j);
    inner *= left[i];
  }
  for (std::size_t axis = 0; axis < right.rank(); ++axis)
    if (!(summed_b >> axis & 1u)) {
      order_b[count_b++] = static_cast<Index>(axis);
      columns *= right[axis];
      shape.push_back(right[axis]);
    }
  return all_or_nothing(common_tape("tensordot", a, b), [&] {
    const auto x = permute(a, Axes(std::span<const Index>(order_a.data(), count_a)));
    const auto y = permute(b, Axes(std::span<const Index>(order_b.data(), count_b)));
    return reshape(matmul(reshape(x, {rows, inner}), reshape(y, {inner, columns})), shape);
  });
}

template <class T>
Variable<T> outer(Variable<T> a, Variable<T> b) {
  if (a.shape().rank() != 1 || b.shape().rank() != 1)
    throw ShapeError("outer: shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) +
                     "; both operands have one axis");
  return all_or_nothing(common_tape("outer", a, b), [&] { return expand_dims(a, 1) * b; });
}

template <class T>
Variable<T> dot(Variable<T> a, Variable<T> b) {
  if (a.shape().rank() != 1 || !(a.shape() == b.shape()))
    throw ShapeError("dot: shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) +
                     "; both operands have one axis of the same extent");
  return all_or_nothing(common_tape("dot", a, b), [&] { return matmul(a, b); });
}

template <class T>
Variable<T> addmm(Variable<T> c, Variable<T> a, Variable<T> b, double beta, double alpha) {
  return all_or_nothing(common_tape("addmm", c, a, b), [&] { return beta * c + alpha * matmul(a, b); });
}

#define INSTANTIATE(T)                                                                \
  template Variable<T> einsum(std::string_view, std::span<const Variable<T>>);        \
  template Variable<T> tensordot(Variable<T>, Variable<T>, const Axes&, const Axes&); \
  template Variable<T> outer(Variable<T>, Variable<T>);                               \
  template Variable<T> dot(Variable<T>, Variable<T>);                                 \
  template Variable<T> addmm(Variable<T>, Variable<T>, Variable<T>, double, double);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace autograd
