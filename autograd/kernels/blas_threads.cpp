#include "autograd/kernels/blas_threads.hpp"

extern "C" {
// OpenBLAS's own; null with another BLAS.
[[gnu::weak]] int openblas_get_num_threads();
[[gnu::weak]] void openblas_set_num_threads(int);
}

namespace autograd::kernels {

SingleThreadedBlas::SingleThreadedBlas() : before_(openblas_get_num_threads ? openblas_get_num_threads() : 1) {
  if (before_ > 1) openblas_set_num_threads(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  if (before_ > 1) openblas_set_num_threads(before_);
}

}  // namespace autograd::kernels
