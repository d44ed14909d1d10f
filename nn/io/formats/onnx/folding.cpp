#include "nn/io/formats/onnx/folding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats::onnx {

namespace {

using Strides = std::array<std::ptrdiff_t, Shape::max_rank>;

Strides strides_of(const Shape& shape) {
  Strides strides{};
  std::ptrdiff_t stride = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0; stride *= static_cast<std::ptrdiff_t>(shape[axis]))
    strides[axis] = stride;
  return strides;
}

/// from[base + sum of index * stride] for every index of `shape`, in row-major order.
template <class T>
std::vector<T> strided(const std::vector<T>& from, const Shape& shape, std::ptrdiff_t base, const Strides& strides) {
  const std::size_t size = shape.elements();
  std::vector<T> result;
  result.reserve(size);
  std::array<std::size_t, Shape::max_rank> index{};
  std::ptrdiff_t at = base;
  while (result.size() < size) {
    result.push_back(from[static_cast<std::size_t>(at)]);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * static_cast<std::ptrdiff_t>(shape[axis]);
      index[axis] = 0;
    }
  }
  return result;
}

std::shared_ptr<const Constant::Elements> share(Constant::Elements elements) {
  return std::make_shared<const Constant::Elements>(std::move(elements));
}

Extent broadcast(Extent left, Extent right) {
  if (left == right || right.is(1)) return left;
  if (left.is(1)) return right;
  throw Refusal("extents " + to_string(Extents{left}) + " and " + to_string(Extents{right}) + " do not go together");
}

/// NumPy's rule.
Extents broadcast(const Extents& left, const Extents& right) {
  if (left.size() < right.size()) return broadcast(right, left);
  Extents result = left;
  const std::size_t more = left.size() - right.size();
  for (std::size_t axis = 0; axis < right.size(); ++axis)
    result[more + axis] = broadcast(left[more + axis], right[axis]);
  return result;
}

Shape broadcast(const Shape& left, const Shape& right) {
  if (left.rank() < right.rank()) return broadcast(right, left);
  Shape result = left;
  const std::size_t more = left.rank() - right.rank();
  for (std::size_t axis = 0; axis < right.rank(); ++axis)
    if (right[axis] != 1) result[more + axis] = right[axis];
  return result;
}

double calculated(char operation, double left, double right, Type type) {
  const double value = operation == '+'   ? left + right
                       : operation == '-' ? left - right
                       : operation == '*' ? left * right
                                          : left / right;
  return rounded(value, type == Type::float32 ? Dtype::float32 : Dtype::float64);
}

Extent calculated(char operation, Extent left, Extent right) {
  if (operation == '*') return left * right;
  if (operation == '/') {
    if (!left.known() || !right.known()) return left / right;
    if (right.factor == 0 || right.factor == -1) throw Refusal("a division by 0 or -1");
    return {left.factor / right.factor};
  }
  return left + (operation == '-' ? right * Extent{-1} : right);
}

bool equal(double left, double right) { return left == right; }

bool equal(Extent left, Extent right) {
  if (left == right) return true;
  const auto differ = [](Extent a, Extent b) { return a.known() && (b.known() || (a.factor < 0) != (b.factor < 0)); };
  if (!differ(left, right) && !differ(right, left))
    throw Refusal("a comparison that depends on the lengths of the graph's input");
  return false;
}

}  // namespace

std::size_t Folding::spend(const Shape& shape, std::size_t element_size) {
  const std::size_t size = size_of(shape);
  if (size > left_ / element_size)
    throw Refusal(
        "the constants of the graph need much more memory than the file has bytes; fold them when exporting, or use "
        "each array once");
  left_ -= size * element_size;
  return size;
}

template <class T>
std::vector<T> Folding::spread(const std::vector<T>& from, const Shape& stored, const Shape& shape) {
  spend(shape, sizeof(T));
  const Strides own = strides_of(stored);
  Strides strides{};
  for (std::size_t axis = 0; axis < stored.rank(); ++axis)
    if (stored[axis] != 1) strides[shape.rank() - stored.rank() + axis] = own[axis];
  return strided(from, shape, 0, strides);
}

Constant Folding::materialized(const Constant& x, const Shape& shape) {
  if (x.stored == shape) return x;
  Constant result = x;
  std::visit([&](const auto& from) { result.elements = share(spread(from, x.stored, shape)); }, *x.elements);
  result.stored = shape;
  return result;
}

