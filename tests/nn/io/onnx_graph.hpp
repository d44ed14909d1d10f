// ONNX graphs as tests write them: nodes, arrays and attributes, their bytes, and what they answer, by formulas of
// their own. Shares nothing with the library's reader and writer.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace onnx_graph {

using Dims = std::vector<std::int64_t>;

enum : int { float32 = 1, int32 = 6, int64 = 7, boolean = 9, float64 = 11 };

/// An array of any type; whole numbers are held as doubles.
struct Array {
  Dims dims = {};
  std::vector<double> values = {};
  int type = float32;

  std::size_t size() const {
    std::size_t product = 1;
    for (const std::int64_t extent : dims) product *= static_cast<std::size_t>(extent);
    return product;
  }
};

inline Array whole(Dims values) {
  return {{static_cast<std::int64_t>(values.size())}, {values.begin(), values.end()}, int64};
}
inline Array one_whole(std::int64_t value) { return {{}, {static_cast<double>(value)}, int64}; }

using Texts = std::vector<std::string>;
using Reals = std::vector<float>;
using Attribute = std::variant<std::int64_t, float, std::string, Array, Dims, Reals, Texts>;
using Attributes = std::map<std::string, Attribute>;

struct Node {
  std::string op;
  Texts inputs, outputs;
  Attributes attributes = {};
};

/// Where the numbers of an array are written.
enum class Place { raw, packed, unpacked };

struct Graph {
  int opset = 14;
  std::vector<Node> nodes = {};
  std::vector<std::pair<std::string, Array>> arrays = {};
  Texts inputs = {"x"}, outputs = {"y"};
  Texts shape = {"T", "B", "2"};  ///< of each input; a number is a fixed length
  int type = float32;             ///< of each input
  Place place = Place::raw;
  std::string more_of_model = {}, more_of_graph = {};  ///< bytes

  std::string add(const std::string& name, Array array) {
    arrays.emplace_back(name, std::move(array));
    return name;
  }
  /// A node of that output.
  std::string node(const std::string& op, Texts inputs, const std::string& output, Attributes attributes = {}) {
    nodes.push_back({op, std::move(inputs), {output}, std::move(attributes)});
    return output;
  }
};

// Bytes.

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string field(int number, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(static_cast<std::uint64_t>(value));
}
template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
inline std::string field(int number, float value) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 5) + raw(value);
}

inline std::string bytes_of(const std::string& name, const Array& array, Place place = Place::raw) {
  std::string bytes, numbers;
  for (const std::int64_t extent : array.dims) bytes += field(1, extent);
  bytes += field(2, std::int64_t{array.type}) + field(8, name);
  const int holder = array.type == float32 ? 4 : array.type == float64 ? 10 : array.type == int64 ? 7 : 5;
  const std::string tag = varint(static_cast<std::uint64_t>(holder) << 3 | (holder == 4 ? 5 : holder == 10 ? 1 : 0));
  for (const double value : array.values) {
    if (place == Place::unpacked) numbers += tag;
    const auto number = static_cast<std::int64_t>(array.type == float32 || array.type == float64 ? 0 : value);
    if (array.type == float32)
      numbers += raw(static_cast<float>(value));
    else if (array.type == float64)
      numbers += raw(value);
    else if (place != Place::raw)
      numbers += varint(static_cast<std::uint64_t>(number));
    else if (array.type == int64)
      numbers += raw(number);
    else if (array.type == int32)
      numbers += raw(static_cast<std::int32_t>(number));
    else
      numbers += static_cast<char>(number);
  }
  return bytes + (place == Place::unpacked ? numbers : field(place == Place::raw ? 9 : holder, numbers));
}

inline std::string bytes_of(const std::string& name, const Attribute& attribute) {
  struct Visitor {
    std::string operator()(std::int64_t value) const { return field(3, value) + field(20, std::int64_t{2}); }
    std::string operator()(float value) const { return field(2, value) + field(20, std::int64_t{1}); }
    std::string operator()(const std::string& value) const { return field(4, value) + field(20, std::int64_t{3}); }
    std::string operator()(const Array& value) const {
      return field(5, bytes_of("", value)) + field(20, std::int64_t{4});
    }
    std::string operator()(const Dims& values) const {
      std::string bytes = field(20, std::int64_t{7});
      for (const std::int64_t value : values) bytes += field(8, value);
      return bytes;
    }
    std::string operator()(const Reals& values) const {
      std::string bytes = field(20, std::int64_t{6});
      for (const float value : values) bytes += field(7, value);
      return bytes;
    }
    std::string operator()(const Texts& values) const {
      std::string bytes = field(20, std::int64_t{8});
      for (const std::string& value : values) bytes += field(9, value);
      return bytes;
    }
  };
  return field(1, name) + std::visit(Visitor(), attribute);
}

