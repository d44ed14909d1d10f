// SingleThreadedBlas: keeps BLAS from starting threads of its own while ours run side by side; and what these are
// worth.
#pragma once

#include <string>

namespace autograd::kernels {

/// OpenBLAS with one thread until the end of a block; another BLAS is left as it is.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;

 private:
  int before_;
};

/// The speed of large products by OpenBLAS, of one thread of kernels as wide as ours: its threads, times the width of
/// the registers that it uses on this processor. 0 with another BLAS.
double blas_speed();

/// OpenBLAS's version, options and core type; of another BLAS only that it is one.
std::string blas_description();

}  // namespace autograd::kernels