Constant Folding::list(const Extents& numbers) {
  const Shape shape{numbers.size()};
  spend(shape, sizeof(Extent));
  return {Type::int64, extents_of(shape), shape, share(numbers)};
}

Constant Folding::list(const std::vector<double>& numbers) {
  const Shape shape{numbers.size()};
  spend(shape, sizeof(double));
  return {Type::float32, extents_of(shape), shape, share(numbers)};
}

Constant Folding::scalar(Type type, double value) { return {type, {}, {}, share(std::vector<double>{value})}; }

Constant Folding::whole(std::int64_t value) { return {Type::int64, {}, {}, share(Extents{{value}})}; }

Constant Folding::filled(const Extents& shape, const Constant& element) {
  require_rank(shape.size());
  for (const Extent& extent : shape)
    if (extent.factor < 0) throw Refusal("the shape " + to_string(shape) + " has a negative extent");
  Constant result{element.type, shape, {}, element.elements};
  for (std::size_t axis = 0; axis < shape.size(); ++axis) result.stored.push_back(1);
  return result;
}

Constant Folding::cast(const Constant& x, Type type) {
  if (type == x.type) return x;
  Constant result = x;
  result.type = type;
  if (!is_real(type) && !is_real(x.type)) {
    if (type == Type::boolean || x.type == Type::boolean) throw Refusal("a cast between boolean and whole numbers");
    for (const Extent& number : x.wholes())
      if (type == Type::int32 && number.factor != static_cast<std::int32_t>(number.factor))
        throw Refusal("a whole number that is too large");
    return result;
  }
  if (!is_real(type)) throw Refusal("a cast of real numbers to " + type_name(static_cast<std::int64_t>(type)));
  const Dtype dtype = type == Type::float32 ? Dtype::float32 : Dtype::float64;
  spend(x.stored, sizeof(double));
  std::vector<double> values;
  if (is_real(x.type)) {
    for (const double value : x.reals()) values.push_back(rounded(value, dtype));
  } else {
    for (const Extent& number : x.wholes()) {
      if (!number.known()) throw Refusal("a real number that depends on the lengths of the graph's input");
      values.push_back(rounded(static_cast<double>(number.factor), dtype));
    }
  }
  result.elements = share(std::move(values));
  return result;
}

Constant Folding::expanded(const Constant& x, const Extents& shape) {
  require_rank(shape.size());
  Constant result = x;
  result.shape = broadcast(x.shape, shape);
  while (result.stored.rank() < result.shape.size()) result.stored.insert(0, 1);
  return result;
}

Constant Folding::tiled(const Constant& x, const Extents& repeats) {
  if (repeats.size() != x.rank()) throw Refusal("not one number of repeats for each axis");
  Constant result = x;
  for (std::size_t axis = 0; axis < repeats.size(); ++axis) {
    if (x.stored[axis] != 1 && !repeats[axis].is(1)) throw Refusal("an axis of different numbers is repeated");
    if (repeats[axis].factor < 1) throw Refusal("an array is repeated less than once");
    result.shape[axis] = x.shape[axis] * repeats[axis];
  }
  return result;
}

Constant Folding::reshaped(const Constant& x, const Extents& wanted, bool zero_copies) {
  require_rank(wanted.size());
  Extent total, others;
  for (const Extent& extent : x.shape) total = total * extent;
  Extents shape = wanted;
  std::optional<std::size_t> rest;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis].factor < 0 && !shape[axis].is(-1))
      throw Refusal("the shape " + to_string(wanted) + " has a negative extent");
    if (shape[axis].is(0) && zero_copies) {
      if (axis >= x.rank()) throw Refusal("the shape " + to_string(wanted) + " copies an axis that is not there");
      shape[axis] = x.shape[axis];
    }
    if (shape[axis].is(-1)) {
      if (rest) throw Refusal("the shape " + to_string(wanted) + " leaves two extents open");
      rest = axis;
    } else {
      others = others * shape[axis];
    }
  }
  if (rest) shape[*rest] = total / others;
  if (!rest && total != others)
    throw Refusal("an array of shape " + to_string(x.shape) + " can not have the shape " + to_string(wanted));

  // Where only axes of one element come and go, the others stay as they are.
  Constant result = x;
  result.shape = shape;
  result.stored = {};
  std::size_t from = 0;
  bool same = true;
  for (const Extent& extent : shape) {
    if (!extent.is(1)) {
      while (from < x.rank() && x.shape[from].is(1)) ++from;
      same = same && from < x.rank() && x.shape[from] == extent;
    }
    result.stored.push_back(extent.is(1) || !same || x.uniform() ? 1 : x.stored[from++]);
  }
  if (same || x.uniform()) return result;
  const Shape target = known_shape(shape);
  result = materialized(x, known_shape(x.shape));
  result.shape = shape;
  result.stored = target;
  return result;
}

