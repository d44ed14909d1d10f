#include "nn/io/formats/onnx/operations.hpp"

#include <algorithm>
#include <limits>

#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"
#include "nn/io/formats/onnx/recurrent.hpp"

namespace nn::io::formats::onnx {

const Value& Call::value(std::size_t index) const {
  const Value& found = *inputs[index];
  if (!found.unusable.empty())
    throw Refusal("it reads " + found.unusable + "; only what a layer gives at every step can be converted");
  return found;
}

const Signal& Call::signal(std::size_t index) const {
  const Value& found = value(index);
  if (!found.signal) throw Refusal("its input " + quoted(node.inputs[index]) + " is a constant");
  return *found.signal;
}

const Constant& Call::constant(std::size_t index) const {
  const Value& found = value(index);
  if (!found.constant)
    throw Refusal("its input " + quoted(node.inputs[index]) + " depends on the graph's input, and is no constant");
  return *found.constant;
}

Value Operations::apply(const Call& call) {
  const Operation* const operation = named(call.node.op);
  if (!operation) throw Refusal("an operation that can not be converted");
  if (call.node.inputs.size() > operation->most_inputs) throw Refusal("it has more inputs than ONNX says");
  for (std::size_t k = 0; k < operation->least_inputs; ++k)
    if (!call.has(k)) throw Refusal("its input " + std::to_string(k) + " is missing");
  return (this->*operation->apply)(call);
}

const Operations::Operation* Operations::named(std::string_view name) {
  static constexpr Operation table[]{
      {"Add", 2, 2, &Operations::arithmetic},
      {"Cast", 1, 1, &Operations::cast},
      {"Concat", 1, 256, &Operations::join},
      {"Constant", 0, 0, &Operations::literal},
      {"ConstantOfShape", 1, 1, &Operations::fill},
      {"Div", 2, 2, &Operations::arithmetic},
      {"Elu", 1, 1, &Operations::activation},
      {"Equal", 2, 2, &Operations::arithmetic},
      {"Expand", 2, 2, &Operations::fill},
      {"GRU", 3, 6, &Operations::recurrent},
      {"Gather", 2, 2, &Operations::gather},
      {"Gemm", 2, 3, &Operations::general_product},
      {"Identity", 1, 1, &Operations::cast},
      {"LSTM", 3, 8, &Operations::recurrent},
      {"MatMul", 2, 2, &Operations::matrix_product},
      {"Mul", 2, 2, &Operations::arithmetic},
      {"RNN", 3, 6, &Operations::recurrent},
      {"Relu", 1, 1, &Operations::activation},
      {"Reshape", 2, 2, &Operations::reshape},
      {"Shape", 1, 1, &Operations::shape},
      {"Sigmoid", 1, 1, &Operations::activation},
      {"Slice", 1, 5, &Operations::slice},
      {"Softmax", 1, 1, &Operations::activation},
      {"Squeeze", 1, 2, &Operations::squeeze},
      {"Sub", 2, 2, &Operations::arithmetic},
      {"Tanh", 1, 1, &Operations::activation},
      {"Tile", 2, 2, &Operations::fill},
      {"Transpose", 1, 1, &Operations::permute},
      {"Unsqueeze", 1, 2, &Operations::unsqueeze},
      {"Where", 3, 3, &Operations::fill},
  };
  const auto found =
      std::find_if(std::begin(table), std::end(table), [name](const Operation& o) { return o.name == name; });
  return found == std::end(table) ? nullptr : found;
}

Value Operations::arithmetic(const Call& call) {
  const bool signals[]{call.is_signal(0), call.is_signal(1)};
  if (!signals[0] && !signals[1]) {
    const char operation = call.node.op == "Add"   ? '+'
                           : call.node.op == "Sub" ? '-'
                           : call.node.op == "Mul" ? '*'
                           : call.node.op == "Div" ? '/'
                                                   : '=';
    return {folding_.combined(operation, call.constant(0), call.constant(1))};
  }
  if (call.node.op == "Add" && signals[0] && signals[1]) return {{}, row_.added(call.signal(0), call.signal(1))};
  const std::size_t data = signals[0] ? 0 : 1;
  if (call.node.op == "Add") return {{}, row_.shifted(call.signal(data), call.constant(1 - data), folding_)};
  if (call.node.op == "Mul")
    return {{}, row_.scaled(call.signal(data), call.constant(1 - data), folding_, call.node.label())};
  throw Refusal("an operation that can be converted between constants only");
}

/// Cast and Identity.
Value Operations::cast(const Call& call) {
  const Value& x = call.value(0);
  if (call.node.op == "Identity") return x;
  const std::int64_t type = call.node.integer("to").value_or(0);
  call.node.integer("saturate");  // which means something for numbers of 8 bits alone
  if (x.signal ? type != static_cast<std::int64_t>(row_.type()) : type_width(type) == 0)
    throw Refusal("a cast to " + type_name(type) + " can not be converted");
  return x.signal ? x : Value{folding_.cast(*x.constant, static_cast<Type>(type))};
}

Value Operations::matrix_product(const Call& call) {
  const Constant& weight = call.constant(1);
  if (weight.rank() != 2) throw Refusal("its weight has the shape " + to_string(weight.shape) + ", expected two axes");
  if (weight.type != row_.type()) throw Refusal("its inputs have different types");
  return {{}, row_.multiplied(call.signal(0), folding_.tensor(weight))};
}

Value Operations::general_product(const Call& call) {
  const double alpha = call.node.real("alpha").value_or(1), beta = call.node.real("beta").value_or(1);
  const bool data_transposed = call.node.integer("transA").value_or(0) != 0;
  const bool transposed = call.node.integer("transB").value_or(0) != 0;
  const Signal& x = call.signal(0);
  Constant weight = call.constant(1);
  if (data_transposed) throw Refusal("its attribute transA can not be converted");
  if (x.rank() != 2 || weight.rank() != 2)
    throw Refusal("its inputs have the shapes " + to_string(x.shape()) + " and " + to_string(weight.shape) +
                  ", expected two axes each");
  if (weight.type != row_.type()) throw Refusal("its inputs have different types");
  if (transposed) weight = folding_.permuted(weight, {1, 0});
  if (alpha != 1) weight = folding_.combined('*', weight, folding_.scalar(weight.type, alpha));
  Signal y = row_.multiplied(x, folding_.tensor(weight));
  if (!call.has(2) || beta == 0) return {{}, std::move(y)};
  Constant bias = call.constant(2);
  if (beta != 1) bias = folding_.combined('*', bias, folding_.scalar(bias.type, beta));
  return {{}, row_.shifted(y, bias, folding_)};
}

Value Operations::activation(const Call& call) {
  const Signal& x = call.signal(0);
  const auto found = std::find_if(activation_ops.begin(), activation_ops.end(),
                                  [&op = call.node.op](const ActivationOp& each) { return op == each.op; });
  const Nonlinearity kind = found->f;
  if (kind == Nonlinearity::elu && call.node.real("alpha").value_or(1) != 1)
    throw Refusal("its alpha is not 1, which can not be converted");
  if (kind == Nonlinearity::softmax) {
    // Until opset 13 all axes from the one that is given on are taken together.
    const bool one_axis = opset_ >= 13;
    const std::size_t axis = axis_of(call.node.integer("axis").value_or(one_axis ? -1 : 1), x.rank());
    Axis taken = x.axes[axis];
    for (std::size_t k = axis + 1; k < x.rank() && !one_axis; ++k)
      taken.insert(taken.end(), x.axes[k].begin(), x.axes[k].end());
    if (!row_.are_features(taken))
      throw Refusal("its axis is " + std::to_string(axis) + " of an array of shape " + to_string(x.shape()) +
                    ", and not the features alone");
  }
  return {{}, row_.activated(x, kind)};
}

Value Operations::recurrent(const Call& call) {
  const Signal& x = call.signal(0);
  if (x.rank() != 3) throw Refusal("its input has the shape " + to_string(x.shape()) + ", expected three axes");
  Recurrent what;
  what.batch_first = is_batch_first(call.node, opset_);
  what.time = x.extent(x.axes[what.batch_first ? 1 : 0]);
  what.batch = x.extent(x.axes[what.batch_first ? 0 : 1]);
  for (std::size_t k = 1; k < call.node.inputs.size(); ++k) {
    if (!call.has(k)) continue;
    what.inputs[k] = call.constant(k);
    if (k != Recurrent::lengths && what.inputs[k]->type != row_.type())
      throw Refusal("its inputs have different types");
  }
  return {{}, row_.recurrent(x, layer_of(call.node, what, folding_), what.batch_first)};
}

Value Operations::permute(const Call& call) {
  const Value& x = call.value(0);
  const std::size_t rank = x.signal ? x.signal->rank() : x.constant->rank();
  std::vector<std::size_t> axes;
  std::vector<bool> seen(rank);
  if (const auto perm = call.node.integers("perm"))
    for (const std::int64_t axis : *perm) axes.push_back(axis_of(axis, rank));
  else
    for (std::size_t k = rank; k-- > 0;) axes.push_back(k);
  for (const std::size_t axis : axes) seen[axis] = true;
  if (axes.size() != rank || std::find(seen.begin(), seen.end(), false) != seen.end())
    throw Refusal("its perm is no order of " + std::to_string(rank) + " axes");
  if (x.signal) return {{}, permuted(*x.signal, axes)};
  return {folding_.permuted(*x.constant, axes)};
}

/// The axes of Squeeze and Unsqueeze, an attribute until opset 13, among `rank`; empty if not given.
std::vector<bool> axes_of(const std::optional<std::vector<std::int64_t>>& numbers, std::size_t rank) {
  std::vector<bool> result;
  if (!numbers) return result;
  result.resize(rank);
  for (const std::int64_t number : *numbers) {
    const std::size_t axis = axis_of(number, rank);
    if (result[axis]) throw Refusal("it names axis " + std::to_string(axis) + " twice");
    result[axis] = true;
  }
  return result;
}

Value Operations::squeeze(const Call& call) {
  const Value& x = call.value(0);
  const Extents shape = x.signal ? x.signal->shape() : x.constant->shape;
  auto numbers = opset_ < 13 ? call.node.integers("axes") : std::nullopt;
  if (call.has(1) && opset_ >= 13) numbers = known_numbers(call.constant(1), "its axes");
  if (call.has(1) && opset_ < 13) throw Refusal("it has axes as input, which opset 13 introduced");
  std::vector<bool> removed = axes_of(numbers, shape.size());
  if (!numbers)
    for (const Extent& extent : shape) {
      if (!extent.known()) throw Refusal("it squeezes all axes of length 1 of an array of shape " + to_string(shape));
      removed.push_back(extent.is(1));
    }
  if (x.signal) return {{}, squeezed(*x.signal, removed)};
  Extents left;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (removed[k] && !shape[k].is(1)) throw Refusal("it squeezes an axis of an array of shape " + to_string(shape));
    if (!removed[k]) left.push_back(shape[k]);
  }
  return {folding_.reshaped(*x.constant, left, false)};
}

