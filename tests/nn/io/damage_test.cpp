// Checkpoints that are damaged in any way, and loads that run out of memory: the state before, or an error.
#include <cstdint>
#include <new>

#include "allocations.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/checkpoint.hpp"
#include "nn/io/save_load.hpp"

namespace fs = std::filesystem;
using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using nn::io::Format;
using nn::io::load_checkpoint;
using nn::io::save_checkpoint;
using saved::bytes_of;
using saved::Folder;
using saved::write_bytes;

namespace {

struct Counter {
  std::string name;
  int count = 0;

  static void visit_state(auto& self, auto&& visitor) {
    visitor("name", self.name);
    visitor("count", self.count);
  }
};

/// The checksum as its definition says: bit by bit, the polynomial of ECMA-182 reflected.
std::string with_checksum(std::string bytes) {
  std::uint64_t crc = ~std::uint64_t{0};
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xC96C5795D7870F42 : 0);
  }
  for (int k = 0; k < 8; ++k) bytes += static_cast<char>(~crc >> 8 * k);
  return bytes;
}

/// Calls f(bytes) for the file cut after every byte, and with every bit of every byte flipped.
void for_each_damage(const std::string& whole, const auto& f) {
  for (std::size_t length = 0; length < whole.size(); ++length) f(whole.substr(0, length));
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] ^= static_cast<char>(1 << bit);
      f(damaged);
    }
}

struct Saved {
  Folder folder;
  fs::path path = folder.path / "run", before = folder.path / "run.previous";
  Counter first{"first", 1}, second{"second", 2};
  std::string first_bytes, second_bytes;

  Saved() {
    save_checkpoint(first, path);
    first_bytes = bytes_of(path);
    save_checkpoint(second, path);
    second_bytes = bytes_of(path);
  }

  void check_loads_first() {
    Counter other;
    CHECK(load_checkpoint(other, path) == before);
    CHECK(other.name == "first");
  }
};

}  // namespace

TEST_CASE("the checkpoint before is loaded for every byte of the newest one that is cut or flipped") {
  Saved saved;
  for_each_damage(saved.second_bytes, [&](const std::string& damaged) {
    write_bytes(saved.path, damaged);
    saved.check_loads_first();
  });
  write_bytes(saved.path, saved.second_bytes + "x");
  saved.check_loads_first();
}

TEST_CASE("a checkpoint that is cut or flipped at any byte, with none before it, is an error") {
  Saved saved;
  fs::remove(saved.before);
  for_each_damage(saved.second_bytes, [&](const std::string& damaged) {
    write_bytes(saved.path, damaged);
    Counter other{"untouched"};
    CHECK_THROWS_AS(load_checkpoint(other, saved.path), FormatError);
    CHECK(other.name == "untouched");
  });
}

TEST_CASE("a damaged checkpoint never takes the place of the one before") {
  Saved saved;
  const Counter third{"third", 3};
  for_each_damage(saved.second_bytes, [&](const std::string& damaged) {
    write_bytes(saved.path, damaged);
    save_checkpoint(third, saved.path);
    CHECK(bytes_of(saved.before) == saved.first_bytes);
    Counter other;
    CHECK(load_checkpoint(other, saved.path) == saved.path);
    CHECK(other.name == "third");
  });
  save_checkpoint(saved.second, saved.path);
  CHECK(bytes_of(saved.before) != saved.first_bytes);  // the third one, which is whole
}

TEST_CASE("records that are none, under a right checksum, are damage too") {
  Saved saved;
  std::string payload = saved.second_bytes.substr(0, saved.second_bytes.size() - 8);
  payload.pop_back();
  write_bytes(saved.path, with_checksum(payload));
  saved.check_loads_first();
}

TEST_CASE("a whole checkpoint of another version is told from a damaged one") {
  Saved saved;
  CHECK(with_checksum(saved.second_bytes.substr(0, saved.second_bytes.size() - 8)) == saved.second_bytes);
  for (const std::string version : {"2", "12", "1.1", ""}) {
    const std::string other_version = with_checksum("wengert-checkpoint/" + version + "\nsomething else");
    write_bytes(saved.path, other_version);
    Counter other{"untouched"};
    CHECK_THROWS_WITH(load_checkpoint(other, saved.path),
                      ContainsSubstring(saved.path.string() + ": it is of another version") &&
                          ContainsSubstring("reads wengert-checkpoint/1"));
    CHECK(other.name == "untouched");
    for_each_damage(other_version, [&](const std::string& damaged) {
      write_bytes(saved.path, damaged);
      saved.check_loads_first();
    });
  }
}

TEST_CASE("a checkpoint behind a link, and the one before, are where the link points") {
  const Folder folder;
  fs::create_directory(folder.path / "disk");
  const fs::path link = folder.path / "run";
  fs::create_symlink(fs::path("disk") / "file", link);
  save_checkpoint(Counter{"first", 1}, link);
  save_checkpoint(Counter{"second", 2}, link);
  CHECK(fs::is_symlink(link));
  CHECK(folder.files() == std::vector<std::string>{"disk", "run"});
  Counter other;
  CHECK(load_checkpoint(other, link) == link);
  CHECK(other.name == "second");
  fs::remove(folder.path / "disk" / "file");
  CHECK(load_checkpoint(other, link) == folder.path / "disk" / "file.previous");
  CHECK(other.name == "first");
}