inline std::string bytes_of(const Node& node) {
  std::string bytes;
  for (const std::string& input : node.inputs) bytes += field(1, input);
  for (const std::string& output : node.outputs) bytes += field(2, output);
  bytes += field(4, node.op);
  for (const auto& [name, attribute] : node.attributes) bytes += field(5, bytes_of(name, attribute));
  return bytes;
}

inline std::string bytes_of(const Graph& graph) {
  const auto declared = [&graph](const std::string& name) {
    std::string dims;
    for (const std::string& extent : graph.shape)
      dims +=
          field(1, std::isalpha(static_cast<unsigned char>(extent[0])) ? field(2, extent)
                                                                       : field(1, std::int64_t{std::stoll(extent)}));
    return field(1, name) + field(2, field(1, field(1, std::int64_t{graph.type}) + field(2, dims)));
  };
  std::string bytes = graph.more_of_graph;
  for (const Node& node : graph.nodes) bytes += field(1, bytes_of(node));
  for (const auto& [name, array] : graph.arrays) bytes += field(5, bytes_of(name, array, graph.place));
  for (const std::string& name : graph.inputs) bytes += field(11, declared(name));
  for (const std::string& name : graph.outputs) bytes += field(12, field(1, name));
  return field(1, std::int64_t{8}) + field(8, field(2, std::int64_t{graph.opset})) + graph.more_of_model +
         field(7, bytes);
}

// Answers.

/// Offsets of an array of dims, seen as one of `shape` by stretching axes of one element.
inline std::vector<std::size_t> stretched(const Dims& dims, const Dims& shape) {
  std::size_t size = 1;
  for (const std::int64_t extent : shape) size *= static_cast<std::size_t>(extent);
  std::vector<std::size_t> result(size);
  for (std::size_t k = 0; k < size; ++k) {
    std::size_t rest = k, stride = 1;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      const std::size_t at = rest % static_cast<std::size_t>(shape[axis]);
      rest /= static_cast<std::size_t>(shape[axis]);
      if (axis + dims.size() < shape.size()) continue;
      const auto extent = static_cast<std::size_t>(dims[axis + dims.size() - shape.size()]);
      if (extent != 1) result[k] += at * stride;
      stride *= extent;
    }
  }
  return result;
}

inline Dims common(const Dims& left, const Dims& right) {
  if (left.size() < right.size()) return common(right, left);
  Dims result = left;
  for (std::size_t k = 0; k < right.size(); ++k) {
    std::int64_t& extent = result[left.size() - right.size() + k];
    if (extent != right[k] && extent != 1 && right[k] != 1) throw std::runtime_error("broadcast");
    if (extent == 1) extent = right[k];
  }
  return result;
}

template <class F>
Array combined(const Array& left, const Array& right, F f) {
  Array result{common(left.dims, right.dims), {}, left.type};
  const auto a = stretched(left.dims, result.dims), b = stretched(right.dims, result.dims);
  for (std::size_t k = 0; k < a.size(); ++k) result.values.push_back(f(left.values.at(a[k]), right.values.at(b[k])));
  return result;
}

class Run {
 public:
  Run(const Graph& graph, const Array& input) : graph_(graph) {
    for (const auto& [name, array] : graph.arrays) values_[name] = array;
    values_[graph.inputs[0]] = input;
    std::vector<bool> needed(graph.nodes.size());
    std::set<std::string> names{graph.outputs[0]};
    for (std::size_t k = graph.nodes.size(); k-- > 0;)
      for (const std::string& output : graph.nodes[k].outputs)
        if (names.contains(output) && !output.empty()) {
          needed[k] = true;
          names.insert(graph.nodes[k].inputs.begin(), graph.nodes[k].inputs.end());
        }
    for (std::size_t k = 0; k < graph.nodes.size(); ++k)
      if (needed[k]) apply(graph.nodes[k]);
  }
  const Array& operator[](const std::string& name) const { return values_.at(name); }

