// SingleThreadedBlas: keeps BLAS from starting threads of its own while ours run side by side.
#pragma once

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

}  // namespace autograd::kernels
