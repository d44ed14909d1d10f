// DataParallel: the same bits for any number of threads, and the sums of one tape.
#include "nn/data_parallel.hpp"

#include <thread>

#include "autograd/autograd.hpp"
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
  CHECK_THROWS_WITH(nn::DataParallel<double>(1, 0), "workers: at least one thread, got 0");
}
