// The reference vectors of single ops and small compositions: values, gradients and Hessian-vector products.
#include <functional>
#include <iostream>
#include <map>
#include <numeric>
#include <set>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "oracle.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

using Handle = Variable<double>;
using Handles = std::vector<Handle>;
using Indices = std::vector<std::ptrdiff_t>;

/// One case on a tape: its inputs by name, variables where they are floating, and its attributes.
struct Call {
  const oracle::Case& reference;
  Tape<double>& tape;
  std::map<std::string, Handle> inputs;

  Call(const oracle::Case& reference, Tape<double>& tape) : reference(reference), tape(tape) {
    for (const std::string& name : reference.keys("/inputs")) {
      const Array<double> value = reference.tensor("/inputs/" + name);
      inputs[name] = reference.has("/inputs/" + name + "/dtype") ? tape.constant(value) : tape.variable(value);
    }
  }

  Handle operator[](const std::string& name) const { return inputs.at(name); }
  /// t0, t1, ...
  Handles list() const {
    Handles result;
    while (inputs.contains("t" + std::to_string(result.size())))
      result.push_back(inputs.at("t" + std::to_string(result.size())));
    return result;
  }
  bool has(const std::string& name) const { return reference.has("/attrs/" + name); }
  double number(const std::string& name) const { return reference.get<double>("/attrs/" + name); }
  bool flag(const std::string& name) const { return reference.get<bool>("/attrs/" + name); }
  Index integer(const std::string& name) const { return reference.get<std::ptrdiff_t>("/attrs/" + name); }
  Indices integers(const std::string& name) const { return reference.get<Indices>("/attrs/" + name); }
  Index axis() const { return integer("axis"); }
  bool keepdim() const { return has("keepdim") && flag("keepdim"); }
  /// An input of integers.
  Array<Index> index(const std::string& name) const {
    const std::vector<std::size_t> values = reference.indices("/inputs/" + name);
    Array<Index> result = make_array<Index>(inputs.at(name).shape());
    std::copy(values.begin(), values.end(), result.data());
    return result;
  }
  Handle full(const Shape& shape, double value) const { return tape.constant(shape, value); }
  Handle zeros_like(Handle x) const { return full(x.shape(), 0); }
};

std::size_t extent(Handle x, Index axis) { return x.shape()[normalize_axis("extent", axis, x.shape().rank())]; }

/// f over the axes that the case names; over all of them where it names none.
template <class F>
Handle over_axes(const Call& call, Handle x, F f) {
  if (call.has("axis")) {
    const Indices axes = call.integers("axis");
    return f(x, Axes(std::span<const Index>(axes)), call.keepdim());
  }
  Indices axes(x.shape().rank());
  std::iota(axes.begin(), axes.end(), 0);
  return f(x, Axes(std::span<const Index>(axes)), call.keepdim());
}

Handle sum_of(const Call& call, Handle x) {
  return over_axes(call, x, [](auto v, auto axes, bool keep) { return sum(v, axes, keep); });
}

Handle variance(const Call& call) {
  const Handle x = call["a"];
  const Handle center = over_axes(call, x, [](auto v, auto axes, bool) { return mean(v, axes, true); });
  const Handle total = sum_of(call, square(x - center));
  const double count = static_cast<double>(x.shape().elements()) / static_cast<double>(total.shape().elements());
  return total / (count - call.flag("unbiased"));
}

Handle largest(const Call& call, Handle x) { return call.has("axis") ? max(x, call.axis(), call.keepdim()) : max(x); }

Handle largest_over(const Call& call, Handle x) {
  return over_axes(call, x, [](auto v, auto axes, bool keep) { return amax(v, axes, keep); });
}

Handle layer_norm(const Call& call) {
  Handle x = call["a"];
  const auto over = call.integers("normalized_shape").size();
  Indices last(over);
  std::iota(last.begin(), last.end(), -static_cast<Index>(over));
  const Axes axes{std::span<const Index>(last)};
  const Handle centered = x - mean(x, axes, true);
  const Handle y = centered / sqrt(mean(square(centered), axes, true) + call.number("eps"));
  return call.inputs.contains("weight") ? y * call["weight"] + call["bias"] : y;
}

