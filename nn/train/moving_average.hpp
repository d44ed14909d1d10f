// ExponentialMovingAverage: weights averaged over the steps of training, to evaluate with.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "nn/train/optimizer.hpp"

namespace nn {

/// average = decay average' + (1 - decay) p, from the parameters as they are at first. Holds on to the parameters,
/// which must outlive it and stay where they are.
template <class T>
class ExponentialMovingAverage {
 public:
  /// Throws ValueError unless 0 <= decay < 1.
  ExponentialMovingAverage(std::vector<Parameter<T>*> parameters, double decay)
      : parameters_(std::move(parameters)), decay_(decay) {
    if (!(decay >= 0 && decay < 1))
      throw autograd::ValueError("moving average: decay must be in [0, 1), got " + autograd::fixed_text(decay));
    for (const Parameter<T>* parameter : parameters_) averages_.push_back(parameter->value());
  }
  template <Module M>
  ExponentialMovingAverage(M& module, double decay) : ExponentialMovingAverage(nn::parameters<T>(module), decay) {}

  /// After each step of the optimizer. Throws ValueError, and changes nothing, for a parameter of another shape than at
  /// first; so does swap().
  void update() {
    check_shapes();
    const T kept(decay_), fresh(1 - decay_);
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      const T* const p = parameters_[k]->value().data();
      T* const average = averages_[k].data();
      for (std::size_t at = 0; at < averages_[k].size(); ++at) average[at] = kept * average[at] + fresh * p[at];
    }
  }

  /// Exchanges the parameters and their averages: once to evaluate, once more to go on training.
  void swap() {
    check_shapes();
    for (std::size_t k = 0; k < parameters_.size(); ++k)
      parameters_[k]->update([&](auto& values) {
        std::swap_ranges(averages_[k].data(), averages_[k].data() + averages_[k].size(), values.data());
      });
  }

  const std::vector<autograd::Array<T>>& averages() const { return averages_; }

  static void visit_state(auto& self, auto&& visitor) {
    for (std::size_t k = 0; k < self.averages_.size(); ++k)
      visitor(std::to_string(k), std::span(self.averages_[k].data(), self.averages_[k].size()));
  }

 private:
  void check_shapes() const {
    for (std::size_t k = 0; k < parameters_.size(); ++k)
      if (!(parameters_[k]->shape() == autograd::shape_of(averages_[k])))
        throw autograd::ValueError("moving average: parameter " + std::to_string(k) + " had shape " +
                                   to_string(autograd::shape_of(averages_[k])) + " at first, and has " +
                                   to_string(parameters_[k]->shape()) + " now; average it anew");
  }

  std::vector<Parameter<T>*> parameters_;
  double decay_;
  std::vector<autograd::Array<T>> averages_;
};

}  // namespace nn
