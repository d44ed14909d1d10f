// Memory that runs out at every allocation in turn: std::bad_alloc and nothing else escapes, what was there is as it
// was, and the same again, with memory, gives the same as if nothing had happened. (Checkpoints are loaded in
// io/damage_test.cpp.)
#include <filesystem>
#include <new>

#include "allocations.hpp"
#include "autograd/ops.hpp"
#include "catch.hpp"
#include "nn/io/checkpoint.hpp"
#include "nn/io/models.hpp"
#include "nn/io/save_load.hpp"
#include "nn/nn.hpp"
#include "nn/parameters.hpp"

namespace fs = std::filesystem;
using autograd::Generator;
using autograd::Tape;
using nn::io::Format;
using saved::bytes_of;

namespace {

struct Model {
  nn::LSTM<double> lstm;
  nn::Linear<double> head;

  explicit Model(Generator generator)
      : lstm({.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true}, generator),
        head(8, 2, generator) {}

  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

/// A training on numbers that do not change.
struct Training {
  Model model{Generator(1)};
  nn::Adam<double> optimizer{model};
  Tape<double> tape;
  autograd::Array<double> x, target;

  Training() {
    Generator generator(2);
    x = oracle::random_array({4, 2, 3}, generator);
    target = oracle::random_array({4, 2, 2}, generator);
  }

  void step() {
    tape.clear();
    const auto loss = nn::mse(model.head(model.lstm(tape.constant(x)).output), tape.constant(target));
    optimizer.zero_grad();
    tape.backward(loss);
    nn::clip_grad_norm(optimizer.parameters(), 1.0);
    optimizer.step();
  }

  static void visit_state(auto& self, auto&& visitor) {
    visitor("model", self.model);
    visitor("optimizer", self.optimizer);
  }
};

/// Whether `f` runs out of memory where its n-th allocation fails.
bool fails(std::size_t n, const auto& f) {
  bool failed = false;
  allocations::fail(n);
  try {
    f();
  } catch (const std::bad_alloc&) {
    failed = true;
  }
  allocations::fail(0);
  return failed;
}

}  // namespace

TEST_CASE("a training step that runs out of memory anywhere can be made again", "[memory]") {
  std::string before, after;
  std::size_t needed = 0;
  {
    Training training;
    before = saved::bits(training.model);
    needed = allocations::during([&] { training.step(); });
    after = saved::bits(training.model);
  }
  REQUIRE(before != after);
  REQUIRE(needed > 20);
  std::size_t failures = 0;
  for (std::size_t n = 1; n <= needed; ++n) {
    const std::size_t live = allocations::live();
    bool failed = false, kept = false, repeated = false;
    {
      Training training;
      failed = fails(n, [&] { training.step(); });
      kept = !failed || saved::bits(training.model) == before;
      if (failed) training.step();
      repeated = saved::bits(training.model) == after;
    }
    const bool balanced = allocations::live() == live;
    INFO("allocation " << n << " of " << needed);
    CHECK(kept);
    CHECK(repeated);
    CHECK(balanced);
    failures += failed;
  }
  CHECK(failures > needed / 2);
}

TEST_CASE("a save that runs out of memory anywhere leaves the file as it was", "[memory]") {
  const saved::Folder folder;
  const fs::path path = folder.path / "file";
  Training old, training;
  training.step();
  const auto json = [&](const Training& t) {
    nn::io::save(t.model, path, {.format = Format::native, .metadata = {{"name", "a"}}});
  };
  const auto checkpoint = [&](const Training& t) { nn::io::save_checkpoint(t, path); };
  const auto check = [&](const auto& save) {
    save(training);
    const std::string after = bytes_of(path);
    save(old);
    const std::string before = bytes_of(path);
    REQUIRE(before != after);
    const std::size_t needed = allocations::during([&] { save(training); });
    save(old);
    std::size_t failures = 0;
    for (std::size_t n = 1; n <= needed; ++n) {
      const auto files = folder.files();
      const std::size_t live = allocations::live();
      const bool failed = fails(n, [&] { save(training); });
      const bool balanced = allocations::live() == live;
      const bool kept = bytes_of(path) == (failed ? before : after);
      INFO("allocation " << n << " of " << needed << (failed ? " failed the save" : ""));
      CHECK(kept);
      if (failed) CHECK(folder.files() == files);
      CHECK(balanced);
      if (!failed) save(old);
      failures += failed;
    }
    CHECK(failures > needed / 2);
  };
  SECTION("JSON") { check(json); }
  SECTION("checkpoint") { check(checkpoint); }
}

TEST_CASE("a load that runs out of memory anywhere leaves the model as it was", "[memory]") {
  const saved::Folder folder;
  Training trained;
  trained.step();
  const auto check = [&](const auto& load) {
    std::size_t needed = 0;
    {
      Training training;
      needed = allocations::during([&] { load(training.model); });
      REQUIRE(saved::bits(training.model) == saved::bits(trained.model));
    }
    REQUIRE(needed > 20);
    std::size_t failures = 0;
    for (std::size_t n = 1; n <= needed; ++n) {
      Training training;
      const std::string before = saved::bits(training.model);
      const std::size_t live = allocations::live();
      const bool failed = fails(n, [&] { load(training.model); });
      const bool balanced = allocations::live() == live;
      const bool kept = saved::bits(training.model) == (failed ? before : saved::bits(trained.model));
      INFO("allocation " << n << " of " << needed << (failed ? " failed the load" : ""));
      CHECK(kept);
      if (failed) CHECK(balanced);
      failures += failed;
    }
    CHECK(failures > needed / 2);
  };
  SECTION("JSON") {
    nn::io::save(trained.model, folder.path / "file", {.format = Format::native, .metadata = {{"name", "a"}}});
    check([&](Model& model) { nn::io::load(model, folder.path / "file"); });
  }
  SECTION("safetensors") {
    nn::io::save(trained.model, folder.path / "file", {.format = Format::safetensors});
    check([&](Model& model) { nn::io::load(model, folder.path / "file", {.format = Format::safetensors}); });
  }
}
