// Optimizers: how gradients become updates of the parameters. Formulas and defaults are PyTorch's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "nn/module.hpp"

namespace nn {

/// The parameters of a module, in order, a shared one once.
template <class T, Module M>
std::vector<Parameter<T>*> parameters(M& module) {
  std::vector<Parameter<T>*> result;
  for_each_parameter(module, [&](const std::string&, Parameter<T>& parameter) {
    if (std::find(result.begin(), result.end(), &parameter) == result.end()) result.push_back(&parameter);
  });
  return result;
}

/// Holds on to the parameters, which must outlive it and stay where they are, and to what it remembers of each.
template <class T>
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Updates every parameter from its grad(). Nothing is allocated.
  void step();
  void zero_grad();
  const std::vector<Parameter<T>*>& parameters() const { return parameters_; }

  double learning_rate;  ///< may be changed between steps

 protected:
  Optimizer(std::vector<Parameter<T>*> parameters, double learning_rate);

  /// Zeros for every element of every parameter, or nothing.
  std::vector<T> memory(bool wanted = true) const;
  /// The number of this step, from 1 on.
  std::size_t time() const { return time_; }
  /// The first element of a parameter is the `first` one in a memory().
  virtual void update(T* value, const T* gradient, std::size_t size, std::size_t first) = 0;

 private:
  std::vector<Parameter<T>*> parameters_;
  std::size_t time_ = 0;
};

struct SGDOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// Stochastic gradient descent.
///
///   g = grad + weight_decay p
///   b = momentum b' + (1 - dampening) g,  at the first step b = g
///   p -= learning_rate b,  with nesterov  p -= learning_rate (g + momentum b),  without momentum  p -= learning_rate g
template <class T>
class SGD final : public Optimizer<T> {
 public:
  /// Throws ValueError for a negative number, or nesterov without momentum or with dampening.
  explicit SGD(std::vector<Parameter<T>*> parameters, const SGDOptions& options = {});
  template <Module M>
  explicit SGD(M& module, const SGDOptions& options = {}) : SGD(nn::parameters<T>(module), options) {}

 private:
  void update(T* value, const T* gradient, std::size_t size, std::size_t first) override;

  SGDOptions options_;
  std::vector<T> velocity_;
};

struct RMSPropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
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
  /// Throws ValueError for a negative number, or alpha >= 1.
  explicit RMSProp(std::vector<Parameter<T>*> parameters, const RMSPropOptions& options = {});
  template <Module M>
  explicit RMSProp(M& module, const RMSPropOptions& options = {}) : RMSProp(nn::parameters<T>(module), options) {}

 private:
  void update(T* value, const T* gradient, std::size_t size, std::size_t first) override;

  RMSPropOptions options_;
  std::vector<T> square_, average_, velocity_;
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
};

/// Adam (Kingma and Ba 2015), at step t:
///
///   g = grad + weight_decay p
///   m = beta1 m' + (1 - beta1) g
///   v = beta2 v' + (1 - beta2) g²
///   p -= learning_rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
template <class T>
class Adam final : public Optimizer<T> {
 public:
  /// Throws ValueError for a negative number, or a beta >= 1.
  explicit Adam(std::vector<Parameter<T>*> parameters, const AdamOptions& options = {});
  template <Module M>
  explicit Adam(M& module, const AdamOptions& options = {}) : Adam(nn::parameters<T>(module), options) {}

 private:
  void update(T* value, const T* gradient, std::size_t size, std::size_t first) override;

  AdamOptions options_;
  std::vector<T> mean_, square_;
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