Constant Folding::permuted(const Constant& x, const std::vector<std::size_t>& axes) {
  Constant result{x.type};
  const Strides own = strides_of(x.stored);
  Strides strides{};
  for (std::size_t k = 0; k < axes.size(); ++k) {
    result.shape.push_back(x.shape[axes[k]]);
    result.stored.push_back(x.stored[axes[k]]);
    strides[k] = own[axes[k]];
  }
  std::visit(
      [&](const auto& from) {
        spend(result.stored, sizeof from[0]);
        result.elements = share(strided(from, result.stored, 0, strides));
      },
      *x.elements);
  return result;
}

Constant Folding::sliced(const Constant& x, std::size_t axis, std::int64_t from, std::int64_t to, std::int64_t step) {
  const Extent extent = x.shape[axis];
  if (step == 0) throw Refusal("a step of 0");
  if (!extent.known()) {
    // Exporters write 2^31 - 1 or 2^63 - 1 for "to the end".
    if (from != 0 || to < std::numeric_limits<std::int32_t>::max() || step != 1)
      throw Refusal("it takes a part of an axis whose length is not known");
    return x;
  }
  const std::int64_t length = extent.factor;
  const auto bounded = [length](std::int64_t place, std::int64_t least, std::int64_t most) {
    return std::clamp(place < 0 ? place + length : place, least, most);
  };
  const bool forwards = step > 0;
  if (length == 0) return x;
  from = bounded(from, 0, forwards ? length : length - 1);
  to = forwards ? bounded(to, 0, length) : bounded(to, -1, length - 1);
  const std::int64_t distance = forwards ? to - from : from - to;
  const std::uint64_t stride = forwards ? static_cast<std::uint64_t>(step) : -static_cast<std::uint64_t>(step);
  const std::size_t count =
      distance <= 0 ? 0 : 1 + static_cast<std::size_t>((static_cast<std::uint64_t>(distance) - 1) / stride);
  Constant result = x;
  result.shape[axis] = {static_cast<std::int64_t>(count)};
  if (x.stored[axis] == 1 && count > 0) return result;
  result.stored[axis] = count;
  Strides strides = strides_of(x.stored);
  const std::ptrdiff_t base = static_cast<std::ptrdiff_t>(from) * strides[axis];
  strides[axis] *= count > 1 ? static_cast<std::ptrdiff_t>(step) : 0;
  std::visit(
      [&](const auto& elements) {
        spend(result.stored, sizeof elements[0]);
        result.elements = share(strided(elements, result.stored, base, strides));
      },
      *x.elements);
  return result;
}

Constant Folding::gathered(const Constant& x, std::size_t axis, const Constant& indices) {
  if (indices.rank() > 1) throw Refusal("indices of more than one axis");
  spend(indices.stored, sizeof(std::int64_t));  // which are read, even where nothing is gathered
  const std::vector<std::int64_t> places = known_numbers(indices, "its indices");
  const Extent extent = x.shape[axis];
  if (!extent.known()) throw Refusal("it takes a part of an axis whose length is not known");
  Constant result = x;
  result.shape[axis] = {static_cast<std::int64_t>(places.size())};
  result.stored[axis] = places.size();
  std::visit(
      [&](const auto& from) {
        std::decay_t<decltype(from)> elements;
        const std::size_t size = spend(result.stored, sizeof from[0]);
        elements.reserve(size);
        const std::size_t outer = x.stored.elements(0, axis), inner = x.stored.elements(axis + 1, x.rank());
        for (std::size_t row = 0; elements.size() < size && row < outer; ++row)
          for (const std::int64_t place : places) {
            if (place < -extent.factor || place >= extent.factor)
              throw Refusal("index " + std::to_string(place) + " of an axis of " + std::to_string(extent.factor));
            const std::size_t at = static_cast<std::size_t>(place < 0 ? place + extent.factor : place);
            const std::size_t block = row * x.stored[axis] + (x.stored[axis] == 1 ? 0 : at);
            const auto begin = from.begin() + static_cast<std::ptrdiff_t>(block * inner);
            elements.insert(elements.end(), begin, begin + static_cast<std::ptrdiff_t>(inner));
          }
        result.elements = share(std::move(elements));
      },
      *x.elements);
  if (indices.rank() == 0) {
    result.shape.erase(result.shape.begin() + static_cast<std::ptrdiff_t>(axis));
    result.stored.erase(axis);
  }
  return result;
}

