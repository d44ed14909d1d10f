// Which Wengert this is, and on what it was built: what a report of a fault should say.
#pragma once

#include <string>

namespace autograd {

/// "0.2.0".
const char* version();

/// The version and, a line each, the instruction set of the library's kernels, BLAS, compiler, xtensor and xsimd.
std::string build_description();

}  // namespace autograd