Handles pieces(const Call& call) {
  const Handle x = call["a"];
  std::vector<std::size_t> sizes;
  if (call.has("sizes")) {
    for (const Index size : call.integers("sizes")) sizes.push_back(static_cast<std::size_t>(size));
  } else {
    const std::size_t total = extent(x, call.axis());
    const std::size_t size = call.has("chunks") ? (total - 1) / static_cast<std::size_t>(call.integer("chunks")) + 1
                                                : static_cast<std::size_t>(call.integer("split_size"));
    for (std::size_t start = 0; start < total; start += size) sizes.push_back(std::min(size, total - start));
  }
  return split(x, std::span<const std::size_t>(sizes), call.axis());
}

Handles each_along_axis(const Call& call) {
  Handles result;
  for (std::size_t k = 0; k < extent(call["a"], call.axis()); ++k)
    result.push_back(select(call["a"], call.axis(), static_cast<Index>(k)));
  return result;
}

Handle sliced(const Call& call) {
  Handle x = call["a"];
  for (std::size_t axis = 0; axis < call.reference.count("/attrs/slices"); ++axis) {
    const Indices bounds = call.integers("slices/" + std::to_string(axis));
    x = slice(x, static_cast<Index>(axis), bounds[0], bounds[1], bounds[2]);
  }
  return x;
}

Handle reshaped(const Call& call) {
  const Handle x = call["a"];
  Shape shape;
  std::size_t known = 1;
  for (const Index wanted : call.integers("shape"))
    if (wanted >= 0) known *= static_cast<std::size_t>(wanted);
  for (const Index wanted : call.integers("shape"))
    shape.push_back(wanted >= 0 ? static_cast<std::size_t>(wanted) : x.shape().elements() / known);
  return reshape(x, shape);
}

Handle flattened(const Call& call) {
  const Shape from = call["a"].shape();
  const std::size_t first = static_cast<std::size_t>(call.integer("start"));
  const std::size_t last = static_cast<std::size_t>(call.integer("end"));
  Shape to;
  for (std::size_t axis = 0; axis < from.rank(); ++axis)
    if (axis > first && axis <= last)
      to.back() *= from[axis];
    else
      to.push_back(from[axis]);
  return reshape(call["a"], to);
}

Handle expanded(const Call& call) {
  const Indices shape = call.integers("shape");
  return broadcast_to(call["a"], Shape(shape.begin(), shape.end()));
}

Handle repeated(const Call& call) {
  Handle x = call["a"];
  const Indices repeats = call.integers("repeats");
  while (x.shape().rank() < repeats.size()) {
    Shape shape = x.shape();
    shape.insert(0, 1);
    x = reshape(x, shape);
  }
  for (std::size_t axis = 0; axis < repeats.size(); ++axis) {
    const Handles copies(static_cast<std::size_t>(repeats[axis]), x);
    x = concat(std::span<const Handle>(copies), static_cast<Index>(axis));
  }
  return x;
}

Handle flipped(const Call& call) {
  Handle x = call["a"];
  for (const Index axis : call.integers("axes")) {
    Array<Index> order = make_array<Index>({extent(x, axis)});
    std::iota(order.begin(), order.end(), -static_cast<Index>(order.size()));
    std::reverse(order.begin(), order.end());
    x = take(x, order, axis);
  }
  return x;
}

Handle rolled(const Call& call) {
  const Handle x = call["a"];
  const Index end = static_cast<Index>(extent(x, call.axis())), cut = end - call.integer("shift");
  return concat({slice(x, call.axis(), cut, end), slice(x, call.axis(), 0, cut)}, call.axis());
}

/// x where `inside`(row, column) of the last two axes, else 0.
Handle triangle(const Call& call, bool lower) {
  const Handle x = call["a"];
  Array<double> mask = zeros<double>({extent(x, -2), extent(x, -1)});
  for (std::size_t row = 0; row < mask.shape()[0]; ++row)
    for (std::size_t column = 0; column < mask.shape()[1]; ++column) {
      const Index above = static_cast<Index>(column) - static_cast<Index>(row) - call.integer("diagonal");
      mask(row, column) = lower ? above <= 0 : above >= 0;
    }
  return masked(x, call.tape.constant(mask));
}

Handle diagonal(const Call& call) {
  const std::size_t size = extent(call["a"], 0);
  Array<Index> places = make_array<Index>({size});
  for (std::size_t k = 0; k < size; ++k) places(k) = static_cast<Index>(k * (size + 1));
  return take(reshape(call["a"], {size * size}), places, 0);
}

