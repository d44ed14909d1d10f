// DataParallel: the same bits for any number of threads, and the sums of one tape.
#include "nn/train/data_parallel.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <future>
#include <memory>
#include <thread>

#include "autograd/autograd.hpp"
#include "autograd/checkpoint.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/nn.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

/// Sequences `rows` of x (time, batch, feature).
template <class T>
Array<T> columns(const Array<T>& x, nn::Rows rows) {
  const std::size_t time = x.shape(0), batch = x.shape(1), feature = x.shape(2);
  Array<T> part = make_array<T>({time, rows.size(), feature});
  for (std::size_t t = 0; t < time; ++t)
    std::copy_n(x.data() + (t * batch + rows.begin) * feature, rows.size() * feature,
                part.data() + t * rows.size() * feature);
  return part;
}

/// Two training steps; the losses and all parameters after them.
template <class T>
struct Run {
  std::vector<T> losses;
  std::vector<Array<T>> parameters, gradients;

  /// On one tape if there are no shards.
  Run(std::size_t shards, std::size_t threads, std::size_t batch) {
    Generator generator(8);
    nn::LSTM<T> lstm({.input_size = 5, .hidden_size = 7, .num_layers = 2}, generator);
    const Array<T> x = random_array<T>({6, batch, 5}, generator), target = random_array<T>({6, batch, 7}, generator);
    const auto loss = [&](Tape<T>& tape, nn::Rows rows) {
      const auto y = lstm(tape.constant(columns(x, rows))).output;
      return sum(square(y - tape.constant(columns(target, rows)))) / static_cast<double>(batch);
    };
    nn::SGD<T> optimizer(lstm, {.learning_rate = 0.1});
    nn::DataParallel<T> parallel(std::max<std::size_t>(1, shards), threads);
    Tape<T> tape;
    for (int step = 0; step < 2; ++step) {
      optimizer.zero_grad();
      if (shards) {
        losses.push_back(parallel.backward(batch, loss));
      } else {
        tape.clear();
        const auto whole = loss(tape, {0, batch});
        tape.backward(whole);
        losses.push_back(whole.item());
      }
      if (step == 0) nn::for_each_parameter(lstm, [&](const std::string&, auto& p) { gradients.push_back(p.grad()); });
      optimizer.step();
    }
    nn::for_each_parameter(lstm, [&](const std::string&, auto& p) { parameters.push_back(p.value()); });
  }
};

}  // namespace

TEMPLATE_TEST_CASE("any number of threads gives the same bits", "[data_parallel]", float, double) {
  const Run<TestType> one(4, 1, 10);
  for (const std::size_t threads : {2, 3, 4, 7}) {
    INFO(threads << " threads");
    for (int repetition = 0; repetition < 3; ++repetition) {
      const Run<TestType> many(4, threads, 10);
      CHECK(many.losses == one.losses);
      for (std::size_t k = 0; k < one.parameters.size(); ++k) CHECK(same_bits(many.parameters[k], one.parameters[k]));
    }
  }
}

TEST_CASE("shards add up to the whole batch", "[data_parallel]") {
  for (const std::size_t batch : {1, 3, 10}) {
    const Run<double> whole(0, 1, batch);
    for (const std::size_t shards : {1, 2, 4, 13}) {
      INFO(batch << " sequences, " << shards << " shards");
      const Run<double> parts(shards, 2, batch);
      for (std::size_t k = 0; k < whole.losses.size(); ++k)
        CHECK(std::abs(parts.losses[k] - whole.losses[k]) <= 1e-14 * whole.losses[k]);
      for (std::size_t k = 0; k < whole.gradients.size(); ++k)
        CHECK(distance(parts.gradients[k], whole.gradients[k]) <= 1e-14);
    }
  }
}

TEST_CASE("a single shard with rows is the caller's, and wakes no thread", "[data_parallel]") {
  Parameter<double> p(array<double>({2}, {1, 2}));
  nn::DataParallel<double> parallel(3, 3);
  std::thread::id thread;
  const auto loss = [&](Tape<double>& tape, nn::Rows) {
    thread = std::this_thread::get_id();
    return sum(square(tape.parameter(p)));
  };
  CHECK(parallel.backward(1, loss) == 5);
  CHECK(thread == std::this_thread::get_id());
  CHECK(parallel.backward(0, loss) == 0);
}

