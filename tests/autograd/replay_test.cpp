// replay(): a recording run again with other values gives the bits of a new recording.
#include <set>

#include "allocations.hpp"
#include "autograd/autograd.hpp"
#include "autograd/checkpoint.hpp"
#include "catch.hpp"
#include "samples/samples.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

/// The output and the gradients of one sample, of values recorded, or recorded with others and replayed.
std::vector<Array<double>> outcome(Tape<double>& tape, const Variable<double>& y,
                                   const std::vector<Variable<double>>& x) {
  std::vector<Array<double>> result{y.copy()};
  if (!y.needs_gradient()) return result;
  Generator generator(4);
  tape.backward(y, random_array(y.shape(), generator));
  for (const Variable<double>& each : x) result.push_back(tape.gradient(each));
  return result;
}

}  // namespace

TEST_CASE("every op replayed with other values gives the bits of a new recording", "[replay]") {
  Generator generator(31);
  // What looks at values while it is recorded takes them into the recording.
  const std::set<std::string> reads_values{"masked_select: positive ones", "reduce: masked mean"};
  std::size_t replayed = 0, refused = 0;
  for (const RegisteredOp& op : registered_ops())
    for (const Sample& sample : op.samples) {
      const std::string name = std::string(op.info->name) + ": " + sample.description;
      INFO(name);
      if (reads_values.contains(name)) continue;
      std::vector<Array<double>> first, second;
      for (const Shape& shape : sample.inputs) {
        first.push_back(random_array(shape, generator, sample.domain));
        second.push_back(random_array(shape, generator, sample.domain));
      }
      Tape<double> once, again;
      std::vector<Variable<double>> x, fresh;
      for (const Array<double>& value : first) x.push_back(once.variable(value));
      for (const Array<double>& value : second) fresh.push_back(again.variable(value));
      const Variable<double> y = sample.call(x), expected = sample.call(fresh);
      outcome(once, y, x);
      for (std::size_t k = 0; k < x.size(); ++k) once.assign(x[k], second[k]);
      try {
        once.replay();
      } catch (const TapeError&) {
        ++refused;
        continue;
      }
      ++replayed;
      const auto got = outcome(once, y, x), want = outcome(again, expected, fresh);
      for (std::size_t k = 0; k < want.size(); ++k) CHECK(same_bits(got[k], want[k]));
    }
  CHECK(replayed > 200);
  CHECK(refused <= 2);
}

TEST_CASE("a replayed training loop takes the steps of a recorded one, and allocates nothing", "[replay]") {
  Generator generator(6);
  const Array<double> start = random_array({4, 3}, generator), x = random_array({5, 3}, generator);
  Parameter<double> recorded(start), replayed(start);
  const auto loss_of = [&](Tape<double>& tape, Parameter<double>& w) {
    const auto weight = tanh(tape.parameter(w));  // a weight that is computed is packed again as well
    auto y = linear(tape.constant(x), weight);
    y = linear(tanh(matmul(y, weight)), tape.parameter(w));
    return sum(square(y));
  };
  const auto update = [](Parameter<double>& w) {
    w.update([&](auto& values) { values -= 0.01 * w.grad(); });
    w.zero_grad();
  };
  Tape<double> a, b;
  const auto loss = loss_of(b, replayed);
  for (int k = 0; k < 4; ++k) {
    a.clear();
    a.backward(loss_of(a, recorded));
    update(recorded);
    const auto again = [&] {
      b.replay();
      b.backward(loss);
    };
    const std::size_t count = allocations::during(again);
    if (k >= 2) CHECK(count == 0);
    update(replayed);
    CHECK(same_bits(recorded.value(), replayed.value()));
  }
}

TEST_CASE("weights that are slices and reshapes hold the new values after a replay", "[replay]") {
  Generator generator(16);
  const Array<double> x = random_array({10, 4}, generator), update = random_array({6, 4}, generator);
  Parameter<double> p(random_array({6, 4}, generator));
  const auto record = [&](Tape<double>& tape) {
    const auto w = tape.parameter(p), rows = tape.constant(x);
    const auto sliced = linear(rows, slice(w, 0, 2, 6));
    const auto reshaped = linear(sliced, reshape(slice(tanh(w), 0, 0, 4), {4, 4}));
    return autograd::concat({linear(sliced, slice(w, 0, 2, 6)), reshaped}, 1);
  };
  Tape<double> once, again;
  const auto y = record(once);
  p.update([&](auto& values) { values = update; });
  once.replay();
  CHECK(same_bits(y.copy(), record(again).copy()));
}

TEST_CASE("what can not be replayed is refused, and nothing has changed", "[replay]") {
  Tape<double> tape;
  Generator generator(2);
  const auto x = tape.variable(array<double>({2}, {1, 2}));
  const auto y = square(x);
  CHECK(error_text<ShapeError>([&] { tape.assign(x, zeros<double>({3})); }) ==
        "assign: the value has shape (3), the recording (2); record again for other shapes");
  CHECK(error_text<TapeError>([&] { tape.assign(y, zeros<double>({2})); }) ==
        "assign: this value was computed, or is a Parameter's; only variables and constants take another");
  Parameter<double> p(array<double>({2}, {1, 2}));
  const auto z = y * tape.parameter(p);
  CHECK_THROWS_AS(tape.assign(tape.parameter(p), zeros<double>({2})), TapeError);

  tape.assign(x, array<double>({2}, {3, 4}));
  const Array<double> before = z.copy();
  p = Parameter<double>(zeros<double>({3}));
  CHECK(error_text<TapeError>([&] { tape.replay(); }) ==
        "replay: a parameter of shape (2) is another array now, of shape (3); write to it through update(), or record "
        "again");
  CHECK(same_bits(z.copy(), before));

  tape.clear();
  const auto w = tape.variable(array<double>({2}, {1, 2}));
  dropout(w, 0.5, generator);
  CHECK(error_text<TapeError>([&] { tape.replay(); }) ==
        "replay: dropout drew its mask when it was recorded; clear the tape and record again");

  Tape<double> workspace;
  tape.clear();
  const auto v = tape.variable(array<double>({2}, {1, 2}));
  const auto segment = [](std::span<const Variable<double>> in) { return std::array{exp(in[0])}; };
  checkpoint(workspace, segment, {v});
  CHECK(error_text<TapeError>([&] { tape.replay(); }) ==
        "replay: checkpoint can not be repeated; clear the tape and record again");
}

TEST_CASE("gradients kept apart are delivered once, and only when asked for", "[replay]") {
  Tape<double> tape;
  Parameter<double> p(array<double>({2}, {1, 2}));
  const auto loss = sum(square(tape.parameter(p)));
  tape.backward_apart(loss);
  CHECK(same(p.grad(), array<double>({2}, {0, 0})));
  tape.deliver_gradients();
  CHECK(same(p.grad(), array<double>({2}, {2, 4})));
  tape.deliver_gradients();
  CHECK(same(p.grad(), array<double>({2}, {2, 4})));
  tape.backward(loss);
  CHECK(same(p.grad(), array<double>({2}, {4, 8})));
  tape.deliver_gradients();
  CHECK(same(p.grad(), array<double>({2}, {4, 8})));
}
