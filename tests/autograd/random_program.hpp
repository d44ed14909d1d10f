// Small random programs, and the complex step as their judge.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/autograd.hpp"
#include "support.hpp"

namespace autograd::testing {

// y = x^3, y's second half negated,   dx = 3 x^2 g, likewise. The vjp runs on numbers and reads and slices input,
// output and gradient alike.
struct Twisted {
  static constexpr OpInfo info{.name = "twisted"};
  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    const std::size_t size = call.input().size();
    for (std::size_t k = 0; k < size; ++k) {
      const V x = call.input().data[k];
      call.output().data[k] = 2 * k < size ? x * x * x : -x * x * x;
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Shape shape = call.input().shape(), flat{shape.elements()};
    const Index size = static_cast<Index>(flat[0]), middle = (size + 1) / 2;
    const auto g = reshape(call.gradient(), flat), x = reshape(call.input(), flat), y = reshape(call.output(), flat);
    const auto first = slice(g, 0, 0, middle) * square(slice(x, 0, 0, middle)) * 3;
    const auto second = slice(g, 0, middle, size) * square(slice(x, 0, middle, size)) * -3;
    call.add(0, reshape(concat({first, second}, 0) + 0 * y, shape));
  }
};

/// What decides about a program: bytes, and after these a generator.
class Choices {
 public:
  explicit Choices(std::uint64_t seed, std::string_view bytes = {}) : generator(seed), bytes_(bytes) {}

  std::size_t below(std::size_t bound) {
    if (bytes_.empty()) return generator() % bound;
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte % bound;
  }

  Generator generator;  ///< of the numbers, too

 private:
  std::string_view bytes_;
};

/// A program over a pool of values of at most `largest` elements. With a workspace, the steps of sequences are computed
/// again in the sweep.
template <class T>
class RandomProgram {
 public:
  using Handle = Variable<T>;
  static constexpr std::size_t largest = 12;

  RandomProgram(Tape<T>& tape, Parameter<T>& parameter, Choices choices, Tape<T>* workspace = nullptr)
      : tape_(tape), parameter_(parameter), choices_(choices), workspace_(workspace) {}

  /// Records the program; a scalar that depends on at least one variable.
  Handle record() {
    pool_ = {tape_.variable(random_array<T>({3, 4}, choices_.generator)),
             tape_.variable(random_array<T>({2, 3}, choices_.generator)), tape_.parameter(parameter_),
             tape_.constant(random_array<T>({4}, choices_.generator))};
    const std::size_t leaves = pool_.size();
    record_steps(2 + below(8));
    while (below(3) == 0) {
      const auto mark = tape_.mark();
      const auto pool = pool_;
      record_steps(1 + below(4));
      if (below(2)) tape_.backward(loss());
      tape_.rewind(mark);
      pool_ = pool;
      if (below(2)) record_steps(1 + below(3));
    }
    const Handle result = loss();
    Recording<T>& recording = tape_.recording();
    end_ = recording.slot_count();
    if (below(3) == 0) record_steps(1 + below(3));  // after the loss
    for (SlotId id = 0; below(2) && id < end_; ++id)
      if (!recording.slot(id).parameter && !recording.slot(id).donated && below(4) == 0)
        tape_.watch(recording.handle(id));
    leaves_ = {pool_.begin(), pool_.begin() + static_cast<std::ptrdiff_t>(leaves)};
    return result;
  }

  const std::vector<Handle>& leaves() const { return leaves_; }
  /// The number of slots when the loss was recorded.
  std::size_t end() const { return end_; }

 private:
  std::size_t below(std::size_t bound) { return choices_.below(bound); }
  Index signed_below(std::size_t bound) { return static_cast<Index>(below(bound)); }