namespace {

/// A parameter with more axes than xtensor keeps without the heap, and of every other kind of value one that needs it.
struct Everything {
  nn::Parameter<double> parameter{autograd::zeros<double>({1, 2, 1, 2, 1, 2})};
  nn::Parameter<float> plain{autograd::zeros<float>({3})};
  autograd::Generator generator{1};
  std::string text;
  std::vector<double> numbers;
  std::vector<bool> truths;
  std::vector<std::string> texts;
  std::vector<Counter> counters;
  std::vector<std::vector<int>> nested;
  std::optional<std::string> appears, disappears, changes;
  std::optional<Counter> counter;
  double last = 0;

  static void visit(auto& self, auto&& visitor) {
    visitor("parameter", self.parameter);
    visitor("plain", self.plain);
  }
  static void visit_state(auto& self, auto&& visitor) {
    visitor("first", self.plain);
    visitor("parameter", self.parameter);
    visitor("generator", self.generator);
    visitor("text", self.text);
    visitor("numbers", self.numbers);
    visitor("truths", self.truths);
    visitor("texts", self.texts);
    visitor("counters", self.counters);
    visitor("nested", self.nested);
    visitor("appears", self.appears);
    visitor("disappears", self.disappears);
    visitor("changes", self.changes);
    visitor("counter", self.counter);
    visitor("last", self.last);
  }
};

const std::string a_long_text(100, 'a'), b_long_text(100, 'b');

Everything older() {
  Everything state;
  state.text = a_long_text;
  state.disappears = a_long_text;
  state.changes = a_long_text;
  state.counters = {{"one", 1}};
  return state;
}

Everything newer() {
  Everything state;
  state.parameter.update([](auto& values) { values.fill(2); });
  state.plain.update([](auto& values) { values.fill(3); });
  state.generator();
  state.text = b_long_text;
  state.numbers = {1, 2, 3};
  state.truths = {true, false, true};
  state.texts = {b_long_text, "short"};
  state.counters = {{b_long_text, 4}, {"two", 2}};
  state.nested = {{1}, {}, {2, 3}};
  state.appears = b_long_text;
  state.changes = b_long_text;
  state.counter = Counter{b_long_text, 5};
  state.last = 6;
  return state;
}

std::string state_of(const Everything& state) {
  std::string payload;
  Everything::visit_state(state, nn::io::detail::CheckpointWriter(payload));
  return payload;
}

/// Lets each allocation of `load` fail in turn: the state must be what it was, or what the file says.
template <class State>
void check_failing_allocations(const State& before, const State& after, const auto& text_of, const auto& load) {
  REQUIRE(text_of(before) != text_of(after));
  State loaded = before;
  const std::size_t needed = allocations::during([&] { load(loaded); });
  REQUIRE(text_of(loaded) == text_of(after));
  std::size_t failures = 0;
  for (std::size_t n = 1; n <= needed; ++n) {
    INFO("allocation " << n << " of " << needed);
    State state = before;
    bool failed = false;
    const std::size_t live = allocations::live();
    allocations::fail(n);
    try {
      load(state);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    allocations::fail(0);
    if (failed) REQUIRE(allocations::live() == live);
    REQUIRE(text_of(state) == text_of(failed ? before : after));
    failures += failed;
  }
  CHECK(failures > needed / 2);
}

struct Parameters {
  nn::Parameter<float> first{autograd::zeros<float>({3})}, second{autograd::zeros<float>({1, 2, 1, 2, 1, 2})};

  static void visit(auto& self, auto&& visitor) {
    visitor("first", self.first);
    visitor("second", self.second);
  }
};

struct More {
  Everything everything = newer();
  int more = 1;

  static void visit_state(auto& self, auto&& visitor) {
    Everything::visit_state(self.everything, visitor);
    visitor("more", self.more);
  }
};

}  // namespace

TEST_CASE("a load that runs out of memory anywhere leaves the state as it was") {
  const Folder folder;
  const fs::path path = folder.path / "file";
  SECTION("checkpoint") {
    save_checkpoint(newer(), path);
    check_failing_allocations(older(), newer(), state_of, [&](Everything& state) { load_checkpoint(state, path); });
  }
  SECTION("checkpoint of less") {
    save_checkpoint(older(), path);
    check_failing_allocations(newer(), older(), state_of, [&](Everything& state) { load_checkpoint(state, path); });
  }
  Parameters after;
  after.first.update([](auto& values) { values.fill(1); });
  after.second.update([](auto& values) { values.fill(2); });
  const auto bits = [](const Parameters& parameters) { return saved::bits(parameters); };
  SECTION("JSON") {
    nn::io::save(after, path, {.format = Format::native});
    check_failing_allocations({}, after, bits, [&](Parameters& state) { nn::io::load(state, path); });
  }
  SECTION("safetensors") {
    nn::io::save(after, path, {.format = Format::safetensors});
    check_failing_allocations({}, after, bits,
                              [&](Parameters& state) { nn::io::load(state, path, {.format = Format::safetensors}); });
  }
}

TEST_CASE("a state that is refused has not changed, not even what was empty") {
  const Folder folder;
  save_checkpoint(More(), folder.path / "run");
  Everything state = older();
  CHECK_THROWS_WITH(load_checkpoint(state, folder.path / "run"), ContainsSubstring("more is unexpected"));
  CHECK(state_of(state) == state_of(older()));
}