TEST_CASE("a shard that throws leaves the gradients as they were", "[data_parallel]") {
  Parameter<double> p(array<double>({2}, {1, 2}));
  p.grad().fill(5);
  nn::DataParallel<double> parallel(4, 2);
  const auto loss = [&](Tape<double>& tape, nn::Rows rows) {
    if (rows.begin >= 2) throw ValueError("row " + std::to_string(rows.begin));
    return sum(square(tape.parameter(p)));
  };
  CHECK(error_text<ValueError>([&] { parallel.backward(4, loss); }) == "row 2");
  CHECK(same(p.grad(), array<double>({2}, {5, 5})));
  CHECK(parallel.backward(2, loss) == 10);
  CHECK(same(p.grad(), array<double>({2}, {9, 13})));
  CHECK_THROWS_WITH(nn::DataParallel<double>(0, 1), "data_parallel: at least one shard, got 0");
  CHECK_THROWS_AS(nn::DataParallel<double>(static_cast<std::size_t>(-1), 1), autograd::ValueError);
  CHECK_THROWS_WITH(nn::DataParallel<double>(1, 0), "workers: at least one thread, got 0");
  CHECK_THROWS_WITH(parallel.backward(1, {}), "data_parallel: the loss is empty; pass a function of a tape and rows");
}

TEST_CASE("a backward() within a backward() of the same object, or beside it, is refused", "[data_parallel]") {
  const std::string text =
      "data_parallel: a backward() is under way already, and calls on the same object can not be nested or made from "
      "two "
      "threads at once; use another object there";
  for (const std::size_t threads : {1, 2}) {
    Parameter<double> p(array<double>({2}, {1, 2}));
    p.grad().fill(5);
    nn::DataParallel<double> parallel(2, threads), other(2, threads);
    const auto plain = [&](Tape<double>& tape, nn::Rows) { return sum(square(tape.parameter(p))); };
    const auto nested = [&](Tape<double>& tape, nn::Rows rows) {
      parallel.backward(2, plain);
      return plain(tape, rows);
    };
    CHECK(error_text<TapeError>([&] { parallel.backward(2, nested); }) == text);
    CHECK(same(p.grad(), array<double>({2}, {5, 5})));
    std::promise<void> reached, done;
    std::future<void> is_done = done.get_future();
    const auto waiting = [&](Tape<double>& tape, nn::Rows rows) {
      if (rows.begin == 0) {
        reached.set_value();
        is_done.wait();
      }
      return plain(tape, rows);
    };
    std::thread beside([&] { parallel.backward(2, waiting); });
    reached.get_future().wait();
    CHECK(error_text<TapeError>([&] { parallel.backward(2, plain); }) == text);
    done.set_value();
    beside.join();
    CHECK(same(p.grad(), array<double>({2}, {9, 13})));
    // Another object is another matter.
    std::atomic<int> inside = 0;
    const auto apart = [&](Tape<double>& tape, nn::Rows rows) {
      inside += static_cast<int>(
          value_and_grad<double>([](auto x) { return sum(square(x[0])); }, {array<double>({2}, {1, 2})}).value);
      return plain(tape, rows);
    };
    CHECK(other.backward(2, apart) == 10);
    CHECK(inside == 10);
    CHECK(parallel.backward(2, plain) == 10);
    CHECK(same(p.grad(), array<double>({2}, {17, 29})));
  }
}

