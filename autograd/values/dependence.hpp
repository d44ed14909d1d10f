// Dependence: in the place of a register, the inputs that a value is computed from. A function called with lanes of it
// says what it reads.
#pragma once

#include <cstdint>

namespace autograd::kernels {

/// Bit k says that input k matters, wherever the values of the inputs may lie.
struct Dependence {
  std::uint32_t inputs = 0;

  constexpr Dependence() = default;
  explicit constexpr Dependence(double) {}
  static constexpr Dependence on(std::uint32_t inputs) {
    Dependence result;
    result.inputs = inputs;
    return result;
  }
};

constexpr Dependence join(Dependence a, Dependence b) { return Dependence::on(a.inputs | b.inputs); }

constexpr Dependence operator+(Dependence a, Dependence b) { return join(a, b); }
constexpr Dependence operator-(Dependence a, Dependence b) { return join(a, b); }
constexpr Dependence operator*(Dependence a, Dependence b) { return join(a, b); }
constexpr Dependence operator/(Dependence a, Dependence b) { return join(a, b); }
constexpr Dependence operator-(Dependence x) { return x; }

}  // namespace autograd::kernels