Constant Folding::joined(const std::vector<Constant>& parts, std::size_t axis) {
  Constant result = parts[0];
  Extent total{0};
  Shape stored = parts[0].stored;
  for (const Constant& part : parts) {
    if (part.type != result.type || part.rank() != result.rank())
      throw Refusal("its parts have different types or ranks");
    for (std::size_t k = 0; k < part.rank(); ++k) {
      if (k == axis ? !part.shape[k].known() : part.shape[k] != result.shape[k])
        throw Refusal("shapes " + to_string(result.shape) + " and " + to_string(part.shape) + " can not be joined");
      if (k != axis) stored[k] = std::max(stored[k], part.stored[k]);
    }
    total = total + part.shape[axis];
  }
  result.shape[axis] = total;
  stored[axis] = static_cast<std::size_t>(total.factor);
  std::visit(
      [&](const auto& first) {
        std::decay_t<decltype(first)> elements;
        const std::size_t size = spend(stored, sizeof first[0]);
        elements.reserve(size);
        std::vector<Constant> whole;
        for (const Constant& part : parts) {
          Shape shape = stored;
          shape[axis] = static_cast<std::size_t>(part.shape[axis].factor);
          whole.push_back(materialized(part, shape));
        }
        const std::size_t outer = stored.elements(0, axis), inner = stored.elements(axis + 1, stored.rank());
        for (std::size_t row = 0; elements.size() < size && row < outer; ++row)
          for (const Constant& part : whole) {
            const auto& from = std::get<std::decay_t<decltype(first)>>(*part.elements);
            const std::size_t block = part.stored[axis] * inner;
            const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * block);
            elements.insert(elements.end(), begin, begin + static_cast<std::ptrdiff_t>(block));
          }
        result.elements = share(std::move(elements));
      },
      *parts[0].elements);
  result.stored = stored;
  return result;
}

Constant Folding::combined(char operation, const Constant& left, const Constant& right) {
  if (left.type != right.type || left.type == Type::boolean)
    throw Refusal("its operands have different types, or none");
  Constant result{left.type, broadcast(left.shape, right.shape), broadcast(left.stored, right.stored)};
  const auto apply = [&](const auto& a, const auto& b) {
    auto x = spread(a, left.stored, result.stored);
    const auto y = spread(b, right.stored, result.stored);
    if (operation == '=') {
      Extents answers;
      for (std::size_t k = 0; k < x.size(); ++k) answers.push_back({equal(x[k], y[k])});
      result.elements = share(std::move(answers));
      result.type = Type::boolean;
      return;
    }
    for (std::size_t k = 0; k < x.size(); ++k)
      if constexpr (std::is_same_v<std::decay_t<decltype(x[0])>, double>)
        x[k] = calculated(operation, x[k], y[k], left.type);
      else
        x[k] = calculated(operation, x[k], y[k]);
    result.elements = share(std::move(x));
  };
  if (is_real(left.type))
    apply(left.reals(), right.reals());
  else
    apply(left.wholes(), right.wholes());
  return result;
}

Constant Folding::chosen(const Constant& condition, const Constant& left, const Constant& right) {
  if (condition.type != Type::boolean || left.type != right.type) throw Refusal("its operands have other types");
  Constant result{left.type, broadcast(condition.shape, broadcast(left.shape, right.shape)),
                  broadcast(condition.stored, broadcast(left.stored, right.stored))};
  const Extents where = spread(condition.wholes(), condition.stored, result.stored);
  const auto apply = [&](const auto& a, const auto& b) {
    auto x = spread(a, left.stored, result.stored);
    const auto y = spread(b, right.stored, result.stored);
    for (std::size_t k = 0; k < x.size(); ++k)
      if (where[k].is(0)) x[k] = y[k];
    result.elements = share(std::move(x));
  };
  if (is_real(left.type))
    apply(left.reals(), right.reals());
  else
    apply(left.wholes(), right.wholes());
  return result;
}

Tensor Folding::tensor(const Constant& x) {
  if (!is_real(x.type)) throw Refusal("an array of " + type_name(static_cast<std::int64_t>(x.type)) + " as weights");
  const Shape shape = known_shape(x.shape);
  return {shape, spread(x.reals(), x.stored, shape)};
}

}  // namespace nn::io::formats::onnx
