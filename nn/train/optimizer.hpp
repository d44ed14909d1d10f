// Optimizers: how gradients become updates of the parameters. Formulas and defaults are PyTorch's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "nn/module.hpp"

namespace nn {

/// The parameters of a module, in order, a shared one once.
template <class T, Module M>
std::vector<Parameter<T>*> parameters(M& module) {
  std::vector<Parameter<T>*> result;
  for_each_distinct_parameter(module,
                              [&](const std::string&, Parameter<T>& parameter) { result.push_back(&parameter); });
  return result;
}

/// Parameters with options of their own: `nn::SGD<T> optimizer({{body, {.learning_rate = 0.01}}, {head, {}}})`.
template <class T, class Options>
struct ParameterGroup {
  std::vector<Parameter<T>*> parameters;
  Options options = {};
};

/// What a step does about a gradient that holds NaN or infinity.
enum class NonFinite { error, skip };

/// What schedules change between steps, one entry for each group.
struct Rates {
  std::vector<double> learning_rates;
  std::vector<double> momenta;  ///< momentum, or Adam's beta1; empty for an optimizer without either

  void set_learning_rate(double rate) { std::fill(learning_rates.begin(), learning_rates.end(), rate); }
};

/// Holds on to the parameters, which must outlive it and stay where they are, and to what it remembers of each.
template <class T>
class Optimizer : public Rates {
 public:
  virtual ~Optimizer() = default;

  /// Updates every parameter from its grad(). Nothing is allocated.
  /// Throws ValueError, and updates nothing, if a gradient holds NaN or infinity; with NonFinite::skip such a step is
  /// left out, and counted. Throws ValueError, and updates nothing, for a learning rate or momentum that is negative or
  /// no finite number of type T, a beta1 of 1 or more, rates of another number of groups, and for a parameter or
  /// gradient that has another shape than when the optimizer was made.
  void step();
  /// Clears the gradients of the parameters that it holds, and of no others.
  void zero_grad();
  const std::vector<Parameter<T>*>& parameters() const { return parameters_; }

  NonFinite non_finite = NonFinite::error;
  std::size_t skipped_steps() const { return skipped_; }

 protected:
  /// What a checkpoint keeps of every optimizer. Each adds what it remembers, in a visit_state() of its own.
  static void visit_steps(auto& self, auto&& visitor) {
    visitor("learning_rates", std::span(self.learning_rates));
    visitor("momenta", std::span(self.momenta));
    visitor("time", self.time_);
    visitor("skipped", self.skipped_);
  }

  /// One parameter in one step; its first element is the `first` one in a memory().
  struct Update {
    T* value;
    const T* gradient;
    std::size_t size;
    std::size_t first;
    std::size_t group;
    T rate;
    std::size_t time;  ///< of this step, from 1 on
  };

  Optimizer() = default;

  /// Throws ValueError for a learning rate that is negative or not finite, or a parameter that is in a group already.
  void add_group(const std::vector<Parameter<T>*>& parameters, double learning_rate);
  /// Zeros for every element of every parameter, or nothing.
  std::vector<T> memory(bool wanted = true) const;

  virtual void begin_step(std::size_t /*time*/) {}
  virtual void update(Update update) = 0;

  std::vector<std::size_t> groups_;  ///< of each parameter
  std::size_t momentum_count_ = 0;   ///< how many momenta there are
  bool averages_ = false;            ///< they are weights of averages, and below 1

 private:
  void check_rates() const;
  void check_shapes() const;
  void check_finite() const;

  std::vector<Parameter<T>*> parameters_;
  std::unordered_set<const Parameter<T>*> held_;  ///< the same, to be looked up
  std::vector<autograd::Shape> shapes_;           ///< the same: what is remembered of a parameter has it, too
  std::size_t time_ = 0, skipped_ = 0, group_count_ = 0;
};

/// Parameters in groups, each with options of its own: what every optimizer, `Self`, begins with.
template <class Self, class T, class Options>
class GroupedOptimizer : public Optimizer<T> {
 public:
  using Groups = std::vector<ParameterGroup<T, Options>>;

