// Losses beyond the reference vectors: extreme arguments, options that meet, masks of sequences.
#include "nn/loss.hpp"

#include <cmath>
#include <limits>

#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/recurrent/sequence.hpp"

using namespace autograd;
using namespace autograd::testing;

TEMPLATE_TEST_CASE("losses of logits stay finite and exact for huge ones", "[loss]", float, double) {
  using T = TestType;
  const double huge = std::same_as<T, float> ? 1e4 : 1e300;
  Tape<T> tape;
  soil(tape);
  const auto x = tape.variable(array<T>({4}, {huge, huge, -huge, -huge}));
  const auto target = tape.constant(array<T>({4}, {1, 0, 1, 0}));
  const auto loss = nn::binary_cross_entropy_with_logits(x, target, nn::Reduction::none);
  CHECK(same(loss.copy(), array<T>({4}, {0, huge, huge, 0})));
  tape.backward(loss, full<T>({4}, T(1)));
  CHECK(same(tape.gradient(x), array<T>({4}, {0, 1, -1, 0})));

  const auto rows = tape.variable(array<T>({2, 3}, {huge, -huge, 0, -huge, 0, huge}));
  const nn::ClassLossOptions smoothed{.reduction = nn::Reduction::sum, .label_smoothing = 0.25};
  const auto total = nn::cross_entropy(rows, Array<Index>{0, 2}, smoothed);
  CHECK(total.item() == Catch::Approx(2 * 0.25 / 3 * (3 * huge)));
  tape.backward(total);
  const double third = 0.25 / 3;
  CHECK(distance(tape.gradient(rows), array<T>({2, 3}, {2 * third, -third, -third, -third, -third, 2 * third})) <=
        1e-6);
}

TEST_CASE("rows that are ignored count for nothing, whatever they hold", "[loss]") {
  Tape<double> tape;
  soil(tape);
  const double bad = std::nan("");
  const auto logits = tape.variable(array<double>({3, 2}, {0, 0, bad, bad, 1, 3}));
  const Array<Index> targets{0, -100, 1};
  const double first = std::log(2), second = std::log1p(std::exp(-2));
  for (const double smoothing : {0.0, 0.5}) {
    INFO("smoothing " << smoothing);
    const auto loss = nn::cross_entropy(logits, targets, {.label_smoothing = smoothing});
    CHECK(loss.item() == Catch::Approx((first + second + smoothing / 2 * 2) / 2).epsilon(1e-14));
    tape.backward(loss);
    const Array<double> swept = tape.gradient(logits), recorded = grad(loss, {logits})[0].copy();
    CHECK((swept(1, 0) == 0 && swept(1, 1) == 0));
    CHECK((recorded(1, 0) == 0 && recorded(1, 1) == 0));
    CHECK(swept(0, 0) != 0);
  }
  const auto nothing = nn::cross_entropy(logits, full<Index>({3}, -100));
  CHECK(nothing.item() == 0);
  tape.backward(nothing);
  CHECK(all_zero(tape.gradient(logits)));
  CHECK(nn::nll_loss(logits, full<Index>({3}, 7), {.ignore_index = 7}).item() == 0);
}

TEST_CASE("second derivatives of rows without weight are 0, whatever the rows hold", "[loss]") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()})
    for (const nn::Reduction reduction : {nn::Reduction::none, nn::Reduction::mean, nn::Reduction::sum})
      for (const bool ignored : {false, true}) {
        INFO(bad << (ignored ? " ignored, " : " of a class without weight, ") << static_cast<int>(reduction));
        const auto second = [&](double held) {
          Tape<double> tape;
          soil(tape);
          const auto logits = tape.variable(array<double>({3, 2}, {0, 0.5, held, held, 1, 3}));
          const Array<Index> targets{0, ignored ? -100 : 1, 0};
          const auto loss = sum(square(nn::cross_entropy(logits, targets, {.reduction = reduction, .weight = {1, 0}})));
          const auto first = grad(loss, {logits})[0];
          return grad(sum(square(first) + first), {logits})[0].copy();
        };
        const Array<double> with_bad = second(bad);
        CHECK(same(with_bad, second(1)));
        CHECK((with_bad(1, 0) == 0 && with_bad(1, 1) == 0));
        CHECK(with_bad(0, 0) != 0);
      }
}

TEMPLATE_TEST_CASE("the padding of sequences counts for nothing", "[loss]", float, double) {
  using T = TestType;
  Tape<T> tape;
  soil(tape);
  const std::vector<std::size_t> lengths{2, 0, 3};
  const auto mask = nn::sequence_mask(tape, lengths, 3);
  CHECK(same(mask.copy(), array<T>({3, 3}, {1, 0, 1, 1, 0, 1, 0, 0, 1})));

  Array<T> output = full<T>({3, 3, 2}, std::numeric_limits<T>::quiet_NaN());
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t b = 0; b < 3; ++b)
      for (std::size_t k = 0; t < lengths[b] && k < 2; ++k) output(t, b, k) = static_cast<T>(t + 1);
  const auto x = tape.variable(output);
  const auto losses = nn::mse_loss(x, tape.constant({3, 3, 2}, T(0)), nn::Reduction::none);
  CHECK(nn::reduce(losses, mask, nn::Reduction::sum).item() == 2 * (1 + 4) + 2 * (1 + 4 + 9));
  const auto mean_loss = nn::reduce(losses, mask, nn::Reduction::mean);
  CHECK(mean_loss.item() == Catch::Approx(38 / 10.0));
  tape.backward(mean_loss);
  const Array<T> gradient = tape.gradient(x);
  CHECK(gradient(1, 0, 1) == Catch::Approx(2 * 2 / 10.0));
  CHECK(gradient(2, 0, 0) == 0);  // not 0 times NaN
  CHECK(nn::reduce(losses, tape.constant({3}, T(0)), nn::Reduction::mean).item() == 0);
}