 private:
  template <class T>
  static T get(const Node& node, const std::string& name, T otherwise) {
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? otherwise : std::get<T>(found->second);
  }
  static bool has(const Node& node, std::size_t k) { return k < node.inputs.size() && !node.inputs[k].empty(); }

  static std::size_t axis_of(std::int64_t axis, std::size_t rank) {
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) throw std::runtime_error("axis");
    return static_cast<std::size_t>(axis);
  }
  static Dims numbers(const Array& array) { return {array.values.begin(), array.values.end()}; }

  static Array permuted(const Array& x, const std::vector<std::size_t>& axes) {
    Array result{{}, std::vector<double>(x.values.size()), x.type};
    for (const std::size_t axis : axes) result.dims.push_back(x.dims[axis]);
    for (std::size_t k = 0; k < x.values.size(); ++k) {
      std::vector<std::size_t> index(axes.size());
      std::size_t rest = k;
      for (std::size_t axis = axes.size(); axis-- > 0; rest /= static_cast<std::size_t>(result.dims[axis]))
        index[axes[axis]] = rest % static_cast<std::size_t>(result.dims[axis]);
      std::size_t at = 0;
      for (std::size_t axis = 0; axis < axes.size(); ++axis)
        at = at * static_cast<std::size_t>(x.dims[axis]) + index[axis];
      result.values[k] = x.values[at];
    }
    return result;
  }

  /// Of one axis, those places.
  static Array taken(const Array& x, std::size_t axis, const Dims& places) {
    Array result{x.dims, {}, x.type};
    result.dims[axis] = static_cast<std::int64_t>(places.size());
    std::size_t outer = 1, inner = 1;
    for (std::size_t k = 0; k < x.dims.size(); ++k)
      if (k != axis) (k < axis ? outer : inner) *= static_cast<std::size_t>(x.dims[k]);
    for (std::size_t o = 0; o < outer; ++o)
      for (const std::int64_t place : places)
        for (std::size_t i = 0; i < inner; ++i)
          result.values.push_back(
              x.values[(o * static_cast<std::size_t>(x.dims[axis]) + static_cast<std::size_t>(place)) * inner + i]);
    return result;
  }

  static double activated(const std::string& name, double x) {
    if (name == "Tanh") return std::tanh(x);
    if (name == "Relu") return std::max(x, 0.0);
    if (name == "Sigmoid") return 1 / (1 + std::exp(-x));
    if (name == "HardSigmoid") return std::clamp(0.2 * x + 0.5, 0.0, 1.0);
    if (name == "Softsign") return x / (1 + std::abs(x));
    throw std::runtime_error(name);
  }

  void apply(const Node& node);
  void recurrent(const Node& node);

  const Graph& graph_;
  std::map<std::string, Array> values_;
};

