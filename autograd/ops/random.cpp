#include "autograd/ops/random.hpp"

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/registry.hpp"
#include "autograd/tape.hpp"

namespace autograd {

template <class T>
Variable<T> dropout(Variable<T> x, double probability, Generator& generator) {
  if (!(probability >= 0 && probability < 1))
    throw ValueError("dropout: probability " + fixed_text(probability) + "; expected 0 <= probability < 1");
  if (probability == 0) return x;
  const T keep = static_cast<T>(1 / (1 - probability));
  Tape<T>& tape = tape_of("dropout", x);
  const SlotId id = tape.check("dropout", x);
  const Variable<T> mask = tape.drawn(Shape(*tape.slot(id).shape));
  T* values = tape.value(mask.slot());
  for (std::size_t k = 0; k < tape.slot(id).size; ++k) values[k] = uniform(generator) < probability ? T(0) : keep;
  return x * mask;
}

template Variable<float> dropout(Variable<float>, double, Generator&);
template Variable<double> dropout(Variable<double>, double, Generator&);

namespace {
// A product with a random mask, but listed under the name users call.
constexpr OpInfo dropout_info{.name = "dropout"};
}  // namespace

std::vector<RegisteredOp> random_ops() {
  const auto seeded = [](auto x) {
    Generator generator(7);
    return dropout(x[0], 0.3, generator);
  };
  const auto too_high = [](auto x) {
    Generator generator(7);
    return dropout(x[0], 1, generator);
  };
  return {{&dropout_info,
           {{"matrix", {{5, 7}}, seeded}},
           {{{{3}}, too_high, "dropout: probability 1.000000; expected 0 <= probability < 1"}}}};
}

}  // namespace autograd