Handle masked_select(const Call& call) {
  const Array<double> mask = call["mask"].copy();
  Indices places;
  for (std::size_t k = 0; k < mask.size(); ++k)
    if (mask.data()[k] != 0) places.push_back(static_cast<Index>(k));
  Array<Index> indices = make_array<Index>({places.size()});
  std::copy(places.begin(), places.end(), indices.data());
  return take(reshape(call["a"], {mask.size()}), indices, 0);
}

/// The row `padding_idx` is looked up, but learns nothing.
Handle looked_up(const Call& call) {
  Handle weight = call["weight"];
  if (call.has("padding_idx")) {
    Array<double> learns = full<double>({extent(weight, 0), 1}, 1.0);
    learns(static_cast<std::size_t>(call.integer("padding_idx")), 0) = 0;
    weight = where(call.tape.constant(learns), weight, detach(weight));
  }
  return embedding(weight, call.index("index"));
}

/// Between two bounds x itself, on and beyond them a constant.
Handle clipped(const Call& call, double low, double high) {
  const Handle x = call["a"];
  const Handle inside = greater(x, low) * greater(-x, -high);
  return where(inside, x, where(greater(x, low), call.full(x.shape(), high), call.full(x.shape(), low)));
}

Handle gate_block(const Call& call) {
  const auto [i, f, g, o] = split<4>(call["z"], 1);
  const Handle c = sigmoid(f) * call["c_prev"] + sigmoid(i) * tanh(g);
  return sigmoid(o) * tanh(c);
}

Handle attention(const Call& call) {
  const Handle scores = matmul(call["q"], transpose(call["k"]));
  return matmul(softmax(scores / std::sqrt(static_cast<double>(extent(call["q"], -1)))), call["v"]);
}

using Op = std::function<Handles(const Call&)>;

