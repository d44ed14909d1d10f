// ONNX models as tests read and run them: every node by what the standard says of it, in double. Shares nothing with
// the library's writer but the wire format.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"

namespace onnx_model {

namespace proto = nn::io::formats::onnx;
using proto::Field;
using proto::Fields;
using Dims = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

/// Numbers of any type are held as doubles.
struct Array {
  Dims dims;
  std::vector<double> values;
};

struct Graph;
struct Node {
  std::string op, name;
  Texts inputs, outputs;
  std::map<std::string, Dims> wholes;  ///< attributes, a number as a list of one
  std::vector<Graph> body;             ///< at most one
};
struct Graph {
  std::vector<Node> nodes;
  std::vector<std::pair<std::string, Array>> initializers;
  Texts inputs, outputs;
};
struct Model {
  std::int64_t ir_version = 0, opset = 0;
  std::map<std::string, std::string> metadata;
  Graph graph;
};

inline void for_each_field(std::string_view message, auto f) {
  Field field;
  for (Fields fields(message); fields.next(field);) f(field);
}

inline std::pair<std::string, Array> read_tensor(std::string_view bytes) {
  std::pair<std::string, Array> result;
  std::int64_t type = 0;
  std::string_view raw;
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == proto::tensor::dims) result.second.dims.push_back(field.integer());
    if (field.number == proto::tensor::data_type) type = field.integer();
    if (field.number == proto::tensor::name) result.first = field.text();
    if (field.number == proto::tensor::raw_data) raw = field.text();
  });
  const auto numbers = [&](auto one) {
    if (raw.size() % sizeof one != 0) throw std::runtime_error("raw_data");
    for (std::size_t at = 0; at < raw.size(); at += sizeof one) {
      std::memcpy(&one, raw.data() + at, sizeof one);
      result.second.values.push_back(static_cast<double>(one));
    }
  };
  if (type == 1)
    numbers(float());
  else if (type == 7)
    numbers(std::int64_t());
  else if (type == 11)
    numbers(double());
  else
    throw std::runtime_error("data_type");
  return result;
}

inline Graph read_graph(std::string_view bytes);

inline Node read_node(std::string_view bytes) {
  Node node;
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == proto::node::input) node.inputs.emplace_back(field.text());
    if (field.number == proto::node::output) node.outputs.emplace_back(field.text());
    if (field.number == proto::node::op_type) node.op = field.text();
    if (field.number == proto::node::name) node.name = field.text();
    if (field.number != proto::node::attribute) return;
    std::string name;
    Dims wholes;
    for_each_field(field.text(), [&](const Field& part) {
      if (part.number == proto::attribute::name) name = part.text();
      if (part.number == proto::attribute::i) wholes = {part.integer()};
      if (part.number == proto::attribute::ints)
        proto::for_each_number(part, proto::Wire::varint,
                               [&](std::uint64_t value) { wholes.push_back(static_cast<std::int64_t>(value)); });
      if (part.number == proto::attribute::g) node.body.push_back(read_graph(part.text()));
    });
    if (node.body.empty() || name != "body") node.wholes[name] = wholes;
  });
  return node;
}

inline Graph read_graph(std::string_view bytes) {
  Graph graph;
  const auto declared = [](const Field& field) {
    std::string name;
    for_each_field(field.text(), [&](const Field& part) {
      if (part.number == proto::value_info::name) name = part.text();
    });
    return name;
  };
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == proto::graph::node) graph.nodes.push_back(read_node(field.text()));
    if (field.number == proto::graph::initializer) graph.initializers.push_back(read_tensor(field.text()));
    if (field.number == proto::graph::input) graph.inputs.push_back(declared(field));
    if (field.number == proto::graph::output) graph.outputs.push_back(declared(field));
  });
  return graph;
}

inline Model read_model(std::string_view bytes) {
  Model model;
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == proto::model::ir_version) model.ir_version = field.integer();
    if (field.number == proto::model::graph) model.graph = read_graph(field.text());
    std::string key, value;
    if (field.number == proto::model::opset_import)
      for_each_field(field.text(), [&](const Field& part) {
        if (part.number == proto::opset::version) model.opset = part.integer();
      });
    if (field.number == proto::model::metadata_props) {
      for_each_field(field.text(), [&](const Field& part) { (part.number == 1 ? key : value) = part.text(); });
      model.metadata[key] = value;
    }
  });
  return model;
}

