// LearnedState: any cell, with an initial state that is learnt.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/ops/shape.hpp"
#include "nn/description.hpp"
#include "nn/module.hpp"
#include "nn/recurrent/cell.hpp"

namespace nn {

/// The cell C with Parameters, zeros at first, in the place of its zero_state(): one row for all sequences of a batch.
/// It is a cell itself, so Recurrent and RecurrentLayers take it.
template <class T, class C>
requires Cell<C, T>
class LearnedState {
 public:
  using State = StateOf<C, T>;

  C cell;
  std::vector<Parameter<T>> initial;  ///< the components of the state in the order of its map(), without the batch

  explicit LearnedState(C one) : cell(std::move(one)) {
    Tape<T> tape;
    components(cell.zero_state(tape, 1), [&](Variable<T> zeros) {
      autograd::Shape shape;
      for (std::size_t axis = 1; axis < zeros.shape().rank(); ++axis) shape.push_back(zeros.shape()[axis]);
      initial.emplace_back(autograd::zeros<T>(shape));
      return zeros;
    });
  }

  State operator()(Variable<T> x, const State& state) { return cell(x, state); }
  Variable<T> project(Variable<T> x) requires ProjectingCell<C, T> { return cell.project(x); }
  State step(Variable<T> projected, const State& state) requires ProjectingCell<C, T> {
    return cell.step(projected, state);
  }

  State zero_state(Tape<T>& tape, std::size_t batch) {
    std::size_t k = 0;
    return components(cell.zero_state(tape, batch), [&](Variable<T> zeros) {
      return autograd::broadcast_to(tape.parameter(initial[k++]), zeros.shape());
    });
  }

  Description describe() const {
    Description description{"LearnedState"};
    if constexpr (Described<C>) {
      description.attributes = cell.describe().attributes;
      description.attributes.emplace_back("cell", cell.describe().type);
    }
    return description;
  }

  /// The cell's names, then `initial_0` and so on.
  static void visit(auto& self, auto&& visitor) {
    self.cell.visit(self.cell, visitor);
    for (std::size_t k = 0; k < self.initial.size(); ++k) visitor("initial_" + std::to_string(k), self.initial[k]);
  }

 private:
  static State components(const State& state, auto&& f) { return map_state(f, state); }
};

}  // namespace nn
