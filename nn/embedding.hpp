// Embedding: a trainable vector for each of a number of symbols.
#pragma once

#include "autograd/ops/indexing.hpp"
#include "autograd/tape.hpp"
#include "nn/description.hpp"
#include "nn/initialize.hpp"
#include "nn/module.hpp"

namespace nn {

/// Starts from standard normal numbers, as PyTorch does.
template <class T>
struct Embedding {
  Parameter<T> weight;  ///< (vocabulary, features)

  Embedding(std::size_t vocabulary, std::size_t features, Generator& generator)
      : weight(normal<T>({vocabulary, features}, 0, 1, generator)) {}

  /// Rows of the weight, for indices of any shape: (..., features).
  /// Throws ValueError for an index outside the vocabulary.
  autograd::Variable<T> operator()(autograd::Tape<T>& tape, const Array<autograd::Index>& indices) {
    return embedding(tape.parameter(weight), indices);
  }

  Description describe() const {
    return {"Embedding", {{"vocabulary", weight.value().shape(0)}, {"features", weight.value().shape(1)}}};
  }

  static void visit(auto& self, auto&& visitor) { visitor("weight", self.weight); }
};

}  // namespace nn