Value Operations::unsqueeze(const Call& call) {
  const Value& x = call.value(0);
  auto numbers = opset_ < 13 ? call.node.integers("axes") : std::nullopt;
  if (call.has(1) && opset_ >= 13) numbers = known_numbers(call.constant(1), "its axes");
  if (!numbers || (call.has(1) && opset_ < 13)) throw Refusal("it has no axes where its opset has them");
  const std::size_t rank = (x.signal ? x.signal->rank() : x.constant->rank()) + numbers->size();
  if (rank > Shape::max_rank) throw Refusal("an array of more than 8 axes");
  const std::vector<bool> added = axes_of(numbers, rank);
  if (x.signal) return {{}, unsqueezed(*x.signal, added)};
  Extents shape;
  auto from = x.constant->shape.begin();
  for (const bool one : added) shape.push_back(one ? Extent{1} : *from++);
  return {folding_.reshaped(*x.constant, shape, false)};
}

/// The numbers of a list, such as a shape.
Extents numbers_of(const Constant& list) {
  if (is_real(list.type) || list.rank() != 1 || !list.shape[0].known() || list.shape[0].factor > 8)
    throw Refusal("its shape is no list of at most 8 whole numbers");
  Extents result = list.wholes();
  result.resize(static_cast<std::size_t>(list.shape[0].factor), result.empty() ? Extent{} : result[0]);
  return result;
}

