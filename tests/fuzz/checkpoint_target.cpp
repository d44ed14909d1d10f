// Checkpoints: bytes as the whole file, and as what stands inside its frame, past the checksum.
#include <map>
#include <optional>
#include <stdexcept>

#include "autograd/error.hpp"
#include "nn/io/checkpoint.hpp"
#include "nn/io/file.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

struct Epoch {
  double loss = 0.5;
  std::string note = "first";

  static void visit_state(auto& self, auto&& visitor) {
    visitor("loss", self.loss);
    visitor("note", self.note);
  }
};

struct State {
  nn::Parameter<float> weight{autograd::zeros<float>({2, 3})};
  autograd::Generator generator{7};
  std::vector<float> moments{1, 2, 3};
  std::vector<bool> flags{true, false};
  std::optional<double> best = 0.25;
  std::vector<Epoch> history{{}, {}};
  short small = 3;
  unsigned epoch = 2;

  static void visit_state(auto& self, auto&& visitor) {
    visitor("weight", self.weight);
    visitor("generator", self.generator);
    visitor("moments", self.moments);
    visitor("flags", self.flags);
    visitor("best", self.best);
    visitor("history", self.history);
    visitor("small", self.small);
    visitor("epoch", self.epoch);
  }
};

std::string payload_of(const State& state) {
  std::string payload;
  State::visit_state(state, nn::io::detail::CheckpointWriter(payload));
  return payload;
}

void load(std::string_view file) {
  State state;
  const std::string before = payload_of(state);
  const std::filesystem::path path = scratch_file("checkpoint", file);
  try {
    nn::io::load_checkpoint(state, path);
  } catch (const autograd::Error&) {
    if (payload_of(state) != before) throw std::logic_error("a state was changed by a checkpoint that is refused");
    throw;
  }
}

void run(std::string_view bytes) {
  try {
    load(bytes);
  } catch (const autograd::Error&) {
    load(nn::io::detail::checkpoint_file(bytes));
  }
}

std::vector<std::string> seeds() {
  State other;
  other.best.reset();
  other.history.clear();
  const std::string payload = payload_of(State());
  return {nn::io::detail::checkpoint_file(payload), payload, payload_of(other)};
}

}  // namespace

Target checkpoint_target() { return {"checkpoint", run, seeds, nn::io::read_file}; }

}  // namespace fuzz
