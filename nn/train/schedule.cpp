#include "nn/train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace nn {

using autograd::ValueError;

namespace {

double real(std::size_t number) { return static_cast<double>(number); }

/// From `from` to `to` along half a cosine, for a share of the way in [0, 1].
double along_cosine(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

void require(bool fits, const std::string& text) {
  if (!fits) throw ValueError("schedule: " + text);
}

/// A number that a rate may be, or be multiplied by.
bool sound(double number) { return number >= 0 && std::isfinite(number); }

/// A number that a momentum may be.
bool share(double number) { return number >= 0 && number < 1; }

bool ascends(const std::vector<std::size_t>& milestones) {
  return std::is_sorted(milestones.begin(), milestones.end());
}

}  // namespace

void Schedule::require_momentum(const Rates& rates) const {
  require(!moves_momentum() || !rates.momenta.empty(),
          std::string(name_) + " moves the momentum, too: give the optimizer one, or turn cycle_momentum off");
}

double StepLR::operator()(double base, std::size_t step) const {
  return base * std::pow(gamma, real(step / step_size));
}

void StepLR::check() const {
  require(step_size > 0, "StepLR needs a step_size of at least 1");
  require(sound(gamma), "StepLR needs a finite gamma that is not negative");
}

double MultiStepLR::operator()(double base, std::size_t step) const {
  const auto reached = std::count_if(milestones.begin(), milestones.end(), [&](std::size_t m) { return m <= step; });
  return base * std::pow(gamma, static_cast<double>(reached));
}

void MultiStepLR::check() const {
  require(ascends(milestones), "MultiStepLR needs milestones in ascending order");
  require(sound(gamma), "MultiStepLR needs a finite gamma that is not negative");
}

double ExponentialLR::operator()(double base, std::size_t step) const { return base * std::pow(gamma, real(step)); }

void ExponentialLR::check() const { require(sound(gamma), "ExponentialLR needs a finite gamma that is not negative"); }

double LinearLR::operator()(double base, std::size_t step) const {
  const double share = step >= total_iters ? 1 : real(step) / real(total_iters);
  return base * (start_factor + (end_factor - start_factor) * share);
}

void LinearLR::check() const {
  require(sound(start_factor) && sound(end_factor), "LinearLR needs finite factors that are not negative");
}

double ConstantLR::operator()(double base, std::size_t step) const { return step < total_iters ? base * factor : base; }

void ConstantLR::check() const { require(sound(factor), "ConstantLR needs a finite factor that is not negative"); }

double PolynomialLR::operator()(double base, std::size_t step) const {
  return step >= total_iters ? 0 : base * std::pow(1 - real(step) / real(total_iters), power);
}

void PolynomialLR::check() const { require(sound(power), "PolynomialLR needs a finite power that is not negative"); }

double CosineAnnealingLR::operator()(double base, std::size_t step) const {
  return along_cosine(base, eta_min, real(step) / real(t_max));
}

void CosineAnnealingLR::check() const {
  require(t_max > 0, "CosineAnnealingLR needs a t_max of at least 1");
  require(sound(eta_min), "CosineAnnealingLR needs a finite eta_min that is not negative");
}

double CosineAnnealingWarmRestarts::operator()(double base, std::size_t step) const {
  std::size_t length = t_0;
  if (t_mult == 1) step %= length;
  while (step >= length) {
    step -= length;
    if (length > std::numeric_limits<std::size_t>::max() / t_mult) break;  // longer than any number of steps
    length *= t_mult;
  }
  return along_cosine(base, eta_min, real(step) / real(length));
}

void CosineAnnealingWarmRestarts::check() const {
  require(t_0 > 0 && t_mult > 0, "CosineAnnealingWarmRestarts needs a t_0 and a t_mult of at least 1");
  require(sound(eta_min), "CosineAnnealingWarmRestarts needs a finite eta_min that is not negative");
}

std::pair<const Schedule&, std::size_t> SequentialLR::at(std::size_t step) const {
  std::size_t k = 0;
  while (k < milestones.size() && milestones[k] <= step) ++k;
  return {schedules[k], k == 0 ? step : step - milestones[k - 1]};
}

double SequentialLR::operator()(double base, std::size_t step) const {
  const auto [schedule, own] = at(step);
  return schedule(base, own);
}

std::optional<double> SequentialLR::momentum(std::size_t step) const {
  const auto [schedule, own] = at(step);
  return schedule.momentum(own);
}

bool SequentialLR::moves_momentum() const {
  return std::any_of(schedules.begin(), schedules.end(), [](const Schedule& s) { return s.moves_momentum(); });
}

void SequentialLR::check() const {
  require(ascends(milestones) && schedules.size() == milestones.size() + 1,
          "SequentialLR needs milestones in ascending order, and one schedule more than those");
  require(std::all_of(schedules.begin(), schedules.end(), [](const Schedule& s) { return bool(s); }),
          "SequentialLR has a schedule that is empty");
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

void OneCycleLR::check() const {
  require(total_steps > 0 && pct_start >= 0 && pct_start <= 1 && sound(div_factor) && sound(final_div_factor) &&
              div_factor > 0 && final_div_factor > 0,
          "OneCycleLR needs total_steps of at least 1, a pct_start in [0, 1] and positive factors");
  require(sound(max_lr), "OneCycleLR needs a finite max_lr that is not negative");
  require(!cycle_momentum || (share(base_momentum) && share(max_momentum)), "OneCycleLR needs momenta in [0, 1)");
}

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

void CyclicLR::check() const {
  require(step_size_up > 0, "CyclicLR needs a step_size_up of at least 1");
  require(sound(base_lr) && sound(max_lr) && sound(gamma),
          "CyclicLR needs rates and a gamma that are finite and not negative");
  require(!cycle_momentum || (share(base_momentum) && share(max_momentum)), "CyclicLR needs momenta in [0, 1)");
}

Scheduler::Scheduler(Rates& rates, Schedule schedule)
    : rates_(rates), base_(rates.learning_rates), schedule_(std::move(schedule)) {
  require(bool(schedule_), "it is empty");
  schedule_.require_momentum(rates);
  apply(0);
}

void Scheduler::step() {
  apply(step_ + 1);
  ++step_;
}

void Scheduler::apply(std::size_t step) {
  for (const double base : base_)
    if (const double rate = schedule_(base, step); !sound(rate))
      throw ValueError("schedule: after " + std::to_string(step) + " steps a learning rate that began as " +
                       autograd::fixed_text(base) + " is " + autograd::fixed_text(rate) +
                       "; it must be finite and not negative; the rates were left as they are");
  const auto momentum = schedule_.momentum(step);
  if (momentum && !share(*momentum))
    throw ValueError("schedule: after " + std::to_string(step) + " steps the momentum is " +
                     autograd::fixed_text(*momentum) + "; it must be in [0, 1); the rates were left as they are");
  for (std::size_t group = 0; group < base_.size(); ++group)
    rates_.learning_rates[group] = schedule_(base_[group], step);
  if (momentum) std::fill(rates_.momenta.begin(), rates_.momenta.end(), *momentum);
}

ReduceLROnPlateau::ReduceLROnPlateau(Rates& rates, const Options& options)
    : rates_(rates),
      options_(options),
      best_((options.mode == Mode::min ? 1 : -1) * std::numeric_limits<double>::infinity()) {
  require(options.factor >= 0 && options.factor < 1, "ReduceLROnPlateau needs a factor in [0, 1)");
  require(sound(options.threshold) && sound(options.min_lr) && sound(options.eps),
          "ReduceLROnPlateau needs a threshold, min_lr and eps that are finite and not negative");
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
