#include "autograd/version.hpp"

#include <xsimd/xsimd.hpp>

#include "autograd/array.hpp"
#include "autograd/kernels/blas_threads.hpp"
#include "autograd/values/instruction_set.hpp"

namespace autograd {

namespace {

std::string numbers(int major, int minor, int patch) {
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
}

}  // namespace

const char* version() { return WENGERT_VERSION; }

std::string build_description() {
  return std::string("Wengert ") + version() + "\nSIMD      " + instruction_set() + "\nBLAS      " +
         kernels::blas_description() + "\ncompiler  " + __VERSION__ + "\nversions  xtensor " +
         numbers(XTENSOR_VERSION_MAJOR, XTENSOR_VERSION_MINOR, XTENSOR_VERSION_PATCH) + ", xsimd " +
         numbers(XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH);
}

}  // namespace autograd
