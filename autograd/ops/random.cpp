#include "autograd/ops/random.hpp"

#include "autograd/all_or_nothing.hpp"
#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "autograd/ops/arithmetic.hpp"

namespace autograd {

template <class T>
Variable<T> dropout(Variable<T> x, double probability, Generator& generator) {
  if (!(probability >= 0 && probability < 1))
    throw ValueError("dropout: probability " + fixed_text(probability) + "; expected 0 <= probability < 1");
  if (probability == 0) return x;
  const T keep = static_cast<T>(1 / (1 - probability));
  Tape<T>& tape = common_tape("dropout", x);
  const Variable<T> mask = tape.drawn(Shape(x.shape()), [&](std::span<T> values) {
    for (T& value : values) value = uniform(generator) < probability ? T(0) : keep;
  });
  return x * mask;
}

template Variable<float> dropout(Variable<float>, double, Generator&);
template Variable<double> dropout(Variable<double>, double, Generator&);

}  // namespace autograd