// What nodes compute.

inline std::size_t size_of(const Dims& dims) {
  std::size_t size = 1;
  for (const std::int64_t extent : dims) size *= static_cast<std::size_t>(extent);
  return size;
}

/// f(index) for every index of an array of these dims, in row-major order.
inline void for_each_index(const Dims& dims, auto f) {
  Dims index(dims.size());
  for (std::size_t k = 0, count = size_of(dims); k < count; ++k) {
    f(index);
    for (std::size_t axis = dims.size(); axis-- > 0 && ++index[axis] == dims[axis];) index[axis] = 0;
  }
}

/// The element of x at the last axes of an index; at 0 along axes of one element.
inline double at(const Array& x, const Dims& index) {
  std::size_t offset = 0;
  for (std::size_t k = 0; k < x.dims.size(); ++k) {
    const std::int64_t i = x.dims[k] == 1 ? 0 : index.at(index.size() - x.dims.size() + k);
    if (i < 0 || i >= x.dims[k]) throw std::runtime_error("index");
    offset = offset * static_cast<std::size_t>(x.dims[k]) + static_cast<std::size_t>(i);
  }
  return x.values.at(offset);
}

inline Array filled(const Dims& dims, auto f) {
  Array y{dims, {}};
  for_each_index(dims, [&](const Dims& index) { y.values.push_back(f(index)); });
  return y;
}

inline Dims common(Dims a, Dims b) {
  if (a.size() < b.size()) std::swap(a, b);
  for (std::size_t k = 0; k < b.size(); ++k) {
    std::int64_t& extent = a[a.size() - b.size() + k];
    if (extent != b[k] && extent != 1 && b[k] != 1) throw std::runtime_error("shapes that do not fit");
    if (extent == 1) extent = b[k];
  }
  return a;
}