inline void Run::apply(const Node& node) {
  const std::string& op = node.op;
  if (op == "LSTM" || op == "GRU" || op == "RNN") return recurrent(node);
  std::vector<Array> in;
  for (const std::string& name : node.inputs) in.push_back(name.empty() ? Array() : values_.at(name));
  Array y = in.empty() ? Array() : in[0];
  const std::size_t rank = y.dims.size();
  const auto each = [&](auto f) {
    for (double& value : y.values) value = f(value);
  };
  const auto axes = [&] {
    return graph_.opset < 13 ? get(node, "axes", Dims()) : has(node, 1) ? numbers(in[1]) : Dims();
  };
  if (op == "Add") {
    y = combined(in[0], in[1], [](double a, double b) { return a + b; });
  } else if (op == "Sub") {
    y = combined(in[0], in[1], [](double a, double b) { return a - b; });
  } else if (op == "Mul") {
    y = combined(in[0], in[1], [](double a, double b) { return a * b; });
  } else if (op == "Div") {
    y = combined(in[0], in[1], [](double a, double b) { return a / b; });
  } else if (op == "Equal") {
    y = combined(in[0], in[1], [](double a, double b) { return a == b; });
    y.type = boolean;
  } else if (op == "Where") {
    const Array zeros = combined(in[0], in[1], [](double c, double a) { return c != 0 ? a : 0; });
    y = combined(zeros, combined(in[0], in[2], [](double c, double b) { return c != 0 ? 0 : b; }),
                 [](double a, double b) { return a + b; });
    y.type = in[1].type;
  } else if (op == "Tanh" || op == "Relu" || op == "Sigmoid") {
    each([&](double x) { return activated(op, x); });
  } else if (op == "Elu") {
    each([&](double x) { return x > 0 ? x : static_cast<double>(get(node, "alpha", 1.0f)) * std::expm1(x); });
  } else if (op == "Softmax") {
    const bool one = graph_.opset >= 13;
    const std::size_t axis = axis_of(get(node, "axis", std::int64_t{one ? -1 : 1}), rank);
    std::size_t inner = 1, count = 1;
    for (std::size_t k = axis; k < rank; ++k) (one && k > axis ? inner : count) *= static_cast<std::size_t>(y.dims[k]);
    for (std::size_t o = 0; o < y.values.size(); o += count * inner)
      for (std::size_t i = 0; i < inner; ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < count; ++k) sum += std::exp(y.values[o + k * inner + i]);
        for (std::size_t k = 0; k < count; ++k) {
          double& value = y.values[o + k * inner + i];
          value = std::exp(value) / sum;
        }
      }
  } else if (op == "MatMul" || op == "Gemm") {
    Array w = in[1];
    if (get(node, "transB", std::int64_t{0})) w = permuted(w, {1, 0});
    if (get(node, "transA", std::int64_t{0})) y = permuted(y, {1, 0});
    if (w.dims.size() != 2 || y.dims.empty()) throw std::runtime_error("MatMul");
    const auto n = static_cast<std::size_t>(w.dims[0]), m = static_cast<std::size_t>(w.dims[1]);
    const Array x = y;
    y.dims.back() = w.dims[1];
    if (x.dims.back() != w.dims[0]) throw std::runtime_error("MatMul");
    y.values.assign(x.values.size() / n * m, 0);
    const auto alpha = static_cast<double>(get(node, "alpha", 1.0f));
    for (std::size_t k = 0; k < y.values.size(); ++k)
      for (std::size_t l = 0; l < n; ++l)
        y.values[k] += alpha * x.values.at(k / m * n + l) * w.values.at(l * m + k % m);
    if (has(node, 2)) {
      const auto beta = static_cast<double>(get(node, "beta", 1.0f));
      y = combined(y, in[2], [beta](double a, double b) { return a + beta * b; });
    }
  } else if (op == "Transpose") {
    Dims perm;
    for (std::size_t k = rank; k-- > 0;) perm.push_back(static_cast<std::int64_t>(k));
    std::vector<std::size_t> order;
    for (const std::int64_t axis : get(node, "perm", perm)) order.push_back(static_cast<std::size_t>(axis));
    y = permuted(y, order);
  } else if (op == "Squeeze" || op == "Unsqueeze") {
    std::vector<bool> named(rank + (op == "Squeeze" ? 0 : axes().size()));
    for (const std::int64_t axis : axes()) named[axis_of(axis, named.size())] = true;
    Dims dims;
    std::size_t from = 0;
    for (std::size_t k = 0; k < named.size(); ++k) {
      if (op == "Unsqueeze") {
        dims.push_back(named[k] ? 1 : y.dims[from++]);
      } else if (axes().empty() ? y.dims[k] != 1 : !named[k]) {
        dims.push_back(y.dims[k]);
      } else if (y.dims[k] != 1) {
        throw std::runtime_error("Squeeze");
      }
    }
    y.dims = dims;
  } else if (op == "Reshape") {
    Dims dims = numbers(in[1]);
    std::int64_t product = 1, *open = nullptr;
    for (std::size_t k = 0; k < dims.size(); ++k) {
      if (dims[k] == 0 && !get(node, "allowzero", std::int64_t{0})) dims[k] = y.dims.at(k);
      if (dims[k] == -1)
        open = &dims[k];
      else
        product *= dims[k];
    }
    if (open) *open = static_cast<std::int64_t>(y.values.size()) / product;
    y.dims = dims;
    if (y.size() != y.values.size()) throw std::runtime_error("Reshape");
  } else if (op == "Shape") {
    y = whole(in[0].dims);
  } else if (op == "Gather") {
    const std::size_t axis = axis_of(get(node, "axis", std::int64_t{0}), rank);
    Dims places = numbers(in[1]);
    for (std::int64_t& place : places) place += place < 0 ? y.dims[axis] : 0;
    y = taken(y, axis, places);
    if (in[1].dims.empty()) y.dims.erase(y.dims.begin() + static_cast<std::ptrdiff_t>(axis));
  } else if (op == "Slice") {
    const bool old = graph_.opset < 10;
    const Dims from = old ? get(node, "starts", Dims()) : numbers(in[1]);
    const Dims to = old ? get(node, "ends", Dims()) : numbers(in[2]);
    const Dims which = old ? get(node, "axes", Dims()) : has(node, 3) ? numbers(in[3]) : Dims();
    const Dims steps = has(node, 4) ? numbers(in[4]) : Dims(from.size(), 1);
    for (std::size_t k = 0; k < from.size(); ++k) {
      const std::size_t axis = which.empty() ? k : axis_of(which[k], rank);
      const std::int64_t length = y.dims[axis], step = steps[k];
      const auto bound = [&](std::int64_t at, std::int64_t least, std::int64_t most) {
        return std::clamp(at < 0 ? at + length : at, least, most);
      };
      Dims places;
      const std::int64_t end = step > 0 ? bound(to[k], 0, length) : bound(to[k], -1, length - 1);
      for (std::int64_t at = bound(from[k], 0, step > 0 ? length : length - 1); step > 0 ? at < end : at > end;
           at += step)
        places.push_back(at);
      y = taken(y, axis, places);
    }
  } else if (op == "Concat") {
    const std::size_t axis = axis_of(get(node, "axis", std::int64_t{0}), rank);
    std::size_t outer = 1;
    for (std::size_t k = 0; k < axis; ++k) outer *= static_cast<std::size_t>(y.dims[k]);
    y.values.clear();
    y.dims[axis] = 0;
    for (const Array& part : in) y.dims[axis] += part.dims.at(axis);
    for (std::size_t o = 0; o < outer; ++o)
      for (const Array& part : in) {
        const auto size = static_cast<std::ptrdiff_t>(part.values.size() / outer);
        const auto begin = part.values.begin() + static_cast<std::ptrdiff_t>(o) * size;
        y.values.insert(y.values.end(), begin, begin + size);
      }
  } else if (op == "Constant") {
    if (node.attributes.contains("value")) y = get(node, "value", Array());
    if (node.attributes.contains("value_float")) y = {{}, {static_cast<double>(get(node, "value_float", 0.0f))}};
    if (node.attributes.contains("value_int")) y = one_whole(get(node, "value_int", std::int64_t{0}));
    if (node.attributes.contains("value_ints")) y = whole(get(node, "value_ints", Dims()));
    if (node.attributes.contains("value_floats")) {
      const Reals reals = get(node, "value_floats", Reals());
      y = {{static_cast<std::int64_t>(reals.size())}, {reals.begin(), reals.end()}};
    }
  } else if (op == "ConstantOfShape") {
    const Array element = get(node, "value", Array{{1}, {0}});
    y = {numbers(in[0]), {}, element.type};
    y.values.assign(y.size(), element.values[0]);
  } else if (op == "Expand") {
    const Array ones{numbers(in[1]), std::vector<double>(Array{numbers(in[1])}.size(), 0)};
    y = combined(in[0], ones, [](double a, double) { return a; });
  } else if (op == "Tile") {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      Dims places;
      for (std::int64_t k = 0; k < numbers(in[1])[axis] * in[0].dims[axis]; ++k) places.push_back(k % in[0].dims[axis]);
      y = taken(y, axis, places);
    }
  } else if (op == "Cast") {
    y.type = static_cast<int>(get(node, "to", std::int64_t{1}));
  } else if (op != "Identity") {
    throw std::runtime_error(op);
  }
  values_[node.outputs[0]] = y;
}

