#include "nn/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "autograd/error.hpp"

namespace nn {

using autograd::ValueError;

namespace {

double real(std::size_t number) { return static_cast<double>(number); }

/// From `from` to `to` along half a cosine, for a share of the way in [0, 1].
double along_cosine(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

void require(bool fits, const char* text) {
  if (!fits) throw ValueError(std::string("schedule: ") + text);
}

}  // namespace

double StepLR::operator()(double base, std::size_t step) const {
  return base * std::pow(gamma, real(step / step_size));
}

double MultiStepLR::operator()(double base, std::size_t step) const {
  const auto reached = std::count_if(milestones.begin(), milestones.end(), [&](std::size_t m) { return m <= step; });
  return base * std::pow(gamma, static_cast<double>(reached));
}

double ExponentialLR::operator()(double base, std::size_t step) const { return base * std::pow(gamma, real(step)); }

double LinearLR::operator()(double base, std::size_t step) const {
  const double share = step >= total_iters ? 1 : real(step) / real(total_iters);
  return base * (start_factor + (end_factor - start_factor) * share);
}

double ConstantLR::operator()(double base, std::size_t step) const { return step < total_iters ? base * factor : base; }

double PolynomialLR::operator()(double base, std::size_t step) const {
  return step >= total_iters ? 0 : base * std::pow(1 - real(step) / real(total_iters), power);
}

double CosineAnnealingLR::operator()(double base, std::size_t step) const {
  return along_cosine(base, eta_min, real(step) / real(t_max));
}

double CosineAnnealingWarmRestarts::operator()(double base, std::size_t step) const {
  std::size_t length = t_0;
  for (; step >= length; length *= t_mult) step -= length;
  return along_cosine(base, eta_min, real(step) / real(length));
}

double SequentialLR::operator()(double base, std::size_t step) const {
  std::size_t k = 0;
  while (k < milestones.size() && milestones[k] <= step) ++k;
  return schedules[k](base, k == 0 ? step : step - milestones[k - 1]);
}

double OneCycleLR::at(std::size_t step, double first, double peak, double last) const {
  const double now = std::min(real(step), real(total_steps) - 1);
  const double top = pct_start * real(total_steps) - 1;
  const double low = three_phase ? 2 * pct_start * real(total_steps) - 2 : top, end = real(total_steps) - 1;
  const auto between = [&](double from, double to, double begin, double finish) {
    const double share = finish > begin ? (now - begin) / (finish - begin) : 1;
    return anneal == Anneal::cosine ? along_cosine(from, to, share) : from + (to - from) * share;
  };
  if (now <= top) return between(first, peak, 0, top);
  if (now <= low) return between(peak, first, top, low);
  return between(three_phase ? first : peak, last, low, end);
}

double OneCycleLR::operator()(double, std::size_t step) const {
  const double first = max_lr / div_factor;
  return at(step, first, max_lr, first / final_div_factor);
}

double OneCycleLR::momentum(std::size_t step) const { return at(step, max_momentum, base_momentum, max_momentum); }

double CyclicLR::height(std::size_t step) const {
  const double up = real(step_size_up), total = up + real(step_size_down == 0 ? step_size_up : step_size_down);
  const double cycle = std::floor(real(step) / total), x = real(step) / total - cycle, peak = up / total;
  const double triangle = x <= peak ? x / peak : (x - 1) / (peak - 1);
  if (mode == Mode::triangular2) return triangle * std::pow(0.5, cycle);
  return mode == Mode::exp_range ? triangle * std::pow(gamma, real(step)) : triangle;
}

double CyclicLR::operator()(double, std::size_t step) const { return base_lr + (max_lr - base_lr) * height(step); }

double CyclicLR::momentum(std::size_t step) const {
  return max_momentum - (max_momentum - base_momentum) * height(step);
}

Scheduler::Scheduler(Rates& rates, Schedule schedule)
    : rates_(rates), base_(rates.learning_rates), rate_(std::move(schedule)) {
  apply();
}

namespace {

template <class S>
Schedule checked(S schedule, bool fits, const char* text) {
  require(fits, text);
  return schedule;
}

bool ascends(const std::vector<std::size_t>& milestones) {
  return std::is_sorted(milestones.begin(), milestones.end());
}

}  // namespace

Scheduler::Scheduler(Rates& rates, StepLR s)
    : Scheduler(rates, checked(s, s.step_size > 0, "StepLR needs a step_size of at least 1")) {}
Scheduler::Scheduler(Rates& rates, MultiStepLR s)
    : Scheduler(rates, checked(s, ascends(s.milestones), "MultiStepLR needs milestones in ascending order")) {}
Scheduler::Scheduler(Rates& rates, CosineAnnealingLR s)
    : Scheduler(rates, checked(s, s.t_max > 0, "CosineAnnealingLR needs a t_max of at least 1")) {}
Scheduler::Scheduler(Rates& rates, CosineAnnealingWarmRestarts s)
    : Scheduler(rates, checked(s, s.t_0 > 0 && s.t_mult > 0,
                               "CosineAnnealingWarmRestarts needs a t_0 and a t_mult of at least 1")) {}
Scheduler::Scheduler(Rates& rates, SequentialLR s)
    : Scheduler(rates, checked(s, ascends(s.milestones) && s.schedules.size() == s.milestones.size() + 1,
                               "SequentialLR needs milestones in ascending order, and one schedule more than those")) {}

Scheduler::Scheduler(Rates& rates, OneCycleLR s)
    : rates_(rates),
      base_(rates.learning_rates),
      rate_(s),
      momentum_([s](std::size_t step) { return s.momentum(step); }) {
  require(s.total_steps > 0 && s.pct_start >= 0 && s.pct_start <= 1 && s.div_factor > 0 && s.final_div_factor > 0,
          "OneCycleLR needs total_steps of at least 1, a pct_start in [0, 1] and positive factors");
  require(!s.cycle_momentum || !rates.momenta.empty(),
          "OneCycleLR moves the momentum, too: give the optimizer one, or turn cycle_momentum off");
  if (!s.cycle_momentum) momentum_ = nullptr;
  apply();
}

Scheduler::Scheduler(Rates& rates, CyclicLR s)
    : rates_(rates),
      base_(rates.learning_rates),
      rate_(s),
      momentum_([s](std::size_t step) { return s.momentum(step); }) {
  require(s.step_size_up > 0, "CyclicLR needs a step_size_up of at least 1");
  require(!s.cycle_momentum || !rates.momenta.empty(),
          "CyclicLR moves the momentum, too: give the optimizer one, or turn cycle_momentum off");
  if (!s.cycle_momentum) momentum_ = nullptr;
  apply();
}

void Scheduler::step() {
  ++step_;
  apply();
}

void Scheduler::apply() {
  for (std::size_t group = 0; group < base_.size(); ++group) rates_.learning_rates[group] = rate_(base_[group], step_);
  if (momentum_) std::fill(rates_.momenta.begin(), rates_.momenta.end(), momentum_(step_));
}

ReduceLROnPlateau::ReduceLROnPlateau(Rates& rates, const Options& options)
    : rates_(rates),
      options_(options),
      best_((options.mode == Mode::min ? 1 : -1) * std::numeric_limits<double>::infinity()) {
  require(options.factor >= 0 && options.factor < 1, "ReduceLROnPlateau needs a factor in [0, 1)");
}

bool ReduceLROnPlateau::better(double metric) const {
  const double change = options_.mode == Mode::min ? -options_.threshold : options_.threshold;
  const double bound = options_.threshold_mode == Threshold::relative ? best_ * (1 + change) : best_ + change;
  return options_.mode == Mode::min ? metric < bound : metric > bound;
}

void ReduceLROnPlateau::step(double metric) {
  if (better(metric)) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ <= options_.patience) return;
  for (double& rate : rates_.learning_rates) {
    const double smaller = std::max(rate * options_.factor, options_.min_lr);
    if (rate - smaller > options_.eps) rate = smaller;
  }
  cooling_ = options_.cooldown;
  bad_ = 0;
}

}  // namespace nn