/// The ops we have or can compose, by the name the vectors use.
const std::map<std::string, Op>& covered_ops() {
  const auto one = [](auto f) -> Op { return [f](const Call& c) { return Handles{f(c)}; }; };
  const auto unary = [one](auto f) -> Op { return one([f](const Call& c) { return f(c["a"]); }); };
  const auto binary = [one](auto f) -> Op { return one([f](const Call& c) { return f(c["a"], c["b"]); }); };
  static const std::map<std::string, Op> ops{
      {"add", binary([](auto a, auto b) { return a + b; })},
      {"sub", binary([](auto a, auto b) { return a - b; })},
      {"mul", binary([](auto a, auto b) { return a * b; })},
      {"div", binary([](auto a, auto b) { return a / b; })},
      {"maximum", binary([](auto a, auto b) { return maximum(a, b); })},
      {"minimum", binary([](auto a, auto b) { return minimum(a, b); })},
      {"rsub", one([](const Call& c) { return c.number("scalar") - c["a"]; })},
      {"rdiv", one([](const Call& c) { return c.number("scalar") / c["a"]; })},
      {"affine", one([](const Call& c) { return c["a"] * c.number("mul") + c.number("add"); })},
      {"pow_scalar", one([](const Call& c) { return pow(c["a"], c.number("exponent")); })},
      {"mul_self", unary([](auto a) { return a * a; })},
      {"neg", unary([](auto a) { return -a; })},
      {"reciprocal", unary([](auto a) { return reciprocal(a); })},
      {"square", unary([](auto a) { return square(a); })},
      {"abs", unary([](auto a) { return abs(a); })},
      {"exp", unary([](auto a) { return exp(a); })},
      {"log", unary([](auto a) { return log(a); })},
      {"sqrt", unary([](auto a) { return sqrt(a); })},
      {"sign", unary([](auto a) { return sign(a); })},
      {"sigmoid", unary([](auto a) { return sigmoid(a); })},
      {"tanh", unary([](auto a) { return tanh(a); })},
      {"relu", unary([](auto a) { return relu(a); })},
      {"softplus", one([](const Call& c) { return softplus(c["a"], c.number("beta"), c.number("threshold")); })},
      {"silu", unary([](auto a) { return a * sigmoid(a); })},
      {"logsigmoid", unary([](auto a) { return -softplus(-a, 1, 1e9); })},
      {"softsign", unary([](auto a) { return a / (1 + abs(a)); })},
      {"mish", unary([](auto a) { return a * tanh(softplus(a)); })},
      {"tanhshrink", unary([](auto a) { return a - tanh(a); })},
      {"leaky_relu",
       one([](const Call& c) { return where(greater(c["a"], 0), c["a"], c.number("negative_slope") * c["a"]); })},
      {"prelu", one([](const Call& c) { return where(greater(c["a"], 0), c["a"], c["weight"] * c["a"]); })},
      {"threshold", one([](const Call& c) {
         return where(greater(c["a"], c.number("threshold")), c["a"], c.full(c["a"].shape(), c.number("value")));
       })},
      {"relu6", one([](const Call& c) { return clipped(c, 0, 6); })},
      {"hardtanh", one([](const Call& c) { return clipped(c, c.number("min_val"), c.number("max_val")); })},
      {"glu", one([](const Call& c) {
         const auto [a, b] = split<2>(c["a"], c.axis());
         return a * sigmoid(b);
       })},
      {"where", one([](const Call& c) { return where(c["condition"], c["a"], c["b"]); })},
      {"masked_fill", one([](const Call& c) { return where(c["mask"], c.full({}, c.number("value")), c["a"]); })},
      {"lerp", one([](const Call& c) { return c["a"] + c["weight"] * (c["b"] - c["a"]); })},
      {"matmul", binary([](auto a, auto b) { return matmul(a, b); })},
      {"bmm", binary([](auto a, auto b) { return matmul(a, b); })},
      {"matmul_tt", binary([](auto a, auto b) { return matmul(transpose(a), transpose(b)); })},
      {"matmul_self", unary([](auto a) { return matmul(a, transpose(a)); })},
      {"linear", one([](const Call& c) {
         return c.inputs.contains("bias") ? linear(c["input"], c["weight"], c["bias"])
                                          : linear(c["input"], c["weight"]);
       })},
      {"addmm",
       one([](const Call& c) { return c.number("beta") * c["c"] + c.number("alpha") * matmul(c["a"], c["b"]); })},
      {"outer", binary([](auto a, auto b) {
         return reshape(a, {a.shape()[0], 1}) * b;
       })},
      {"tensordot", binary([](auto a, auto b) {
         const Shape m = a.shape(), n = b.shape();
         return matmul(reshape(a, {m[0], m[1] * m[2]}), reshape(b, {n[0] * n[1], n[2]}));
       })},
      {"sum", one([](const Call& c) { return c.has("axis") ? sum_of(c, c["a"]) : sum(c["a"]); })},
      {"mean", one([](const Call& c) {
         if (!c.has("axis")) return mean(c["a"]);
         return over_axes(c, c["a"], [](auto v, auto axes, bool keep) { return mean(v, axes, keep); });
       })},
      {"var", one(variance)},
      {"std", one([](const Call& c) { return sqrt(variance(c)); })},
      {"logsumexp", one([](const Call& c) {
         return over_axes(c, c["a"], [](auto v, auto axes, bool keep) { return logsumexp(v, axes, keep); });
       })},
      {"max", one([](const Call& c) { return largest(c, c["a"]); })},
      {"min", one([](const Call& c) { return -largest(c, -c["a"]); })},
      {"amax", one([](const Call& c) { return largest_over(c, c["a"]); })},
      {"amin", one([](const Call& c) { return -largest_over(c, -c["a"]); })},
      {"softmax", one([](const Call& c) { return softmax(c["a"], c.axis()); })},
      {"log_softmax", one([](const Call& c) { return log_softmax(c["a"], c.axis()); })},
      {"softmax_composed", unary([](auto a) {
         const auto e = exp(a - detach(max(a, 1, true)));
         return e / sum(e, 1, true);
       })},
      {"layer_norm", one(layer_norm)},
      {"cat", one([](const Call& c) {
         const Handles inputs = c.list();
         return concat(std::span<const Handle>(inputs), c.axis());
       })},
      {"cat_self", one([](const Call& c) {
         return concat({c["a"], 2 * c["a"], c["a"]}, c.axis());
       })},
      {"stack", one([](const Call& c) {
         const Handles inputs = c.list();
         return stack(std::span<const Handle>(inputs), c.axis());
       })},
      {"split", pieces},
      {"chunk", pieces},
      {"unbind", each_along_axis},
      {"slice", one(sliced)},
      {"select", one([](const Call& c) { return select(c["a"], c.axis(), c.integer("index")); })},
      {"narrow", one([](const Call& c) {
         return slice(c["a"], c.axis(), c.integer("start"), c.integer("start") + c.integer("length"));
       })},
      {"overlapping_slices", unary([](auto a) { return slice(a, 0, 0, -1) * slice(a, 0, 1, 1000); })},
      {"index_select", one([](const Call& c) { return take(c["a"], c.index("index"), c.axis()); })},
      {"gather", one([](const Call& c) { return gather(c["a"], c.index("index"), c.axis()); })},
      {"embedding", one(looked_up)},
      {"masked_select", one(masked_select)},
      {"transpose", one([](const Call& c) { return transpose(c["a"], c.integer("axis0"), c.integer("axis1")); })},
      {"permute", one([](const Call& c) {
         const Indices axes = c.integers("axes");
         return permute(c["a"], Axes(std::span<const Index>(axes)));
       })},
      {"reshape", one(reshaped)},
      {"reshape_of_transpose", unary([](auto a) { return reshape(transpose(a), {a.shape().elements()}); })},
      {"flatten", one(flattened)},
      {"squeeze", one([](const Call& c) {
         Shape shape = c["a"].shape();
         shape.erase(normalize_axis("squeeze", c.axis(), shape.rank()));
         return reshape(c["a"], shape);
       })},
      {"unsqueeze", one([](const Call& c) {
         Shape shape = c["a"].shape();
         shape.insert(normalize_axis("unsqueeze", c.axis(), shape.rank() + 1), 1);
         return reshape(c["a"], shape);
       })},
      {"expand", one(expanded)},
      {"repeat", one(repeated)},
      {"flip", one(flipped)},
      {"roll", one(rolled)},
      {"tril", one([](const Call& c) { return triangle(c, true); })},
      {"triu", one([](const Call& c) { return triangle(c, false); })},
      {"diagonal", one(diagonal)},
      {"detach_branch", unary([](auto a) { return a * detach(3 * a); })},
      {"safe_log", unary([](auto a) {
         const auto positive = greater(a, 0);
         const auto one = a.tape().constant(Shape{}, 1);
         return where(positive, log(where(positive, a, one)), 0 * one);
       })},
      {"reuse", unary([](auto a) {
         auto total = 0 * a;
         for (int k = 1; k < 10; ++k) total = total + k * a;
         return total;
       })},
      {"mlp", one([](const Call& c) { return linear(tanh(linear(c["x"], c["w1"], c["b1"])), c["w2"]); })},
      {"attention", one(attention)},
      {"lstm_gate_block", one(gate_block)}};
  return ops;
}

