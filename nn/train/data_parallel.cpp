#include "nn/train/data_parallel.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "autograd/error.hpp"
#include "autograd/kernels/blas_threads.hpp"

namespace nn {

using autograd::TapeError;
using autograd::ValueError;

namespace {

/// Each has a tape.
constexpr std::size_t most_shards = 65536;

/// A number that a process forked off has not in common with its parent. Where there is no fork(), any.
long process() {
#if __has_include(<unistd.h>)
  return static_cast<long>(getpid());
#else
  return 0;
#endif
}

/// What only one call at a time may do. Throws TapeError in any other.
class Alone {
 public:
  Alone(std::atomic<bool>& busy, const char* what) : busy_(busy) {
    if (busy_.exchange(true))
      throw TapeError(std::string(what) + " is under way already, and calls on the same object can not be nested or " +
                      "made from two threads at once; use another object there");
  }
  ~Alone() { busy_ = false; }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace

struct Workers::State {
  std::atomic<bool> running{false};
  std::atomic<std::size_t> round{0};  ///< counts calls of run()
  std::atomic<std::size_t> busy{0};
  const std::function<void(std::size_t)>* work = nullptr;  ///< none: the end
  std::vector<std::thread> threads;
  long owner = process();

  /// Throws ValueError if not all of them can be started.
  explicit State(std::size_t count) {
    try {
      for (std::size_t k = 1; k < count; ++k) threads.emplace_back(&State::serve, this, k);
    } catch (const std::exception& error) {
      const std::size_t started = threads.size() + 1;
      stop();
      throw ValueError("workers: the system runs " + std::to_string(started) + " of " + std::to_string(count) +
                       " threads (" + error.what() + "); ask for fewer");
    }
  }
  ~State() { stop(); }

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
  void stop() {
    start(nullptr);
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
};

Workers::Workers(std::size_t threads) {
  if (threads == 0) throw ValueError("workers: at least one thread, got 0");
  state_ = std::make_unique<State>(threads);
}

Workers::~Workers() {
  if (state_->owner != process()) static_cast<void>(state_.release());
}

void Workers::run(std::size_t tasks, const std::function<void(std::size_t)>& work) {
  if (state_->owner != process()) {
    auto fresh = std::make_unique<State>(state_->threads.size() + 1);
    static_cast<void>(state_.release());  // of its threads there is nothing left to join
    state_ = std::move(fresh);
  }
  State& state = *state_;
  const Alone alone(state.running, "workers: a run()");
  const autograd::kernels::SingleThreadedBlas single;
  const std::size_t threads = state.threads.size() + 1;
  std::mutex failing;
  std::size_t failed = tasks;  // the first that threw
  std::exception_ptr error;
  const std::function<void(std::size_t)> share = [&](std::size_t thread) {
    for (std::size_t task = thread; task < tasks; task += threads) try {
        work(task);
      } catch (...) {
        const std::lock_guard lock(failing);
        if (task < failed) {
          failed = task;
          error = std::current_exception();
        }
      }
  };
  if (threads > 1 && tasks > 1) state.start(&share);
  share(0);
  if (state.owner != process())
    throw TapeError(
        "workers: a task has forked the process, and the others run in its parent only; end the child there");
  for (std::size_t left = state.busy; left > 0; left = state.busy) state.busy.wait(left);
  if (error) std::rethrow_exception(error);
}

template <class T>
DataParallel<T>::DataParallel(std::size_t shards, std::size_t threads) : workers_(threads) {
  if (shards == 0) throw ValueError("data_parallel: at least one shard, got 0");
  if (shards > most_shards)
    throw ValueError("data_parallel: at most " + std::to_string(most_shards) + " shards, got " +
                     std::to_string(shards) + "; was the number negative?");
  for (std::size_t k = 0; k < shards; ++k) tapes_.push_back(std::make_unique<Tape<T>>());
}

template <class T>
T DataParallel<T>::backward(std::size_t batch, const std::function<Variable<T>(Tape<T>&, Rows)>& loss) {
  if (!loss) throw ValueError("data_parallel: the loss is empty; pass a function of a tape and rows");
  const Alone alone(busy_, "data_parallel: a backward()");
  const std::size_t shards = tapes_.size();
  std::vector<T> losses(shards, T(0));
  const auto rows_of = [&](std::size_t shard) { return Rows{batch * shard / shards, batch * (shard + 1) / shards}; };
  std::vector<std::size_t> filled;
  for (std::size_t shard = 0; shard < shards; ++shard)
    if (rows_of(shard).size() > 0) filled.push_back(shard);
  workers_.run(filled.size(), [&](std::size_t task) {
    const std::size_t shard = filled[task];
    Tape<T>& tape = *tapes_[shard];
    tape.clear();
    const Variable<T> result = loss(tape, rows_of(shard));
    losses[shard] = result.item();
    tape.backward_apart(result);
  });
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
