// More optimizers that adapt the rate of each element. Formulas and defaults are PyTorch's (NAdam: those since 2.0).
#pragma once

#include "nn/train/optimizer.hpp"

namespace nn {

struct NAdamOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool maximize = false;
};

/// Adam with Nesterov's momentum (Dozat 2016), at step t, with m and v as Adam's:
///
///   mu_t = beta1 (1 - 0.5 0.96^(t momentum_decay)),  P = mu_1 ... mu_t
///   d = sqrt(v / (1 - beta2^t)) + eps
///   p -= learning_rate ((1 - mu_t) / (1 - P) g + mu_{t+1} / (1 - P mu_{t+1}) m) / d
template <class T>
class NAdam final : public GroupedOptimizer<NAdam<T>, T, NAdamOptions> {
 public:
  using GroupedOptimizer<NAdam<T>, T, NAdamOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or a beta >= 1.
  static void check(const NAdamOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("products", std::span(self.products_));
    visitor("mean", std::span(self.mean_));
    visitor("square", std::span(self.square_));
  }

 private:
  void begin_step(std::size_t time) override;
  void update(typename Optimizer<T>::Update u) override;

  std::vector<double> products_ = std::vector<double>(this->options_.size(), 1);  ///< P of each group
  std::vector<T> mean_ = this->memory(), square_ = this->memory();

  double momentum(std::size_t group, std::size_t time) const;
};

struct RAdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
};

/// Rectified Adam (Liu et al. 2020), at step t, with m and v as Adam's:
///
///   r_inf = 2 / (1 - beta2) - 1,  r_t = r_inf - 2 t beta2^t / (1 - beta2^t)
///   c = sqrt((r_t - 4) (r_t - 2) r_inf / ((r_inf - 4) (r_inf - 2) r_t))
///   p -= learning_rate / (1 - beta1^t) m,          times  c sqrt(1 - beta2^t) / (sqrt(v) + eps)  where r_t > 5
template <class T>
class RAdam final : public GroupedOptimizer<RAdam<T>, T, RAdamOptions> {
 public:
  using GroupedOptimizer<RAdam<T>, T, RAdamOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or a beta >= 1.
  static void check(const RAdamOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("mean", std::span(self.mean_));
    visitor("square", std::span(self.square_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<T> mean_ = this->memory(), square_ = this->memory();
};

struct AdamaxOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
};

/// Adam by the infinity norm (Kingma and Ba 2015), at step t, with m as Adam's:
///
///   u = max(beta2 u', |g| + eps)
///   p -= learning_rate / (1 - beta1^t) m / u
template <class T>
class Adamax final : public GroupedOptimizer<Adamax<T>, T, AdamaxOptions> {
 public:
  using GroupedOptimizer<Adamax<T>, T, AdamaxOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or a beta >= 1.
  static void check(const AdamaxOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("mean", std::span(self.mean_));
    visitor("largest", std::span(self.largest_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<T> mean_ = this->memory(), largest_ = this->memory();
};

struct AdagradOptions {
  double learning_rate = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
};

/// Adagrad (Duchi, Hazan and Singer 2011), at step t:
///
///   g = grad + weight_decay p
///   s = s' + g²,                                   from initial_accumulator_value
///   p -= learning_rate / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)
template <class T>
class Adagrad final : public GroupedOptimizer<Adagrad<T>, T, AdagradOptions> {
 public:
  using GroupedOptimizer<Adagrad<T>, T, AdagradOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite.
  static void check(const AdagradOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("square", std::span(self.square_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;
  std::vector<T> initial() const;

  std::vector<T> square_ = initial();
};

struct AdadeltaOptions {
  double learning_rate = 1;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;
};

/// Adadelta (Zeiler 2012).
///
///   g = grad + weight_decay p
///   s = rho s' + (1 - rho) g²
///   d = sqrt(a' + eps) / sqrt(s + eps) g
///   a = rho a' + (1 - rho) d²
///   p -= learning_rate d
template <class T>
class Adadelta final : public GroupedOptimizer<Adadelta<T>, T, AdadeltaOptions> {
 public:
  using GroupedOptimizer<Adadelta<T>, T, AdadeltaOptions>::GroupedOptimizer;

  /// Throws ValueError for a number that is negative or not finite, or rho >= 1.
  static void check(const AdadeltaOptions& options);

  static void visit_state(auto& self, auto&& visitor) {
    Optimizer<T>::visit_steps(self, visitor);
    visitor("square", std::span(self.square_));
    visitor("moved", std::span(self.moved_));
  }

 private:
  void update(typename Optimizer<T>::Update u) override;

  std::vector<T> square_ = this->memory(), moved_ = this->memory();
};

extern template class NAdam<float>;
extern template class NAdam<double>;
extern template class RAdam<float>;
extern template class RAdam<double>;
extern template class Adamax<float>;
extern template class Adamax<double>;
extern template class Adagrad<float>;
extern template class Adagrad<double>;
extern template class Adadelta<float>;
extern template class Adadelta<double>;

}  // namespace nn
