// Dropout: in training, elements are zero at random.
#pragma once

#include <string>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/random.hpp"
#include "nn/description.hpp"

namespace nn {

/// Each element is 0 with the given probability, otherwise multiplied by 1 / (1 - probability); outside training the
/// identity.
template <class T>
struct Dropout {
  double probability;
  bool training = true;

  /// Throws ValueError unless 0 <= probability < 1.
  explicit Dropout(double p) : probability(p) {
    if (!(probability >= 0 && probability < 1))
      throw autograd::ValueError("dropout: the probability must be in [0, 1), got " +
                                 autograd::fixed_text(probability));
  }

  autograd::Variable<T> operator()(autograd::Variable<T> x, autograd::Generator& generator) const {
    return training && probability > 0 ? autograd::dropout(x, probability, generator) : x;
  }

  Description describe() const { return {"Dropout"}; }

  static void visit(auto&, auto&&) {}
};

}  // namespace nn
