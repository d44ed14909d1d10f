// Schedules beyond the reference vectors: momentum, ends, a function of one's own, refused options.
#include "nn/train/schedule.hpp"

#include <cmath>
#include <limits>
#include <utility>

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

TEST_CASE("a sequence of schedules is checked as each is alone, and moves the momentum as they do", "[schedule]") {
  const auto sequence = [](nn::Schedule second) {
    return nn::SequentialLR{.schedules = {nn::ConstantLR{.factor = 0.5, .total_iters = 9}, std::move(second)},
                            .milestones = {2}};
  };
  CHECK_THROWS_AS(sequence(nn::StepLR{.step_size = 0}), ValueError);
  CHECK_THROWS_AS(sequence(nn::CosineAnnealingLR{.t_max = 0}), ValueError);
  CHECK_THROWS_AS(sequence(nn::CosineAnnealingWarmRestarts{.t_0 = 0}), ValueError);
  CHECK_THROWS_AS(sequence(nn::MultiStepLR{.milestones = {3, 1}}), ValueError);
  CHECK_THROWS_AS(sequence(nn::SequentialLR{.schedules = {nn::LinearLR{}}, .milestones = {1}}), ValueError);
  CHECK_THROWS_AS(nn::Schedule(sequence(nn::Schedule())), ValueError);
  CHECK_THROWS_AS(sequence(sequence(nn::OneCycleLR{.max_lr = 1, .total_steps = 0})), ValueError);

  Rates r = rates(1), still{{1.0}, {}};
  const nn::OneCycleLR cycle{.max_lr = 1, .total_steps = 4, .pct_start = 0.5};
  const nn::Schedule nested = sequence(nn::Schedule(sequence(cycle)));
  CHECK_THROWS_MATCHES(
      Scheduler(still, nested), ValueError,
      Catch::Matchers::Message("schedule: SequentialLR moves the momentum, too: give the optimizer one, or turn "
                               "cycle_momentum off"));
  Scheduler scheduler(r, nested);
  for (std::size_t step = 0; step < 10; ++step, scheduler.step()) {
    CAPTURE(step);
    CHECK(r.learning_rates[0] == (step < 4 ? 0.5 : cycle(1, step - 4)));
    CHECK(r.momenta[1] == (step < 4 ? 0.8 : cycle.momentum(step - 4)));
  }
}

TEST_CASE("a momentum that leaves [0, 1) is refused, and the rates stay", "[schedule]") {
  using Mode = nn::CyclicLR::Mode;
  Rates r = rates(1);
  Scheduler scheduler(r, nn::CyclicLR{.base_lr = 1e-3,
                                      .max_lr = 2e-3,
                                      .step_size_up = 1,
                                      .mode = Mode::exp_range,
                                      .gamma = 2,
                                      .base_momentum = 0.5,
                                      .max_momentum = 0});
  const Rates before = r;
  for (int again = 0; again < 2; ++again) {
    CHECK_THROWS_AS(scheduler.step(), ValueError);  // 0.5 * 2
    CHECK(r.learning_rates == before.learning_rates);
    CHECK(r.momenta == before.momenta);
  }
}

TEST_CASE("a schedule that gives no rate leaves the optimizer as it is", "[schedule]") {
  Rates r = rates(1);
  const auto late = [](double bad) {
    return [bad](double base, std::size_t step) { return step < 2 ? base : base > 1 ? bad : base / 2; };
  };
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -1.0}) {
    r = rates(1);
    Scheduler scheduler(r, late(bad));
    scheduler.step();
    for (int again = 0; again < 2; ++again) {
      CHECK_THROWS_AS(scheduler.step(), ValueError);
      CHECK(r.learning_rates == std::vector{1.0, 2.0});
    }
    CHECK_THROWS_AS(Scheduler(r, [bad](double, std::size_t) { return bad; }), ValueError);

    CHECK_THROWS_AS(nn::Schedule(nn::StepLR{.step_size = 1, .gamma = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::MultiStepLR{.milestones = {1}, .gamma = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::ExponentialLR{.gamma = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::LinearLR{.start_factor = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::LinearLR{.end_factor = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::ConstantLR{.factor = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::PolynomialLR{.power = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::CosineAnnealingLR{.t_max = 1, .eta_min = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::CosineAnnealingWarmRestarts{.t_0 = 1, .eta_min = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::OneCycleLR{.max_lr = bad, .total_steps = 5}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::OneCycleLR{.max_lr = 1, .total_steps = 5, .div_factor = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::OneCycleLR{.max_lr = 1, .total_steps = 5, .max_momentum = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::CyclicLR{.base_lr = bad, .max_lr = 1}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::CyclicLR{.base_lr = 1, .max_lr = bad}), ValueError);
    CHECK_THROWS_AS(nn::Schedule(nn::CyclicLR{.base_lr = 1, .max_lr = 2, .base_momentum = bad}), ValueError);
    CHECK_THROWS_AS(nn::ReduceLROnPlateau(r, {.min_lr = bad}), ValueError);
  }
}

TEST_CASE("warm restarts: any number of steps at once", "[schedule]") {
  const std::size_t many = std::numeric_limits<std::size_t>::max();
  CHECK(nn::CosineAnnealingWarmRestarts{.t_0 = 4}(1, many) == Approx(nn::CosineAnnealingWarmRestarts{.t_0 = 4}(1, 3)));
  for (const std::size_t factor : {std::size_t(2), std::size_t(3), many}) {
    const double rate = nn::CosineAnnealingWarmRestarts{.t_0 = 1, .t_mult = factor}(1, many);
    CHECK((rate >= 0 && rate <= 1));
  }
}