/// The equations of the standard for LSTM, GRU and RNN: gates i o f c, and z r h.
inline void Run::recurrent(const Node& node) {
  const bool lstm = node.op == "LSTM", gru = node.op == "GRU", batch_first = get(node, "layout", std::int64_t{0}) == 1;
  if (!has(node, 2)) throw std::runtime_error("no weights");
  Array x = values_.at(node.inputs[0]);
  if (batch_first) x = permuted(x, {1, 0, 2});
  const Array& w = values_.at(node.inputs[1]);
  const Array& r = values_.at(node.inputs[2]);
  for (const Array* const array : {static_cast<const Array*>(&x), &w, &r})
    if (array->dims.size() != 3) throw std::runtime_error("three axes");
  const auto steps = static_cast<std::size_t>(x.dims[0]), batch = static_cast<std::size_t>(x.dims[1]),
             inputs = static_cast<std::size_t>(x.dims[2]), size = static_cast<std::size_t>(r.dims[2]);
  const std::size_t gates = lstm ? 4 : gru ? 3 : 1, rows = gates * size;
  const std::string direction = get(node, "direction", std::string("forward"));
  const std::size_t directions = direction == "bidirectional" ? 2 : 1;
  if (w.size() != directions * rows * inputs || r.size() != directions * rows * size)
    throw std::runtime_error("weights");
  Texts usual;
  for (std::size_t d = 0; d < directions; ++d) {
    if (lstm || gru) usual.push_back("Sigmoid");
    if (lstm) usual.push_back("Tanh");
    usual.push_back("Tanh");
  }
  const Texts names = get(node, "activations", usual);
  const auto clip = static_cast<double>(get(node, "clip", 1e30f));
  const auto part = [&](std::size_t k, std::size_t at, double otherwise = 0) {
    return has(node, k) ? values_.at(node.inputs[k]).values.at(at) : otherwise;
  };
  Array y{{x.dims[0], static_cast<std::int64_t>(directions), x.dims[1], r.dims[2]}};
  y.values.resize(y.size());
  for (std::size_t d = 0; d < directions; ++d)
    for (std::size_t b = 0; b < batch; ++b) {
      const auto f = [&](std::size_t which, double value) {
        return activated(names.at(d * names.size() / directions + which), std::clamp(value, -clip, clip));
      };
      const auto state = [&](std::size_t k) {
        std::vector<double> values;
        for (std::size_t j = 0; j < size; ++j)
          values.push_back(part(k, (batch_first ? b * directions + d : d * batch + b) * size + j));
        return values;
      };
      std::vector<double> h = state(5), c = state(6);
      const auto length = static_cast<std::size_t>(part(4, b, static_cast<double>(steps)));
      for (std::size_t k = 0; k < length; ++k) {
        const std::size_t t = direction == "reverse" || d == 1 ? length - 1 - k : k;
        const auto from_x = [&](std::size_t row) {
          double sum = part(3, d * 2 * rows + row);
          for (std::size_t i = 0; i < inputs; ++i)
            sum += w.values[(d * rows + row) * inputs + i] * x.values[(t * batch + b) * inputs + i];
          return sum;
        };
        const auto from_h = [&](std::size_t row, const std::vector<double>& from) {
          double sum = part(3, d * 2 * rows + rows + row);
          for (std::size_t i = 0; i < size; ++i) sum += r.values[(d * rows + row) * size + i] * from[i];
          return sum;
        };
        std::vector<double> next(size), reset(size);
        if (gru)
          for (std::size_t j = 0; j < size; ++j) reset[j] = f(0, from_x(size + j) + from_h(size + j, h)) * h[j];
        for (std::size_t j = 0; j < size; ++j) {
          const auto z = [&](std::size_t gate) { return from_x(gate * size + j) + from_h(gate * size + j, h); };
          if (lstm) {
            const auto peephole = [&](std::size_t gate) { return part(7, (d * 3 + gate) * size + j); };
            const double input = f(0, z(0) + peephole(0) * c[j]);
            const double forget =
                get(node, "input_forget", std::int64_t{0}) ? 1 - input : f(0, z(2) + peephole(2) * c[j]);
            c[j] = forget * c[j] + input * f(1, z(3));
            next[j] = f(0, z(1) + peephole(1) * c[j]) * f(2, c[j]);
          } else if (gru) {
            const double update = f(0, z(0));
            const bool after = get(node, "linear_before_reset", std::int64_t{0}) != 0;
            const double candidate = f(
                1, from_x(2 * size + j) + (after ? f(0, z(1)) * from_h(2 * size + j, h) : from_h(2 * size + j, reset)));
            next[j] = (1 - update) * candidate + update * h[j];
          } else {
            next[j] = f(0, z(0));
          }
        }
        h = next;
        for (std::size_t j = 0; j < size; ++j) y.values[((t * directions + d) * batch + b) * size + j] = h[j];
      }
    }
  if (!node.outputs[0].empty()) values_[node.outputs[0]] = batch_first ? permuted(y, {2, 0, 1, 3}) : y;
}

}  // namespace onnx_graph