  /// Late values more often than early ones.
  Handle pick() { return pool_[pool_.size() - 1 - std::min(below(pool_.size()), below(pool_.size()))]; }
  Handle pick_like(Handle x) {
    std::vector<Handle> alike;
    for (const Handle& each : pool_)
      if (each.shape() == x.shape()) alike.push_back(each);
    return alike[below(alike.size())];
  }
  /// One with an axis that is not empty.
  std::optional<std::pair<Handle, Index>> pick_axis() {
    const Handle x = pick();
    if (x.shape().rank() == 0) return {};
    const std::size_t axis = below(3) ? 0 : below(x.shape().rank());
    if (x.shape()[axis] == 0) return {};
    return std::pair{x, static_cast<Index>(axis)};
  }

  void keep(Handle x) {
    if (x.shape().elements() <= largest) pool_.push_back(x);
  }

  void record_steps(std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) record_step();
  }

  void record_step() {
    switch (below(21)) {
      case 0:
      case 1:
        return reshape_one();
      case 2:
      case 3:
        if (const auto at = pick_axis()) {
          const auto [x, axis] = *at;
          const std::size_t extent = x.shape()[static_cast<std::size_t>(axis)];
          const Index start = signed_below(extent),
                      stop = start + signed_below(extent + 1 - static_cast<std::size_t>(start));
          keep(slice(x, axis, start, stop, below(4) ? 1 : 2));
        }
        return;
      case 4:
      case 5:
        if (const auto at = pick_axis())
          keep(select(at->first, at->second, signed_below(at->first.shape()[static_cast<std::size_t>(at->second)])));
        return;
      case 6:
      case 7:
        return split_one();
      case 8:
        return rows_of_one();
      case 9: {
        const Handle x = pick(), y = pick_like(x);
        if (x.shape().rank() > 0) keep(concat({x, y}, signed_below(x.shape().rank())));
        return;
      }
      case 10: {
        const Handle x = pick();
        if (x.shape().rank() < 4) keep(stack({x, pick_like(x)}, signed_below(x.shape().rank() + 1)));
        return;
      }
      case 11:
        return keep(tanh(pick()));
      case 12:
        return keep(affine(pick(), 0.5, -0.25));
      case 13: {
        const Handle x = pick();
        return keep(x * pick_like(x));
      }
      case 14: {
        const Handle x = pick();
        return keep(x - pick_like(x));
      }
      case 15: {
        const Handle x = pick();
        if (x.shape().rank() > 1) keep(transpose(x));
        return;
      }
      case 16:
        if (const auto at = pick_axis()) keep(below(2) ? sum(at->first, at->second) : softmax(at->first, at->second));
        return;
      case 17:
        return keep(below(4) ? apply(Twisted{}, pick()) : detach(pick()));
      case 18: {
        const Handle x = pick(), flat = reshape(x, {x.shape().elements()});
        return keep(matmul(flat, reshape(pick_like(x), {x.shape().elements()})));
      }
      case 19: {
        const Handle x = pick(), y = pick_like(x);
        constexpr auto f = pointwise([](auto a, auto b) { return a * a + tanh(a) * b; });
        return keep(f(donate(x * 0.75), y));
      }
      default:
        if (const auto at = pick_axis()) keep(take(at->first, Array<Index>{0, -1, 0}, at->second));
    }
  }

  void reshape_one() {
    const Handle x = pick();
    const std::size_t size = x.shape().elements();
    std::vector<std::size_t> divisors;
    for (std::size_t k = 1; k <= size; ++k)
      if (size % k == 0) divisors.push_back(k);
    if (divisors.empty() || below(2) == 0) return keep(reshape(x, {size}));
    const std::size_t rows = divisors[below(divisors.size())];
    keep(reshape(x, {rows, size / rows}));
  }

  void split_one() {
    const auto at = pick_axis();
    if (!at) return;
    const std::size_t extent = at->first.shape()[static_cast<std::size_t>(at->second)];
    const std::size_t first = below(extent + 1), second = below(extent - first + 1);
    for (const Handle& piece : split(at->first, {first, second, extent - first - second}, at->second)) keep(piece);
  }

