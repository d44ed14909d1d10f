#include "nn/io/formats/onnx/signal.hpp"

#include <algorithm>

#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats::onnx {

Extent Signal::extent(const Axis& axis) const {
  Extent extent;
  for (const Atom atom : axis) extent = extent * lengths[atom];
  return extent;
}

Extents Signal::shape() const {
  Extents shape;
  for (const Axis& axis : axes) shape.push_back(extent(axis));
  return shape;
}

Signal permuted(const Signal& x, const std::vector<std::size_t>& axes) {
  Signal result = x;
  for (std::size_t k = 0; k < axes.size(); ++k) result.axes[k] = x.axes[axes[k]];
  return result;
}

Signal squeezed(const Signal& x, const std::vector<bool>& removed) {
  Signal result = x;
  result.axes.clear();
  for (std::size_t k = 0; k < x.rank(); ++k)
    if (!removed[k])
      result.axes.push_back(x.axes[k]);
    else if (!x.axes[k].empty())
      throw Refusal("it squeezes axis " + std::to_string(k) + " of an array of shape " + to_string(x.shape()));
  return result;
}

Signal unsqueezed(const Signal& x, const std::vector<bool>& added) {
  Signal result = x;
  result.axes.assign(added.size(), {});
  auto from = x.axes.begin();
  for (std::size_t k = 0; k < added.size(); ++k)
    if (!added[k]) result.axes[k] = *from++;
  return result;
}

Signal reshaped(const Signal& x, const Extents& wanted, bool zero_copies) {
  const auto refuse = [&] {
    throw Refusal("an array of shape " + to_string(x.shape()) + " is reshaped to " + to_string(wanted) +
                  ", which can not be followed");
  };
  Axis atoms;
  for (const Axis& axis : x.axes) atoms.insert(atoms.end(), axis.begin(), axis.end());
  Extents shape = wanted;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (!shape[k].is(0)) continue;
    if (!zero_copies || k >= x.rank()) refuse();
    shape[k] = x.extent(x.axes[k]);
  }
  const auto open = std::find_if(shape.begin(), shape.end(), [](const Extent& extent) { return extent.is(-1); });
  const auto before = static_cast<std::size_t>(open - shape.begin());

  // Each axis takes the atoms that it needs, from the front; after the open one, which gets what is left, from the
  // back.
  Signal result = x;
  result.axes.assign(shape.size(), {});
  auto first = atoms.begin(), last = atoms.end();
  const auto fill = [&](std::size_t k, auto take) {
    for (Axis& axis = result.axes[k]; x.extent(axis) != shape[k];) {
      if (first == last) refuse();
      take(axis);
    }
  };
  for (std::size_t k = 0; k < before; ++k) fill(k, [&](Axis& axis) { axis.push_back(*first++); });
  for (std::size_t k = shape.size(); k-- > before + 1;)
    fill(k, [&](Axis& axis) { axis.insert(axis.begin(), *--last); });
  if (open != shape.end())
    result.axes[before].assign(first, last);
  else if (first != last)
    refuse();
  return result;
}

Signal beginning(const Signal& x, std::size_t axis, std::int64_t count) {
  const Axis& whole = x.axes[axis];
  if (x.extent(whole).is(count)) return x;
  if (x.part || whole.size() != 1 || whole[0] >= directions_atom || count < 1)
    throw Refusal("it takes a part of an array of shape " + to_string(x.shape()) + ", which can not be followed");
  Signal result = x;
  result.part = true;
  result.part_of = whole[0];
  result.lengths[whole[0]] = {count};
  if (count == 1) result.axes[axis].clear();
  return result;
}

}  // namespace nn::io::formats::onnx
