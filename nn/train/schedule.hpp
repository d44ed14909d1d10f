// Schedules of the learning rate, by PyTorch's names: the rate as a function of the steps taken.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "nn/train/optimizer.hpp"

namespace nn {

/// The rate after `step` steps, given that of the start: any function of (base, step), and what the types below do
/// beside it. It is checked where it is made.
class Schedule {
 public:
  Schedule() = default;
  /// Throws ValueError for options that make no schedule: no steps, an empty share, a factor that is not finite.
  template <class S>
  requires(!std::same_as<S, Schedule> && std::is_invocable_r_v<double, const S&, double, std::size_t>)
      Schedule(S schedule) {  // NOLINT: a schedule of any type is a Schedule
    if constexpr (requires { schedule.check(); }) schedule.check();
    if constexpr (requires { schedule.momentum(std::size_t()); })
      if (schedule.moves_momentum()) {
        name_ = S::name;
        momentum_ = [schedule](std::size_t step) { return std::optional<double>(schedule.momentum(step)); };
      }
    rate_ = std::move(schedule);
  }

  double operator()(double base, std::size_t step) const { return rate_(base, step); }
  /// Whether the momentum changes along with the rate.
  bool moves_momentum() const { return momentum_ != nullptr; }
  /// Throws ValueError if it moves the momentum and there is none.
  void require_momentum(const Rates& rates) const;
  /// Nothing where it stays as it is.
  std::optional<double> momentum(std::size_t step) const {
    return momentum_ ? momentum_(step) : std::optional<double>();
  }
  explicit operator bool() const { return rate_ != nullptr; }

 private:
  std::function<double(double base, std::size_t step)> rate_;
  std::function<std::optional<double>(std::size_t step)> momentum_;
  const char* name_ = "";  ///< of the type, where it moves the momentum
};

/// base gamma^k, where k counts every step_size steps.
struct StepLR {
  std::size_t step_size;
  double gamma = 0.1;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// base gamma^k, where k counts the milestones that were reached.
struct MultiStepLR {
  std::vector<std::size_t> milestones;
  double gamma = 0.1;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// base gamma^step.
struct ExponentialLR {
  double gamma;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// From start_factor base to end_factor base in total_iters steps: a warm-up.
struct LinearLR {
  double start_factor = 1.0 / 3;
  double end_factor = 1;
  std::size_t total_iters = 5;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// factor base for total_iters steps, then base.
struct ConstantLR {
  double factor = 1.0 / 3;
  std::size_t total_iters = 5;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// base (1 - step / total_iters)^power, 0 from there on.
struct PolynomialLR {
  std::size_t total_iters = 5;
  double power = 1;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// eta_min + (base - eta_min) (1 + cos(pi step / t_max)) / 2 (Loshchilov and Hutter 2017); it rises again after t_max.
struct CosineAnnealingLR {
  std::size_t t_max;
  double eta_min = 0;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// The same down to eta_min in t_0 steps, then from the start in t_0 t_mult, and so on.
struct CosineAnnealingWarmRestarts {
  std::size_t t_0;
  std::size_t t_mult = 1;
  double eta_min = 0;
  double operator()(double base, std::size_t step) const;
  void check() const;
};

/// One schedule after another: the next one begins, from its step 0, at each milestone. It moves the momentum as they
/// do.
struct SequentialLR {
  static constexpr const char* name = "SequentialLR";

  std::vector<Schedule> schedules;  ///< one more than milestones
  std::vector<std::size_t> milestones;
  double operator()(double base, std::size_t step) const;
  std::optional<double> momentum(std::size_t step) const;
  bool moves_momentum() const;
  void check() const;

 private:
  /// Which schedule has that step, and its own step then.
  std::pair<const Schedule&, std::size_t> at(std::size_t step) const;
};

/// Up to a largest rate and far down again (Smith and Topin 2019), whatever rate the optimizer was given. The momentum
/// goes the other way, if the optimizer has one and cycle_momentum is not turned off.
struct OneCycleLR {
  static constexpr const char* name = "OneCycleLR";