  /// Throws ValueError for a learning rate that is negative or not finite, a parameter that is there twice, and options
  /// that Self::check() refuses.
  explicit GroupedOptimizer(const Groups& groups) {
    for (const auto& [parameters, options] : groups) {
      this->add_group(parameters, options.learning_rate);
      Self::check(options);
      options_.push_back(options);
      if constexpr (requires { &Options::beta1; }) this->momenta.push_back(options.beta1);
    }
    if constexpr (requires { &Options::momentum; })
      if (any(&Options::momentum))
        for (const Options& options : options_) this->momenta.push_back(options.momentum);
    this->momentum_count_ = this->momenta.size();
    this->averages_ = requires { &Options::beta1; };
  }
  explicit GroupedOptimizer(std::vector<Parameter<T>*> parameters, const Options& options = {})
      : GroupedOptimizer(Groups{{std::move(parameters), options}}) {}
  template <Module M>
  explicit GroupedOptimizer(M& module, const Options& options = {})
      : GroupedOptimizer(nn::parameters<T>(module), options) {}

 protected:
  /// Whether some group has an option that is true, or not 0.
  bool any(auto Options::*option) const {
    return std::any_of(options_.begin(), options_.end(), [&](const Options& o) { return o.*option != 0; });
  }

  std::vector<Options> options_;  ///< of each group
};

struct SGDOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;  ///< goes uphill: the gradient changes its sign first
};

/// Stochastic gradient descent.
///
///   g = grad + weight_decay p
///   b = momentum b' + (1 - dampening) g,  at the first step b = g
///   p -= learning_rate b,  with nesterov  p -= learning_rate (g + momentum b)
///
/// A group whose momentum is 0 moves by p -= learning_rate g, and its dampening means nothing.
template <class T>
class SGD final : public GroupedOptimizer<SGD<T>, T, SGDOptions> {
 public:
  using GroupedOptimizer<SGD<T>, T, SGDOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or nesterov without momentum or with dampening.
  static void check(const SGDOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("velocity", std::span(self.velocity_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<T> velocity_ = this->memory(!this->momenta.empty());
};

struct RMSPropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
};

/// RMSProp (Tieleman and Hinton 2012; centered: Graves 2013).
///
///   g = grad + weight_decay p
///   v = alpha v' + (1 - alpha) g²
///   a = alpha a' + (1 - alpha) g                   centered only, otherwise 0
///   u = g / (sqrt(v - a²) + eps)
///   b = momentum b' + u
///   p -= learning_rate b
template <class T>
class RMSProp final : public GroupedOptimizer<RMSProp<T>, T, RMSPropOptions> {
 public:
  using GroupedOptimizer<RMSProp<T>, T, RMSPropOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or alpha >= 1.
  static void check(const RMSPropOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("square", std::span(self.square_));
    visitor("average", std::span(self.average_));
    visitor("velocity", std::span(self.velocity_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<T> square_ = this->memory();
  std::vector<T> average_ = this->memory(this->any(&RMSPropOptions::centered));
  std::vector<T> velocity_ = this->memory(!this->momenta.empty());
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;            ///< added to the gradient: L2 regularization
  double decoupled_weight_decay = 0;  ///< taken off the parameter beside the step: AdamW
  bool amsgrad = false;
  bool maximize = false;
};

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;  ///< decoupled
  bool amsgrad = false;
  bool maximize = false;
};

/// Adam (Kingma and Ba 2015), at step t; decoupled weight decay: Loshchilov and Hutter 2019; AMSGrad: Reddi, Kale and
/// Kumar 2018.
///
///   p *= 1 - learning_rate decoupled_weight_decay
///   g = grad + weight_decay p
///   m = beta1 m' + (1 - beta1) g
///   v = beta2 v' + (1 - beta2) g²,                 and with amsgrad  w = max(w', v), otherwise  w = v
///   p -= learning_rate / (1 - beta1^t) m / (sqrt(w) / sqrt(1 - beta2^t) + eps)
template <class T, class Options>
class AdamOf : public GroupedOptimizer<AdamOf<T, Options>, T, Options> {
 public:
  using GroupedOptimizer<AdamOf<T, Options>, T, Options>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or a beta >= 1.
  static void check(const Options& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("mean", std::span(self.mean_));
    visitor("square", std::span(self.square_));
    visitor("largest", std::span(self.largest_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<T> mean_ = this->memory(), square_ = this->memory();
  std::vector<T> largest_ = this->memory(this->any(&Options::amsgrad));
};

template <class T>
using Adam = AdamOf<T, AdamOptions>;
/// Adam, with weight_decay as the decoupled one.
template <class T>
using AdamW = AdamOf<T, AdamWOptions>;

extern template class Optimizer<float>;
extern template class Optimizer<double>;
extern template class SGD<float>;
extern template class SGD<double>;
extern template class RMSProp<float>;
extern template class RMSProp<double>;
extern template class AdamOf<float, AdamOptions>;
extern template class AdamOf<double, AdamOptions>;
extern template class AdamOf<float, AdamWOptions>;
extern template class AdamOf<double, AdamWOptions>;

}  // namespace nn
