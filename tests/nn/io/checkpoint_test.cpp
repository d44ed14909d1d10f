// Checkpoints: a training that was interrupted anywhere goes on bit for bit, and no damaged file is ever accepted.
#include "nn/io/checkpoint.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <thread>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/dropout.hpp"
#include "nn/initialize.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/lstm.hpp"

namespace fs = std::filesystem;
using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using nn::io::load_checkpoint;
using nn::io::save_checkpoint;
using saved::bytes_of;
using saved::Folder;
using saved::write_bytes;

namespace {

struct Model {
  nn::LSTM<float> lstm;
  nn::Linear<float> head;

  explicit Model(nn::Generator& generator)
      : lstm({.input_size = 2, .hidden_size = 6, .num_layers = 2, .dropout = 0.2}, generator), head(6, 1, generator) {}
  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

/// Adam, with its moments in plain sight.
struct Moments {
  std::vector<float> mean, square;
  std::size_t time = 0;
  double learning_rate = 0.01;

  void step(Model& model) {
    const double t = static_cast<double>(++time);
    std::size_t at = 0;
    nn::for_each_parameter(model, [&](const std::string&, nn::Parameter<float>& p) {
      p.update([&](auto& values) {
        for (std::size_t k = 0; k < p.size(); ++k, ++at) {
          const float g = p.grad().data()[k];
          mean[at] = 0.9f * mean[at] + 0.1f * g;
          square[at] = 0.999f * square[at] + 0.001f * g * g;
          values.data()[k] -= static_cast<float>(learning_rate / (1 - std::pow(0.9, t))) * mean[at] /
                              (std::sqrt(square[at] / static_cast<float>(1 - std::pow(0.999, t))) + 1e-8f);
        }
      });
    });
  }

  static void visit_state(auto& self, auto&& visitor) {
    visitor("mean", std::span(self.mean));
    visitor("square", std::span(self.square));
    visitor("time", self.time);
    visitor("learning_rate", self.learning_rate);
  }
};

struct Scaler {
  double mean = 0, deviation = 1;

  static void visit_state(auto& self, auto&& visitor) {
    visitor("mean", self.mean);
    visitor("deviation", self.deviation);
  }
};

struct Epoch {
  double loss = 0;
  std::string note;

  static void visit_state(auto& self, auto&& visitor) {
    visitor("loss", self.loss);
    visitor("note", self.note);
  }
};

enum class Phase { warm_up, cooling };

/// Everything that a training has.
struct Training {
  nn::Generator generator;
  Model model, best;
  Moments moments;
  Scaler scaler;
  std::vector<std::size_t> order;
  std::size_t position = 0, epoch = 0;
  Phase phase = Phase::warm_up;
  std::optional<float> best_loss;
  int bad_epochs = 0;
  bool stopped = false;
  std::vector<Epoch> history;
  double loss_sum = 0;

  explicit Training(std::uint64_t seed) : generator(seed), model(generator), best(model) {
    moments.mean.resize(nn::parameter_count(model));
    moments.square.resize(moments.mean.size());
    for (std::size_t k = 0; k < 5; ++k) order.push_back(k);
    scaler = {0.25, 1.5};
  }

  /// One batch: noise, dropout, a shuffle at the end of each epoch.
  void step() {
    const float shift = static_cast<float>(order[position]) / 5;
    autograd::Tape<float> tape;
    nn::Array<float> x = nn::normal<float>({4, 3, 2}, scaler.mean + shift, scaler.deviation, generator);
    nn::zero_grad(model);
    const auto y = model.head(model.lstm(tape.constant(x), {.dropout = &generator}).output);
    const auto loss = mean(square(y - shift));
    tape.backward(loss);
    moments.step(model);
    loss_sum += loss.item();
    if (++position < order.size()) return;
    position = 0;
    ++epoch;
    phase = epoch > 3 ? Phase::cooling : Phase::warm_up;
    if (phase == Phase::cooling) moments.learning_rate *= 0.9;
    for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[generator() % k]);
    history.push_back({loss_sum, "epoch " + std::to_string(epoch)});
    if (!best_loss || loss_sum < *best_loss) {
      best_loss = static_cast<float>(loss_sum);
      best = model;
      bad_epochs = 0;
    } else {
      stopped = ++bad_epochs > 20;
    }
    loss_sum = 0;
  }

