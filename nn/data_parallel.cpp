#include "nn/data_parallel.hpp"

#include <atomic>
#include <exception>
#include <string>
#include <thread>

#include "autograd/error.hpp"
#include "autograd/kernels/blas_threads.hpp"

namespace nn {

using autograd::ValueError;

struct Workers::State {
  std::atomic<std::size_t> round{0};  ///< counts calls of run()
  std::atomic<std::size_t> busy{0};
  const std::function<void(std::size_t)>* work = nullptr;  ///< none: the end
  std::vector<std::thread> threads;

  void serve(std::size_t thread) {
    for (std::size_t seen = 0;;) {
      round.wait(seen);
      seen = round.load();
      if (!work) return;
      (*work)(thread);
      if (--busy == 0) busy.notify_one();
    }
  }
  void start(const std::function<void(std::size_t)>* next) {
    work = next;
    busy = threads.size();
    ++round;
    round.notify_all();
  }
};

Workers::Workers(std::size_t threads) : state_(std::make_unique<State>()) {
  if (threads == 0) throw ValueError("workers: at least one thread, got 0");
  for (std::size_t k = 1; k < threads; ++k) state_->threads.emplace_back(&State::serve, state_.get(), k);
}

Workers::~Workers() {
  state_->start(nullptr);
  for (std::thread& thread : state_->threads) thread.join();
}

void Workers::run(std::size_t tasks, const std::function<void(std::size_t)>& work) {
  const autograd::kernels::SingleThreadedBlas single;
  const std::size_t threads = state_->threads.size() + 1;
  const std::function<void(std::size_t)> share = [&](std::size_t thread) {
    for (std::size_t task = thread; task < tasks; task += threads) work(task);
  };
  if (threads > 1 && tasks > 1) state_->start(&share);
  share(0);
  for (std::size_t left = state_->busy; left > 0; left = state_->busy) state_->busy.wait(left);
}

template <class T>
DataParallel<T>::DataParallel(std::size_t shards, std::size_t threads) : workers_(threads) {
  if (shards == 0) throw ValueError("data_parallel: at least one shard, got 0");
  for (std::size_t k = 0; k < shards; ++k) tapes_.push_back(std::make_unique<Tape<T>>());
}

template <class T>
T DataParallel<T>::backward(std::size_t batch, const std::function<Variable<T>(Tape<T>&, Rows)>& loss) {
  const std::size_t shards = tapes_.size();
  std::vector<T> losses(shards, T(0));
  std::vector<std::exception_ptr> errors(shards);
  const auto rows_of = [&](std::size_t shard) { return Rows{batch * shard / shards, batch * (shard + 1) / shards}; };
  std::vector<std::size_t> filled;
  for (std::size_t shard = 0; shard < shards; ++shard)
    if (rows_of(shard).size() > 0) filled.push_back(shard);
  workers_.run(filled.size(), [&](std::size_t task) {
    const std::size_t shard = filled[task];
    try {
      Tape<T>& tape = *tapes_[shard];
      tape.clear();
      const Variable<T> result = loss(tape, rows_of(shard));
      losses[shard] = result.item();
      tape.backward_apart(result);
    } catch (...) {
      errors[shard] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  T total = 0;
  for (const std::size_t shard : filled) {
    tapes_[shard]->deliver_gradients();
    total += losses[shard];
  }
  return total;
}

template class DataParallel<float>;
template class DataParallel<double>;

}  // namespace nn
