// Schedules beyond the reference vectors: momentum, ends, a function of one's own, refused options.
#include "nn/schedule.hpp"

#include <cmath>

#include "autograd/error.hpp"
#include "catch.hpp"

using autograd::ValueError;
using Catch::Approx;
using nn::Rates;
using nn::Scheduler;

namespace {

Rates rates(double rate) { return {{rate, 2 * rate}, {0.9, 0.8}}; }

}  // namespace

TEST_CASE("a schedule applies to every group, from its own first rate", "[schedule]") {
  Rates r = rates(0.5);
  Scheduler scheduler(r, nn::StepLR{.step_size = 2, .gamma = 0.1});
  CHECK(r.learning_rates == std::vector{0.5, 1.0});
  scheduler.step();
  CHECK(r.learning_rates == std::vector{0.5, 1.0});
  scheduler.step();
  CHECK(r.learning_rates[0] == Approx(0.05));
  CHECK(r.learning_rates[1] == Approx(0.1));
  CHECK(r.momenta == std::vector{0.9, 0.8});

  Rates own = rates(1);
  Scheduler any(own, [](double base, std::size_t step) { return base / static_cast<double>(1 + step); });
  any.step();
  any.step();
  CHECK(own.learning_rates == std::vector{1.0 / 3, 2.0 / 3});
}

TEST_CASE("one cycle: up, down, and the momentum the other way", "[schedule]") {
  Rates r = rates(7);
  Scheduler scheduler(r, nn::OneCycleLR{.max_lr = 1, .total_steps = 11, .pct_start = 6.0 / 11});
  CHECK(r.learning_rates[1] == Approx(1.0 / 25));
  CHECK(r.momenta[1] == Approx(0.95));
  for (int k = 0; k < 5; ++k) scheduler.step();
  CHECK(r.learning_rates[0] == Approx(1));
  CHECK(r.momenta[0] == Approx(0.85));
  for (int k = 0; k < 20; ++k) scheduler.step();  // it stays at its end
  CHECK(r.learning_rates[0] == Approx(1.0 / 25 / 1e4));
  CHECK(r.momenta[0] == Approx(0.95));

  Rates still = rates(1);
  Scheduler without(still, nn::CyclicLR{.base_lr = 1, .max_lr = 2, .step_size_up = 2, .cycle_momentum = false});
  without.step();
  CHECK(still.learning_rates[0] == Approx(1.5));
  CHECK(still.momenta == std::vector{0.9, 0.8});
}

TEST_CASE("cyclic: the three modes over unequal sides", "[schedule]") {
  using Mode = nn::CyclicLR::Mode;
  nn::CyclicLR cycle{.base_lr = 1, .max_lr = 3, .step_size_up = 1, .step_size_down = 3, .gamma = 0.5};
  const auto at = [&](Mode mode, std::size_t step) {
    cycle.mode = mode;
    return cycle(0, step);
  };
  CHECK(at(Mode::triangular, 0) == Approx(1));
  CHECK(at(Mode::triangular, 1) == Approx(3));
  CHECK(at(Mode::triangular, 2) == Approx(1 + 2 * 2.0 / 3));
  CHECK(at(Mode::triangular, 5) == Approx(3));
  CHECK(at(Mode::triangular2, 5) == Approx(2));
  CHECK(at(Mode::triangular2, 9) == Approx(1.5));
  CHECK(at(Mode::exp_range, 5) == Approx(1 + 2 * std::pow(0.5, 5)));
}

TEST_CASE("plateau: what is not better counts, NaN too", "[schedule]") {
  Rates r = rates(1);
  nn::ReduceLROnPlateau plateau(r, {.factor = 0.5, .patience = 1});
  for (const double metric : {5.0, std::nan(""), 4.0}) plateau.step(metric);
  CHECK(r.learning_rates[0] == 1);
  plateau.step(std::nan(""));
  plateau.step(4.0);
  CHECK(r.learning_rates == std::vector{0.5, 1.0});
}

TEST_CASE("schedules: refused options", "[schedule]") {
  Rates r = rates(1), still{{1.0}, {}};
  CHECK_THROWS_MATCHES(Scheduler(r, nn::StepLR{.step_size = 0}), ValueError,
                       Catch::Matchers::Message("schedule: StepLR needs a step_size of at least 1"));
  CHECK_THROWS_AS(Scheduler(r, nn::MultiStepLR{.milestones = {3, 1}}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::CosineAnnealingLR{.t_max = 0}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::CosineAnnealingWarmRestarts{.t_0 = 0}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::CosineAnnealingWarmRestarts{.t_0 = 2, .t_mult = 0}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::SequentialLR{.schedules = {nn::LinearLR{}}, .milestones = {1}}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::OneCycleLR{.max_lr = 1, .total_steps = 0}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::OneCycleLR{.max_lr = 1, .total_steps = 5, .pct_start = 2}), ValueError);
  CHECK_THROWS_MATCHES(Scheduler(still, nn::OneCycleLR{.max_lr = 1, .total_steps = 5}), ValueError,
                       Catch::Matchers::Message("schedule: OneCycleLR moves the momentum, too: give the optimizer one, "
                                                "or turn cycle_momentum off"));
  CHECK_THROWS_AS(Scheduler(still, nn::CyclicLR{.base_lr = 1, .max_lr = 2}), ValueError);
  CHECK_THROWS_AS(Scheduler(r, nn::CyclicLR{.base_lr = 1, .max_lr = 2, .step_size_up = 0}), ValueError);
  CHECK_THROWS_AS(nn::ReduceLROnPlateau(r, {.factor = 1}), ValueError);
  CHECK(r.learning_rates == std::vector{1.0, 2.0});
}