TEST_CASE("workers pass on what the first of the tasks threw, whatever it is", "[data_parallel]") {
  struct Own {
    std::size_t task;
  };
  for (const std::size_t threads : {1, 2, 3, 8}) {
    nn::Workers workers(threads);
    std::array<std::atomic<int>, 9> done{};
    const auto work = [&](std::size_t task) {
      ++done[task];
      if (task == 4) throw Own{task};
      if (task == 5) throw 5;
      if (task == 7) throw ValueError("task 7");
    };
    try {
      workers.run(done.size(), work);
      FAIL("nothing was thrown");
    } catch (const Own& own) {
      CHECK(own.task == 4);
    }
    for (const auto& count : done) CHECK(count == 1);
    CHECK_THROWS_AS(workers.run(2, [&](std::size_t) { workers.run(1, [](std::size_t) {}); }), TapeError);
    std::atomic<int> sum = 0;
    workers.run(100, [&](std::size_t task) { sum += static_cast<int>(task); });
    CHECK(sum == 4950);
  }
}

// Sanitizers reserve more than any limit leaves.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("more threads than the system starts are refused", "[data_parallel]") {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  if (pages == 0) return;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  rlimit tight = before;  // 256 MB more: stacks for some thirty threads
  tight.rlim_cur = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + (std::size_t(1) << 28);
  REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);
  const std::string text = error_text<ValueError>([] { nn::DataParallel<double>(2, 5000); });
  REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
  CHECK_THAT(text, Catch::Matchers::StartsWith("workers: the system runs ") &&
                       Catch::Matchers::ContainsSubstring(" of 5000 threads (") &&
                       Catch::Matchers::EndsWith("); ask for fewer"));
  Parameter<double> p(array<double>({2}, {1, 2}));
  nn::DataParallel<double> parallel(2, 2);
  CHECK(parallel.backward(2, [&](Tape<double>& tape, nn::Rows) { return sum(square(tape.parameter(p))); }) == 10);
}
#endif

#if !defined(__SANITIZE_THREAD__)  // which does not start threads after a fork
TEST_CASE("a process that was forked off has threads of its own", "[data_parallel]") {
  Parameter<double> p(array<double>({2}, {1, 2}));
  auto parallel = std::make_unique<nn::DataParallel<double>>(4, 3);
  auto unused = std::make_unique<nn::DataParallel<double>>(4, 3);
  const auto loss = [&](Tape<double>& tape, nn::Rows) { return sum(square(tape.parameter(p))); };
  CHECK(parallel->backward(4, loss) == 20);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // rather than wait for ever
    const bool right = parallel->backward(4, loss) == 20 && p.grad()(1) == 32;
    parallel.reset();
    unused.reset();
    _exit(right ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(parallel->backward(4, loss) == 20);
  CHECK(same(p.grad(), array<double>({2}, {16, 32})));
}
#endif

TEST_CASE("segments that are checkpointed in the shards add up like the rest", "[data_parallel]") {
  Generator generator(3);
  const Array<double> x = random_array({8, 3}, generator), start = random_array({3, 3}, generator);
  std::vector<Array<double>> gradients;
  for (const std::size_t threads : {1, 2, 4}) {
    Parameter<double> w(start);
    std::array<Tape<double>, 4> workspaces;
    bool fails = true;
    const auto segment = [&](std::span<const Variable<double>> in) {
      return std::array{tanh(linear(in[0], in[0].tape().parameter(w)))};
    };
    const auto loss = [&](Tape<double>& tape, nn::Rows rows) {
      const auto part = slice(tape.constant(x), 0, static_cast<Index>(rows.begin), static_cast<Index>(rows.end));
      const auto y = checkpoint(workspaces[rows.begin / 2], segment, {part})[0];
      if (fails && rows.begin == 6) throw ValueError("the last shard");
      return sum(square(checkpoint(workspaces[rows.begin / 2], segment, {y})[0]));
    };
    nn::DataParallel<double> parallel(4, threads);
    CHECK_THROWS_AS(parallel.backward(8, loss), ValueError);
    CHECK(same(w.grad(), zeros<double>({3, 3})));
    fails = false;
    parallel.backward(8, loss);
    gradients.push_back(w.grad());
    CHECK(same_bits(gradients.back(), gradients.front()));
  }
  Parameter<double> w(start);
  Tape<double> tape;
  const auto once = tanh(linear(tape.constant(x), tape.parameter(w)));
  tape.backward(sum(square(tanh(linear(once, tape.parameter(w))))));
  CHECK(distance(gradients[0], w.grad()) <= 1e-15);
}
