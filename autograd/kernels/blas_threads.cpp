#include "autograd/kernels/blas_threads.hpp"

#include <algorithm>
#include <string_view>

#include "autograd/values/lane.hpp"

// OpenBLAS's own; null with another BLAS. The loader knows with which one, and only that of ELF can be asked; elsewhere
// CMake has found out.
#ifdef __ELF__
#define WENGERT_OPENBLAS [[gnu::weak]]
#endif
#ifdef WENGERT_OPENBLAS
extern "C" {
WENGERT_OPENBLAS int openblas_get_num_threads();
WENGERT_OPENBLAS void openblas_set_num_threads(int);
WENGERT_OPENBLAS char* openblas_get_corename();
WENGERT_OPENBLAS char* openblas_get_config();
}
#else
namespace {
constexpr int (*openblas_get_num_threads)() = nullptr;
constexpr void (*openblas_set_num_threads)(int) = nullptr;
[[maybe_unused]] constexpr char* (*openblas_get_corename)() = nullptr;
constexpr char* (*openblas_get_config)() = nullptr;
}  // namespace
#endif

namespace autograd::kernels {

namespace {

/// One thread of OpenBLAS in terms of one of ours. Measured with AVX-512 in float: as fast with the kernels for
/// SkylakeX, half as fast with those for Haswell, a fifth with those for Prescott, to which it falls back on processors
/// that are newer than itself.
double blas_thread_speed() {
#if defined(__x86_64__)
  const std::string_view core = openblas_get_corename();
  const auto is = [core](auto... names) { return ((core == names) || ...); };
  const double bytes = is("SkylakeX", "Cooperlake", "SapphireRapids") ? 64 : is("Haswell", "Zen") ? 32 : 12;
  return std::min(1.0, bytes / sizeof(xsimd::batch<float>));
#else
  return 1;
#endif
}

}  // namespace

double blas_speed() {
  if (!openblas_get_num_threads || !openblas_get_corename) return 0;
  static const double one_thread = blas_thread_speed();
  return openblas_get_num_threads() * one_thread;
}

std::string blas_description() {
  if (!openblas_get_config || !openblas_get_corename) return "a CBLAS without a name";
  return std::string(openblas_get_config()) + ", core type " + openblas_get_corename();
}

SingleThreadedBlas::SingleThreadedBlas() : before_(openblas_get_num_threads ? openblas_get_num_threads() : 1) {
  if (before_ > 1) openblas_set_num_threads(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  if (before_ > 1) openblas_set_num_threads(before_);
}

}  // namespace autograd::kernels
