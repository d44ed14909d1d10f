#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo reduce_info{.name = "reduce", .inputs = OpInfo::any};
constexpr OpInfo smooth_l1_info{.name = "smooth_l1_loss", .inputs = 2};
constexpr OpInfo nll_info{.name = "nll_loss"};
constexpr OpInfo logits_info{.name = "binary_cross_entropy_with_logits", .inputs = OpInfo::any};
constexpr OpInfo soft_info{.name = "cross_entropy of probabilities", .inputs = 2};
}  // namespace

std::vector<RegisteredOp> loss_ops() {
  const Array<Index> targets{2, 0, 2};
  const Array<Index> table{{0, 1}, {2, 2}};
  const Array<Index> outside{0, 5, 1};
  const Array<Index> some{2, -100, 1}, none = full<Index>({3}, -100);
  const std::vector<double> weight{0.5, 1, 2, 0.25};
  const auto samples = [](auto call, Interval domain = {-2, 2}) {
    std::vector<Sample> result;
    const std::pair<const char*, Reduction> reductions[] = {
        {"none", Reduction::none}, {"mean", Reduction::mean}, {"sum", Reduction::sum}};
    for (const auto& [name, reduction] : reductions)
      result.emplace_back(
          name, std::vector<Shape>{{3, 4}, {3, 4}}, [call, r = reduction](auto x) { return call(x[0], x[1], r); },
          domain);
    return result;
  };
  const auto unequal = [](const char* op, auto call) {
    return ErrorSample{{{3, 4}, {3}},
                       [call](auto x) { return call(x[0], x[1], Reduction::mean); },
                       std::string(op) + ": the prediction has shape (3, 4), the target (3); they must be equal"};
  };
  const auto mse = [](auto p, auto t, Reduction r) { return mse_loss(p, t, r); };
  const auto l1 = [](auto p, auto t, Reduction r) { return l1_loss(p, t, r); };
  const auto huber = [](auto p, auto t, Reduction r) { return huber_loss(p, t, 0.75, r); };
  const auto smooth = [](auto p, auto t, Reduction r) { return smooth_l1_loss(p, t, 0.75, r); };
  const auto bce = [](auto p, auto t, Reduction r) { return binary_cross_entropy(p, t, r); };
  const auto logits = [](auto x, auto t, Reduction r) { return binary_cross_entropy_with_logits(x, t, r); };
  const auto divergence = [](auto p, auto t, Reduction r) { return kl_div(p, t, r); };
  const auto margin = [](auto x, auto t, Reduction r) { return soft_margin_loss(x, t, r); };
  const auto soft = [](auto x, auto t, Reduction r) { return cross_entropy(x, t, {.reduction = r}); };

  RegisteredOp weighted_logits{logits_info, samples(logits), {unequal("binary_cross_entropy_with_logits", logits)}};
  weighted_logits.samples.emplace_back("weights", std::vector<Shape>{{3, 4}, {3, 4}, {4}, {4}}, [](auto x) {
    return binary_cross_entropy_with_logits(x[0], x[1], Reduction::mean, x[2], x[3]);
  });
  RegisteredOp soft_targets{soft_info, samples(soft), {}};
  const ClassLossOptions weighted{.weight = weight, .label_smoothing = 0.1};
  soft_targets.samples.emplace_back("smoothing and weights", std::vector<Shape>{{3, 4}, {3, 4}},
                                    [weighted](auto x) { return cross_entropy(x[0], x[1], weighted); });
  soft_targets.errors.push_back(
      {{{3, 4}, {3}},
       [](auto x) { return cross_entropy(x[0], x[1]); },
       "cross_entropy: logits (3, 4) and targets (3); probabilities have the shape of the logits, (..., classes)"});
  RegisteredOp rows{"cross_entropy",
                    {{"rows", {{3, 4}}, [targets](auto x) { return cross_entropy(x[0], targets); }},
                     {"a sequence", {{2, 2, 3}}, [table](auto x) { return cross_entropy(x[0], table); }},
                     {"all ignored", {{3, 4}}, [none](auto x) { return 0 * x[0] + cross_entropy(x[0], none); }}},
                    {{{{2, 4}},
                      [targets](auto x) { return cross_entropy(x[0], targets); },
                      "cross_entropy: logits (2, 4) and targets (3); expected (..., classes) and (...) with at least "
                      "one row and one class"},
                     {{{3, 4}},
                      [outside](auto x) { return cross_entropy(x[0], outside); },
                      "cross_entropy: target 5 (row 1) is not one of the 4 classes of logits (3, 4)"},
                     {{{3, 4}},
                      [targets](auto x) {
                        return cross_entropy(x[0], targets, {.weight = {1, 2}});
                      },
                      "cross_entropy: 2 class weights for 4 classes; give one for each"},
                     {{{3, 4}},
                      [targets](auto x) { return cross_entropy(x[0], targets, {.label_smoothing = 2}); },
                      "cross_entropy: label_smoothing must be in [0, 1], got 2.000000"}}};
  RegisteredOp nll{nll_info,
                   {},
                   {{{{2, 4}},
                     [targets](auto x) { return nll_loss(x[0], targets); },
                     "nll_loss: logits (2, 4) and targets (3); expected (..., classes) and (...) with at least one row "
                     "and one class"}}};
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    const std::string name = " reduction " + std::to_string(static_cast<int>(reduction));
    const ClassLossOptions options{reduction, weight, 0, -100};
    ClassLossOptions smoothed = options;
    smoothed.label_smoothing = 0.1;
    const std::vector<Shape> shape{{3, 4}};
    rows.samples.emplace_back("weights, ignored rows," + name, shape,
                              [some, options](auto x) { return cross_entropy(x[0], some, options); });
    rows.samples.emplace_back("smoothing," + name, shape,
                              [some, smoothed](auto x) { return cross_entropy(x[0], some, smoothed); });
    nll.samples.emplace_back("weights, ignored rows," + name, shape,
                             [some, options](auto x) { return nll_loss(x[0], some, options); });
  }

  return {
      {reduce_info,
       {{"masked mean", {{3, 2, 4}, {3, 2}}, [](auto x) { return reduce(x[0], greater(x[1], 0), Reduction::mean); }},
        {"masked sum", {{3, 2}, {3, 2}}, [](auto x) { return reduce(x[0], greater(x[1], 0), Reduction::sum); }}},
       {{{{3, 4}, {4}},
         [](auto x) { return reduce(x[0], x[1], Reduction::mean); },
         "reduce: a mask of shape (4) for losses of shape (3, 4); it must have their leading axes"}}},
      {"weighted",
       samples(soft),
       {{{{3, 4}, {3}},
         [](auto x) { return cross_entropy(x[0], x[1]); },
         "cross_entropy: logits (3, 4) and targets (3); probabilities have the shape of the logits, (..., classes)"}}},
      {"logistic_loss", samples(logits), {unequal("binary_cross_entropy_with_logits", logits)}},
      {"mse_loss", samples(mse), {unequal("mse_loss", mse)}},
      {"squared_error",
       {{"elements", {{3, 4}, {3, 4}}, [](auto x) { return mse_loss(x[0], x[1], Reduction::none); }}},
       {unequal("mse_loss", [](auto p, auto t, Reduction) { return mse_loss(p, t, Reduction::none); })}},
      {"absolute_error", samples(l1), {unequal("l1_loss", l1)}},
      {"huber",
       samples(huber),
       {unequal("huber_loss", huber),
        {{{3}, {3}},
         [](auto x) { return huber_loss(x[0], x[1], 0); },
         "huber_loss: delta must be positive, got 0.000000"}}},
      {smooth_l1_info,
       samples(smooth),
       {unequal("smooth_l1_loss", smooth),
        {{{3}, {3}},
         [](auto x) { return smooth_l1_loss(x[0], x[1], -1); },
         "smooth_l1_loss: beta must not be negative, got -1.000000"}}},
      {"binary_cross_entropy", samples(bce, {0.1, 0.9}), {unequal("binary_cross_entropy", bce)}},
      weighted_logits,
      {"positive_logistic_loss",
       {{"positive",
         {{3, 4}, {3, 4}, {4}},
         [](auto x) { return binary_cross_entropy_with_logits(x[0], x[1], Reduction::none, {}, x[2]); }}},
       {unequal("binary_cross_entropy_with_logits", logits)}},
      {"kl_div", samples(divergence, {0.1, 2}), {unequal("kl_div", divergence)}},
      {"soft_margin_loss", samples(margin), {unequal("soft_margin_loss", margin)}},
      rows,
      soft_targets,
      nll};
}

}  // namespace autograd::testing