/// For later work: what needs functions, reductions or arrangements that we do not have yet.
const std::set<std::string>& later_ops() {
  static const std::set<std::string> ops{"acos",        "asin",      "atan",
                                         "atan2",       "celu",      "clamp",
                                         "cos",         "cosh",      "cosine_similarity",
                                         "cumprod",     "cumsum",    "deep_chain",
                                         "diamond",     "einsum",    "elu",
                                         "erf",         "erfc",      "expm1",
                                         "floor",       "gelu",      "hardsigmoid",
                                         "hardswish",   "index_add", "log10",
                                         "log1p",       "log2",      "logcumsumexp",
                                         "norm",        "normalize", "pad",
                                         "pow",         "prod",      "rsqrt",
                                         "scatter_add", "selu",      "sin",
                                         "sinh",        "tan"};
  return ops;
}

/// <values, weights>, summed over all.
Handle project(const Handles& values, const oracle::Case& reference,
               const std::function<std::string(std::size_t)>& at) {
  Handle total;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const Handle weights = values[k].tape().constant(reference.tensor(at(k)));
    const Handle product = sum(values[k] * weights);
    total = total ? total + product : product;
  }
  return total;
}

/// d(total)/d(input) against the tensors below `pointer`, by backward() and by grad(), which it returns.
Handles check_gradients(Handle total, const Handles& inputs, const std::vector<std::string>& names,
                        const oracle::Case& reference, const std::string& pointer) {
  Tape<double>& tape = total.tape();
  const bool differentiable = tape.slot(total.slot()).needs_gradient;
  if (differentiable) tape.backward(total);
  const Handles gradients = grad(total, std::span<const Handle>(inputs));
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    INFO(pointer << "/" << names[k]);
    const Array<double> expected = reference.tensor(pointer + "/" + names[k]);
    CHECK(oracle::agree(gradients[k].copy(), expected));
    if (differentiable) CHECK(oracle::agree(tape.gradient(inputs[k]), expected));
  }
  return gradients;
}