Value Operations::reshape(const Call& call) {
  const bool zero_copies = opset_ < 14 || call.node.integer("allowzero").value_or(0) == 0;
  const Value& x = call.value(0);
  const Extents shape = numbers_of(call.constant(1));
  if (x.signal) return {{}, reshaped(*x.signal, shape, zero_copies)};
  return {folding_.reshaped(*x.constant, shape, zero_copies)};
}

Value Operations::slice(const Call& call) {
  Value x = call.value(0);
  std::optional<std::vector<std::int64_t>> from, to, axes, steps;
  if (opset_ < 10) {
    if (call.node.inputs.size() > 1) throw Refusal("it has more inputs than ONNX says");
    from = call.node.integers("starts");
    to = call.node.integers("ends");
    axes = call.node.integers("axes");
  } else {
    const auto list = [&](std::size_t index, const char* what) -> std::optional<std::vector<std::int64_t>> {
      if (!call.has(index)) return {};
      return known_numbers(call.constant(index), what);
    };
    from = list(1, "its starts");
    to = list(2, "its ends");
    axes = list(3, "its axes");
    steps = list(4, "its steps");
  }
  if (!from || !to || from->size() != to->size() || (axes && axes->size() != from->size()) ||
      (steps && steps->size() != from->size()))
    throw Refusal("its starts, ends, axes and steps do not belong together");
  const std::size_t rank = x.signal ? x.signal->rank() : x.constant->rank();
  if (from->size() > rank) throw Refusal("it has more starts than its input has axes");
  std::vector<bool> seen(rank);
  for (std::size_t k = 0; k < from->size(); ++k) {
    const std::size_t axis = axis_of(axes ? (*axes)[k] : static_cast<std::int64_t>(k), rank);
    if (seen[axis]) throw Refusal("it names axis " + std::to_string(axis) + " twice");
    seen[axis] = true;
    const std::int64_t begin = (*from)[k], end = (*to)[k], step = steps ? (*steps)[k] : 1;
    if (x.constant) {
      x.constant = folding_.sliced(*x.constant, axis, begin, end, step);
      continue;
    }
    // Of the input, which is the same whether or not its length is known.
    const Extent extent = x.signal->extent(x.signal->axes[axis]);
    const std::int64_t reach = extent.known() ? extent.factor : std::numeric_limits<std::int32_t>::max();
    if (begin == 0 && end >= reach && step == 1) continue;
    if (begin != 0 || step != 1 || (end < 0 && !extent.known()))
      throw Refusal("it takes a part of an array of shape " + to_string(x.signal->shape()) +
                    "; only the first inputs, added to the output, can be converted");
    x.signal = beginning(*x.signal, axis, end < 0 ? end + extent.factor : end);
  }
  return x;
}