  /// The sequence idiom: each row through a step of its own.
  void rows_of_one() {
    const Handle x = pick();
    if (x.shape().rank() == 0) return;
    Handle state;
    for (std::size_t t = 0; t < x.shape()[0]; ++t) {
      const Handle row = select(x, 0, static_cast<Index>(t));
      state = state ? next_of(state, row) : exp(0.1 * row);
      if (below(4) == 0) keep(row);
    }
    if (state) keep(state);
  }

  Handle next_of(Handle state, Handle row) {
    const auto next = [](std::span<const Handle> of) { return std::array{of[0] * 0.5 + tanh(of[1])}; };
    return workspace_ ? checkpoint(*workspace_, next, {state, row})[0] : next(std::array{state, row})[0];
  }

  Handle loss() {
    Handle total = sum(pool_[below(2)]);
    for (std::size_t k = 1 + below(4); k > 0; --k) {
      const Handle x = pick();
      const Handle weights = tape_.constant(random_array<T>(x.shape(), choices_.generator));
      total = total + sum(x * weights);
    }
    // At times a loss that is itself part of something.
    return below(5) ? total : select(reshape(stack({total, tanh(total)}), {2, 1}), 0, signed_below(2));
  }

  Tape<T>& tape_;
  Parameter<T>& parameter_;
  Choices choices_;
  Tape<T>* workspace_;
  std::vector<Handle> pool_, leaves_;
  std::size_t end_ = 0;
};

/// How many values were compared, and how many were refused because their memory is shared.
struct Count {
  std::size_t compared = 0, refused = 0;
};

