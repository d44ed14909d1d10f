// DataParallel: one batch over several threads, with the same bits for any number of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "autograd/tape.hpp"

namespace nn {

using autograd::Tape;
using autograd::Variable;

/// Sequences begin ... end - 1 of a batch.
struct Rows {
  std::size_t begin;
  std::size_t end;
  std::size_t size() const { return end - begin; }
};

/// Threads that wait for work, the caller's among them. In a process that was forked off they are started anew.
class Workers {
 public:
  /// Throws ValueError for no thread at all, and for more than the system starts; none is left then.
  explicit Workers(std::size_t threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// work(0) ... work(tasks - 1), thread k taking every task that leaves k when divided by the number of threads; a
  /// single one is the caller's, and wakes nobody. Returns when all are done. BLAS runs single-threaded meanwhile.
  /// Rethrows what the first of the tasks threw, when all are done. Throws TapeError, and does nothing, while another
  /// run() is under way: in a task of its own, or on another thread.
  void run(std::size_t tasks, const std::function<void(std::size_t)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Splits a batch into shards, each swept on a tape of its own, and adds their gradients in the order of the shards.
/// How many shards there are decides the sums, and so the bits; how many threads there are does not.
///
///     nn::DataParallel<float> parallel(4, 2);
///     optimizer.zero_grad();
///     const float loss = parallel.backward(batch, [&](Tape<float>& tape, nn::Rows rows) {
///       return sum(square(model(tape.constant(columns(x, rows))) - ...)) / batch;
///     });
///     optimizer.step();
template <class T>
class DataParallel {
 public:
  /// Throws ValueError for no shard or more than 65,536, for no thread or more than the system starts.
  DataParallel(std::size_t shards, std::size_t threads);

  /// Calls loss(tape, rows) for every shard that has rows, sweeps it, and adds the gradients to those of the
  /// parameters. `loss` runs on several threads at once: it records on its tape, reads what it likes, and draws from
  /// generators of its own. The sum of all losses; each shard weighs what its loss does, so divide by the whole batch.
  /// Rethrows what the first of the shards threw; no gradient has been added then. Throws TapeError, and does nothing,
  /// while another backward() of the same object is under way: in its loss, or on another thread.
  T backward(std::size_t batch, const std::function<Variable<T>(Tape<T>&, Rows)>& loss);

 private:
  Workers workers_;
  std::vector<std::unique_ptr<Tape<T>>> tapes_;
  std::atomic<bool> busy_{false};
};

extern template class DataParallel<float>;
extern template class DataParallel<double>;

}  // namespace nn
