// Single ops and small compositions: values, gradients, Hessian-vector products.
#include <algorithm>
#include <map>
#include <numeric>

#include "autograd/error.hpp"
#include "conformance/conformance.hpp"

namespace conformance {

using autograd::Axes;
using autograd::concat;
using autograd::FormatError;
using autograd::normalize_axis;
using autograd::split;

namespace {

using Handle = Variable<double>;
using Handles = std::vector<Handle>;
using Integers = std::vector<std::ptrdiff_t>;

/// One case on a tape: its inputs by name, variables where they are floating, and its attributes.
struct Call {
  const Case& c;
  Tape<double>& tape;
  mutable std::map<std::string, Handle> inputs;

  bool given(const std::string& name) const { return c.has("/inputs/" + name); }
  Handle operator[](const std::string& name) const {
    const auto found = inputs.find(name);
    if (found != inputs.end()) return found->second;
    const Array<double> value = c.tensor("/inputs/" + name);
    return inputs[name] = c.has("/inputs/" + name + "/dtype") ? tape.constant(value) : tape.variable(value);
  }
  /// t0, t1, ...
  Handles list() const {
    Handles result;
    for (std::size_t k = 0; given("t" + std::to_string(k)); ++k) result.push_back((*this)["t" + std::to_string(k)]);
    return result;
  }
  Array<Index> index(const std::string& name) const { return c.integers("/inputs/" + name); }

