// Embedding: a trainable vector for each of a number of symbols.
#pragma once

#include <algorithm>
#include <optional>

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
  std::optional<autograd::Index>
      padding;  ///< of a symbol that says nothing: its row is 0 at first and gets no gradient

  /// Throws ValueError for a padding outside the vocabulary; -1 is the last symbol.
  Embedding(std::size_t vocabulary, std::size_t features, Generator& generator,
            std::optional<autograd::Index> padding_symbol = {})
      : weight(normal<T>({vocabulary, features}, 0, 1, generator)), padding(padding_symbol) {
    if (!padding) return;
    const std::size_t row = autograd::normalize_axis("embedding", *padding, vocabulary);
    weight.update([&](auto& values) { std::fill_n(values.data() + row * features, features, T(0)); });
  }

  /// Rows of the weight, for indices of any shape: (..., features).
  /// Throws ValueError for an index outside the vocabulary.
  autograd::Variable<T> operator()(autograd::Tape<T>& tape, const Array<autograd::Index>& indices) {
    return embedding(tape.parameter(weight), indices, padding);
  }

  Description describe() const {
    return {"Embedding", {{"vocabulary", weight.value().shape(0)}, {"features", weight.value().shape(1)}}};
  }

  static void visit(auto& self, auto&& visitor) { visitor("weight", self.weight); }
};

}  // namespace nn
