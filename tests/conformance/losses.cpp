// Loss functions: values and gradients.
#include <map>

#include "autograd/error.hpp"
#include "conformance/conformance.hpp"

namespace conformance {

using autograd::Reduction;

namespace {

using Handle = Variable<double>;

/// One case on a tape: its floating inputs as variables.
struct Call {
  const Case& c;
  Tape<double>& tape;
  std::map<std::string, Handle>& inputs;

  bool given(const std::string& name) const { return c.has("/inputs/" + name); }
  Handle operator[](const std::string& name) const {
    if (!inputs.contains(name)) inputs[name] = tape.variable(c.tensor("/inputs/" + name));
    return inputs[name];
  }
  std::optional<Handle> maybe(const std::string& name) const {
    return given(name) ? std::optional((*this)[name]) : std::nullopt;
  }
  double number(const std::string& name, double otherwise) const { return c.get("/attrs/" + name, otherwise); }

  Reduction reduction() const {
    const auto name = c.get<std::string>("/attrs/reduction", "mean");
    if (name == "mean") return Reduction::mean;
    if (name == "sum") return Reduction::sum;
    if (name == "none") return Reduction::none;
    throw Unknown("attrs/reduction \"" + name + "\"");
  }
  autograd::ClassLossOptions classes() const {
    autograd::ClassLossOptions options{.reduction = reduction(), .label_smoothing = number("label_smoothing", 0)};
    options.ignore_index = c.get<std::ptrdiff_t>("/attrs/ignore_index", -100);
    if (given("weight")) {
      const Array<double> weight = c.tensor("/inputs/weight");
      options.weight.assign(weight.begin(), weight.end());
    }
    return options;
  }
};

/// Classes are PyTorch's second axis, and our last.
Handle classes_last(Handle x) {
  std::vector<Index> order{0};
  for (std::size_t axis = 2; axis < x.shape().rank(); ++axis) order.push_back(static_cast<Index>(axis));
  order.push_back(1);
  return x.shape().rank() > 2 ? permute(x, autograd::Axes(std::span<const Index>(order))) : x;
}

Handle cross_entropy_of(const Call& call) {
  if (call.c.has("/attrs/layout") && call.c.get<std::string>("/attrs/layout") != "input [N,C,S], target [N,S]")
    throw Unknown("attrs/layout \"" + call.c.get<std::string>("/attrs/layout") + "\"");
  const auto kind = call.c.get<std::string>("/attrs/target", "indices");
  const Handle logits = classes_last(call["input"]);
  if (kind == "indices") return cross_entropy(logits, call.c.integers("/inputs/target"), call.classes());
  if (kind != "probabilities") throw Unknown("attrs/target \"" + kind + "\"");
  return cross_entropy(logits, classes_last(call["target"]), call.classes());
}

/// For a beta of 0 PyTorch 1.13 takes -1 for the gradient of either operand where they are equal, so the vectors do;
/// ours is l1_loss()'s, 0. What is added is 0.
Handle smooth_l1_of(const Call& c) {
  const Handle input = c["input"], target = c["target"];
  const double beta = c.number("beta", 1);
  if (beta != 0) return smooth_l1_loss(input, target, beta, c.reduction());
  const Handle nothing = (detach(input) - input) + (detach(target) - target);
  return reduce(smooth_l1_loss(input, target, 0, Reduction::none) + masked(nothing, equal(input, target)),
                c.reduction());
}

const std::map<std::string, Handle (*)(const Call&)>& losses() {
  static const std::map<std::string, Handle (*)(const Call&)> all{
      {"mse_loss", [](const Call& c) { return mse_loss(c["input"], c["target"], c.reduction()); }},
      {"l1_loss", [](const Call& c) { return l1_loss(c["input"], c["target"], c.reduction()); }},
      {"smooth_l1_loss", smooth_l1_of},
      {"huber_loss",
       [](const Call& c) { return huber_loss(c["input"], c["target"], c.number("delta", 1), c.reduction()); }},
      {"bce",
       [](const Call& c) { return binary_cross_entropy(c["input"], c["target"], c.reduction(), c.maybe("weight")); }},
      {"bce_with_logits",
       [](const Call& c) {
         return binary_cross_entropy_with_logits(c["input"], c["target"], c.reduction(), c.maybe("weight"),
                                                 c.maybe("pos_weight"));
       }},
      {"cross_entropy", cross_entropy_of},
      {"nll_loss",
       [](const Call& c) { return nll_loss(classes_last(c["input"]), c.c.integers("/inputs/target"), c.classes()); }},
      {"kl_div", [](const Call& c) { return kl_div(c["input"], c["target"], c.reduction()); }},
      {"soft_margin_loss", [](const Call& c) { return soft_margin_loss(c["input"], c["target"], c.reduction()); }}};
  return all;
}

}  // namespace

void run_loss(const Case& c, Findings& findings) {
  const auto name = c.get<std::string>("/op");
  const auto loss = losses().find(name);
  if (loss == losses().end()) throw Unknown("loss \"" + name + "\"");
  Tape<double> tape;
  std::map<std::string, Handle> inputs;
  const Call call{c, tape, inputs};
  const Handle output = loss->second(call);
  const Array<double> expected = c.tensor("/output");
  findings.compare("output", output.copy(), expected, single);
  if (!(output.shape() == autograd::shape_of(expected))) return;

  const std::vector<std::string> names = c.keys("/grads");
  std::vector<Handle> leaves;
  for (const std::string& input : names) leaves.push_back(call[input]);
  compare_gradients(inner(output, c.tensor("/cotangent")), leaves, names, c, "/grads", single, findings);
}

}  // namespace conformance