inline double off_by(const Array<double>& got, const Array<double>& expected) {
  double worst = 0;
  for (std::size_t k = 0; k < got.size(); ++k) {
    const double error = std::abs(got.data()[k] - expected.data()[k]) / (1 + std::abs(expected.data()[k]));
    if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  return worst;
}

/// A program's gradients by its two variables and its parameter.
template <class T>
std::array<Array<T>, 3> gradients_of(std::uint64_t seed, std::string_view bytes, const Array<double>& parameter,
                                     Tape<T>* workspace = nullptr) {
  Tape<T> tape;
  Parameter<T> own(converted<T>(parameter));
  RandomProgram<T> program(tape, own, Choices(seed, bytes), workspace);
  const Variable<T> loss = program.record();
  own.zero_grad();
  tape.backward(loss);
  return {tape.gradient(program.leaves()[0]), tape.gradient(program.leaves()[1]), own.grad()};
}

/// Records a program, sweeps, and throws std::logic_error, with the tape, where a gradient of first or second order is
/// off the complex step's, or a tape that was replayed is off; or where the program in float, or with steps that are
/// computed again, has other gradients.
inline void check_program(Tape<double>& tape, std::uint64_t seed, std::string_view bytes, Count& count) {
  using Handle = Variable<double>;
  soil(tape);
  const auto fail = [&](const auto&... what) {
    std::ostringstream text;
    (text << ... << what) << ", of the program of seed " << seed << "\n" << tape.print();
    throw std::logic_error(text.str());
  };
  Generator generator(seed ^ 0x9e3779b97f4a7c15);
  Parameter<double> parameter(random_array({2, 2, 2}, generator));
  RandomProgram<double> program(tape, parameter, Choices(seed, bytes));
  const Handle loss = program.record();
  parameter.zero_grad();
  tape.backward(loss);

  std::vector<Array<double>> expected(program.end());
  Recording<double>& recording = tape.recording();
  for (SlotId id = 0; id < program.end(); ++id) {
    const Handle x = recording.handle(id);
    const Slot<double>& slot = recording.slot(id);
    if (!slot.needs_gradient || slot.donated) continue;
    expected[id] = complex_step_gradient(loss, x);
    Array<double> got;
    try {
      got = slot.parameter ? parameter.grad() : tape.gradient(x);
    } catch (const TapeError&) {
      const bool may_refuse = slot.source != Slot<double>::no_source && !slot.watched;
      if (!may_refuse) fail("the gradient of %", id, " was refused");
      ++count.refused;
      continue;
    }
    ++count.compared;
    if (const double off = off_by(got, expected[id]); !(off <= 1e-13))
      fail("the sweep and the complex step differ by ", off, " for %", id);
  }

  // The program in float, and with steps that are computed again.
  const std::array<Array<double>, 3> exact = gradients_of<double>(seed, bytes, parameter.value());
  double scale = 1;
  for (const Array<double>& each : expected)
    for (const double element : each) scale = std::max(scale, std::abs(element));
  const auto compare = [&](const char* what, const auto& got, double tolerance) {
    for (std::size_t k = 0; k < exact.size(); ++k)
      for (std::size_t j = 0; j < exact[k].size(); ++j)
        if (const double off = std::abs(static_cast<double>(got[k].data()[j]) - exact[k].data()[j]) / scale;
            !(off <= tolerance))
          fail("the gradient ", what, " is off by ", off, " of the largest");
  };
  Tape<double> workspace;
  compare("with steps that are computed again", gradients_of<double>(seed, bytes, parameter.value(), &workspace),
          1e-14);
  compare("in float", gradients_of<float>(seed, bytes, parameter.value()), 1e-4);

  // Recorded gradients of every value, and of all of them together.
  std::vector<Handle> values;
  for (SlotId id = 0; id < program.end(); ++id)
    if (recording.slot(id).needs_gradient && !recording.slot(id).donated) values.push_back(recording.handle(id));
  const auto recorded = grad(loss, std::span<const Handle>(values));
  for (std::size_t k = 0; k < values.size(); ++k)
    if (const double off = off_by(recorded[k].copy(), expected[values[k].slot()]); !(off <= 1e-13))
      fail("grad() and the complex step differ by ", off, " for %", values[k].slot());

  // The second derivative, for which the tape by now holds slices of slices of gradients.
  Generator direction_generator(seed + 1);
  Handle product = tape.constant(Shape{}, 0);
  for (std::size_t k = 0; k < 2; ++k) {
    const Handle gradient = grad(loss, {program.leaves()[k]})[0];
    product = product + sum(gradient * tape.constant(random_array(gradient.shape(), direction_generator)));
  }
  const auto sweep = [&](Handle from) {
    parameter.zero_grad();
    tape.backward(from);
    return parameter.grad();
  };
  const auto check_second = [&](const char* when) {
    sweep(product);
    for (std::size_t k = 0; k < 2; ++k) {
      const Handle leaf = program.leaves()[k];
      const double off = off_by(tape.gradient(leaf), complex_step_gradient(product, leaf));
      if (!(off <= 1e-12)) fail("the second derivative", when, " differs from the complex step by ", off);
    }
  };
  const bool second = product.needs_gradient();
  if (second) {
    const Array<double> first = parameter.grad();
    check_second("");
    if (!same_bits(sweep(loss), first)) fail("a sweep after another one has different bits");
  }

  // Other numbers, and then the first ones again.
  const Array<double> before = loss.copy(), gradient = sweep(loss);
  std::vector<Array<double>> first;
  for (std::size_t k = 0; k < 2; ++k) first.push_back(program.leaves()[k].copy());
  for (std::size_t k = 0; k < 2; ++k)
    tape.assign(program.leaves()[k], random_array(program.leaves()[k].shape(), direction_generator));
  tape.replay();
  sweep(loss);
  for (std::size_t k = 0; k < 2; ++k)
    if (const double off = off_by(tape.gradient(program.leaves()[k]), complex_step_gradient(loss, program.leaves()[k]));
        !(off <= 1e-13))
      fail("the sweep after a replay differs from the complex step by ", off);
  if (second) check_second(" after a replay");
  for (std::size_t k = 0; k < 2; ++k) tape.assign(program.leaves()[k], first[k]);
  tape.replay();
  if (!same_bits(loss.copy(), before) || !same_bits(sweep(loss), gradient))
    fail("a replay with the first numbers has different bits");
}

}  // namespace autograd::testing