  enum class Anneal { cosine, linear };

  double max_lr;
  std::size_t total_steps;
  double pct_start = 0.3;  ///< the share of the steps that go up
  Anneal anneal = Anneal::cosine;
  double div_factor = 25;         ///< max_lr over the first rate
  double final_div_factor = 1e4;  ///< the first rate over the last one
  bool three_phase = false;       ///< down to the first rate as fast as up, and only then on to the last one
  bool cycle_momentum = true;
  double base_momentum = 0.85;
  double max_momentum = 0.95;

  double operator()(double base, std::size_t step) const;
  double momentum(std::size_t step) const;
  bool moves_momentum() const { return cycle_momentum; }
  void check() const;

 private:
  double at(std::size_t step, double first, double peak, double last) const;
};

/// Between base_lr and max_lr in triangles (Smith 2017). The momentum goes the other way.
struct CyclicLR {
  static constexpr const char* name = "CyclicLR";

  enum class Mode {
    triangular,
    triangular2,
    exp_range
  };  ///< triangles of equal height, halved each time, by gamma^step

  double base_lr;
  double max_lr;
  std::size_t step_size_up = 2000;
  std::size_t step_size_down = 0;  ///< 0: as step_size_up
  Mode mode = Mode::triangular;
  double gamma = 1;
  bool cycle_momentum = true;
  double base_momentum = 0.8;
  double max_momentum = 0.9;

  double operator()(double base, std::size_t step) const;
  double momentum(std::size_t step) const;
  bool moves_momentum() const { return cycle_momentum; }
  void check() const;

 private:
  double height(std::size_t step) const;
};

/// Applies a schedule to every group of an optimizer, which must outlive it and stay where it is: its first rates from
/// the start, the next ones after each step().
class Scheduler {
 public:
  /// Throws ValueError, and leaves the rates as they are, for a schedule that moves the momentum of an optimizer
  /// without one, and as step().
  Scheduler(Rates& rates, Schedule schedule);

  /// Throws ValueError, and takes no step, if a rate becomes negative or not finite, or a momentum leaves [0, 1).
  void step();

  /// The rates are the optimizer's, and in its checkpoint.
  static void visit_state(auto& self, auto&& visitor) {
    visitor("base", std::span(self.base_));
    visitor("step", self.step_);
  }

 private:
  void apply(std::size_t step);

  Rates& rates_;
  std::vector<double> base_;
  Schedule schedule_;
  std::size_t step_ = 0;
};

/// Multiplies the rates by a factor when a metric has not become better for more than `patience` steps. Better means
/// below best (1 - threshold), or by threshold below best if that is absolute; mirrored for Mode::max. After that it
/// waits `cooldown` steps before it counts again.
class ReduceLROnPlateau {
 public:
  enum class Mode { min, max };
  enum class Threshold { relative, absolute };
  struct Options {
    Mode mode = Mode::min;
    double factor = 0.1;
    std::size_t patience = 10;
    double threshold = 1e-4;
    Threshold threshold_mode = Threshold::relative;
    std::size_t cooldown = 0;
    double min_lr = 0;
    double eps = 1e-8;  ///< a smaller change is left out
  };

  /// Throws ValueError unless 0 <= factor < 1, and for other numbers that are negative or not finite.
  ReduceLROnPlateau(Rates& rates, const Options& options);

  /// With the metric after an epoch; NaN is not better than anything.
  void step(double metric);

  static void visit_state(auto& self, auto&& visitor) {
    visitor("best", self.best_);
    visitor("bad", self.bad_);
    visitor("cooling", self.cooling_);
  }

 private:
  bool better(double metric) const;

  Rates& rates_;
  Options options_;
  double best_;
  std::size_t bad_ = 0, cooling_ = 0;
};

}  // namespace nn