Value Operations::gather(const Call& call) {
  const Value& x = call.value(0);
  const Constant& indices = call.constant(1);
  const std::size_t rank = x.signal ? x.signal->rank() : x.constant->rank();
  const std::size_t axis = axis_of(call.node.integer("axis").value_or(0), rank);
  if (is_real(indices.type)) throw Refusal("its indices are no whole numbers");
  if (x.constant) return {folding_.gathered(*x.constant, axis, indices)};
  if (indices.rank() != 0 || !indices.wholes()[0].is(0))
    throw Refusal("it takes a part of an array of shape " + to_string(x.signal->shape()) +
                  ", such as the last step; only whole sequences can be converted");
  std::vector<bool> removed(rank);
  removed[axis] = true;
  return {{}, squeezed(beginning(*x.signal, axis, 1), removed)};
}

Value Operations::join(const Call& call) {
  const auto axis = call.node.integer("axis");
  if (!axis) throw Refusal("it has no axis");
  std::vector<Constant> parts;
  for (std::size_t k = 0; k < call.node.inputs.size(); ++k) {
    if (!call.has(k)) throw Refusal("its input " + std::to_string(k) + " is missing");
    parts.push_back(call.constant(k));
  }
  return {folding_.joined(parts, axis_of(*axis, parts[0].rank()))};
}

Value Operations::shape(const Call& call) {
  const Value& x = call.value(0);
  const Extents shape = x.signal ? x.signal->shape() : x.constant->shape;
  const auto count = static_cast<std::int64_t>(shape.size());
  const auto bounded = [count](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + count : at, 0, count);
  };
  std::int64_t from = 0, to = count;
  if (opset_ >= 15) {
    from = bounded(call.node.integer("start").value_or(0));
    to = bounded(call.node.integer("end").value_or(count));
  }
  return {folding_.list(from < to ? Extents(shape.begin() + from, shape.begin() + to) : Extents())};
}

/// Constant.
Value Operations::literal(const Call& call) {
  std::vector<Constant> values;
  if (const auto bytes = call.node.tensor("value")) values.push_back(folding_.read(*bytes));
  if (opset_ >= 12) {
    if (const auto number = call.node.real("value_float")) values.push_back(folding_.scalar(Type::float32, *number));
    if (const auto number = call.node.integer("value_int")) values.push_back(folding_.whole(*number));
    if (const auto numbers = call.node.integers("value_ints")) {
      Extents list;
      for (const std::int64_t number : *numbers) list.push_back({number});
      values.push_back(folding_.list(list));
    }
    if (const auto numbers = call.node.reals("value_floats")) values.push_back(folding_.list(*numbers));
  }
  if (values.size() != 1) throw Refusal("it has no value that can be converted, or several");
  return {values[0]};
}

/// ConstantOfShape, Expand, Tile and Where, which exporters write for initial states.
Value Operations::fill(const Call& call) {
  if (call.node.op == "Where") return {folding_.chosen(call.constant(0), call.constant(1), call.constant(2))};
  if (call.node.op == "Expand") return {folding_.expanded(call.constant(0), numbers_of(call.constant(1)))};
  if (call.node.op == "Tile") return {folding_.tiled(call.constant(0), numbers_of(call.constant(1)))};
  Constant element = folding_.scalar(Type::float32, 0);
  if (const auto bytes = call.node.tensor("value")) element = folding_.read(*bytes);
  if (!element.uniform()) throw Refusal("its value is not one number");
  return {folding_.filled(numbers_of(call.constant(0)), element)};
}

}  // namespace nn::io::formats::onnx
