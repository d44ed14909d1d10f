// Samples: every op with ways to call it right and wrong. One harness walks them, so an op is tested by being listed.
#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/array.hpp"
#include "autograd/op.hpp"
#include "autograd/variable.hpp"

namespace autograd::testing {

template <class T>
using Call = std::function<Variable<T>(std::span<const Variable<T>>)>;

/// One call of an op on inputs of the given shapes, drawn from `domain`.
struct Sample {
  std::string description;
  std::vector<Shape> inputs;
  Call<double> call;
  Call<float> call_float;
  Interval domain;

  /// `call` takes a span of Variables of either type.
  template <class F>
  Sample(std::string what, std::vector<Shape> shapes, F f, Interval drawn_from = {-2, 2})
      : description(std::move(what)), inputs(std::move(shapes)), call(f), call_float(f), domain(drawn_from) {}
};

/// A call that has to throw exactly this text.
struct ErrorSample {
  std::vector<Shape> inputs;
  Call<double> call;
  std::string text;
};

/// What a call gives in registers, for arrays of one shape.
template <class T>
struct InRegisters {
  Array<T> lanes;                ///< the values of lanes
  Array<T> duals;                ///< those of registers with slopes
  std::vector<Array<T>> slopes;  ///< by each input
};

/// What a call is computed from: bit k stands for input k.
struct Dependences {
  std::uint32_t lane;                 ///< the value of a lane
  std::uint32_t dual;                 ///< that of a lane with slopes
  std::vector<std::uint32_t> slopes;  ///< by each input
};

/// One call of an elementwise function on every kind of value, of inputs of one shape.
struct ElementwiseSample : Sample {
  Call<double> fused;  ///< within a pointwise function
  std::function<InRegisters<double>(std::span<const Array<double>>)> in_registers;
  std::function<InRegisters<float>(std::span<const Array<float>>)> in_registers_float;
  std::function<std::complex<double>(std::span<const std::complex<double>>)> complex;
  Dependences dependences;

  /// In elementwise.hpp.
  template <std::size_t N, class F>
  ElementwiseSample(std::integral_constant<std::size_t, N>, std::string what, Interval drawn_from, F call);
};

struct RegisteredOp {
  const OpInfo* info;
  std::vector<Sample> samples;
  std::vector<ErrorSample> errors;
  std::vector<ElementwiseSample> kinds;  ///< of elementwise functions only

  RegisteredOp(const OpInfo& of, std::vector<Sample> calls, std::vector<ErrorSample> wrong_calls = {})
      : info(&of), samples(std::move(calls)), errors(std::move(wrong_calls)) {}
  /// A rule that its source file keeps to itself: the one of this name that a sample records.
  RegisteredOp(std::string_view rule, std::vector<Sample> calls, std::vector<ErrorSample> wrong_calls = {});
  /// One more call of an elementwise function, of N values of any kind. In elementwise.hpp.
  template <std::size_t N, class F>
  RegisteredOp& also(const std::string& description, F call);
};

std::vector<RegisteredOp> arithmetic_ops();
std::vector<RegisteredOp> elementary_ops();
std::vector<RegisteredOp> trigonometric_ops();
std::vector<RegisteredOp> activation_ops();
std::vector<RegisteredOp> selection_ops();
std::vector<RegisteredOp> shape_ops();
std::vector<RegisteredOp> arrangement_ops();
std::vector<RegisteredOp> reduction_ops();
std::vector<RegisteredOp> mean_ops();
std::vector<RegisteredOp> cumulative_ops();
std::vector<RegisteredOp> normalization_ops();
std::vector<RegisteredOp> linear_algebra_ops();
std::vector<RegisteredOp> einsum_ops();
std::vector<RegisteredOp> indexing_ops();
std::vector<RegisteredOp> softmax_ops();
std::vector<RegisteredOp> loss_ops();
std::vector<RegisteredOp> random_ops();
std::vector<RegisteredOp> hook_ops();

/// All of them.
std::vector<RegisteredOp> registered_ops();

}  // namespace autograd::testing