  static void visit_state(auto& self, auto&& visitor) {
    visitor("generator", self.generator);
    visitor("model", self.model);
    visitor("best", self.best);
    visitor("moments", self.moments);
    visitor("scaler", self.scaler);
    visitor("order", self.order);
    visitor("position", self.position);
    visitor("epoch", self.epoch);
    visitor("phase", self.phase);
    visitor("best_loss", self.best_loss);
    visitor("bad_epochs", self.bad_epochs);
    visitor("stopped", self.stopped);
    visitor("history", self.history);
    visitor("loss_sum", self.loss_sum);
  }
};

std::string state_of(const Training& training) {
  const Folder folder;
  save_checkpoint(training, folder.path / "state");
  return bytes_of(folder.path / "state");
}

}  // namespace

TEST_CASE("a training that is resumed after any step ends in the same bits") {
  constexpr std::size_t steps = 30;
  const Folder folder;
  const fs::path path = folder.path / "run";
  Training whole(1);
  std::vector<std::string> states;
  for (std::size_t k = 0; k < steps; ++k) {
    states.push_back(state_of(whole));
    whole.step();
  }
  const std::string end = state_of(whole);
  for (std::size_t k = 0; k < steps; ++k) {
    INFO("resumed after " << k << " steps");
    write_bytes(path, states[k]);
    Training other(k + 2);
    for (std::size_t j = 0; j < k % 7; ++j) other.step();
    REQUIRE(state_of(other) != states[k]);
    CHECK(load_checkpoint(other, path) == path);
    CHECK(state_of(other) == states[k]);
    for (std::size_t j = k; j < steps; ++j) other.step();
    CHECK(state_of(other) == end);
  }
}

TEST_CASE("a training that is killed at random moments ends in the same bits") {
#ifdef NDEBUG
  constexpr std::size_t steps = 400;
#else
  constexpr std::size_t steps = 60;  // not optimised, or under a sanitizer
#endif
  const Folder folder;
  const fs::path path = folder.path / "run";
  Training whole(1);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t k = 0; k < steps; ++k) {
    whole.step();
    save_checkpoint(whole, folder.path / "whole");
  }
  const auto whole_life = std::chrono::steady_clock::now() - start;
  const std::string end = state_of(whole);

  const auto train = [&] {
    Training training(1);
    if (fs::exists(path) || fs::exists(folder.path / "run.previous")) load_checkpoint(training, path);
    while (training.epoch * 5 + training.position < steps) {
      training.step();
      save_checkpoint(training, path);
    }
  };
  std::mt19937 random(std::random_device{}());
  std::size_t kills = 0;
  for (bool finished = false; !finished;) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        train();
        _exit(0);
      } catch (const std::exception& error) {
        std::fputs(error.what(), stderr);
        _exit(1);
      }
    }
    std::this_thread::sleep_for(whole_life / 4 * std::uniform_real_distribution(0.0, 1.0)(random));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    finished = WIFEXITED(status);
    if (finished) REQUIRE(WEXITSTATUS(status) == 0);
    kills += WIFSIGNALED(status);
    REQUIRE(kills < 10000);
  }
  CHECK(kills > 0);
  CHECK(folder.files() == std::vector<std::string>{"run", "run.previous", "whole", "whole.previous"});
  Training last(9);
  load_checkpoint(last, path);
  CHECK(state_of(last) == end);
}

TEST_CASE("no damaged checkpoint is accepted, and the one before takes its place") {
  const Folder folder;
  const fs::path path = folder.path / "run", before = folder.path / "run.previous";
  Training training(1);
  training.step();
  save_checkpoint(training, path);
  const std::string first = bytes_of(path);
  training.step();
  save_checkpoint(training, path);
  const std::string second = bytes_of(path);
  CHECK(bytes_of(before) == first);
  CHECK(folder.files() == std::vector<std::string>{"run", "run.previous"});

  Training other(2);
  const auto refused_newest = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    CHECK(load_checkpoint(other, path) == before);
  };
  std::mt19937 random(3);
  for (int k = 0; k < 200; ++k) {
    std::string damaged = second;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    if (damaged.starts_with("wengert-checkpoint/") && !damaged.starts_with("wengert-checkpoint/1\n")) continue;
    refused_newest(damaged);
    refused_newest(second.substr(0, random() % second.size()).substr(0, second.size() - 1));
  }
  refused_newest("");
  refused_newest(second + "x");
  CHECK(state_of(other) == first);
  fs::remove(path);
  CHECK(load_checkpoint(other, path) == before);

  const std::string kept = state_of(other);
  write_bytes(path, second.substr(0, 100));
  write_bytes(before, first.substr(0, 100));
  CHECK_THROWS_WITH(load_checkpoint(other, path),
                    ContainsSubstring("its checksum is wrong") && ContainsSubstring("run.previous: its checksum"));
  fs::remove(path);
  fs::remove(before);
  CHECK_THROWS_WITH(load_checkpoint(other, path), ContainsSubstring("can not read"));
  write_bytes(path, "wengert-checkpoint/2\n");
  CHECK_THROWS_WITH(load_checkpoint(other, path), ContainsSubstring("it is of another version"));
  CHECK(state_of(other) == kept);
}

