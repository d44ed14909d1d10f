// Optimizers: how gradients become updates of the parameters. Formulas and defaults are PyTorch's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <unordered_set>
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
  /// no finite number of type T, and for a parameter or gradient that has another shape than when the optimizer was
  /// made.
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

 private:
  void check_rates() const;
  void check_shapes() const;
  void check_finite() const;

  std::vector<Parameter<T>*> parameters_;
  std::unordered_set<const Parameter<T>*> held_;  ///< the same, to be looked up
  std::vector<std::size_t> groups_;               ///< of each parameter
  std::vector<autograd::Shape> shapes_;           ///< the same: what is remembered of a parameter has it, too
  std::size_t time_ = 0, skipped_ = 0;
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
class SGD final : public Optimizer<T> {
 public:
  using Groups = std::vector<ParameterGroup<T, SGDOptions>>;

  /// Throws ValueError for a number that is negative or not finite, or nesterov without momentum or with dampening.
  explicit SGD(const Groups& groups);
  explicit SGD(std::vector<Parameter<T>*> parameters, const SGDOptions& options = {})
      : SGD(Groups{{std::move(parameters), options}}) {}
  template <Module M>
  explicit SGD(M& module, const SGDOptions& options = {}) : SGD(nn::parameters<T>(module), options) {}

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("velocity", std::span(self.velocity_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<SGDOptions> options_;
  std::vector<T> velocity_;
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
class RMSProp final : public Optimizer<T> {
 public:
  using Groups = std::vector<ParameterGroup<T, RMSPropOptions>>;

  /// Throws ValueError for a number that is negative or not finite, or alpha >= 1.
  explicit RMSProp(const Groups& groups);
  explicit RMSProp(std::vector<Parameter<T>*> parameters, const RMSPropOptions& options = {})
      : RMSProp(Groups{{std::move(parameters), options}}) {}
  template <Module M>
  explicit RMSProp(M& module, const RMSPropOptions& options = {}) : RMSProp(nn::parameters<T>(module), options) {}

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("square", std::span(self.square_));
    visitor("average", std::span(self.average_));
    visitor("velocity", std::span(self.velocity_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<RMSPropOptions> options_;
  std::vector<T> square_, average_, velocity_;
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

/// Adam (Kingma and Ba 2015), at step t; decoupled weight decay: Loshchilov and Hutter 2019; AMSGrad: Reddi, Kale and
/// Kumar 2018.
///
///   p *= 1 - learning_rate decoupled_weight_decay
///   g = grad + weight_decay p
///   m = beta1 m' + (1 - beta1) g
///   v = beta2 v' + (1 - beta2) g²,                 and with amsgrad  w = max(w', v), otherwise  w = v
///   p -= learning_rate / (1 - beta1^t) m / (sqrt(w) / sqrt(1 - beta2^t) + eps)
template <class T>
class Adam : public Optimizer<T> {
 public:
  using Groups = std::vector<ParameterGroup<T, AdamOptions>>;

  /// Throws ValueError for a number that is negative or not finite, or a beta >= 1.
  explicit Adam(const Groups& groups);
  explicit Adam(std::vector<Parameter<T>*> parameters, const AdamOptions& options = {})
      : Adam(Groups{{std::move(parameters), options}}) {}
  template <Module M>
  explicit Adam(M& module, const AdamOptions& options = {}) : Adam(nn::parameters<T>(module), options) {}

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("mean", std::span(self.mean_));
    visitor("square", std::span(self.square_));
    visitor("largest", std::span(self.largest_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<AdamOptions> options_;
  std::vector<T> mean_, square_, largest_;
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

/// Adam, with weight_decay as the decoupled one.
template <class T>
class AdamW final : public Adam<T> {
 public:
  using Groups = std::vector<ParameterGroup<T, AdamWOptions>>;

  explicit AdamW(const Groups& groups) : Adam<T>(of_adam(groups)) {}
  explicit AdamW(std::vector<Parameter<T>*> parameters, const AdamWOptions& options = {})
      : AdamW(Groups{{std::move(parameters), options}}) {}
  template <Module M>
  explicit AdamW(M& module, const AdamWOptions& options = {}) : AdamW(nn::parameters<T>(module), options) {}

 private:
  static typename Adam<T>::Groups of_adam(const Groups& groups) {
    typename Adam<T>::Groups result;
    for (const auto& [parameters, o] : groups)
      result.push_back(
          {parameters, {o.learning_rate, o.beta1, o.beta2, o.eps, 0, o.weight_decay, o.amsgrad, o.maximize}});
    return result;
  }
};

extern template class Optimizer<float>;
extern template class Optimizer<double>;
extern template class SGD<float>;
extern template class SGD<double>;
extern template class RMSProp<float>;
extern template class RMSProp<double>;
extern template class Adam<float>;
extern template class Adam<double>;

}  // namespace nn