  bool has(const std::string& name) const { return c.has("/attrs/" + name); }
  double number(const std::string& name) const { return c.number("/attrs/" + name); }
  double number(const std::string& name, double otherwise) const { return has(name) ? number(name) : otherwise; }
  bool flag(const std::string& name) const { return c.get("/attrs/" + name, false); }
  Index integer(const std::string& name) const { return c.get<std::ptrdiff_t>("/attrs/" + name); }
  Integers integers(const std::string& name) const { return c.get<Integers>("/attrs/" + name); }
  Shape shape(const std::string& name) const {
    Shape result;
    for (const Index extent : integers(name)) {
      if (extent < 0) throw FormatError("oracle " + c.name() + ", /attrs/" + name + ": a negative extent");
      result.push_back(static_cast<std::size_t>(extent));
    }
    return result;
  }
  Index axis() const { return integer("axis"); }
  /// The axes that the case names; all of x's where it names none.
  Axes axes(Handle x) const {
    Integers named;
    if (has("axis")) {
      named = integers("axis");
    } else {
      named.resize(x.shape().rank());
      std::iota(named.begin(), named.end(), 0);
    }
    return Axes(std::span<const Index>(named));
  }
  bool keepdim() const { return flag("keepdim"); }
};

Handle over_axes(const Call& c, auto f) { return f(c["a"], c.axes(c["a"]), c.keepdim()); }

/// max and min: over everything, or along one axis with the places of what was found.
Handle extremum(const Call& c, Findings& findings, auto whole, auto along, auto places) {
  const bool keepdim = c.keepdim();
  if (!c.has("axis")) return whole(c["a"]);
  if (c.c.has("/indices")) findings.compare("indices", places(c["a"], c.axis(), keepdim), c.c.integers("/indices"));
  return along(c["a"], c.axis(), keepdim);
}

Handle reshaped(const Call& c) {
  Shape shape;
  std::size_t known = 1;
  const Integers wanted = c.integers("shape");
  for (const Index extent : wanted)
    if (extent >= 0) known *= static_cast<std::size_t>(extent);
  for (const Index extent : wanted)
    shape.push_back(extent >= 0 ? static_cast<std::size_t>(extent)
                                : c["a"].shape().elements() / std::max<std::size_t>(1, known));
  return reshape(c["a"], shape);
}

Handle sliced(const Call& c) {
  Handle x = c["a"];
  const std::size_t count = c.c.count("/attrs/slices");
  for (std::size_t axis = 0; axis < count; ++axis) {
    const Integers bounds = c.integers("slices/" + std::to_string(axis));
    if (bounds.size() != 3) throw FormatError("oracle " + c.c.name() + ", /attrs/slices: not [start, stop, step]");
    x = slice(x, static_cast<Index>(axis), bounds[0], bounds[1], bounds[2]);
  }
  return x;
}

Handles pieces(const Call& c) {
  if (!c.has("sizes")) return split_every(c["a"], static_cast<std::size_t>(c.integer("split_size")), c.axis());
  const Shape sizes = c.shape("sizes");
  return split(c["a"], std::span<const std::size_t>(sizes.begin(), sizes.size()), c.axis());
}

/// pad_last and pad_second_last: [before, after].
Handle padded(const Call& c) {
  Handle x = c["a"];
  const double value = c.number("value", 0);
  const char* const names[] = {"pad_last", "pad_second_last"};
  for (Index axis = 0; axis < 2; ++axis) {
    if (!c.has(names[axis])) continue;
    const Shape ends = c.shape(names[axis]);
    if (ends.size() != 2) throw FormatError("oracle " + c.c.name() + ", /attrs: a padding that is not [before, after]");
    x = pad(x, -1 - axis, ends[0], ends[1], value);
  }
  return x;
}

Handle layer_normed(const Call& c) {
  const double eps = c.number("eps", 1e-5);
  const std::size_t over = c.shape("normalized_shape").rank();
  return c.given("weight") ? layer_norm(c["a"], c["weight"], c["bias"], eps) : layer_norm(c["a"], over, eps);
}

Handle variance(const Call& c) {
  return over_axes(c, [&](Handle x, const Axes& axes, bool keep) { return var(x, axes, keep, c.flag("unbiased")); });
}

autograd::Gelu form(const Call& c) {
  const auto name = c.c.get<std::string>("/attrs/approximate", "none");
  if (name != "none" && name != "tanh") throw Unknown("attrs/approximate \"" + name + "\"");
  return name == "tanh" ? autograd::Gelu::tanh : autograd::Gelu::exact;
}

/// PyTorch 1.13 multiplies the gradient with 1/6 rounded to float, which is not the derivative, but what the vectors
/// hold. The value is hard_sigmoid's.
Handle pytorch_hard_sigmoid(Handle x) {
  const Handle y = hard_sigmoid(x);
  return detach(y) + 6 * static_cast<double>(1.0F / 6.0F) * (y - detach(y));
}

Handle gate_block(const Call& c) {
  const auto [i, f, g, o] = split<4>(c["z"], 1);
  const Handle cell = sigmoid(f) * c["c_prev"] + sigmoid(i) * tanh(g);
  return sigmoid(o) * tanh(cell);
}

Handle attention(const Call& c) {
  const Handle q = c["q"];
  const Handle scores = matmul(q, transpose(c["k"]));
  return matmul(softmax(scores / std::sqrt(static_cast<double>(q.shape().back()))), c["v"]);
}

using Op = std::function<Handles(const Call&, Findings&)>;

/// Every op by the name that the vectors use.
const std::map<std::string, Op>& ops() {
  const auto one = [](auto f) -> Op { return [f](const Call& c, Findings&) { return Handles{f(c)}; }; };
  const auto many = [](auto f) -> Op { return [f](const Call& c, Findings&) { return f(c); }; };
  const auto unary = [one](auto f) -> Op { return one([f](const Call& c) { return f(c["a"]); }); };
  const auto binary = [one](auto f) -> Op { return one([f](const Call& c) { return f(c["a"], c["b"]); }); };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static const std::map<std::string, Op> all{
      {"add", binary([](auto a, auto b) { return a + b; })},
      {"sub", binary([](auto a, auto b) { return a - b; })},
      {"mul", binary([](auto a, auto b) { return a * b; })},
      {"div", binary([](auto a, auto b) { return a / b; })},
      {"maximum", binary([](auto a, auto b) { return maximum(a, b); })},
      {"minimum", binary([](auto a, auto b) { return minimum(a, b); })},
      {"pow", binary([](auto a, auto b) { return pow(a, b); })},
      {"atan2", binary([](auto a, auto b) { return atan2(a, b); })},
      {"rsub", one([](const Call& c) { return c.number("scalar") - c["a"]; })},
      {"rdiv", one([](const Call& c) { return c.number("scalar") / c["a"]; })},
      {"affine", one([](const Call& c) { return affine(c["a"], c.number("mul"), c.number("add")); })},
      {"pow_scalar", one([](const Call& c) { return pow(c["a"], c.number("exponent")); })},
      {"mul_self", unary([](auto a) { return a * a; })},
      {"lerp", one([](const Call& c) { return lerp(c["a"], c["b"], c["weight"]); })},

      {"neg", unary([](auto a) { return -a; })},
      {"reciprocal", unary([](auto a) { return reciprocal(a); })},
      {"square", unary([](auto a) { return square(a); })},
      {"abs", unary([](auto a) { return abs(a); })},
      {"exp", unary([](auto a) { return exp(a); })},
      {"log", unary([](auto a) { return log(a); })},
      {"log1p", unary([](auto a) { return log1p(a); })},
      {"expm1", unary([](auto a) { return expm1(a); })},
      {"log2", unary([](auto a) { return log2(a); })},
      {"log10", unary([](auto a) { return log10(a); })},
      {"sqrt", unary([](auto a) { return sqrt(a); })},
      {"rsqrt", unary([](auto a) { return rsqrt(a); })},
      {"sin", unary([](auto a) { return sin(a); })},
      {"cos", unary([](auto a) { return cos(a); })},
      {"tan", unary([](auto a) { return tan(a); })},
      {"asin", unary([](auto a) { return asin(a); })},
      {"acos", unary([](auto a) { return acos(a); })},
      {"atan", unary([](auto a) { return atan(a); })},
      {"sinh", unary([](auto a) { return sinh(a); })},
      {"cosh", unary([](auto a) { return cosh(a); })},
      {"erf", unary([](auto a) { return erf(a); })},
      {"erfc", unary([](auto a) { return erfc(a); })},
      {"sign", unary([](auto a) { return sign(a); })},
      {"floor", unary([](auto a) { return floor(a); })},

      {"sigmoid", unary([](auto a) { return sigmoid(a); })},
      {"tanh", unary([](auto a) { return tanh(a); })},
      {"relu", unary([](auto a) { return relu(a); })},
      {"silu", unary([](auto a) { return silu(a); })},
      {"logsigmoid", unary([](auto a) { return log_sigmoid(a); })},
      {"softsign", unary([](auto a) { return softsign(a); })},
      {"mish", unary([](auto a) { return mish(a); })},
      {"selu", unary([](auto a) { return selu(a); })},
      {"relu6", unary([](auto a) { return relu6(a); })},
      {"hardsigmoid", unary(pytorch_hard_sigmoid)},
      {"hardswish", unary([](auto a) { return hard_swish(a); })},
      {"tanhshrink", unary([](auto a) { return tanhshrink(a); })},
      {"leaky_relu", one([](const Call& c) { return leaky_relu(c["a"], c.number("negative_slope", 0.01)); })},
      {"elu", one([](const Call& c) { return elu(c["a"], c.number("alpha", 1)); })},
      {"celu", one([](const Call& c) { return celu(c["a"], c.number("alpha", 1)); })},
      {"gelu", one([](const Call& c) { return gelu(c["a"], form(c)); })},
      {"softplus", one([](const Call& c) { return softplus(c["a"], c.number("beta", 1), c.number("threshold", 20)); })},
      {"hardtanh", one([](const Call& c) { return hard_tanh(c["a"], c.number("min_val", -1), c.number("max_val", 1)); })},
      {"threshold", one([](const Call& c) { return threshold(c["a"], c.number("threshold"), c.number("value")); })},
      {"glu", one([](const Call& c) { return glu(c["a"], c.axis()); })},
      {"prelu", one([](const Call& c) { return prelu(c["a"], c["weight"]); })},

      {"clamp", one([](const Call& c) {
         return clip(c["a"], c.number("min", -infinity), c.number("max", infinity));
       })},
      {"where", one([](const Call& c) { return where(c["condition"], c["a"], c["b"]); })},
      {"masked_fill", one([](const Call& c) { return masked_fill(c["a"], c["mask"], c.number("value")); })},

      {"matmul", binary([](auto a, auto b) { return matmul(a, b); })},
      {"bmm", binary([](auto a, auto b) { return matmul(a, b); })},
      {"matmul_tt", binary([](auto a, auto b) { return matmul(transpose(a), transpose(b)); })},
      {"matmul_self", unary([](auto a) { return matmul(a, transpose(a)); })},
      {"linear", one([](const Call& c) {
         return c.given("bias") ? linear(c["input"], c["weight"], c["bias"]) : linear(c["input"], c["weight"]);
       })},
      {"addmm", one([](const Call& c) {
         return addmm(c["c"], c["a"], c["b"], c.number("beta", 1), c.number("alpha", 1));
       })},
      {"outer", binary([](auto a, auto b) { return outer(a, b); })},
      {"einsum", one([](const Call& c) {
         Handles operands{c["a"]};
         for (char name = 'b'; c.given(std::string(1, name)); ++name) operands.push_back(c[std::string(1, name)]);
         return autograd::einsum(c.c.get<std::string>("/attrs/equation"), std::span<const Handle>(operands));
       })},
      {"tensordot", one([](const Call& c) {
         const Integers left = c.integers("axes_a"), right = c.integers("axes_b");
         return tensordot(c["a"], c["b"], Axes(std::span<const Index>(left)), Axes(std::span<const Index>(right)));
       })},

      {"sum", one([](const Call& c) {
         return over_axes(c, [](Handle x, const Axes& axes, bool keep) { return sum(x, axes, keep); });
       })},
      {"mean", one([](const Call& c) {
         return over_axes(c, [](Handle x, const Axes& axes, bool keep) { return mean(x, axes, keep); });
       })},
      {"var", one(variance)},
      {"std", one([](const Call& c) {
         return over_axes(c, [&](Handle x, const Axes& axes, bool keep) {
           return stddev(x, axes, keep, c.flag("unbiased"));
         });
       })},
      {"logsumexp", one([](const Call& c) {
         return over_axes(c, [](Handle x, const Axes& axes, bool keep) { return logsumexp(x, axes, keep); });
       })},
      {"norm", one([](const Call& c) {
         return over_axes(c, [&](Handle x, const Axes& axes, bool keep) {
           return norm(x, axes, c.number("p", 2), keep);
         });
       })},
      {"max", [](const Call& c, Findings& findings) {
         return Handles{extremum(
             c, findings, [](auto x) { return max(x); }, [](auto x, auto axis, bool keep) { return max(x, axis, keep); },
             [](auto x, auto axis, bool keep) { return argmax(x, axis, keep); })};
       }},
      {"min", [](const Call& c, Findings& findings) {
         return Handles{extremum(
             c, findings, [](auto x) { return min(x); }, [](auto x, auto axis, bool keep) { return min(x, axis, keep); },
             [](auto x, auto axis, bool keep) { return argmin(x, axis, keep); })};
       }},
      {"amax", one([](const Call& c) {
         return over_axes(c, [](Handle x, const Axes& axes, bool keep) { return amax(x, axes, keep); });
       })},
      {"amin", one([](const Call& c) {
         return over_axes(c, [](Handle x, const Axes& axes, bool keep) { return amin(x, axes, keep); });
       })},
      {"prod", one([](const Call& c) {
         const bool keep = c.keepdim();
         return c.has("axis") ? prod(c["a"], c.axis(), keep) : prod(c["a"]);
       })},
      {"cumsum", one([](const Call& c) { return cumsum(c["a"], c.axis()); })},
      {"cumprod", one([](const Call& c) { return cumprod(c["a"], c.axis()); })},
      {"logcumsumexp", one([](const Call& c) { return logcumsumexp(c["a"], c.axis()); })},

      {"softmax", one([](const Call& c) { return softmax(c["a"], c.axis()); })},
      {"log_softmax", one([](const Call& c) { return log_softmax(c["a"], c.axis()); })},
      {"layer_norm", one(layer_normed)},
      {"normalize", one([](const Call& c) {
         return normalize(c["a"], c.number("p", 2), c.axis(), c.number("eps", 1e-12));
       })},
      {"cosine_similarity", one([](const Call& c) {
         return cosine_similarity(c["a"], c["b"], c.axis(), c.number("eps", 1e-8));
       })},

      {"cat", one([](const Call& c) { return concat(std::span<const Handle>(c.list()), c.axis()); })},
      {"cat_self", one([](const Call& c) { return concat({c["a"], 2 * c["a"], c["a"]}, c.axis()); })},
      {"stack", one([](const Call& c) { return autograd::stack(std::span<const Handle>(c.list()), c.axis()); })},
      {"split", many(pieces)},
      {"chunk", many([](const Call& c) {
         return chunk(c["a"], static_cast<std::size_t>(c.integer("chunks")), c.axis());
       })},
      {"unbind", many([](const Call& c) { return unbind(c["a"], c.axis()); })},
      {"slice", one(sliced)},
      {"select", one([](const Call& c) { return select(c["a"], c.axis(), c.integer("index")); })},
      {"narrow", one([](const Call& c) {
         return slice(c["a"], c.axis(), c.integer("start"), c.integer("start") + c.integer("length"));
       })},
      {"overlapping_slices", unary([](auto a) {
         const Index rows = static_cast<Index>(a.shape()[0]);
         return slice(a, 0, 0, rows - 1) * slice(a, 0, 1, rows);
       })},
      {"index_select", one([](const Call& c) { return take(c["a"], c.index("index"), c.axis()); })},
      {"gather", one([](const Call& c) { return gather(c["a"], c.index("index"), c.axis()); })},
      {"embedding", one([](const Call& c) {
         const std::optional<Index> padding = c.has("padding_idx") ? std::optional(c.integer("padding_idx")) : std::nullopt;
         return embedding(c["weight"], c.index("index"), padding);
       })},
      {"index_add", one([](const Call& c) { return index_add(c["a"], c.index("index"), c["source"], c.axis()); })},
      {"scatter_add", one([](const Call& c) { return scatter_add(c["a"], c.index("index"), c["source"], c.axis()); })},
      {"masked_select", one([](const Call& c) { return masked_select(c["a"], c["mask"]); })},
      {"transpose", one([](const Call& c) { return transpose(c["a"], c.integer("axis0"), c.integer("axis1")); })},
      {"permute", one([](const Call& c) {
         const Integers axes = c.integers("axes");
         return permute(c["a"], Axes(std::span<const Index>(axes)));
       })},
      {"reshape", one(reshaped)},
      {"reshape_of_transpose", unary([](auto a) { return flatten(transpose(a)); })},
      {"flatten", one([](const Call& c) { return flatten(c["a"], c.integer("start"), c.integer("end")); })},
      {"squeeze", one([](const Call& c) { return squeeze(c["a"], c.axis()); })},
      {"unsqueeze", one([](const Call& c) { return expand_dims(c["a"], c.axis()); })},
      {"expand", one([](const Call& c) { return broadcast_to(c["a"], c.shape("shape")); })},
      {"repeat", one([](const Call& c) { return tile(c["a"], c.shape("repeats")); })},
      {"flip", one([](const Call& c) {
         const Integers axes = c.integers("axes");
         return flip(c["a"], Axes(std::span<const Index>(axes)));
       })},
      {"roll", one([](const Call& c) { return roll(c["a"], c.integer("shift"), c.axis()); })},
      {"tril", one([](const Call& c) { return tril(c["a"], c.integer("diagonal")); })},
      {"triu", one([](const Call& c) { return triu(c["a"], c.integer("diagonal")); })},
      {"diagonal", unary([](auto a) { return diagonal(a); })},
      {"pad", one(padded)},

      {"diamond", one([](const Call& c) {
         const Handle x = c["a"];
         return sum(x * sin(x), c.axis()) + mean(exp(x), c.axis()) * sum(x * x, c.axis());
       })},
      {"softmax_composed", unary([](auto a) {
         const auto e = exp(a - detach(max(a, 1, true)));
         return e / sum(e, 1, true);
       })},
      {"detach_branch", unary([](auto a) { return a * detach(3 * a); })},
      {"safe_log", unary([](auto a) {
         const auto positive = greater(a, 0);
         const auto one = a.tape().constant(Shape{}, 1), zero = a.tape().constant(Shape{}, 0);
         return where(positive, log(where(positive, a, one)), zero);
       })},
      {"reuse", unary([](auto a) {
         auto total = 0 * a;
         for (int k = 1; k < 10; ++k) total = total + k * a;
         return total;
       })},
      {"deep_chain", one([](const Call& c) {
         Handle x = c["a"];
         for (Index k = c.integer("n"); k > 0; --k) x = x + 0.01 * sin(x);
         return x;
       })},
      {"mlp", one([](const Call& c) { return linear(tanh(linear(c["x"], c["w1"], c["b1"])), c["w2"]); })},
      {"attention", one(attention)},
      {"lstm_gate_block", one(gate_block)}};
  return all;
}

/// Σ over k of <values[k], the tensor at(k)>.
Handle project(std::span<const Handle> values, const Case& c, auto at) {
  Handle total = values[0].tape().constant(Shape{}, 0);
  for (std::size_t k = 0; k < values.size(); ++k) total = total + inner(values[k], c.tensor(at(k)));
  return total;
}

}  // namespace

void run_op(const Case& c, Findings& findings) {
  const auto name = c.get<std::string>("/op");
  const auto op = ops().find(name);
  if (op == ops().end()) throw Unknown("op \"" + name + "\"");
  Tape<double> tape;
  const Call call{c, tape, {}};
  const Handles outputs = op->second(call, findings);
  const auto entry = [](const char* list, std::size_t k) { return std::string(list) + "/" + std::to_string(k); };
  if (outputs.size() != c.count("/outputs"))
    return findings.fail("outputs: expected " + std::to_string(c.count("/outputs")) + ", got " +
                         std::to_string(outputs.size()));
  bool shapes_fit = true;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Array<double> expected = c.tensor(entry("/outputs", k));
    findings.compare(entry("outputs", k), outputs[k].copy(), expected, single);
    shapes_fit &= outputs[k].shape() == autograd::shape_of(expected);
  }
  if (!shapes_fit) return;

  const std::vector<std::string> names = c.keys("/grads");
  Handles inputs;
  for (const std::string& input : names) inputs.push_back(call[input]);
  const Handle total = project(outputs, c, [&](std::size_t k) { return entry("/cotangents", k); });
  const Handles gradients = compare_gradients(total, inputs, names, c, "/grads", single, findings);
  if (!c.has("/hvp")) return;
  const Handle along = project(gradients, c, [&](std::size_t k) { return "/v/" + names[k]; });
  compare_gradients(along, inputs, names, c, "/hvp", single, findings);
}

}  // namespace conformance