void check_case(const oracle::Case& reference, const Op& op, Tape<double>& tape) {
  soil(tape);
  const Call call(reference, tape);
  const Handles outputs = op(call);
  REQUIRE(outputs.size() == reference.count("/outputs"));
  for (std::size_t k = 0; k < outputs.size(); ++k)
    CHECK(oracle::agree(outputs[k].copy(), reference.tensor("/outputs/" + std::to_string(k))));

  const std::vector<std::string> names = reference.keys("/grads");
  Handles inputs;
  for (const std::string& name : names) inputs.push_back(call[name]);
  const Handle total = project(outputs, reference, [](std::size_t k) { return "/cotangents/" + std::to_string(k); });
  const Handles gradients = check_gradients(total, inputs, names, reference, "/grads");
  if (!reference.has("/hvp")) return;
  const Handle along = project(gradients, reference, [&](std::size_t k) { return "/v/" + names[k]; });
  check_gradients(along, inputs, names, reference, "/hvp");
}

}  // namespace

TEST_CASE("ops agree with the reference vectors", "[oracle]") {
  Tape<double> tape;
  std::map<std::string, std::size_t> ran, left;
  std::size_t total = 0, with_hvp = 0;
  for (const std::string family : {"ops", "ops_edge"})
    for (const oracle::Case& reference : oracle::cases(family)) {
      const std::string name = reference.get<std::string>("/op");
      const auto op = covered_ops().find(name);
      if (op == covered_ops().end()) {
        ++left[name];
        continue;
      }
      INFO(family << "/" << reference.name());
      check_case(reference, op->second, tape);
      ++ran[name];
      ++total;
      with_hvp += reference.has("/hvp");
    }

  std::cout << "reference vectors: " << total << " cases of " << ran.size() << " ops, " << with_hvp
            << " with a Hessian-vector product:";
  for (const auto& [name, count] : ran) std::cout << " " << name << " " << count;
  std::cout << "\nfor later work:";
  for (const auto& [name, count] : left) std::cout << " " << name << " " << count;
  std::cout << "\n";

  CHECK(total >= 448);
  CHECK(with_hvp >= 105);
  std::set<std::string> left_names;
  for (const auto& [name, count] : left) left_names.insert(name);
  CHECK(left_names == later_ops());
  for (const auto& [name, op] : covered_ops()) {
    INFO(name);
    CHECK(ran[name] > 0);
  }
}

TEST_CASE("mse and cross_entropy agree with the reference vectors", "[oracle]") {
  Tape<double> tape;
  std::size_t count = 0;
  for (const oracle::Case& reference : oracle::cases("losses")) {
    const std::string op = reference.get<std::string>("/op");
    const bool plain = reference.get<std::string>("/attrs/reduction") == "mean" && reference.count("/inputs") == 2 &&
                       !reference.has("/attrs/label_smoothing") && !reference.has("/attrs/ignore_index") &&
                       !reference.has("/attrs/target");
    if (!plain || (op != "mse_loss" && op != "cross_entropy")) continue;
    INFO(reference.name());
    ++count;
    soil(tape);
    const Call call(reference, tape);
    Handle loss;
    if (op == "mse_loss")
      loss = mse(call["input"], call["target"]);
    else if (reference.has("/attrs/layout"))  // classes are our last axis, there the second
      loss = cross_entropy(transpose(call["input"]), call.index("target"));
    else
      loss = cross_entropy(call["input"], call.index("target"));
    CHECK(oracle::agree(loss.copy(), reference.tensor("/output")));
    const std::vector<std::string> names = reference.keys("/grads");
    Handles inputs;
    for (const std::string& name : names) inputs.push_back(call[name]);
    check_gradients(loss * reference.tensor("/cotangent")(), inputs, names, reference, "/grads");
  }
  CHECK(count >= 6);
}