namespace {

template <class A, class B>
struct Pair {
  A first;
  B second;
  static void visit_state(auto& self, auto&& visitor) {
    visitor("first", self.first);
    visitor("second", self.second);
  }
};

template <class A>
struct Single {
  A first;
  static void visit_state(auto& self, auto&& visitor) { visitor("first", self.first); }
};

struct Twice {
  int a = 1;
  static void visit_state(auto& self, auto&& visitor) {
    visitor("a", self.a);
    visitor("a", self.a);
  }
};

}  // namespace

TEST_CASE("a checkpoint of another state is refused with everything that differs") {
  const Folder folder;
  const fs::path path = folder.path / "run";
  save_checkpoint(Pair<std::vector<double>, std::string>{{1, 2}, "text"}, path);
  const std::string begin = "load_checkpoint: " + path.string() + ": ";
  const auto refused = [&](auto state, const std::string& text) {
    CHECK_THROWS_MATCHES(load_checkpoint(state, path), FormatError, Message(begin + text));
  };
  refused(Pair<std::vector<float>, int>{{1}, 2},
          "first: file a double, here a float, second: file a text, here an integer");
  refused(Single<std::vector<double>>{}, "second is unexpected");
  refused(Pair<double, std::string>{}, "first: file (2), here ()");

  Pair<std::vector<double>, std::string> same;
  load_checkpoint(same, path);
  CHECK(same.first == std::vector<double>{1, 2});
  CHECK(same.second == "text");

  std::vector<float> three(3);
  save_checkpoint(Single<std::span<float>>{three}, path);
  std::vector<float> two(2);
  refused(Single<std::span<float>>{two}, "first: file (3), here (2)");
  save_checkpoint(Pair<int, std::size_t>{-300, 1000}, path);
  refused(Pair<signed char, unsigned char>{},
          "first is too large for its type here, second is too large for its type here");
  CHECK_THROWS_WITH(save_checkpoint(Twice{}, path), ContainsSubstring("the name a occurs twice"));
}

TEST_CASE("records that are none, under a right checksum") {
  const Folder folder;
  const fs::path path = folder.path / "run";
  const Pair<std::vector<double>, std::string> state{{1, 2}, "text"};
  std::string payload;
  state.visit_state(state, nn::io::detail::CheckpointWriter(payload));
  std::mt19937 random(5);
  std::size_t refused = 0;
  for (int k = 0; k < 5000; ++k) {
    std::string damaged = payload;
    for (std::size_t times = 1 + random() % 3; times > 0; --times)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    if (random() % 4 == 0) damaged.resize(random() % damaged.size());
    write_bytes(path, nn::io::detail::checkpoint_file(damaged));
    Pair<std::vector<double>, std::string> other;
    try {
      load_checkpoint(other, path);
    } catch (const FormatError&) {
      ++refused;
      CHECK((other.first.empty() && other.second.empty()));
    }
  }
  CHECK(refused > 2000);
}

TEST_CASE("every kind of value comes back, bit for bit") {
  const Folder folder;
  const fs::path path = folder.path / "run";
  using Numbers = std::vector<double>;
  const Numbers numbers{0.0,
                        -0.0,
                        5e-324,
                        1.7976931348623157e308,
                        std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::quiet_NaN()};
  using State = Pair<Pair<Numbers, std::vector<bool>>, Pair<std::optional<std::string>, std::vector<std::vector<int>>>>;
  const State state{{numbers, {true, false, true}}, {std::string("a\0b", 3), {{1, -2}, {}, {3}}}};
  save_checkpoint(state, path);
  State back;
  load_checkpoint(back, path);
  CHECK(std::memcmp(back.first.first.data(), numbers.data(), numbers.size() * sizeof(double)) == 0);
  CHECK(back.first.second == state.first.second);
  CHECK(back.second.first == state.second.first);
  CHECK(back.second.second == state.second.second);
  save_checkpoint(State{}, path);
  load_checkpoint(back, path);
  CHECK(!back.second.first);
  CHECK(back.second.second.empty());
}
