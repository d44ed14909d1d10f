// What an op is: its OpInfo, and the table of functions through which the tape runs it.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>

#include "autograd/shape.hpp"

// For what runs on registers: one passed through memory costs more than what is computed with it, and compilers left
// alone do pass them. A sanitizer takes minutes over the single function that all of it becomes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WENGERT_INLINE inline
#define WENGERT_FLATTEN [[gnu::noinline]]
#else
#define WENGERT_INLINE [[gnu::always_inline]] inline
#define WENGERT_FLATTEN [[gnu::flatten, gnu::noinline]]
#endif

// Around what a program inlines from us: GCC 12 warns there of its own AVX-512 header (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define WENGERT_QUIET_BEGIN                                                                  \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"") \
      _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")
#define WENGERT_QUIET_END _Pragma("GCC diagnostic pop")
#else
#define WENGERT_QUIET_BEGIN
#define WENGERT_QUIET_END
#endif

namespace autograd {

/// What a vjp reads besides the output gradient. The tape need not keep the rest.
enum class Reads : std::uint8_t { neither, inputs, output, both };

struct Interval {
  double low;
  double high;
};

/// What every rule declares about itself as `static constexpr OpInfo info`.
struct OpInfo {
  static constexpr int any = -1;  ///< as many inputs or outputs as the call has

  const char* name;
  int inputs = 1;
  int outputs = 1;
  Reads vjp_reads = Reads::both;
  Interval domain{-2, 2};      ///< where tests draw its inputs
  bool analytic = true;        ///< the complex step applies
  bool differentiable = true;  ///< false: its outputs are constants to the sweep (comparisons, sign)
  bool expensive = false;      ///< costs more to compute again than to keep
  bool replayable = true;      ///< false: forward depends on more than its inputs
};

/// The gradient of an input that has none.
struct Absent {};

/// What a vjp returns: one gradient for each input, in order.
template <class... Gradients>
auto gradients(Gradients... each) {
  return std::tuple<Gradients...>(each...);
}

/// An array the engine lends to a rule.
template <class V>
struct Operand {
  V* data;
  const Shape* shape;
  std::size_t size() const { return shape->elements(); }
};

/// The arguments of one forward evaluation of a structural rule, over T or, in the gradient checker,
/// std::complex<double>.
template <class V>
struct ForwardCall {
  std::span<const Operand<const V>> inputs;
  std::span<const Operand<V>> outputs;
  const Operand<const V>& input(std::size_t k = 0) const { return inputs[k]; }
  const Operand<V>& output(std::size_t k = 0) const { return outputs[k]; }
};

/// Where a gradient contribution goes: stored when it is the first, added otherwise.
template <class T>
struct Destination {
  T* data;
  bool accumulate;
};

template <class T>
class Backward;
template <class T>
class Recorder;

/// The functions of one op for one element type; a step of the tape points at it.
template <class T>
struct OpTable {
  const OpInfo* info;
  void (*forward)(const void* rule, const ForwardCall<T>& call);  ///< none if it can not be replayed
  void (*forward_complex)(const void* rule, const ForwardCall<std::complex<double>>& call);
  void (*backward)(const void* rule, Backward<T>& call);
  void (*record)(const void* rule, Recorder<T>& call);
  std::string (*attributes)(const void* rule);
};

}  // namespace autograd
