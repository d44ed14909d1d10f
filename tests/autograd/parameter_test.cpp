// Ops that take a Parameter where another operand tells the tape.
#include "autograd/parameter.hpp"

#include <functional>

#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {
constexpr auto blend = pointwise([](auto a, auto b, auto c) { return tanh(a * b) + c; });
}

TEMPLATE_TEST_CASE("a Parameter beside a Variable is that parameter on its tape", "[parameter]", float, double) {
  using T = TestType;
  using V = Variable<T>;
  Generator generator(31);
  Parameter<T> square(Array<T>(random_array({3, 3}, generator))), row(Array<T>(random_array({3}, generator)));
  row.update([](auto& values) { values += T(3); });  // a divisor
  std::optional<Parameter<T>> bias(row), none;
  const Array<T> x = random_array({2, 3}, generator);
  // What is written with Parameters, and the same with their handles.
  const std::pair<std::function<V(V)>, std::function<V(V, V, V)>> cases[] = {
      {[&](V v) { return v + row; }, [](V v, V, V b) { return v + b; }},
      {[&](V v) { return row + v; }, [](V v, V, V b) { return b + v; }},
      {[&](V v) { return v - row; }, [](V v, V, V b) { return v - b; }},
      {[&](V v) { return row - v; }, [](V v, V, V b) { return b - v; }},
      {[&](V v) { return v * row; }, [](V v, V, V b) { return v * b; }},
      {[&](V v) { return row * v; }, [](V v, V, V b) { return b * v; }},
      {[&](V v) { return v / row; }, [](V v, V, V b) { return v / b; }},
      {[&](V v) { return row / v; }, [](V v, V, V b) { return b / v; }},
      {[&](V v) { return matmul(v, square); }, [](V v, V w, V) { return matmul(v, w); }},
      {[&](V v) { return matmul(square, transpose(v, 0, 1)); },
       [](V v, V w, V) { return matmul(w, transpose(v, 0, 1)); }},
      {[&](V v) { return linear(v, square); }, [](V v, V w, V) { return linear(v, w); }},
      {[&](V v) { return linear(v, square, none); }, [](V v, V w, V) { return linear(v, w); }},
      {[&](V v) { return linear(v, square, row); }, [](V v, V w, V b) { return linear(v, w, b); }},
      {[&](V v) { return linear(v, square, v); }, [](V v, V w, V) { return linear(v, w, v); }},
      {[&](V v) { return linear(v, square, donate(v + row)); },
       [](V v, V w, V b) { return linear(v, w, donate(v + b)); }},
      {[&](V v) { return prelu(v, row); }, [](V v, V, V b) { return prelu(v, b); }},
      {[&](V v) { return blend(v, row, exp(v)); }, [](V v, V, V b) { return blend(v, b, exp(v)); }},
      {[&](V v) { return blend(donate(v + row), v, row); }, [](V v, V, V b) { return blend(donate(v + b), v, b); }},
      {[&](V v) { return layer_norm(v, row, row); }, [](V v, V, V b) { return layer_norm(v, b, b); }},
  };
  for (const auto& [with_parameters, with_handles] : cases) {
    const auto run = [&](auto f) {
      square.zero_grad();
      row.zero_grad();
      Tape<T> tape;
      const V result = f(tape);
      tape.backward(sum(result * result));
      return std::vector<Array<T>>{result.copy(), square.grad(), row.grad()};
    };
    const auto left = run([&](Tape<T>& tape) { return with_parameters(tape.constant(x)); });
    const auto right = run([&](Tape<T>& tape) {
      const V w = tape.parameter(square), b = tape.parameter(row);
      return with_handles(tape.constant(x), w, b);
    });
    for (std::size_t k = 0; k < left.size(); ++k) CHECK(same_bits(left[k], right[k]));
  }
  Tape<T> tape;
  tape.backward(sum(linear(tape.constant(x), square, bias)));
  CHECK(same_bits(bias->grad(), full<T>({3}, T(2))));
}

TEST_CASE("a call that fails leaves its Parameter off the tape", "[parameter]") {
  using V = Variable<double>;
  Parameter<double> kept(full<double>({3, 3}, 0.5)), other(full<double>({4}, 1.0)), wide(full<double>({3, 7}, 1.0));
  const auto fused = pointwise([](auto a, auto b) { return a * b; });
  const std::vector<std::function<void(V)>> calls = {[&](V x) { x + other; },
                                                     [&](V x) { other* x; },
                                                     [&](V x) { matmul(x, wide - x); },
                                                     [&](V x) { matmul(x, other); },
                                                     [&](V x) { matmul(other, x); },
                                                     [&](V x) { linear(x, wide); },
                                                     [&](V x) { linear(x, kept, other); },
                                                     [&](V x) { linear(x, wide, x); },
                                                     [&](V x) { linear(x, wide, donate(x)); },
                                                     [&](V x) { layer_norm(x, other, other); },
                                                     [&](V x) { prelu(x, other); },
                                                     [&](V x) { fused(x, other); }};
  for (std::size_t k = 0; k < calls.size(); ++k) {
    INFO("call " << k);
    Tape<double> tape;
    const V x = tape.variable(full<double>({2, 3}, 1.0)), loss = sum(linear(x, kept));
    const std::size_t size = tape.size();
    CHECK_THROWS_AS(calls[k](x), ShapeError);
    CHECK(tape.size() == size);
    CHECK_FALSE(tape.held(other));
    CHECK_FALSE(tape.held(wide));
    CHECK(tape.held(kept));
    other.update([](auto& values) { values += 1.0; });
    wide.update([](auto& values) { values += 1.0; });
    CHECK_NOTHROW(tape.backward(loss));
  }
}

TEST_CASE("an operand that refers to nothing has no tape for a Parameter", "[parameter]") {
  Parameter<double> weight(full<double>({2, 2}, 1.0));
  const Variable<double> nothing;
  CHECK(error_text<TapeError>([&] { linear(nothing, weight); }).find("linear: ") == 0);
  CHECK(error_text<TapeError>([&] { nothing* weight; }).find("mul: ") == 0);
  CHECK(error_text<TapeError>([&] { prelu(nothing, weight); }).find("prelu: ") == 0);
  CHECK(error_text<TapeError>([&] { blend(nothing, weight, weight); }).find("pointwise: ") == 0);
  CHECK_THROWS_AS(beside(nothing, weight), TapeError);
}