inline const std::map<std::string, std::function<double(double)>>& unary() {
  static const std::map<std::string, std::function<double(double)>> all{
      {"Neg", [](double x) { return -x; }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Log", [](double x) { return std::log(x); }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},
      {"Tanh", [](double x) { return std::tanh(x); }},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Erf", [](double x) { return std::erf(x); }},
      {"Sin", [](double x) { return std::sin(x); }},
      {"Cos", [](double x) { return std::cos(x); }},
      {"Tan", [](double x) { return std::tan(x); }},
      {"Asin", [](double x) { return std::asin(x); }},
      {"Acos", [](double x) { return std::acos(x); }},
      {"Atan", [](double x) { return std::atan(x); }},
      {"Sinh", [](double x) { return std::sinh(x); }},
      {"Cosh", [](double x) { return std::cosh(x); }},
      {"Floor", [](double x) { return std::floor(x); }},
      {"Abs", [](double x) { return std::abs(x); }},
      {"Not", [](double x) { return x == 0 ? 1.0 : 0.0; }},
      {"Identity", [](double x) { return x; }},
      {"Cast", [](double x) { return x; }}};  // which the writer uses for whole numbers and truths alone
  return all;
}

inline const std::map<std::string, std::function<double(double, double)>>& binary() {
  static const std::map<std::string, std::function<double(double, double)>> all{
      {"Add", [](double a, double b) { return a + b; }},
      {"Sub", [](double a, double b) { return a - b; }},
      {"Mul", [](double a, double b) { return a * b; }},
      {"Div", [](double a, double b) { return a / b; }},
      {"Pow", [](double a, double b) { return std::pow(a, b); }},
      {"Max", [](double a, double b) { return std::isnan(a) || a > b ? a : b; }},
      {"Min", [](double a, double b) { return std::isnan(a) || a < b ? a : b; }},
      {"Greater", [](double a, double b) { return a > b ? 1.0 : 0.0; }},
      {"Less", [](double a, double b) { return a < b ? 1.0 : 0.0; }},
      {"Equal", [](double a, double b) { return a == b ? 1.0 : 0.0; }},
      {"And", [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }}};
  return all;
}

/// A reduction over axes, kept with one element: f(the elements of a row).
inline Array reduced(const Array& x, const Dims& axes, auto f) {
  Dims dims = x.dims;
  for (const std::int64_t axis : axes) dims.at(static_cast<std::size_t>(axis)) = 1;
  std::map<Dims, std::vector<double>> rows;
  for_each_index(x.dims, [&](Dims index) {
    const double value = at(x, index);
    for (const std::int64_t axis : axes) index[static_cast<std::size_t>(axis)] = 0;
    rows[index].push_back(value);
  });
  return filled(dims, [&](const Dims& index) { return f(rows.at(index)); });
}

class Run {
 public:
  using Values = std::map<std::string, Array>;

  /// All values of a graph after a run; `values` are its inputs, and what is around it.
  static Values of(const Graph& graph, Values values) {
    for (const auto& [name, array] : graph.initializers) values[name] = array;
    for (const Node& node : graph.nodes) {
      const std::vector<Array> outputs = Run(node, values).outputs();
      if (outputs.size() != node.outputs.size()) throw std::runtime_error(node.op + ": outputs");
      for (std::size_t k = 0; k < outputs.size(); ++k) values[node.outputs[k]] = outputs[k];
    }
    return values;
  }

 private:
  Run(const Node& node, const Values& values) : node_(node), values_(values) {}

  const Array& in(std::size_t k) const { return values_.at(node_.inputs.at(k)); }
  Dims list(std::size_t k) const { return {in(k).values.begin(), in(k).values.end()}; }
  Dims whole(const char* name, Dims otherwise = {}) const {
    const auto found = node_.wholes.find(name);
    return found == node_.wholes.end() ? otherwise : found->second;
  }
  std::size_t axis() const {
    const std::int64_t axis = whole("axis", {0}).at(0);
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(in(0).dims.size()) : axis);
  }

  std::vector<Array> outputs() const {
    if (node_.op == "Scan") return scan();
    if (node_.op == "Split") return split();
    return {output()};
  }

  Array output() const {
    const std::string& op = node_.op;
    const Array& x = in(0);
    if (const auto f = unary().find(op); f != unary().end())
      return filled(x.dims, [&](const Dims& index) { return f->second(at(x, index)); });
    if (const auto f = binary().find(op); f != binary().end())
      return filled(common(x.dims, in(1).dims),
                    [&](const Dims& index) { return f->second(at(x, index), at(in(1), index)); });
    if (op == "Where")
      return filled(common(common(x.dims, in(1).dims), in(2).dims),
                    [&](const Dims& index) { return at(x, index) != 0 ? at(in(1), index) : at(in(2), index); });
    if (op == "Gemm" || op == "MatMul") return product();
    if (op == "Shape") return {{static_cast<std::int64_t>(x.dims.size())}, {x.dims.begin(), x.dims.end()}};
    if (op == "Expand") return filled(common(x.dims, list(1)), [&](const Dims& index) { return at(x, index); });
    if (op == "Reshape" || op == "Squeeze" || op == "Unsqueeze") return reshaped();
    if (op == "Transpose") return transposed();
    if (op == "Slice") return sliced();
    if (op == "Concat") return concatenated();
    if (op == "Gather") return gathered();
    if (op == "GatherElements")
      return filled(in(1).dims, [&](Dims index) {
        index[axis()] = static_cast<std::int64_t>(at(in(1), index));
        return at(x, index);
      });
    if (op == "CumSum") return summed_up();
    if (op == "Softmax" || op == "LogSoftmax") return softmax();
    return reduction();
  }

  Array reduction() const {
    const auto sum = [](const std::vector<double>& row) {
      double sum = 0;
      for (const double value : row) sum += value;
      return sum;
    };
    const auto largest = [](const std::vector<double>& row) { return *std::max_element(row.begin(), row.end()); };
    if (node_.op == "ReduceSum") return reduced(in(0), list(1), sum);
    if (node_.op == "ReduceMean")
      return reduced(in(0), whole("axes"), [&](const auto& row) { return sum(row) / static_cast<double>(row.size()); });
    if (node_.op == "ReduceMax") return reduced(in(0), whole("axes"), largest);
    if (node_.op == "ReduceLogSumExp")
      return reduced(in(0), whole("axes"), [&](const auto& row) {
        double sum = 0;
        for (const double value : row) sum += std::exp(value - largest(row));
        return std::log(sum) + largest(row);
      });
    throw std::runtime_error("no operation " + node_.op);
  }

  Array product() const {
    const Array& x = in(0);
    Array w = in(1);
    if (whole("transB", {0}).at(0) != 0)
      w = filled({w.dims.at(1), w.dims.at(0)}, [&](const Dims& index) { return at(in(1), {index[1], index[0]}); });
    if (node_.op == "Gemm" && (x.dims.size() != 2 || w.dims.size() != 2)) throw std::runtime_error("Gemm");
    if (x.dims.back() != w.dims.at(w.dims.size() - 2)) throw std::runtime_error("product");
    Dims dims = common({x.dims.begin(), x.dims.end() - 2}, {w.dims.begin(), w.dims.end() - 2});
    dims.insert(dims.end(), {x.dims.at(x.dims.size() - 2), w.dims.back()});
    return filled(dims, [&](const Dims& index) {
      double sum = node_.inputs.size() == 3 ? at(in(2), index) : 0;
      for (std::int64_t k = 0; k < x.dims.back(); ++k) {
        Dims left = index, right = index;
        left.back() = right[right.size() - 2] = k;
        sum += at(x, left) * at(w, right);
      }
      return sum;
    });
  }

  Array reshaped() const {
    const Array& x = in(0);
    Dims dims;
    if (node_.op == "Reshape") {
      dims = list(1);
      for (std::size_t k = 0; k < dims.size(); ++k)
        if (dims[k] == 0) dims[k] = x.dims.at(k);
    } else if (node_.op == "Squeeze") {
      const Dims axes = list(1);
      for (std::size_t k = 0; k < x.dims.size(); ++k)
        if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(k)) == axes.end()) dims.push_back(x.dims[k]);
    } else {
      const std::int64_t axis = list(1).at(0);
      dims = x.dims;
      dims.insert(axis < 0 ? dims.end() + axis + 1 : dims.begin() + axis, 1);
    }
    if (size_of(dims) != x.values.size()) throw std::runtime_error(node_.op);
    return {dims, x.values};
  }

  Array transposed() const {
    const Dims perm = whole("perm");
    Dims dims;
    for (const std::int64_t axis : perm) dims.push_back(in(0).dims.at(static_cast<std::size_t>(axis)));
    return filled(dims, [&](const Dims& index) {
      Dims from(perm.size());
      for (std::size_t k = 0; k < perm.size(); ++k) from[static_cast<std::size_t>(perm[k])] = index[k];
      return at(in(0), from);
    });
  }

  Array sliced() const {
    const auto which = static_cast<std::size_t>(list(3).at(0));
    const std::int64_t extent = in(0).dims.at(which), step = list(4).at(0), from = list(1).at(0);
    // The least of all numbers does not survive as a double, but is one below 0 all the same.
    const double to = in(2).values.at(0);
    const double stop =
        to < 0 ? std::max(to + static_cast<double>(extent), -1.0) : std::min(to, static_cast<double>(extent));
    Dims places, dims = in(0).dims;
    for (std::int64_t k = from; step > 0 ? static_cast<double>(k) < stop : static_cast<double>(k) > stop; k += step)
      places.push_back(k);
    dims[which] = static_cast<std::int64_t>(places.size());
    return filled(dims, [&](Dims index) {
      index[which] = places[static_cast<std::size_t>(index[which])];
      return at(in(0), index);
    });
  }

  /// Of one axis, `count` from `first`.
  static Array piece(const Array& x, std::size_t axis, std::int64_t first, std::int64_t count) {
    Dims dims = x.dims;
    dims.at(axis) = count;
    return filled(dims, [&](Dims index) {
      index[axis] += first;
      return at(x, index);
    });
  }

  std::vector<Array> split() const {
    std::vector<Array> parts;
    std::int64_t first = 0;
    for (const std::int64_t extent : list(1)) {
      parts.push_back(piece(in(0), axis(), first, extent));
      first += extent;
    }
    return parts;
  }

  Array concatenated() const {
    Dims dims = in(0).dims, starts{0};
    for (std::size_t k = 0; k < node_.inputs.size(); ++k) starts.push_back(starts.back() + in(k).dims.at(axis()));
    dims.at(axis()) = starts.back();
    return filled(dims, [&](Dims index) {
      std::size_t k = 0;
      while (index[axis()] >= starts[k + 1]) ++k;
      index[axis()] -= starts[k];
      if (in(k).dims.size() != dims.size()) throw std::runtime_error("Concat");
      for (std::size_t other = 0; other < dims.size(); ++other)
        if (other != axis() && in(k).dims[other] != dims[other]) throw std::runtime_error("Concat");
      return at(in(k), index);
    });
  }

  Array gathered() const {
    const Array& x = in(0);
    const auto which = static_cast<std::ptrdiff_t>(axis());
    Dims dims(x.dims.begin(), x.dims.begin() + which);
    dims.insert(dims.end(), in(1).dims.begin(), in(1).dims.end());
    dims.insert(dims.end(), x.dims.begin() + which + 1, x.dims.end());
    const auto rank = static_cast<std::ptrdiff_t>(in(1).dims.size());
    return filled(dims, [&](const Dims& index) {
      const auto begin = index.begin() + which;
      Dims from(index.begin(), begin);
      from.push_back(static_cast<std::int64_t>(at(in(1), {begin, begin + rank})));
      from.insert(from.end(), begin + rank, index.end());
      return at(x, from);
    });
  }

  Array summed_up() const {
    const auto which = static_cast<std::size_t>(list(1).at(0));
    const bool reverse = whole("reverse", {0}).at(0) != 0;
    return filled(in(0).dims, [&](Dims index) {
      double sum = 0;
      const std::int64_t here = index[which];
      for (std::int64_t k = reverse ? here : 0; k < (reverse ? in(0).dims[which] : here + 1); ++k) {
        index[which] = k;
        sum += at(in(0), index);
      }
      return sum;
    });
  }

  Array softmax() const {
    const Array& x = in(0);
    return filled(x.dims, [&](const Dims& index) {
      double sum = 0;
      Dims other = index;
      for (std::int64_t k = 0; k < x.dims[axis()]; ++k) {
        other[axis()] = k;
        sum += std::exp(at(x, other) - at(x, index));
      }
      return node_.op == "Softmax" ? 1 / sum : -std::log(sum);
    });
  }

  std::vector<Array> scan() const {
    const Graph& body = node_.body.at(0);
    const auto scanned = static_cast<std::size_t>(whole("num_scan_inputs").at(0));
    const std::size_t states = node_.inputs.size() - scanned;
    std::vector<Array> now, results(node_.outputs.size() - states);
    for (std::size_t k = 0; k < states; ++k) now.push_back(in(k));
    const std::int64_t steps = in(states).dims.at(0);
    for (std::int64_t t = 0; t < steps; ++t) {
      Values values = values_;
      for (std::size_t k = 0; k < states; ++k) values[body.inputs.at(k)] = now[k];
      for (std::size_t k = states; k < node_.inputs.size(); ++k) {
        Array slice = piece(in(k), 0, t, 1);
        slice.dims.erase(slice.dims.begin());
        values[body.inputs.at(k)] = slice;
      }
      values = of(body, std::move(values));
      for (std::size_t k = 0; k < states; ++k) {
        if (values.at(body.outputs.at(k)).dims != now[k].dims) throw std::runtime_error("Scan: a state's shape");
        now[k] = values.at(body.outputs.at(k));
      }
      for (std::size_t k = 0; k < results.size(); ++k) {
        const Array& part = values.at(body.outputs.at(states + k));
        if (t == 0) {
          results[k].dims = part.dims;
          results[k].dims.insert(results[k].dims.begin(), steps);
        }
        results[k].values.insert(results[k].values.end(), part.values.begin(), part.values.end());
      }
    }
    now.insert(now.end(), results.begin(), results.end());
    return now;
  }

  const Node& node_;
  const Values& values_;
};

}  // namespace onnx_model
